// The header of one safetensors file, read and held to the rules of the format's reference library (its validate()).
// Pure; thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace qvl {

// The format's own limit on the header, and ours on what it may name: the largest published files of the family
// (per-expert FP8 of 235B) have about 145,000 tensors, none has more than 5 dimensions.
inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;
inline constexpr size_t kMaxTensors = size_t{1} << 18;
inline constexpr size_t kMaxDims = 16;

struct SafetensorsEntry {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
  uint64_t begin = 0, end = 0;  // bytes, counted from data_begin
};

struct SafetensorsHeader {
  uint64_t data_begin = 0;                // bytes from the file's start to the first tensor
  std::vector<SafetensorsEntry> tensors;  // by offset; together they cover the rest of the file exactly
  std::map<std::string, std::string> metadata;
};

// The number of bytes of a tensor, where elements fit an int64_t and bytes a uint64_t; the checked product of the
// format.
std::optional<uint64_t> tensor_bytes(const Shape& shape, DType dtype);
std::optional<DType> parse_dtype(std::string_view name);  // "BF16"

// file: the whole file; what: its name for messages. Errors: kModel with "model_truncated", "model_header",
// "model_shape", "model_dtype", "model_offsets". A file that is shorter than an otherwise sound header says is
// "model_truncated".
SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file, const std::string& what);

}  // namespace qvl
