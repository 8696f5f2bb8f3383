// Windows on memory with a shape, and buffers that own it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tensor/dtype.h"

namespace qvl {

using Shape = std::vector<int64_t>;

// Row-major, contiguous, read-only; never frees.
struct ConstTensorView {
  const std::byte* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape;

  int64_t elements() const;
  size_t bytes() const;
  template <typename T>
  const T* as() const {
    return reinterpret_cast<const T*>(data);
  }
};

std::string to_string(const Shape& shape);  // "[2, 3]"

// elements() floats, converted from F32, BF16, F16, F64 or F8_E4M3. Errors: kModel "model_dtype" for other types.
std::vector<float> to_float_vector(const ConstTensorView& view, const std::string& name);
void convert_to_float(const ConstTensorView& view, int64_t first_element, int64_t count, float* out);

// Memory aligned to 64 bytes. Large buffers come straight from the system: zeros that cost nothing until they are touched,
// in huge pages where they can be had. Small ones are uninitialised unless `zero`.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(size_t bytes, bool zero = false);

  // Room for `bytes`: where it has to grow, what was there before is lost.
  void grow(size_t bytes, bool zero = false) {
    if (size_ >= bytes) return;
    *this = Buffer();  // old and new need not fit at once
    *this = Buffer(bytes, zero);
  }

  // `bytes` of a buffer from `offset` on. The whole lives as long as any of its parts.
  static Buffer part(const std::shared_ptr<Buffer>& whole, size_t offset, size_t bytes);

  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }
  template <typename T>
  T* as() {
    return reinterpret_cast<T*>(data_.get());
  }
  template <typename T>
  const T* as() const {
    return reinterpret_cast<const T*>(data_.get());
  }

 private:
  struct Free {
    Free() : mapped_bytes(0) {}
    explicit Free(size_t bytes) : mapped_bytes(bytes) {}
    explicit Free(std::shared_ptr<Buffer> whole) : mapped_bytes(0), owner(std::move(whole)) {}
    size_t mapped_bytes;            // 0: from the heap
    std::shared_ptr<Buffer> owner;  // of a part: frees nothing itself
    void operator()(std::byte* p) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  size_t size_ = 0;
};

// Room for intermediate results, as many floats as were asked for at most so far. Whole vectors of them never straddle two lines of
// the cache, as those of a std::vector do.
class Scratch {
 public:
  // Room for `floats`, uninitialised: what was there before is lost where it has to grow.
  float* grow(int64_t floats) {
    buffer_.grow(static_cast<size_t>(floats) * sizeof(float));
    return data();
  }
  float* data() { return buffer_.as<float>(); }
  const float* data() const { return buffer_.as<float>(); }

 private:
  Buffer buffer_;
};

// Buffers cut from few large ones, so that those too small for huge pages of their own lie in huge pages as well. Zeros.
// One thread allocates; what it gave may be freed anywhere.
class BufferArena {
 public:
  Buffer allocate(size_t bytes);

 private:
  std::shared_ptr<Buffer> chunk_;
  size_t used_ = 0;
};

}  // namespace qvl
