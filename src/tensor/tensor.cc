#include "tensor/tensor.h"

#include <sys/mman.h>

#include <cstring>

#include "base/check.h"
#include "base/error.h"

namespace qvl {

int64_t ConstTensorView::elements() const {
  int64_t n = 1;
  for (const int64_t d : shape) n *= d;
  return n;
}

size_t ConstTensorView::bytes() const { return static_cast<size_t>(elements()) * dtype_bytes(dtype); }

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

void convert_to_float(const ConstTensorView& view, int64_t first, int64_t count, float* out) {
  if (count == 0) return;  // an empty tensor has no address
  switch (view.dtype) {
    case DType::kF32: std::memcpy(out, view.as<float>() + first, static_cast<size_t>(count) * sizeof(float)); return;
    case DType::kBF16:
      for (int64_t i = 0; i < count; ++i) out[i] = to_float(view.as<BF16>()[first + i]);
      return;
    case DType::kF16:
      for (int64_t i = 0; i < count; ++i) out[i] = half_to_float(view.as<uint16_t>()[first + i]);
      return;
    case DType::kF64:
      for (int64_t i = 0; i < count; ++i) out[i] = static_cast<float>(view.as<double>()[first + i]);
      return;
    case DType::kF8E4M3:
      for (int64_t i = 0; i < count; ++i) out[i] = f8e4m3_to_float(view.as<uint8_t>()[first + i]);
      return;
    default:
      throw Error(ErrorKind::kModel, "model_dtype",
                  fmt::format("expected a floating-point tensor, found {}", dtype_name(view.dtype)));
  }
}

std::vector<float> to_float_vector(const ConstTensorView& view, const std::string& name) {
  std::vector<float> out(static_cast<size_t>(view.elements()));
  try {
    convert_to_float(view, 0, view.elements(), out.data());
  } catch (const Error& e) {
    throw Error(e.kind, e.code, fmt::format("{}: {}", name, e.what()));
  }
  return out;
}

namespace {

constexpr size_t kAlignment = 64, kHugePage = size_t{2} << 20;

size_t round_up(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

// Address space that begins on a huge page's border, or nullptr. Linux takes back any piece of a mapping.
std::byte* map_aligned(size_t bytes) {
  const size_t reserved = bytes + kHugePage;
  void* const map = ::mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) return nullptr;
  const auto first = reinterpret_cast<uintptr_t>(map), begin = round_up(first, kHugePage);
  if (begin > first) ::munmap(map, begin - first);
  const size_t left = first + reserved - (begin + bytes);
  if (left > 0) ::munmap(reinterpret_cast<void*>(begin + bytes), left);
  ::madvise(reinterpret_cast<void*>(begin), bytes, MADV_HUGEPAGE);
  return reinterpret_cast<std::byte*>(begin);
}

}  // namespace

void Buffer::Free::operator()(std::byte* p) const {
  if (mapped_bytes != 0) {
    ::munmap(p, mapped_bytes);
  } else if (owner == nullptr) {
    std::free(p);
  }
}

Buffer::Buffer(size_t bytes, bool zero) : size_(bytes) {
  constexpr size_t kLarge = size_t{8} << 20, kPage = 4096;
  if (bytes == 0) return;
  if (bytes >= kLarge) {
    const size_t mapped = round_up(bytes, kPage);
    std::byte* const map = map_aligned(mapped);
    if (map == nullptr) throw_error(ErrorKind::kMemory, "memory_budget", "cannot allocate {} bytes", bytes);
    data_ = {map, Free{mapped}};
    return;
  }
  void* const heap = std::aligned_alloc(kAlignment, round_up(bytes, kAlignment));
  if (heap == nullptr) throw_error(ErrorKind::kMemory, "memory_budget", "cannot allocate {} bytes", bytes);
  data_ = {static_cast<std::byte*>(heap), Free{}};
  if (zero) std::memset(heap, 0, bytes);
}

Buffer Buffer::part(const std::shared_ptr<Buffer>& whole, size_t offset, size_t bytes) {
  QVL_CHECK(offset <= whole->size() && bytes <= whole->size() - offset, "{} bytes at {} of {}", bytes, offset, whole->size());
  Buffer out;
  if (bytes == 0) return out;
  out.data_ = {whole->data() + offset, Free{whole}};
  out.size_ = bytes;
  return out;
}

Buffer BufferArena::allocate(size_t bytes) {
  constexpr size_t kChunk = size_t{64} << 20;
  if (bytes == 0) return {};
  if (bytes >= kChunk / 4) return Buffer(bytes);
  if (chunk_ == nullptr || used_ + bytes > chunk_->size()) {
    chunk_ = std::make_shared<Buffer>(kChunk);
    used_ = 0;
  }
  Buffer out = Buffer::part(chunk_, used_, bytes);
  used_ += round_up(bytes, kAlignment);
  return out;
}

}  // namespace qvl
