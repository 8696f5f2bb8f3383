// Families of the reference data about text: tokenizer and chat templates.
#include "app/conformance.h"
#include "base/error.h"
#include "text/prompt_encoder.h"

namespace qvl {
namespace {

std::string name_of(const Json& row) { return fmt::format("#{}", row.value("n", -1)); }

Tokenizer real_tokenizer(const ConformanceOptions& options) { return Tokenizer::load(options.folder / "qwen-tokenizer"); }

void encode(const ConformanceOptions& options, FamilyReport& report) {
  const Tokenizer tokenizer = real_tokenizer(options);
  for (const auto& row : read_json_lines(options.folder / "tokenizer/encode.jsonl")) {
    const auto want = row["ids"].get<std::vector<int32_t>>();
    const auto got = tokenizer.encode_with_added_tokens(row["text"].get<std::string>());
    const bool decoded = !row.contains("decoded") || tokenizer.decode(got, false) == row["decoded"].get<std::string>();
    const bool skipped = !row.contains("decoded_skip_special") ||
                         tokenizer.decode(got, true) == row["decoded_skip_special"].get<std::string>();
    report.expect(got == want && decoded && skipped, name_of(row));
  }
}

std::string hex_bytes(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  std::string out;
  for (const int32_t id : ids) {
    const auto bytes = tokenizer.token_bytes(id);
    if (!bytes) return "no such token";
    for (const char c : *bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  }
  return out;
}

void decode(const ConformanceOptions& options, FamilyReport& report) {
  const Tokenizer tokenizer = real_tokenizer(options);
  for (const auto& row : read_json_lines(options.folder / "tokenizer/decode.jsonl")) {
    const auto ids = row["ids"].get<std::vector<int32_t>>();
    report.expect(hex_bytes(tokenizer, ids) == row["bytes"].get<std::string>() &&
                      tokenizer.decode(ids, false) == row["decoded"].get<std::string>() &&
                      tokenizer.decode(ids, true) == row["decoded_skip_special"].get<std::string>(),
                  name_of(row));
  }
}

void stream(const ConformanceOptions& options, FamilyReport& report) {
  const Tokenizer tokenizer = real_tokenizer(options);
  for (const auto& row : read_json_lines(options.folder / "tokenizer/stream.jsonl")) {
    StreamDecoder decoder(tokenizer, false);
    std::vector<std::string> chunks;
    for (const int32_t id : row["ids"].get<std::vector<int32_t>>()) chunks.push_back(decoder.push(id));
    report.expect(chunks == row["chunks"].get<std::vector<std::string>>() && decoder.flush() == row["tail"].get<std::string>(),
                  name_of(row));
  }
}

void chat_template(const ConformanceOptions& options, FamilyReport& report) {
  const bool can_count = std::filesystem::exists(options.folder / "qwen-tokenizer");
  std::optional<Tokenizer> tokenizer;
  if (can_count) tokenizer = real_tokenizer(options);
  for (const auto& row : read_json_lines(options.folder / "chat-template/vectors.jsonl")) {
    const auto kind = row["template"] == "thinking" ? TemplateKind::kThinking : TemplateKind::kInstruct;
    RenderOptions render{.add_generation_prompt = row["add_generation_prompt"].get<bool>()};
    if (row.contains("kwargs") && row["kwargs"].is_object()) render.add_vision_id = row["kwargs"].value("add_vision_id", false);
    const auto segments = render_chat(kind, row["messages"], row.contains("tools") ? row["tools"] : Json(), render);
    const std::string text = join_segments(segments);
    bool ok = text == row["text"].get<std::string>();
    if (tokenizer && row.contains("n_ids")) ok = ok && tokenizer->encode_with_added_tokens(text).size() == row["n_ids"].get<size_t>();
    report.expect(ok, name_of(row) + " " + row.value("name", ""));
  }
}

}  // namespace

std::vector<Family> text_families() {
  return {{"tokenizer-encode", {"qwen-tokenizer", "tokenizer/encode.jsonl"}, encode},
          {"tokenizer-decode", {"qwen-tokenizer", "tokenizer/decode.jsonl"}, decode},
          {"tokenizer-stream", {"qwen-tokenizer", "tokenizer/stream.jsonl"}, stream},
          {"chat-template", {"chat-template/vectors.jsonl"}, chat_template}};
}

}  // namespace qvl
