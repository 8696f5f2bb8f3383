#include "tests/text/test_data.h"

#include <unistd.h>
#include <zlib.h>

#include <array>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "base/utf8.h"

namespace qvl::test {

namespace fs = std::filesystem;

fs::path text_data() { return fs::path(QVL_SOURCE_DIR) / "tests" / "data" / "text"; }

std::optional<fs::path> golden_data() {
  const char* named = std::getenv("QVL_GOLDEN");
  const fs::path path = named != nullptr ? fs::path(named) : fs::path(QVL_SOURCE_DIR) / ".." / "shared" / "golden";
  if (!fs::exists(path / "tokenizer")) return std::nullopt;
  return path;
}

std::string read_text(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string read_gzip(const fs::path& path) {
  gzFile in = gzopen(path.c_str(), "rb");
  if (in == nullptr) throw std::runtime_error("cannot read " + path.string());
  std::string out;
  std::array<char, 65536> block;
  int got = 0;
  while ((got = gzread(in, block.data(), block.size())) > 0) out.append(block.data(), static_cast<size_t>(got));
  gzclose(in);
  if (got < 0 || out.empty()) throw std::runtime_error("broken gzip file " + path.string());
  return out;
}

std::vector<Json> read_jsonl_gz(const std::string& name) {
  std::vector<Json> rows;
  std::istringstream lines(read_gzip(text_data() / name));
  for (std::string line; std::getline(lines, line);) rows.push_back(Json::parse(line));
  return rows;
}

void write_text(const fs::path& path, std::string_view text) {
  std::ofstream out(path, std::ios::binary);
  out.write(text.data(), static_cast<std::streamsize>(text.size()));
  if (!out) throw std::runtime_error("cannot write " + path.string());
}

TempFolder::TempFolder() {
  std::string name = (fs::temp_directory_path() / "qvl-text-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder");
  path_ = name;
}

TempFolder::~TempFolder() {
  std::error_code error;
  fs::remove_all(path_, error);
}

namespace {

// The 256 characters of the byte alphabet in the order of their token ids: printable ones first.
std::vector<std::string> byte_alphabet() {
  std::vector<std::string> first, second;
  char32_t next = 0x100;
  for (char32_t b = 0; b < 256; ++b) {
    const bool printable_char = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    std::string text;
    utf8_append(text, printable_char ? b : next++);
    (printable_char ? first : second).push_back(text);
  }
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

}  // namespace

void write_qwen_folder(const fs::path& folder) {
  const std::string merges = read_gzip(text_data() / "qwen_merges.txt.gz");
  std::string vocab = "{";
  size_t id = 0;
  const auto add = [&](const std::string& token) {
    if (id > 0) vocab += ",";
    vocab += fmt::format("{}:{}", dump_json(Json(token)), id++);
  };
  for (const std::string& token : byte_alphabet()) add(token);
  std::istringstream lines(merges);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#version")) continue;
    const size_t space = line.find(' ');
    add(line.substr(0, space) + line.substr(space + 1));
  }
  Json added = Json::object();
  const Json tiny = Json::parse(read_text(text_data() / "tiny" / "tokenizer.json"));
  for (const Json& token : tiny["added_tokens"]) {
    added[std::to_string(id++)] = {{"content", token["content"]}, {"special", token["special"]}};
  }
  write_text(folder / "vocab.json", vocab + "}");
  write_text(folder / "merges.txt", merges);
  write_text(folder / "tokenizer_config.json",
             dump_json({{"tokenizer_class", "Qwen2Tokenizer"}, {"added_tokens_decoder", added}}));
}

const Tokenizer& qwen_tokenizer() {
  static const Tokenizer tokenizer = [] {
    const TempFolder folder;
    write_qwen_folder(folder.path());
    return Tokenizer::load(folder.path());
  }();
  return tokenizer;
}

const Tokenizer& tiny_tokenizer() {
  static const Tokenizer tokenizer = Tokenizer::load(text_data() / "tiny");
  return tokenizer;
}

std::vector<int32_t> ids_of(const Json& list) { return list.get<std::vector<int32_t>>(); }

}  // namespace qvl::test
