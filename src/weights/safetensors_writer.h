// Writes a safetensors file. Thread-safe.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>

#include "tensor/tensor.h"

namespace qvl {

struct NamedTensor {
  std::string name;
  ConstTensorView tensor;
};

// As the reference library lays a file out: header padded with spaces to 8 bytes, tensors by falling element size and
// then by name, so that each is aligned. An existing file is replaced once the new one is whole. Errors: kDataDir
// "write_failed"; names that stand twice or are "__metadata__" are a failed check.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace qvl
