// Element types and conversions between the 16-bit ones and float32.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace qvl {

enum class DType : uint8_t { kF64, kF32, kF16, kBF16, kF8E4M3, kF8E5M2, kI64, kI32, kI16, kI8, kU64, kU32, kU16, kU8, kBool };

size_t dtype_bytes(DType dtype);
std::string_view dtype_name(DType dtype);  // as safetensors spells it: "F32", "BF16", "F8_E4M3"

struct BF16 {
  uint16_t bits;
};

inline float to_float(BF16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x.bits) << 16); }

// Round to nearest, ties to even; NaN stays NaN.
inline BF16 to_bf16(float x) {
  uint32_t u = std::bit_cast<uint32_t>(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return {static_cast<uint16_t>(u >> 16 | 0x40)};
  u += 0x7fffu + (u >> 16 & 1);
  return {static_cast<uint16_t>(u >> 16)};
}

float half_to_float(uint16_t bits);
float f8e4m3_to_float(uint8_t bits);

}  // namespace qvl
