#include "serve/prompt_text.h"

#include "serve/fields.h"

namespace qvl {
namespace {

constexpr size_t kMaxTextBytes = size_t{4} << 20;

void check_context(const ServedModel& model, size_t at_least, const std::string& param) {
  const int64_t context = model.engine->context_tokens();
  if (static_cast<int64_t>(at_least) < context) return;
  throw Error(ErrorKind::kInvalidRequest, "context_length_exceeded",
              fmt::format("{} has at least {} tokens, but the context holds {} together with the answer", param,
                          at_least, context),
              param);
}

}  // namespace

const std::string& read_text(const Json& text, const std::string& param) {
  if (!text.is_string()) invalid_type(param, "a string", text);
  const auto& value = text.get_ref<const std::string&>();
  if (value.size() > kMaxTextBytes) {
    throw Error(ErrorKind::kTooLarge, "body_too_large", fmt::format("{} is longer than {} bytes", param, kMaxTextBytes),
                param);
  }
  return value;
}

std::vector<int32_t> encode_prompt(const ServedModel& model, const Json& text, const std::string& param) {
  const std::string& value = read_text(text, param);
  if (value.empty()) invalid_value(param, "expected text, found an empty string");
  check_context(model, value.size() / (3 * model.longest_token_bytes), param);  // NFC shortens by a factor of 3 at most
  std::vector<int32_t> ids = model.tokenizer->encode_with_added_tokens(value);
  check_context(model, ids.size(), param);
  return ids;
}

std::vector<int32_t> read_token_ids(const ServedModel& model, const Json& ids, const std::string& param) {
  if (!ids.is_array()) invalid_type(param, "an array of token ids", ids);
  if (ids.empty()) invalid_value(param, "expected at least one token");
  check_context(model, ids.size(), param);
  std::vector<int32_t> out;
  out.reserve(ids.size());
  for (const Json& id : ids) {
    out.push_back(static_cast<int32_t>(to_integer(id, param, 0, model.config.text.vocab_size - 1)));
  }
  return out;
}

}  // namespace qvl
