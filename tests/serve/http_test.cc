// The HTTP layer by raw sockets: the rows HTT-* of the table of bad inputs, deadlines, disconnects, many streams.
#include <gtest/gtest.h>

#include <vector>

#include "tests/serve/test_server.h"

namespace qvl {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

const std::string kChat = R"({"messages":[{"role":"user","content":"hi"}]})";
const std::string kStream = R"({"stream":true,"messages":[{"role":"user","content":"hi"}]})";

ServerOptions quick_limits() {
  ServerOptions options;
  options.limits.header_timeout = milliseconds(300);
  options.limits.keep_alive_timeout = milliseconds(500);
  options.limits.body_grace = milliseconds(300);
  return options;
}

struct RawCase {
  const char* id;
  std::string bytes;
  int status;
  const char* code;
};

TEST(Http, MalformedAndForbiddenRequests) {
  TestServer server;
  const std::string host = "Host: " + server.host() + "\r\n";
  const auto post = [&](std::string_view fields, std::string_view body = "") {
    return "POST /v1/chat/completions HTTP/1.1\r\n" + host + std::string(fields) + "\r\n" + std::string(body);
  };
  const std::string json = "Content-Type: application/json\r\n";
  const std::string length = "Content-Length: " + std::to_string(kChat.size()) + "\r\n";
  const std::vector<RawCase> cases = {
      {"HTT-004", "GET /\r\n", 400, "bad_request"},
      {"HTT-006", "GET / HTTP/3.7\r\n" + host + "\r\n", 400, "bad_request"},
      {"HTT-007", "GET / HTTP/1.1\r\n\r\n", 400, "missing_host"},
      {"HTT-009", "GET / HTTP/1.1\r\nHost: \r\n\r\n", 400, "missing_host"},
      {"HTT-008", "GET / HTTP/1.1\r\n" + host + host + "\r\n", 400, "bad_request"},
      {"HTT-010", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403, "host_not_allowed"},
      {"HTT-012", "GET / HTTP/1.1\r\nHost: 127.0.0.1.nip.io\r\n\r\n", 403, "host_not_allowed"},
      {"HTT-014", "GET / HTTP/1.1\r\nHost: 127.0.0.1:99999\r\n\r\n", 400, "bad_request"},
      {"HTT-017", "GET /" + std::string(9 * 1024, 'a') + " HTTP/1.1\r\n" + host + "\r\n", 414, "uri_too_long"},
      {"HTT-018", "GET /" + std::string(64 * 1024, 'a'), 414, "uri_too_long"},
      {"HTT-019", "GET /%zz HTTP/1.1\r\n" + host + "\r\n", 400, "bad_request"},
      {"HTT-020", "GET /../../etc/passwd HTTP/1.1\r\n" + host + "\r\n", 404, "not_found"},
      {"HTT-023", "GET /..%5c..%5cetc%5cpasswd HTTP/1.1\r\n" + host + "\r\n", 404, "not_found"},
      {"HTT-025", "GET /a%00b HTTP/1.1\r\n" + host + "\r\n", 400, "bad_request"},
      {"HTT-026", "GET /%c0%ae%c0%ae/ HTTP/1.1\r\n" + host + "\r\n", 400, "bad_request"},
      {"HTT-028", "GET http://evil/ HTTP/1.1\r\n" + host + "\r\n", 400, "bad_request"},
      {"HTT-029", "FOO / HTTP/1.1\r\n" + host + "\r\n", 405, "method_not_allowed"},
      {"HTT-030", "TRACE / HTTP/1.1\r\n" + host + "\r\n", 405, "method_not_allowed"},
      {"HTT-031", "CONNECT 1.2.3.4:80 HTTP/1.1\r\nHost: 1.2.3.4:80\r\n\r\n", 405, "method_not_allowed"},
      {"HTT-033", "POST /v1/nope HTTP/1.1\r\n" + host + json + "Content-Length: 2\r\n\r\n{}", 404, "not_found"},
      {"HTT-033b", "POST /health HTTP/1.1\r\n" + host + json + "Content-Length: 2\r\n\r\n{}", 405,
       "method_not_allowed"},
      {"HTT-033c", "GET /v1/chat/completions HTTP/1.1\r\n" + host + "\r\n", 405, "method_not_allowed"},
      {"HTT-034", "GET / HTTP/1.1\r\n" + host + "X: " + std::string(64 * 1024, 'x') + "\r\n\r\n", 431,
       "headers_too_large"},
      {"HTT-036", "GET / HTTP/1.1\r\n" + host + "X-A : b\r\n\r\n", 400, "bad_request"},
      {"HTT-037", "GET / HTTP/1.1\r\n" + host + "X-A: b\r\n c\r\n\r\n", 400, "bad_request"},
      {"HTT-038", "GET / HTTP/1.1\r\n" + host + "X-A: b\nX-B: c\r\n\r\n", 400, "bad_request"},
      {"HTT-040", post(json + "Content-Length: -1\r\n"), 400, "bad_request"},
      {"HTT-041", post(json + "Content-Length: 1e3\r\n"), 400, "bad_request"},
      {"HTT-042", post(json + "Content-Length: +5\r\n", "hello"), 400, "bad_request"},
      {"HTT-043", post(json + "Content-Length: 99999999999999999999\r\n"), 400, "bad_request"},
      {"HTT-044", post(json + "Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), 400, "bad_request"},
      {"HTT-045", post(json + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, "bad_request"},
      {"HTT-046", post(json + "Content-Length: " + std::to_string((64 << 20) + 1) + "\r\n"), 413, "body_too_large"},
      {"HTT-048", post(json + "Content-Length: 10\r\n", std::string(100, 'x')), 400, "bad_request"},
      {"HTT-049", post(json + "Transfer-Encoding: chunked\r\n", "-2\r\nab\r\n0\r\n\r\n"), 400, "bad_request"},
      {"HTT-050", post(json + "Transfer-Encoding: chunked\r\n", "ffffffffffffffffff\r\n"), 400, "bad_request"},
      {"HTT-051", post(json + "Transfer-Encoding: chunked\r\n", "5;" + std::string(1 << 20, 'x')), 400, "bad_request"},
      {"HTT-054", post(json + "Transfer-Encoding: xchunked\r\n", "x"), 501, "not_implemented"},
      {"HTT-055", post(json + "Transfer-Encoding: gzip, chunked\r\n", "x"), 501, "not_implemented"},
      {"HTT-057", post(json + length + "Content-Encoding: gzip\r\n", kChat), 415, "unsupported_encoding"},
      {"HTT-059", post("Content-Type: text/plain\r\n" + length, kChat), 415, "unsupported_media_type"},
      {"HTT-060", post(length, kChat), 415, "unsupported_media_type"},
      {"HTT-061", post("Content-Type: application/x-www-form-urlencoded\r\n" + length, kChat), 415,
       "unsupported_media_type"},
      {"HTT-072", "GET / HTTP/1.1\r\n" + host + "Range: bytes=18446744073709551615-\r\n\r\n", 416,
       "range_not_satisfiable"},
      {"HTT-073", post(json + length + "Origin: https://evil.example\r\n", kChat), 403, "origin_not_allowed"},
      {"HTT-074", post(json + length + "Origin: null\r\n", kChat), 403, "origin_not_allowed"},
      {"HTT-076", post(json + length + "Origin: http://127.0.0.1:1\r\n", kChat), 403, "origin_not_allowed"},
      {"HTT-077", "OPTIONS /v1/chat/completions HTTP/1.1\r\n" + host + "Origin: https://evil.example\r\n\r\n", 403,
       "origin_not_allowed"},
      {"HTT-078", post(json + length + "Sec-Fetch-Site: cross-site\r\n", kChat), 403, "origin_not_allowed"},
      {"HTT-090", "GET /v1 HTTP/1.1\r\n" + host + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 400,
       "bad_request"},
  };
  for (const RawCase& c : cases) {
    const Reply reply = server.request(c.bytes);
    EXPECT_EQ(reply.status, c.status) << c.id << " " << reply.body;
    EXPECT_EQ(reply.code(), c.code) << c.id;
    EXPECT_FALSE(reply.has_header("Access-Control")) << c.id;
    EXPECT_TRUE(reply.has_header("X-Request-Id: req_")) << c.id;
    EXPECT_EQ(reply.has_header("\r\nAllow: "), c.status == 405) << c.id;
  }
  EXPECT_EQ(server.get("/health").body, "{\"status\":\"ok\"}");
}

TEST(Http, ManyFieldsAreRefused) {
  TestServer server;
  std::string fields;
  for (int i = 0; i < 99; ++i) fields += "X-" + std::to_string(i) + ": a\r\n";
  EXPECT_EQ(server.get("/health", fields).status, 200);  // 100 with Host
  EXPECT_EQ(server.get("/health", fields + "X-One: more\r\n").code(), "headers_too_large");
}

TEST(Http, GoodRequestsInUnusualForms) {
  TestServer server;
  EXPECT_EQ(server.request("\r\n" + server.head("GET /health")).status, 200);
  EXPECT_EQ(server.request("GET /health?key=1 HTTP/1.1\r\nhost: LOCALHOST\r\n\r\n").status, 200);
  EXPECT_EQ(server.request("GET /health HTTP/1.1\r\nHost: [::1]:7860\r\n\r\n").status, 200);
  EXPECT_EQ(server.request("GET /%68ealth HTTP/1.0\r\nHost: localhost\r\n\r\n").status, 200);
  EXPECT_EQ(server.chat(kChat, "Origin: http://" + server.host() + "\r\nSec-Fetch-Site: same-origin\r\n").status, 200);
  EXPECT_EQ(server.get("/v1/models", "Origin: https://evil.example\r\n").status, 200);
  const std::string type = "Content-Type: application/JSON; charset=utf-8\r\n";
  std::string chunks;
  for (const char c : kChat) chunks += std::string("1;ext=1\r\n") + c + "\r\n";
  const Reply chunked =
      server.request(server.head("POST /v1/chat/completions", type + "Transfer-Encoding: chunked\r\n") + chunks +
                     "0\r\nTrailer: x\r\n\r\n");
  EXPECT_EQ(chunked.status, 200) << chunked.body;
  const Reply options = server.request(server.head("OPTIONS /v1/chat/completions"));
  EXPECT_EQ(options.status, 204);
  EXPECT_TRUE(options.has_header("Allow: POST, OPTIONS"));
}

TEST(Http, HeadHasNoBody) {
  TestServer server;
  Client client(server.port());
  client.send(server.head("HEAD /") + server.head("GET /health"));
  ASSERT_TRUE(client.wait_for("{\"status\":\"ok\"}"));
  EXPECT_EQ(client.pending().find("<html"), std::string::npos);
}

TEST(Http, ExpectContinue) {
  TestServer server;
  Client client(server.port());
  client.send(server.head("POST /v1/chat/completions",
                          "Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: " +
                              std::to_string(kChat.size()) + "\r\n"));
  ASSERT_TRUE(client.wait_for("HTTP/1.1 100 Continue\r\n\r\n"));
  client.send(kChat);
  EXPECT_TRUE(client.wait_for("HTTP/1.1 200 OK"));
}

TEST(Http, PipelinedRequestsAreAnsweredInOrder) {
  TestServer server;
  Client client(server.port());
  constexpr int kCount = 10000;
  std::thread sender([&] {
    for (int i = 0; i < kCount; ++i) client.send(server.head(i % 2 ? "GET /health" : "GET /nope"));
  });
  for (int i = 0; i < kCount; ++i) {
    const Reply reply = client.read_reply();
    if (reply.status == 404) {  // errors close the connection, and what was behind them is not served
      EXPECT_EQ(i, 0);
      break;
    }
  }
  sender.join();
  Client good(server.port());
  std::thread good_sender([&] {
    for (int i = 0; i < kCount; ++i) good.send(server.head("GET /health"));
  });
  int answered = 0;
  while (answered < kCount && good.read_reply().status == 200) ++answered;
  good_sender.join();
  EXPECT_EQ(answered, kCount);
}

TEST(Http, SilentClientsAreClosed) {
  TestServer server(quick_limits());
  Client silent(server.port());
  EXPECT_TRUE(silent.closed_within(2000));
  EXPECT_EQ(silent.pending(), "");
  Client idle(server.port());
  idle.send(server.head("GET /health"));
  EXPECT_EQ(idle.read_reply().status, 200);
  EXPECT_TRUE(idle.closed_within(2000));
}

TEST(Http, SlowClientsGet408) {
  TestServer server(quick_limits());
  Client slow_head(server.port());
  std::thread dripping([&] {
    for (const char c : server.head("GET /health").substr(0, 30)) {
      if (!slow_head.send(std::string_view(&c, 1))) break;
      std::this_thread::sleep_for(milliseconds(40));
    }
  });
  EXPECT_EQ(slow_head.read_reply().code(), "request_timeout");
  dripping.join();
  Client stalled(server.port());
  stalled.send(server.head("POST /v1/chat/completions", "Content-Type: application/json\r\nContent-Length: 100\r\n") +
               "0123456789");
  EXPECT_EQ(stalled.read_reply().code(), "request_timeout");
  Client no_last_chunk(server.port());
  no_last_chunk.send(
      server.head("POST /v1/chat/completions", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n") +
      "2\r\n{}\r\n");
  EXPECT_EQ(no_last_chunk.read_reply().code(), "request_timeout");
}

TEST(Http, EndlessChunksAreCut) {
  ServerOptions options;
  options.limits.max_body_bytes = 1 << 20;
  TestServer server(options);
  Client client(server.port());
  client.send(
      server.head("POST /v1/chat/completions", "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"));
  const std::string chunk = "10000\r\n" + std::string(65536, ' ') + "\r\n";
  for (int i = 0; i < 100; ++i) {
    if (!client.send(chunk)) break;
  }
  EXPECT_EQ(client.read_reply().code(), "body_too_large");
}

TEST(Http, ApiKey) {
  ServerOptions options;
  options.api_key = "sesame-open-1234567890";
  TestServer server(options);
  const std::string bearer = "Authorization: Bearer ";
  for (const std::string& fields :
       {std::string(), bearer + "sesame-open-123456789\r\n", bearer + "sesame-open-12345678901\r\n", bearer + "\r\n",
        std::string("Authorization: Basic sesame-open-1234567890\r\n"),
        bearer + *options.api_key + "\r\n" + bearer + *options.api_key + "\r\n"}) {
    const Reply reply = server.get("/v1/models?key=" + *options.api_key, fields);
    EXPECT_EQ(reply.status, 401) << fields;
    EXPECT_EQ(reply.code(), "invalid_api_key");
    EXPECT_TRUE(reply.has_header("WWW-Authenticate: Bearer"));
  }
  EXPECT_EQ(server.get("/v1/models", bearer + *options.api_key + "\r\n").status, 200);
  EXPECT_EQ(server.get("/v1/models", "authorization: bearer " + *options.api_key + "\r\n").status, 200);
  for (const char* path : {"/v1", "/v1/x", "/api/predict", "/api/x", "/run/predict", "/version"})
    EXPECT_EQ(server.get(path).status, 401) << path;
  EXPECT_EQ(server.get("/health").status, 200);
  EXPECT_EQ(server.get("/").status, 200);
}

TEST(Http, AllowedHosts) {
  ServerOptions options;
  options.allow_hosts = {"Box.Example"};
  TestServer server(options);
  EXPECT_EQ(server.request("GET /health HTTP/1.1\r\nHost: box.example:7860\r\n\r\n").status, 200);
  EXPECT_EQ(server.request("GET /health HTTP/1.1\r\nHost: fox.example:7860\r\n\r\n").status, 403);
}

TEST(Http, PageHasItsHeaders) {
  TestServer server;
  const Reply page = server.get("/");
  EXPECT_EQ(page.status, 200);
  EXPECT_TRUE(page.has_header("Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "));
  EXPECT_TRUE(page.has_header("X-Content-Type-Options: nosniff"));
  EXPECT_TRUE(page.has_header("Referrer-Policy: no-referrer"));
  EXPECT_TRUE(page.has_header("Cross-Origin-Opener-Policy: same-origin"));
  EXPECT_NE(page.body.find("<!doctype html>"), std::string::npos);
}

// A client that leaves frees its work at once: while the answer is prepared, queued or decoded, by FIN or by reset.
TEST(Http, DisconnectCancels) {
  TestServer server;
  int cancelled = 0;
  const auto leaves = [&](FakeScript script, const std::string& body, bool reset, bool wait_for_token) {
    server.engine.set_script(std::move(script));
    const int submitted = server.engine.submitted();
    Client client(server.port());
    client.send(server.post("/v1/chat/completions", body));
    ASSERT_TRUE(eventually([&] { return server.engine.submitted() > submitted; }));
    ASSERT_TRUE(!wait_for_token || client.wait_for("on"));
    const auto left = steady_clock::now();
    reset ? client.reset() : client.close();
    ASSERT_TRUE(eventually([&] { return server.engine.cancelled() > cancelled; }));
    EXPECT_LT(steady_clock::now() - left, milliseconds(250));
    ++cancelled;
  };
  for (const bool reset : {false, true}) {
    leaves({.hold = true}, kChat, reset, false);
    leaves({.hold = true}, kStream, reset, false);
    leaves({.ids = ids_of("on and "), .token_time = microseconds(2000), .endless = true}, kStream, reset, true);
  }
  EXPECT_TRUE(eventually([&] { return server.engine.running() == 0; }));
}

// A hang-up behind bytes that nobody reads is found too.
TEST(Http, DisconnectBehindPipelinedBytesCancels) {
  TestServer server;
  server.engine.set_script({.hold = true});
  Client client(server.port());
  client.send(server.post("/v1/chat/completions", kChat));
  ASSERT_TRUE(eventually([&] { return server.engine.submitted() == 1; }));
  client.send("GET /");
  std::this_thread::sleep_for(milliseconds(50));
  client.close();
  EXPECT_TRUE(eventually([&] { return server.engine.cancelled() == 1; }, 2000));
}

TEST(Http, ManyStreamsWhileHealthAnswers) {
  TestServer server;
  server.engine.set_script({.ids = ids_of("word "), .token_time = microseconds(5000), .endless = true});
  const std::string body = R"({"stream":true,"max_tokens":100,"messages":[{"role":"user","content":"hi"}]})";
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 33; ++i) {
    clients.push_back(std::make_unique<Client>(server.port()));
    clients.back()->send(server.post("/v1/chat/completions", body));
  }
  for (const auto& client : clients) EXPECT_TRUE(client->wait_for("assistant", 1000));
  milliseconds slowest{0};
  for (int i = 0; i < 50; ++i) {
    const auto begin = steady_clock::now();
    EXPECT_EQ(server.get("/health").status, 200);
    slowest = std::max(slowest, std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin));
  }
  EXPECT_LT(slowest.count(), 500);
  for (const auto& client : clients) {
    const Reply reply = client->read_reply();
    EXPECT_EQ(reply.status, 200);
    EXPECT_NE(reply.body.find("\"finish_reason\":\"length\""), std::string::npos);
    EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n"));
  }
}

TEST(Http, QuietStreamsArePinged) {
  ServerOptions options;
  options.limits.ping_interval = milliseconds(50);
  TestServer server(options);
  server.engine.set_script({.hold = true});
  Client client(server.port());
  client.send(server.post("/v1/chat/completions", kStream));
  EXPECT_TRUE(client.wait_for(": ping\n\n"));
}

// A reader that never reads is given up, and its work with it.
TEST(Http, StalledReaderIsCutOff) {
  ServerOptions options;
  options.limits.write_timeout = milliseconds(300);
  TestServer server(options);
  server.engine.set_script({.ids = ids_of("word "), .endless = true});
  Client client(server.port());
  client.send(server.post("/v1/chat/completions",
                          R"({"stream":true,"ignore_eos":true,"messages":[{"role":"user","content":"hi"}]})"));
  // About 250 bytes an event and 4000 events would fit into the sockets' buffers: many streams on one machine do not
  // matter here, only that the connection ends one way or the other.
  EXPECT_TRUE(eventually([&] { return server.engine.running() == 0; }, 10000));
}

TEST(Http, ConnectionsAreCapped) {
  ServerOptions options;
  options.limits.max_connections = 4;
  TestServer server(options);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<Client>(server.port()));
    clients.back()->send(server.head("GET /health"));
    EXPECT_EQ(clients.back()->read_reply().status, 200);
  }
  Client late(server.port());
  EXPECT_EQ(late.read_reply().code(), "too_many_connections");
  clients.clear();
  EXPECT_TRUE(eventually([&] { return server.get("/health").status == 200; }));
}

TEST(Http, StopEndsStreamsWithAnEvent) {
  TestServer server;
  server.engine.set_script({.ids = ids_of("on "), .token_time = microseconds(2000), .endless = true});
  Client stream(server.port()), whole(server.port()), idle(server.port());
  stream.send(server.post("/v1/chat/completions", kStream));
  whole.send(server.post("/v1/chat/completions", kChat));
  idle.send(server.head("GET /health"));
  EXPECT_EQ(idle.read_reply().status, 200);
  ASSERT_TRUE(stream.wait_for("on"));
  ASSERT_TRUE(eventually([&] { return server.engine.submitted() == 2; }));
  const auto begin = steady_clock::now();
  server.stop();
  EXPECT_LT(steady_clock::now() - begin, milliseconds(1500));
  EXPECT_TRUE(stream.wait_for("server_shutdown"));
  EXPECT_EQ(whole.read_reply().code(), "server_shutdown");
  EXPECT_TRUE(idle.closed_within(1000));
}

TEST(Http, StopLetsAnswersFinish) {
  ServerOptions options;
  options.limits.drain_timeout = milliseconds(20000);
  TestServer server(options);
  server.engine.set_script({.ids = ids_of("A red circle."), .token_time = microseconds(20000)});
  Client stream(server.port()), whole(server.port());
  stream.send(server.post("/v1/chat/completions", kStream));
  whole.send(server.post("/v1/chat/completions", kChat));
  ASSERT_TRUE(stream.wait_for("A"));
  ASSERT_TRUE(eventually([&] { return server.engine.submitted() == 2; }));
  const int port = server.port();
  server.stop();  // returns once all are gone
  EXPECT_TRUE(stream.wait_for("[DONE]"));
  EXPECT_EQ(stream.pending().find("server_shutdown"), std::string::npos);
  EXPECT_EQ(whole.read_reply().status, 200);
  EXPECT_FALSE(Client(port).connected());
}

TEST(Http, PortInUseIsNamed) {
  TestServer server;
  ModelRegistry models;
  ServerOptions options;
  options.port = server.port();
  HttpServer second(options, models);
  try {
    second.bind();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, "port_in_use");
    EXPECT_EQ(exit_code(error.kind), 4);
    EXPECT_NE(std::string(error.what()).find(std::to_string(server.port())), std::string::npos);
  }
}

}  // namespace
}  // namespace qvl
