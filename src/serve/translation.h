// Requests of other protocols, rewritten as OpenAI's chat request: openai_request.h reads them all, and what is checked
// or added there holds for every protocol. Errors name the fields that the client sent. Not thread-safe.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "serve/openai_request.h"

namespace qvl {

class Translation {
 public:
  // names: OpenAI's fields and what the client calls them, the longer before its own beginning. Those that begin with a
  // dot are replaced wherever they stand.
  using Names = std::vector<std::pair<std::string, std::string>>;
  explicit Translation(Names names) : names_(std::move(names)) {}

  Json request = Json::object();  // without its messages

  // A new message without content. origin: the client's field.
  Json& add_message(const char* role, std::string origin);
  // To the content of the last message, which must not be a string.
  void add_part(Json part, std::string origin);
  void add_text(std::string text, std::string origin);
  bool has_messages() const { return !messages_.empty(); }
  Json& last_message() { return messages_.back(); }

  // Errors: read_openai_chat()'s, with the client's names.
  OpenAiChatRequest read(const ModelRegistry& models);

 private:
  struct Origin {
    std::string message;
    std::vector<std::string> parts;
  };
  std::string client_name(const std::string& param) const;

  Names names_;
  Json messages_ = Json::array();
  std::vector<Origin> origins_;  // of messages_
};

}  // namespace qvl
