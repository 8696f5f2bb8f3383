// Temporary folders and safetensors files made byte by byte.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "tensor/tensor.h"

namespace qvl {

// A fresh folder, removed with its contents at the end.
class TempFolder {
 public:
  TempFolder() {
    static std::atomic<int> counter = 0;
    path = std::filesystem::temp_directory_path() / fmt::format("qvl-test-{}-{}", ::getpid(), counter++);
    std::filesystem::create_directories(path);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }

  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
    return path / name;
  }

  std::filesystem::path path;
};

inline std::string little_endian(uint64_t value) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

// Length, header, data: no padding and no check.
inline std::string raw_file(const std::string& header, const std::string& data) {
  return little_endian(header.size()) + header + data;
}

// The code of the qvl::Error that action throws; "" where it throws none.
template <typename Action>
std::string error_code_of(Action&& action, std::string* message = nullptr) {
  try {
    action();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind, ErrorKind::kModel) << e.what();
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
    if (message != nullptr) *message = e.what();
    return e.code;
  }
  return "";
}

// The folder of the full reference data; empty where it does not stand beside the sources.
inline std::filesystem::path golden_folder() {
  const char* set = std::getenv("QVL_GOLDEN");
  const std::filesystem::path path =
      set != nullptr ? std::filesystem::path(set) : std::filesystem::path(QVL_SOURCE_DIR) / "../shared/golden";
  return std::filesystem::exists(path) ? path : std::filesystem::path();
}

}  // namespace qvl
