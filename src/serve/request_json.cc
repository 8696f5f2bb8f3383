#include "serve/request_json.h"

#include <array>

namespace qvl {
namespace {

// Ordered objects look keys up one after the other: without a limit a body of keys would cost the square of its length.
constexpr size_t kMaxMembers = 1024, kMaxValues = 1'000'000, kMaxKeyBytes = 64 * 1024, kMaxDepth = 64;

[[noreturn]] void too_many(const char* what, size_t limit) {
  throw Error(ErrorKind::kInvalidRequest, "too_many", fmt::format("request body: expected at most {} {}", limit, what));
}

// Counts commas outside of strings, in all and per open bracket, and looks at the strings before colons. Text that is
// not JSON at all is left to the parser.
void check_cost(std::string_view body) {
  std::array<size_t, kMaxDepth + 1> members{};
  std::array<bool, kMaxDepth + 1> is_object{};
  size_t depth = 0, values = 0, string_bytes = 0;
  for (size_t i = 0; i < body.size(); ++i) {
    switch (body[i]) {
      case '"': {
        const size_t begin = i;
        for (++i; i < body.size() && body[i] != '"'; ++i) i += body[i] == '\\';
        string_bytes = i - begin;
        break;
      }
      case '[':
      case '{':
        if (depth == kMaxDepth) return;  // parse_json() says too_deep
        is_object[++depth] = body[i] == '{';
        members[depth] = 1;
        break;
      case ']':
      case '}':
        if (depth > 0) --depth;
        break;
      case ',':
        if (++values > kMaxValues) too_many("values", kMaxValues);
        if (++members[depth] > kMaxMembers && is_object[depth]) too_many("members in an object", kMaxMembers);
        break;
      case ':':
        if (string_bytes > kMaxKeyBytes) {
          throw Error(ErrorKind::kInvalidRequest, "invalid_json",
                      fmt::format("request body: expected keys of at most {} bytes", kMaxKeyBytes));
        }
        break;
      default:
        break;
    }
  }
}

}  // namespace

Json parse_request_json(std::string_view body) {
  check_cost(body);
  Json json = parse_json(body, "request body", ErrorKind::kInvalidRequest, "invalid_json", {.max_depth = kMaxDepth});
  if (!json.is_object()) {
    throw Error(ErrorKind::kInvalidRequest, "invalid_json",
                fmt::format("request body: expected a JSON object, found {}", json.type_name()));
  }
  return json;
}

}  // namespace qvl
