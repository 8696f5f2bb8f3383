#include "serve/translation.h"

#include <charconv>
#include <optional>

namespace qvl {
namespace {

// The number after `prefix` and before "]" at the beginning of `text`, which loses both.
std::optional<size_t> take_index(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  const std::string_view rest = text.substr(prefix.size());
  size_t index = 0;
  const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), index);
  const auto digits = static_cast<size_t>(parsed.ptr - rest.data());
  if (parsed.ec != std::errc() || digits >= rest.size() || rest[digits] != ']') return std::nullopt;
  text = rest.substr(digits + 1);
  return index;
}

}  // namespace

Json& Translation::add_message(const char* role, std::string origin) {
  messages_.push_back({{"role", role}, {"content", Json::array()}});
  origins_.push_back({std::move(origin), {}});
  return messages_.back();
}

void Translation::add_part(Json part, std::string origin) {
  messages_.back()["content"].push_back(std::move(part));
  origins_.back().parts.push_back(std::move(origin));
}

void Translation::add_text(std::string text, std::string origin) {
  add_part({{"type", "text"}, {"text", std::move(text)}}, std::move(origin));
}

std::string Translation::client_name(const std::string& param) const {
  std::string_view rest = param;
  if (const auto message = take_index(rest, "messages["); message && *message < origins_.size()) {
    const Origin& origin = origins_[*message];
    const auto part = take_index(rest, ".content[");
    return part && *part < origin.parts.size() ? origin.parts[*part] : origin.message;
  }
  std::string name = param;
  for (const auto& [openai, own] : names_) {
    const size_t at = name.find(openai);
    if (at == name.npos || (at > 0 && openai[0] != '.')) continue;
    name.replace(at, openai.size(), own);
    if (at == 0) break;
  }
  return name;
}

OpenAiChatRequest Translation::read(const ModelRegistry& models) {
  request["messages"] = std::move(messages_);
  try {
    OpenAiChatRequest out = read_openai_chat(request, models);
    for (PictureInput& picture : out.chat.input.pictures) picture.param = client_name(picture.param);
    return out;
  } catch (const Error& error) {
    const std::string name = client_name(error.param);
    const std::string_view message = error.what();
    const bool named = !error.param.empty() && message.starts_with(error.param);
    throw Error(error.kind, error.code, named ? name + std::string(message.substr(error.param.size())) : error.what(),
                name);
  }
}

}  // namespace qvl
