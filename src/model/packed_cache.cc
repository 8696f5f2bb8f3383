#include "model/packed_cache.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "base/json.h"
#include "model/calibration.h"
#include "weights/safetensors_header.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kFloats = 0xf32;  // the layout of vectors; a backend's own layouts are small numbers
constexpr const char* kBias = "#bias";

// A safetensors file's header, or the whole of a small file.
std::string head_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  uint64_t bytes = 0;
  if (file.extension() == ".safetensors") {
    in.read(reinterpret_cast<char*>(&bytes), sizeof bytes);
    bytes = std::min(bytes, kMaxHeaderBytes);
  } else {
    bytes = uint64_t{64} << 20;
  }
  std::string head(std::min<uint64_t>(bytes, static_cast<uint64_t>(fs::file_size(file))), '\0');
  in.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<size_t>(std::max<std::streamsize>(0, in.gcount())));
  return head;
}

Json describe(const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) {
    throw_error(ErrorKind::kModel, "model_file_missing", "{}: {}", file.string(), std::strerror(errno));
  }
  const std::string head = head_of(file);
  return Json::array({file.filename().string(), static_cast<int64_t>(status.st_size),
                      static_cast<int64_t>(status.st_mtim.tv_sec), static_cast<int64_t>(status.st_mtim.tv_nsec),
                      hex(sha256(std::as_bytes(std::span(head))))});
}

bool is_source(const fs::path& file) {
  const std::string name = file.filename().string();
  return name == "config.json" || name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json");
}

std::string plain_name(const fs::path& folder) {
  std::string name = folder.filename().string();
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '.') c = '_';
  }
  return name.substr(0, 60);
}

Json describe_all(const fs::path& folder, bool (*counts)(const fs::path&)) {
  std::error_code error;
  std::vector<fs::path> sources;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (counts(entry.path()) && entry.is_regular_file(error)) sources.push_back(entry.path());
  }
  if (error) throw_error(ErrorKind::kModel, "model_file_missing", "{}: {}", folder.string(), error.message());
  std::sort(sources.begin(), sources.end());
  Json files = Json::array();
  for (const auto& file : sources) files.push_back(describe(file));
  return files;
}

}  // namespace

std::string source_identity(const fs::path& model_folder) {
  std::error_code error;
  return dump_json(describe_all(fs::weakly_canonical(model_folder, error), is_source));
}

PackedKey packed_key(const fs::path& cache_folder, const fs::path& model_folder, const Backend& backend,
                     Quantize quantize, bool calibrated) {
  std::error_code error;
  const fs::path folder = fs::weakly_canonical(model_folder, error);
  Json files = describe_all(folder, is_source);
  std::string rules = fmt::format("{}|{}|{}", backend.layouts(), static_cast<int>(backend.precision()), plan_text(quantize));
  if (calibrated) {
    rules += fmt::format("|{}", kCalibrationVersion);
    if (const fs::path own = calibration_folder(folder); !own.empty()) rules += describe_all(own, [](const fs::path&) { return true; }).dump();
  }
  // The name tells folders and settings apart; the identity, whether the folder and the rules are still the same: then
  // the newer file takes the older one's place.
  const std::string place = fmt::format("{}|{}", folder.string(), static_cast<int>(backend.precision()));
  const std::string tag = hex(sha256(std::as_bytes(std::span(place)))).substr(0, 16);
  return {cache_folder / fmt::format("{}-{}{}-{}.qvlpack", plain_name(folder), quantize_name(quantize), calibrated ? "-calibrated" : "", tag),
          dump_json({{"rules", rules}, {"folder", folder.string()}, {"files", std::move(files)}})};
}

std::vector<float> PackedCacheSource::floats(const std::string& name, int64_t count) {
  const PackedEntry* const entry = file_->find(name);
  if (entry == nullptr || entry->layout != kFloats || entry->bytes != static_cast<uint64_t>(count) * sizeof(float))
    return {};
  const Buffer bytes = file_->bytes(*entry);
  return {bytes.as<float>(), bytes.as<float>() + count};
}

std::unique_ptr<Linear> PackedCacheSource::linear(Backend& backend, const std::string& name, int64_t out, int64_t in) {
  const PackedEntry* const entry = file_->find(name);
  if (entry == nullptr || entry->shape != Shape{out, in}) return nullptr;
  std::vector<float> bias;
  if (file_->find(name + kBias) != nullptr) bias = floats(name + kBias, out);
  return backend.adopt_linear(out, in, entry->layout, file_->bytes(*entry), bias);
}

void PackedCacheSink::linear(const std::string& name, const Linear& matrix) {
  const PackedMatrix packed = matrix.packed();
  writer_.add(name, packed.layout, {matrix.out_features, matrix.in_features}, packed.bytes);
  if (!packed.bias.empty()) floats(name + kBias, packed.bias);
}

void PackedCacheSink::floats(const std::string& name, std::span<const float> values) {
  writer_.add(name, kFloats, {static_cast<int64_t>(values.size())}, std::as_bytes(values));
}

}  // namespace qvl
