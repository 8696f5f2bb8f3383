// model.safetensors.index.json: which shard holds which tensor. Thread-safe.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace qvl {

struct SafetensorsIndex {
  std::vector<std::string> shards;              // plain file names, each once, ascending
  std::map<std::string, std::string> shard_of;  // by tensor name as stored
};

// Errors: kModel with "model_file_missing" (missing, a folder, unreadable), "model_header" (not such an index),
// "model_path" (a shard outside of the folder).
SafetensorsIndex load_safetensors_index(const std::filesystem::path& path);
SafetensorsIndex parse_safetensors_index(std::string_view text, const std::string& what);

}  // namespace qvl
