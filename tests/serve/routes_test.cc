// Every route there is, held to the access rules: what is added without a word needs the key.
#include <gtest/gtest.h>

#include <set>

#include "serve/embedded_files.h"
#include "tests/serve/test_server.h"

namespace qvl {
namespace {

constexpr const char* kKey = "sesame-open-1234567890";

std::set<std::string> open_paths() {
  std::set<std::string> paths = {"/", "/health"};
  for (const EmbeddedFile& file : embedded_files()) paths.emplace(file.path);
  return paths;
}

TEST(Routes, AllButTheAllowedNeedTheKey) {
  ServerOptions options;
  options.api_key = kKey;
  TestServer server(options);
  const ModelRegistry none;
  const std::set<std::string> open = open_paths();
  int closed = 0;
  for (const Route& route : served_routes(none, options)) {
    SCOPED_TRACE(route.method + " " + route.path);
    EXPECT_EQ(route.open, open.contains(route.path));
    std::string path = route.path;
    if (path.ends_with('*')) path.back() = 'x';
    const auto ask = [&](const std::string& extra) {
      const std::string head = route.method + " " + path;
      if (route.method == "GET") return server.request(server.head(head, extra));
      return server.request(server.head(head, extra + "Content-Type: text/plain\r\nContent-Length: 2\r\n") + "{}");
    };
    if (open.contains(route.path)) {
      EXPECT_EQ(ask("").status, 200);
      continue;
    }
    ++closed;
    for (const char* wrong :
         {"", "x-api-key: \r\n", "x-api-key: sesame-open-123456789\r\n", "Authorization: Bearer x\r\n",
          "Authorization: sesame-open-1234567890\r\n", "Cookie: sesame-open-1234567890\r\n"}) {
      const Reply reply = ask(wrong);
      EXPECT_EQ(reply.status, 401) << wrong;
      EXPECT_EQ(reply.code(), "invalid_api_key");
      EXPECT_TRUE(reply.has_header("WWW-Authenticate: Bearer"));
    }
    const std::string key = kKey;
    // A POST with the key gets as far as its body, which is of no type that is read here.
    if (route.method == "POST") {
      EXPECT_EQ(ask("x-api-key: " + key + "\r\n").status, 415);
      EXPECT_EQ(ask("Authorization: Bearer " + key + "\r\n").status, 415);
      EXPECT_EQ(ask("Authorization: Bearer " + key + "\r\nx-api-key: other\r\n").status, 415);
      EXPECT_EQ(ask("x-api-key: " + key + "\r\nx-api-key: " + key + "\r\n").status, 401);
      EXPECT_EQ(ask("Authorization: Bearer x\r\nx-api-key: " + key + "\r\n").status, 401);
    }
  }
  EXPECT_GT(closed, 25);
  // Unknown paths look the same, whoever asks.
  for (const char* path : {"/nope", "/v1/nope", "/uploads/x", "/gradio_api/nope", "//", "/health/x"}) {
    EXPECT_EQ(server.get(path).status, 401) << path;
    EXPECT_EQ(server.get(path, std::string("x-api-key: ") + kKey + "\r\n").status, 404) << path;
  }
}

}  // namespace
}  // namespace qvl
