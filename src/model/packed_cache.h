// Quantised weights kept between two starts: one file for a model's folder and a plan (weights/packed_file.h). One
// thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "model/weight_loader.h"
#include "weights/packed_file.h"

namespace qvl {

// What packed weights depend on. Reads the headers of the folder's files and no tensor.
struct PackedKey {
  std::filesystem::path file;  // below the cache's folder
  std::string identity;        // sizes, times and header checksums of the sources; the plan; the backend's layouts
};
// Errors: kModel "model_file_missing" where a file cannot be read.
PackedKey packed_key(const std::filesystem::path& cache_folder, const std::filesystem::path& model_folder,
                     const Backend& backend, Quantize quantize, bool calibrated = false);

// The model's files in the folder, by names, sizes, times and header checksums: another text means another model.
// Errors: as packed_key().
std::string source_identity(const std::filesystem::path& model_folder);

class PackedCacheSource final : public PackedSource {
 public:
  explicit PackedCacheSource(std::unique_ptr<PackedFile> file) : file_(std::move(file)) {}
  std::unique_ptr<Linear> linear(Backend& backend, const std::string& name, int64_t out, int64_t in) override;
  std::vector<float> floats(const std::string& name, int64_t count) override;

 private:
  std::unique_ptr<PackedFile> file_;
};

class PackedCacheSink final : public PackedSink {
 public:
  explicit PackedCacheSink(const PackedKey& key) : writer_(key.file, key.identity) {}
  void linear(const std::string& name, const Linear& matrix) override;
  void floats(const std::string& name, std::span<const float> values) override;
  bool finish() { return writer_.finish(); }
  const std::string& failure() const { return writer_.failure(); }

 private:
  PackedFileWriter writer_;
};

}  // namespace qvl
