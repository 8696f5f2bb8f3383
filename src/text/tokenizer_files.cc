#include "text/tokenizer_files.h"

#include <simdjson.h>

#include <memory>
#include <new>

#include "base/error.h"
#include "base/file.h"
#include "text/split.h"
#include "text/vocabulary_builder.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;
using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr uint64_t kMaxFileBytes = uint64_t{128} << 20;
constexpr size_t kMaxJsonDepth = 32;

// A parsed JSON file; its texts live as long as it does.
class JsonFile {
 public:
  JsonFile(const fs::path& path, std::string code) : name_(path.filename().string()), code_(std::move(code)) {
    const std::string text = read_file(path, ErrorKind::kModel, code_, kMaxFileBytes);
    auto error = parser_.allocate(text.size() + 1, kMaxJsonDepth);
    if (!error) error = parser_.parse(text).get(root_);
    // Little memory is no fault of the file: it is told like every other want of memory.
    if (error == simdjson::MEMALLOC) throw std::bad_alloc();
    if (error) fail(fmt::format("expected valid JSON, found: {}", simdjson::error_message(error)));
  }

  const std::string& name() const { return name_; }
  element root() const { return root_; }
  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ErrorKind::kModel, code_, fmt::format("{}: {}", name_, reason));
  }

 private:
  std::string name_;
  std::string code_;
  simdjson::dom::parser parser_;
  element root_;
};

// The member `key`, or nullopt where it is missing or null, or where the parent is no object.
template <typename Parent>  // element or object
std::optional<element> member(const Parent& parent, std::string_view key) {
  element value;
  if (parent.at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return value;
}

std::string_view string_or(std::optional<element> value, std::string_view fallback) {
  std::string_view text;
  return value && value->get(text) == simdjson::SUCCESS ? text : fallback;
}

bool is_true(std::optional<element> value) {
  bool flag = false;
  return value && value->get(flag) == simdjson::SUCCESS && flag;
}

template <typename T>
T require(const JsonFile& file, std::optional<element> value, const std::string& what) {
  T out;
  if (!value || value->get(out) != simdjson::SUCCESS) file.fail(fmt::format("expected {}", what));
  return out;
}

int64_t require_id(const JsonFile& file, element value, std::string_view token) {
  int64_t id = 0;
  if (value.get(id) != simdjson::SUCCESS) {
    file.fail(fmt::format("expected a whole number as the id of token \"{}\"", printable(token)));
  }
  return id;
}

void check_split(const JsonFile& file, element part) {
  if (string_or(member(part, "behavior"), "") != "Isolated" || is_true(member(part, "invert"))) {
    file.fail("expected the pre-tokenizer's split to be \"Isolated\" and not inverted");
  }
  const auto pattern = member(part, "pattern");
  const std::string_view regex = pattern ? string_or(member(*pattern, "Regex"), "") : "";
  if (regex != kSplitPattern) {
    file.fail(fmt::format("expected the split pattern of Qwen2, found \"{}\"", printable(regex)));
  }
}

// The one pre-tokenizer that next_piece implements: [Split by Qwen2's pattern, ByteLevel without a pattern of its own].
void check_pre_tokenizer(const JsonFile& file) {
  const auto pre_tokenizer = member(file.root(), "pre_tokenizer");
  array parts;
  if (!pre_tokenizer || string_or(member(*pre_tokenizer, "type"), "") != "Sequence" ||
      pre_tokenizer->at_key("pretokenizers").get(parts) != simdjson::SUCCESS || parts.size() != 2 ||
      string_or(member(parts.at(0).value_unsafe(), "type"), "") != "Split" ||
      string_or(member(parts.at(1).value_unsafe(), "type"), "") != "ByteLevel") {
    file.fail("expected the pre-tokenizer of Qwen2, a Sequence of Split and ByteLevel");
  }
  check_split(file, parts.at(0).value_unsafe());
  const element byte_level = parts.at(1).value_unsafe();
  // use_regex is true where it is not said.
  bool use_regex = true;
  if (const auto value = member(byte_level, "use_regex")) use_regex = is_true(value);
  if (use_regex || is_true(member(byte_level, "add_prefix_space"))) {
    file.fail("expected a ByteLevel pre-tokenizer without use_regex and add_prefix_space");
  }
}

void check_model(const JsonFile& file, object model) {
  if (const auto type = string_or(member(model, "type"), "BPE"); type != "BPE") {
    file.fail(fmt::format("expected a model of type BPE, found \"{}\"", printable(type)));
  }
  for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
    if (!string_or(member(model, key), "").empty()) file.fail(fmt::format("expected an empty {}", key));
  }
  for (const char* key : {"byte_fallback", "ignore_merges"}) {
    if (is_true(member(model, key))) file.fail(fmt::format("expected {} false, found true", key));
  }
  if (member(model, "dropout")) file.fail("expected no dropout");
}

void check_normalizer(const JsonFile& file) {
  const auto normalizer = member(file.root(), "normalizer");
  if (!normalizer || string_or(member(*normalizer, "type"), "") != "NFC") {
    file.fail("expected the normalizer NFC");
  }
}

// An object of tokenizer.json's added_tokens or of tokenizer_config.json's added_tokens_decoder. "normalized" tells
// whether a token is looked for after normalisation: our own prompts are the only texts searched, and need none.
void add_added_token(const JsonFile& file, VocabularyBuilder& builder, element token, int64_t id) {
  const auto content =
      require<std::string_view>(file, member(token, "content"), fmt::format("a text as content of added token {}", id));
  for (const char* key : {"single_word", "lstrip", "rstrip"}) {
    if (is_true(member(token, key))) {
      file.fail(fmt::format("expected {} false for the added token \"{}\"", key, printable(content)));
    }
  }
  builder.add_added(content, id, is_true(member(token, "special")));
}

void add_entries(const JsonFile& file, VocabularyBuilder& builder, object vocabulary) {
  for (const auto field : vocabulary) builder.add_entry(field.key, require_id(file, field.value, field.key));
}

void add_merge_line(VocabularyBuilder& builder, std::string_view line) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) {
    builder.fail(
        fmt::format("expected two tokens in merge {}, found \"{}\"", builder.merge_count() + 1, printable(line)));
  }
  builder.add_merge(line.substr(0, space), line.substr(space + 1));
}

void add_merge_element(const JsonFile& file, VocabularyBuilder& builder, element merge) {
  std::string_view line;
  if (merge.get(line) == simdjson::SUCCESS) return add_merge_line(builder, line);
  array pair;
  std::string_view left, right;
  if (merge.get(pair) != simdjson::SUCCESS || pair.size() != 2 || pair.at(0).get(left) != simdjson::SUCCESS ||
      pair.at(1).get(right) != simdjson::SUCCESS) {
    file.fail(fmt::format("expected merge {} as \"a b\" or [\"a\", \"b\"]", builder.merge_count() + 1));
  }
  builder.add_merge(left, right);
}

TokenizerSpec read_tokenizer_json(const fs::path& path) {
  const JsonFile file(path, "model_tokenizer");
  const object model = require<object>(file, member(file.root(), "model"), "an object \"model\"");
  check_model(file, model);
  check_normalizer(file);
  check_pre_tokenizer(file);

  VocabularyBuilder builder(file.name());
  add_entries(file, builder, require<object>(file, member(model, "vocab"), "an object \"vocab\" in \"model\""));
  if (const auto tokens = member(file.root(), "added_tokens")) {
    for (const element token : require<array>(file, tokens, "a list \"added_tokens\"")) {
      const auto id = require<int64_t>(file, member(token, "id"), "a whole number as the id of each added token");
      add_added_token(file, builder, token, id);
    }
  }
  builder.finish_vocabulary();
  for (const element merge : require<array>(file, member(model, "merges"), "a list \"merges\" in \"model\"")) {
    add_merge_element(file, builder, merge);
  }
  return builder.take();
}

// The decimal number that `text` is, or -1.
int64_t parse_id(std::string_view text) {
  int64_t id = 0;
  if (text.empty() || text.size() > 10) return -1;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    id = id * 10 + (c - '0');
  }
  return id;
}

// Without a tokenizer.json nothing names the split pattern but the tokenizer's class.
void check_tokenizer_class(const JsonFile& config) {
  const auto name = string_or(member(config.root(), "tokenizer_class"), "");
  if (name != "Qwen2Tokenizer" && name != "Qwen2TokenizerFast") {
    config.fail(fmt::format("expected the tokenizer_class Qwen2Tokenizer, found \"{}\"", printable(name)));
  }
}

void add_merges_txt(VocabularyBuilder& builder, std::string_view text) {
  bool first = true;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool header = first && line.starts_with("#version");
    first = false;
    if (!header && !line.empty()) add_merge_line(builder, line);
  }
}

TokenizerSpec read_vocab_and_merges(const fs::path& folder) {
  const JsonFile vocab(folder / "vocab.json", "model_tokenizer");
  const JsonFile config(folder / "tokenizer_config.json", "model_tokenizer");
  const std::string merges = read_file(folder / "merges.txt", ErrorKind::kModel, "model_tokenizer", kMaxFileBytes);
  check_tokenizer_class(config);

  VocabularyBuilder builder("vocab.json");
  add_entries(vocab, builder, require<object>(vocab, vocab.root(), "an object of tokens and ids"));
  const auto added = member(config.root(), "added_tokens_decoder");
  for (const auto field : require<object>(config, added, "an object \"added_tokens_decoder\"")) {
    const int64_t id = parse_id(field.key);
    if (id < 0) config.fail(fmt::format("expected an id in added_tokens_decoder, found \"{}\"", printable(field.key)));
    add_added_token(config, builder, field.value, id);
  }
  builder.finish_vocabulary();
  builder.set_file("merges.txt");
  add_merges_txt(builder, merges);
  return builder.take();
}

}  // namespace

TokenizerSpec read_tokenizer_spec(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder / "tokenizer.json", error)) return read_tokenizer_json(folder / "tokenizer.json");
  if (fs::exists(folder / "vocab.json", error)) return read_vocab_and_merges(folder);
  throw_error(ErrorKind::kModel, "model_tokenizer", "expected tokenizer.json or vocab.json in {}, found neither",
              folder.filename().string());
}

std::optional<std::string> read_chat_template_field(const fs::path& path) {
  const JsonFile file(path, "template_syntax");
  const auto value = member(file.root(), "chat_template");
  if (!value) return std::nullopt;
  array named;
  if (value->get(named) == simdjson::SUCCESS) {
    for (const element entry : named) {
      if (string_or(member(entry, "name"), "") == "default") {
        return std::string(
            require<std::string_view>(file, member(entry, "template"), "a text as the default template"));
      }
    }
    file.fail("expected a template named \"default\" in chat_template");
  }
  return std::string(require<std::string_view>(file, value, "a text as chat_template"));
}

}  // namespace qvl
