#include "weights/safetensors_index.h"

#include <set>

#include "base/file.h"
#include "base/json.h"
#include "weights/safetensors_header.h"

namespace qvl {
namespace {

constexpr uint64_t kMaxIndexBytes = uint64_t{64} << 20;

// A shard lies beside its index; a name that leads elsewhere would let a downloaded file read any other.
bool is_plain_file_name(const std::string& name) {
  return !name.empty() && name.size() <= 255 && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
}

}  // namespace

SafetensorsIndex parse_safetensors_index(std::string_view text, const std::string& what) {
  const Json json =
      parse_json(text, what, ErrorKind::kModel, "model_header", {.max_depth = 16, .reject_duplicate_keys = true});
  const auto map = json.is_object() ? json.find("weight_map") : json.end();
  if (map == json.end() || !map->is_object() || map->empty()) {
    throw_error(ErrorKind::kModel, "model_header", "{}: expected an object \"weight_map\" of tensor names and files",
                what);
  }
  if (map->size() > kMaxTensors) {
    throw_error(ErrorKind::kModel, "model_header", "{}: expected at most {} tensors, found {}", what, kMaxTensors,
                map->size());
  }
  SafetensorsIndex index;
  std::set<std::string> shards;
  for (const auto& [tensor, file] : map->items()) {
    if (!file.is_string()) {
      throw_error(ErrorKind::kModel, "model_header", "{}: weight_map: {}: expected a file name, found {}", what,
                  printable(tensor), printable(dump_json(file)));
    }
    const auto& name = file.get_ref<const std::string&>();
    if (!is_plain_file_name(name)) {
      throw_error(ErrorKind::kModel, "model_path", "{}: expected the names of files beside it, found \"{}\"", what,
                  printable(name));
    }
    shards.insert(name);
    index.shard_of.emplace(tensor, name);
  }
  index.shards.assign(shards.begin(), shards.end());
  return index;
}

SafetensorsIndex load_safetensors_index(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(path, ignored);
  if (!ignored && size > kMaxIndexBytes) {
    throw_error(ErrorKind::kModel, "model_header", "{}: expected at most {} bytes, found {}", path.string(),
                kMaxIndexBytes, size);
  }
  return parse_safetensors_index(read_file(path, ErrorKind::kModel, "model_file_missing", kMaxIndexBytes),
                                 path.string());
}

}  // namespace qvl
