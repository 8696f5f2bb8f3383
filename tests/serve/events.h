// Event streams and bodies of requests, for tests of the interfaces.
#pragma once

#include <string>
#include <vector>

#include "tests/serve/test_server.h"

namespace qvl {

// The JSON of each "data:" line but [DONE].
inline std::vector<Json> events_of(const std::string& body) {
  std::vector<Json> events;
  for (size_t at = 0; (at = body.find("data: ", at)) != body.npos;) {
    const size_t end = body.find("\n\n", at);
    const std::string data = body.substr(at + 6, end - at - 6);
    if (data != "[DONE]") events.push_back(Json::parse(data));
    at = end;
  }
  return events;
}

// A chat of one message, with more fields.
inline Json ask(std::string_view fields) {
  Json json = {{"messages", Json::array({{{"role", "user"}, {"content", "hi"}}})}};
  json.update(Json::parse(fields));
  return json;
}

inline const std::string kOneTool = R"("tools":[{"type":"function","function":{"name":"f","parameters":{}}}])";

}  // namespace qvl
