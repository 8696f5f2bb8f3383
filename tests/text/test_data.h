// Reference data for the tests of src/text: compact copies in tests/data/text, and the full data where it is there.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "text/tokenizer.h"

namespace qvl::test {

std::filesystem::path text_data();                   // tests/data/text
std::optional<std::filesystem::path> golden_data();  // $QVL_GOLDEN or ../shared/golden, if it exists
std::string read_text(const std::filesystem::path& path);
std::string read_gzip(const std::filesystem::path& path);
std::vector<Json> read_jsonl_gz(const std::string& name);  // of text_data()
void write_text(const std::filesystem::path& path, std::string_view text);

// An empty folder that goes away with the object.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// The full Qwen vocabulary, made again from its merges: 256 byte tokens, one token a merge, 26 added tokens.
void write_qwen_folder(const std::filesystem::path& folder);
const Tokenizer& qwen_tokenizer();
const Tokenizer& tiny_tokenizer();

std::vector<int32_t> ids_of(const Json& list);

}  // namespace qvl::test
