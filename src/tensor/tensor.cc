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

void Buffer::Free::operator()(std::byte* p) const {
  if (mapped_bytes != 0) {
    ::munmap(p, mapped_bytes);
  } else {
    std::free(p);
  }
}

Buffer::Buffer(size_t bytes, bool zero) : size_(bytes) {
  constexpr size_t kLarge = size_t{8} << 20, kAlignment = 64;
  if (bytes == 0) return;
  if (bytes >= kLarge) {
    void* const map = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) throw_error(ErrorKind::kMemory, "memory_budget", "cannot allocate {} bytes", bytes);
    ::madvise(map, bytes, MADV_HUGEPAGE);
    data_ = {static_cast<std::byte*>(map), Free{bytes}};
    return;
  }
  void* const heap = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  if (heap == nullptr) throw_error(ErrorKind::kMemory, "memory_budget", "cannot allocate {} bytes", bytes);
  data_ = {static_cast<std::byte*>(heap), Free{}};
  if (zero) std::memset(heap, 0, bytes);
}

}  // namespace qvl
