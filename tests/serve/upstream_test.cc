// Engines behind the server: choice, retries, streams that pass through, engines that misbehave.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "serve/upstream_events.h"
#include "serve/upstream_media.h"
#include "serve/upstream_pool.h"
#include "tests/serve/fake_upstream.h"

namespace qvl {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;
using Fake = FakeUpstream;

const std::string kStream = R"({"model":"big","stream":true,"messages":[{"role":"user","content":"hi"}]})";
const std::string kWhole = R"({"model":"big","messages":[{"role":"user","content":"hi"}]})";
const std::string kCompletion =
    R"({"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"yes","reasoning":"why"},"finish_reason":"stop"}]})";

// Our server, without a model of its own, in front of some.
class Front {
 public:
  explicit Front(const std::vector<const FakeUpstream*>& engines, ServerOptions options = {},
                 milliseconds answer_timeout = milliseconds(5000)) {
    UpstreamOptions upstream;
    for (const auto* engine : engines) upstream.urls.push_back(engine->url());
    upstream.api_key = "engine-key";
    upstream.health_interval = milliseconds(50);
    upstream.health_timeout = milliseconds(1000);
    upstream.answer_timeout = answer_timeout;
    pool = std::make_unique<UpstreamPool>(upstream);
    pool->start();
    options.port = 0;
    options.handle_signals = false;
    options.limits.drain_timeout = {};
    options.upstreams = pool.get();
    server = std::make_unique<HttpServer>(options, models);
    server->bind();
    thread_ = std::thread([this] { server->run(); });
  }
  ~Front() {
    server->stop();
    thread_.join();
  }
  std::string bytes(const std::string& method, const std::string& path, const std::string& body = "",
                    const std::string& extra = "") const {
    return method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\n" + extra +
           (method == "POST" ? "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" : "") +
           "\r\n" + body;
  }
  Reply post(const std::string& body, const std::string& path = "/v1/chat/completions", const std::string& extra = "") const {
    Client client(server->port());
    client.send(bytes("POST", path, body, extra));
    return client.read_reply();
  }
  Reply get(const std::string& path) const {
    Client client(server->port());
    client.send(bytes("GET", path));
    return client.read_reply();
  }

  std::unique_ptr<UpstreamPool> pool;
  ModelRegistry models;
  std::unique_ptr<HttpServer> server;

 private:
  std::thread thread_;
};

TEST(Upstream, StreamsPassThroughAndReasoningHasBothNames) {
  Fake engine;
  const std::string word = Fake::event(R"({"content":"four"})");
  engine.set_answer(Fake::say(Fake::stream_head() + Fake::chunk(": comment\n\n" + Fake::event(R"({"reasoning":"2+2"})")) +
                              Fake::chunk(Fake::event(R"({"reasoning_content":"!"})")) + Fake::chunk(word) +
                              Fake::chunk(Fake::event("{}", "\"stop\"") + "data: [DONE]\n\n") + "0\r\n\r\n"));
  Front front({&engine});
  const Reply reply = front.post(kStream);
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.has_header("text/event-stream"));
  EXPECT_THAT(reply.body, HasSubstr(R"("reasoning":"2+2","reasoning_content":"2+2")"));
  EXPECT_THAT(reply.body, HasSubstr(R"("reasoning_content":"!","reasoning":"!")"));
  EXPECT_THAT(reply.body, HasSubstr(word));
  EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n"));
  EXPECT_EQ(engine.last_body(), kStream);
  EXPECT_THAT(engine.last_head(), HasSubstr("Authorization: Bearer engine-key\r\n"));
  EXPECT_THAT(engine.last_head(), HasSubstr("Accept-Encoding: identity\r\n"));
}

TEST(Upstream, WholeAnswers) {
  Fake engine;
  engine.set_answer(Fake::say(Fake::json(200, kCompletion)));
  Front front({&engine});
  const Json json = Json::parse(front.post(kWhole).body);
  EXPECT_EQ(json["choices"][0]["message"]["content"], "yes");
  EXPECT_EQ(json["choices"][0]["message"]["reasoning_content"], "why");
  // No model named: the engines' first.
  EXPECT_EQ(front.post(R"({"messages":[{"role":"user","content":"hi"}]})").status, 200);
  EXPECT_THAT(engine.last_body(), HasSubstr(R"("model":"big")"));
  const Json predicted = Json::parse(front.post(R"({"data":["q",null,"instruct",0.5]})", "/api/predict").body);
  EXPECT_EQ(predicted["data"][0], "yes");
  EXPECT_EQ(predicted["is_generating"], false);
  EXPECT_THAT(engine.last_body(), HasSubstr(R"("temperature":0.5)"));
  EXPECT_EQ(front.post(R"({"data":["q",null,"thinking"]})", "/api/predict").code(), "model_not_found");
}

TEST(Upstream, ModelsAndHealth) {
  Fake one({"a", "b"}), two({"b", "c"});
  Front front({&one, &two});
  const Json list = Json::parse(front.get("/v1/models").body);
  ASSERT_EQ(list["data"].size(), 3u);
  EXPECT_EQ(list["data"][2]["id"], "c");
  EXPECT_EQ(Json::parse(front.get("/v1/models/c").body)["max_model_len"], 4096);
  EXPECT_EQ(front.get("/v1/models/d").status, 404);
  EXPECT_EQ(front.post(R"({"model":"d","messages":[]})").code(), "model_not_found");
  EXPECT_EQ(Json::parse(front.get("/health").body)["upstreams"], Json::parse(R"({"alive":2,"total":2})"));
  one.set_health(500);
  EXPECT_TRUE(eventually([&] { return front.pool->counts().alive == 1; }));
  EXPECT_EQ(front.get("/health").status, 200);
  two.set_health(0);
  EXPECT_TRUE(eventually([&] { return front.get("/health").status == 503; }));
  const Reply down = front.post(R"({"model":"a","messages":[]})");
  EXPECT_EQ(down.status, 503);
  EXPECT_EQ(down.code(), "upstream_down");
  EXPECT_TRUE(down.has_header("Retry-After"));
  one.set_health(404);  // has no such route: the models say that it is well
  EXPECT_TRUE(eventually([&] { return front.get("/health").status == 200; }));
  EXPECT_EQ(front.post(R"({"model":"a","stream":true,"messages":[]})").status, 200);
}

TEST(Upstream, TheLeastBusyIsChosen) {
  Fake one, two;
  std::atomic<bool> go{false};
  const auto slow = [&](Fake::Peer& peer, const Fake::Request&) {
    while (!go) std::this_thread::sleep_for(milliseconds(1));
    peer.send(Fake::whole_stream("x"));
  };
  one.set_answer(slow);
  two.set_answer(slow);
  Front front({&one, &two});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 1; i <= 6; ++i) {
    clients.push_back(std::make_unique<Client>(front.server->port()));
    clients.back()->send(front.bytes("POST", "/v1/chat/completions", kStream));
    EXPECT_TRUE(eventually([&] { return one.posts() + two.posts() == i; }));
  }
  EXPECT_EQ(one.posts(), 3);
  EXPECT_EQ(two.posts(), 3);
  EXPECT_EQ(front.pool->in_flight(), 6);
  go = true;
  for (auto& client : clients) EXPECT_TRUE(client->wait_for("[DONE]"));
  EXPECT_TRUE(eventually([&] { return front.pool->in_flight() == 0; }));
}

struct Failing {
  const char* name;
  Fake::Answer answer;
};

std::vector<Failing> failures_before_a_token() {
  return {{"503", Fake::say(Fake::json(503, "{}"))},
          {"502", Fake::say(Fake::json(502, "<html>"))},
          {"closes at once", [](Fake::Peer&, const Fake::Request&) {}},
          {"resets", [](Fake::Peer& peer, const Fake::Request&) { peer.reset(); }},
          {"half a head", Fake::say("HTTP/1.1 200 OK\r\nContent-")},
          {"no HTTP", Fake::say("SSH-2.0-OpenSSH_9.2\r\n\r\n")},
          {"huge head", Fake::say("HTTP/1.1 200 OK\r\nX: " + std::string(200000, 'x') + "\r\n\r\n")},
          {"bad chunk size", Fake::say(Fake::stream_head() + "zz\r\nabc\r\n")},
          {"negative chunk size", Fake::say(Fake::stream_head() + "-2\r\nabc\r\n")},
          {"huge chunk size", Fake::say(Fake::stream_head() + "ffffffffffffffffff\r\nabc\r\n")},
          {"dies after the role",
           Fake::say(Fake::stream_head() + Fake::chunk(Fake::event(R"({"role":"assistant","content":""})")))},
          {"ends after the role",
           Fake::say(Fake::stream_head() + Fake::chunk(Fake::event(R"({"role":"assistant","content":""})")) + "0\r\n\r\n")}};
}

TEST(Upstream, AnotherIsTriedBeforeTheFirstToken) {
  for (const Failing& failing : failures_before_a_token()) {
    Fake bad, good;
    bad.set_answer(failing.answer);
    good.set_answer(Fake::say(Fake::whole_stream("fine")));
    Front front({&bad, &good});
    for (int i = 0; i < 2; ++i) {
      const Reply reply = front.post(kStream);
      EXPECT_EQ(reply.status, 200) << failing.name;
      EXPECT_THAT(reply.body, HasSubstr("fine")) << failing.name;
      const size_t role = reply.body.find("\"role\"");
      EXPECT_EQ(reply.body.find("\"role\"", role + 1), reply.body.npos) << failing.name;
      EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n")) << failing.name;
    }
    EXPECT_GE(bad.posts(), 1) << failing.name;
  }
}

TEST(Upstream, WithoutAnotherTheFailureIsTold) {
  for (const Failing& failing : failures_before_a_token()) {
    Fake bad;
    bad.set_answer(failing.answer);
    Front front({&bad});
    const Reply reply = front.post(kStream);
    const bool told = reply.status >= 500 || (reply.status == 200 && reply.body.find("upstream_failed") != reply.body.npos);
    EXPECT_TRUE(told) << failing.name << " " << reply.status << " " << reply.body;
    EXPECT_NE(reply.code() == "-" && reply.body.find("\"error\"") == reply.body.npos, true) << failing.name;
    EXPECT_EQ(front.get("/health").status, 200) << failing.name;
  }
}

TEST(Upstream, OneThatRefusesConnectionsIsLeftOut) {
  auto gone = std::make_unique<Fake>();
  Fake good;
  UpstreamOptions options;
  options.urls = {gone->url(), good.url()};
  options.health_interval = milliseconds(600000);  // only the requests notice
  UpstreamPool pool(options);
  pool.start();
  EXPECT_EQ(pool.counts().alive, 2);
  gone.reset();
  ModelRegistry models;
  ServerOptions server_options;
  server_options.port = 0;
  server_options.handle_signals = false;
  server_options.upstreams = &pool;
  HttpServer server(server_options, models);
  server.bind();
  std::thread thread([&] { server.run(); });
  for (int i = 0; i < 3; ++i) {
    Client client(server.port());
    client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: " +
                std::to_string(kStream.size()) + "\r\n\r\n" + kStream);
    EXPECT_THAT(client.read_reply().body, HasSubstr("[DONE]"));
  }
  EXPECT_EQ(pool.counts().alive, 1);
  server.stop();
  thread.join();
}

TEST(Upstream, DeathInTheMiddleIsAnErrorEvent) {
  const std::string begun = Fake::stream_head() + Fake::chunk(Fake::event(R"({"content":"half"})"));
  const std::vector<Failing> cases = {
      {"dies", Fake::say(begun)},
      {"resets", [&](Fake::Peer& peer, const Fake::Request&) {
         peer.send(begun);
         std::this_thread::sleep_for(milliseconds(50));
         peer.reset();
       }},
      {"ends politely", Fake::say(begun + "0\r\n\r\n")},
      {"bad JSON", Fake::say(begun + Fake::chunk("data: {\"choices\":[\n\n"))},
      {"no object", Fake::say(begun + Fake::chunk("data: 17\n\n"))},
      {"bad choice", Fake::say(begun + Fake::chunk("data: {\"choices\":[1]}\n\n"))},
      {"bad UTF-8", Fake::say(begun + Fake::chunk("data: {\"x\":\"\xff\"}\n\n"))},
      {"too deep", Fake::say(begun + Fake::chunk("data: " + std::string(100000, '[') + "\n\n"))},
      {"bad chunk", Fake::say(begun + "5\r\nabcdefgh\r\n")},
      {"too long", Fake::say(begun + Fake::chunk("data: \"" + std::string(5 << 20, 'x')))}};
  for (const Failing& failing : cases) {
    Fake bad, other;
    bad.set_answer(failing.answer);
    other.set_answer(failing.answer);
    Front front({&bad, &other});
    const Reply reply = front.post(kStream);
    EXPECT_EQ(reply.status, 200) << failing.name;
    EXPECT_THAT(reply.body, HasSubstr("half")) << failing.name;
    EXPECT_THAT(reply.body, HasSubstr(R"("code":"upstream_failed")")) << failing.name;
    EXPECT_THAT(reply.body, Not(HasSubstr("[DONE]"))) << failing.name;
    EXPECT_EQ(bad.posts() + other.posts(), 1) << failing.name;
  }
}

TEST(Upstream, OddButValidStreams) {
  const std::string all = Fake::event(R"({"content":"ok"})") + Fake::event("{}", "\"stop\"") + "data: [DONE]\n\n";
  std::string single;
  for (const char c : all) single += Fake::chunk(std::string(1, c));
  std::string crlf;
  for (const char c : all) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  const std::string no_done = Fake::event(R"({"content":"ok"})") + Fake::event("{}", "\"stop\"");
  const std::vector<std::pair<const char*, std::string>> cases = {
      {"byte by byte", Fake::stream_head() + single + "0\r\n\r\n"},
      {"CR LF", Fake::stream_head() + Fake::chunk(crlf) + "0\r\n\r\n"},
      {"chunk extensions and trailers",
       Fake::stream_head() + fmt::format("{:X};a=b\r\n{}\r\n", all.size(), all) + "0\r\nX-Trailer: y\r\n\r\n"},
      {"until the connection closes", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + all},
      {"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n" + all},
      {"no [DONE]", Fake::stream_head() + Fake::chunk(no_done) + "0\r\n\r\n"},
      {"bytes behind [DONE]", Fake::stream_head() + Fake::chunk(all + "data: {\"late\":1}\n\n") + "0\r\n\r\n"}};
  for (const auto& [name, bytes] : cases) {
    Fake engine;
    engine.set_answer(Fake::say(bytes));
    Front front({&engine});
    const Reply reply = front.post(kStream);
    EXPECT_THAT(reply.body, HasSubstr("\"ok\"")) << name;
    EXPECT_THAT(reply.body, HasSubstr("data: [DONE]\n\n")) << name;
    EXPECT_THAT(reply.body, Not(HasSubstr("late"))) << name;
    EXPECT_THAT(reply.body, Not(HasSubstr("error"))) << name;
  }
}

TEST(Upstream, ErrorsKeepTheirStatus) {
  struct Case {
    int status;
    std::string body;
    int expected;
    const char* text;
  };
  const std::vector<Case> cases = {
      {400, R"({"error":{"message":"too long","type":"exceed_context_size_error","n_ctx":5}})", 400, "too long"},
      {400, R"({"object":"error","message":"bad n","code":400})", 400, "bad n"},
      {422, R"({"detail":[{"loc":["body"],"msg":"field required"}]})", 422, "field required"},
      {404, R"({"detail":"Not Found"})", 404, "Not Found"},
      {429, R"({"error":{"message":"slow down"}})", 429, "slow down"},
      {500, "<html>boom</html>", 500, "answered 500"},
      {500, "", 500, "answered 500"},
      {200, "not json", 502, "upstream_failed"},
      {401, R"({"error":{"message":"bad key"}})", 502, "upstream_unauthorized"},
      {307, "", 502, "upstream_failed"}};
  Fake engine;
  Front front({&engine});
  for (const Case& one : cases) {
    engine.set_answer(Fake::say(Fake::json(one.status, one.body, "Retry-After: 7\r\nLocation: http://127.0.0.1:1/\r\n")));
    const Reply reply = front.post(kWhole);
    EXPECT_EQ(reply.status, one.expected) << one.body;
    EXPECT_THAT(reply.body, HasSubstr(one.text));
    EXPECT_TRUE(Json::parse(reply.body)["error"].is_object());
    if (one.status == 429) {
      EXPECT_TRUE(reply.has_header("Retry-After: 7"));
    }
  }
  engine.set_answer(Fake::say("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"));
  EXPECT_EQ(front.post(kWhole).status, 502);
  engine.set_answer(Fake::say(Fake::stream_head() + Fake::chunk("data: {\"error\": \"out of memory\"}\n\n")));
  EXPECT_THAT(front.post(kStream).body, HasSubstr(R"({"error":{"message":"out of memory")"));
}

TEST(Upstream, SlowOnesTimeOut) {
  Fake slow, good;
  const auto wait = [](Fake::Peer& peer, const Fake::Request&) { peer.closed_within(5000); };
  slow.set_answer(wait);
  {
    Front front({&slow}, {}, milliseconds(200));
    const Reply reply = front.post(kWhole);
    EXPECT_EQ(reply.status, 504);
    EXPECT_EQ(reply.code(), "upstream_timeout");
    slow.set_answer([](Fake::Peer& peer, const Fake::Request&) {
      peer.send(Fake::stream_head() + Fake::chunk(Fake::event(R"({"content":"half"})")));
      peer.closed_within(5000);
    });
    EXPECT_THAT(front.post(kStream).body, HasSubstr("upstream_timeout"));
  }
  slow.set_answer(wait);
  Front front({&slow, &good}, {}, milliseconds(200));
  for (int i = 0; i < 2; ++i) EXPECT_THAT(front.post(kStream).body, HasSubstr("[DONE]"));
}

TEST(Upstream, AClientThatLeavesEndsTheWork) {
  Fake engine;
  std::atomic<int> closed{0};
  std::atomic<bool> speak{true};
  engine.set_answer([&](Fake::Peer& peer, const Fake::Request&) {
    if (speak) peer.send(Fake::stream_head() + Fake::chunk(Fake::event(R"({"content":"half"})")));
    if (peer.closed_within(10000)) ++closed;
  });
  Front front({&engine});
  int asked = 0;
  for (const bool begun : {true, false}) {
    speak = begun;
    ++asked;
    Client client(front.server->port());
    client.send(front.bytes("POST", "/v1/chat/completions", kStream));
    if (begun) {
      EXPECT_TRUE(client.wait_for("half"));
    }
    const int before = closed;
    EXPECT_TRUE(eventually([&] { return front.pool->in_flight() == 1; }));
    EXPECT_TRUE(eventually([&] { return engine.posts() == asked; }));  // who leaves earlier is never heard of by the engine
    client.close();
    EXPECT_TRUE(eventually([&] { return closed == before + 1; }));
    EXPECT_TRUE(eventually([&] { return front.pool->in_flight() == 0; }));
  }
}

TEST(Upstream, ASlowReaderSlowsTheEngine) {
  Fake engine;
  std::atomic<size_t> sent{0};
  engine.set_answer([&](Fake::Peer& peer, const Fake::Request&) {
    peer.send(Fake::stream_head());
    const std::string piece = Fake::chunk(Fake::event(R"({"content":")" + std::string(16000, 'x') + "\"}"));
    while (sent < (size_t{256} << 20) && peer.send(piece)) sent += piece.size();
  });
  Front front({&engine});
  Client client(front.server->port());
  client.send(front.bytes("POST", "/v1/chat/completions", kStream));
  EXPECT_TRUE(client.wait_for("xxx"));
  size_t before = 0;
  EXPECT_TRUE(eventually([&] {  // the sockets' buffers fill, then nothing moves
    std::this_thread::sleep_for(milliseconds(200));
    return std::exchange(before, sent.load()) == sent;
  }));
  EXPECT_LT(sent, size_t{64} << 20);
}

TEST(Upstream, OwnModelsWinAndOurKeyGuards) {
  Fake engine({"demo", "big"});
  UpstreamOptions upstream;
  upstream.urls = {engine.url() + "/v1/"};
  UpstreamPool pool(upstream);
  pool.start();
  ServerOptions options;
  options.upstreams = &pool;
  options.api_key = "0123456789abcdef";
  TestServer server(options);
  const std::string key = "Authorization: Bearer 0123456789abcdef\r\n";
  EXPECT_EQ(server.chat(kStream).status, 401);
  EXPECT_EQ(engine.posts(), 0);
  EXPECT_THAT(server.chat(R"({"model":"demo","messages":[{"role":"user","content":"hi"}]})", key).body, HasSubstr("A red circle."));
  EXPECT_EQ(engine.posts(), 0);
  EXPECT_THAT(server.chat(kStream, key).body, HasSubstr("hello"));
  EXPECT_THAT(engine.last_head(), Not(HasSubstr("Authorization")));
  const Json list = Json::parse(server.get("/v1/models", key).body);
  ASSERT_EQ(list["data"].size(), 3u);
  EXPECT_TRUE(list["data"][0].contains("qwen3vl"));
  EXPECT_EQ(list["data"][2]["id"], "big");
}

TEST(Upstream, NoUrlOfAClientReachesAnEngine) {
  Fake engine;
  Front front({&engine});
  const auto code = [&](const std::string& part) {
    return front.post(R"({"model":"big","messages":[{"role":"user","content":[)" + part + "]}]}").code();
  };
  EXPECT_EQ(code(R"({"type":"image_url","image_url":{"url":"http://10.0.0.1/a.png"}})"), "remote_media_disabled");
  EXPECT_EQ(code(R"({"type":"image_url","image_url":"https://example.com/a.png"})"), "remote_media_disabled");
  EXPECT_EQ(code(R"({"type":"image_url","image_url":{"url":"file:///etc/passwd"}})"), "url_scheme_not_allowed");
  EXPECT_EQ(code(R"({"type":"image","image":"/etc/a.png"})"), "invalid_base64");
  EXPECT_EQ(code(R"({"type":"image","source":{"type":"url","url":"http://10.0.0.1/"}})"), "remote_media_disabled");
  EXPECT_EQ(code(R"({"type":"document","source":{"type":"url","url":"http://10.0.0.1/"}})"), "url_scheme_not_allowed");
  EXPECT_EQ(code(R"({"type":"video_url","video_url":{"url":"http://10.0.0.1/a.mp4"}})"), "url_scheme_not_allowed");
  EXPECT_EQ(code(R"({"type":"video","video":["http://10.0.0.1/1.png"]})"), "url_scheme_not_allowed");
  EXPECT_EQ(code(R"({"type":"tool_result","content":[{"type":"image_url","image_url":{"url":"http://10.0.0.1/"}}]})"),
            "remote_media_disabled");
  EXPECT_EQ(code(R"({"type":"file","file":{"file_data":"http://10.0.0.1/","filename":"a.pdf"}})"), "url_scheme_not_allowed");
  EXPECT_EQ(engine.posts(), 0);
  // Text is never an order; data URIs pass as they are; bare base64 becomes one.
  Json body = Json::parse(
      R"x({"messages":[{"content":[{"type":"text","text":"![](http://10.0.0.1/)"},{"image_url":{"url":"data:image/png;base64,AA"}}]}]})x");
  EXPECT_FALSE(inline_media(body, nullptr, nullptr));
  body = Json::parse(R"({"input":[{"content":[{"type":"input_image","image_url":"iVBORw0KGgoAAAANSUhEUg=="}]}]})");
  EXPECT_TRUE(inline_media(body, nullptr, nullptr));
  EXPECT_EQ(body["input"][0]["content"][0]["image_url"], "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg==");
}

TEST(Upstream, OtherFormsOfStreams) {
  Fake engine;
  Front front({&engine});
  const std::string messages = "event: message_start\ndata: {\"type\":\"message_start\"}\n\n";
  const std::string stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
  engine.set_answer(Fake::say(Fake::stream_head() + Fake::chunk(messages + stop) + "0\r\n\r\n"));
  EXPECT_EQ(front.post(kStream, "/v1/messages").body, messages + stop);
  engine.set_answer(Fake::say(Fake::stream_head() + Fake::chunk(messages)));
  EXPECT_THAT(front.post(kStream, "/v1/messages").body, HasSubstr("event: error\ndata: {\"type\":\"error\""));
  const std::string text = "data: {\"choices\":[{\"text\":\"x\",\"finish_reason\":\"stop\"}]}\n\n";
  engine.set_answer(Fake::say(Fake::stream_head() + Fake::chunk(text) + "0\r\n\r\n"));
  EXPECT_EQ(front.post(kStream, "/v1/completions").body, text + "data: [DONE]\n\n");
  EXPECT_THAT(engine.last_head(), HasSubstr("POST /v1/completions "));
}

TEST(Upstream, BadUrlsAreFlagsErrors) {
  for (const char* url : {"", "host:80", "ftp://host", "http://", "http://user@host", "http://ho st", "http://host?x=1"}) {
    UpstreamOptions options;
    options.urls = {url};
    EXPECT_THROW(UpstreamPool pool(options), Error) << url;
  }
}

TEST(EventSplitter, FindsEventsHoweverTheBytesAreCut) {
  const std::string text = "data: a\n\ndata: b\r\n\r\n: c\n\nevent: d\ndata: 1\ndata: 2\n\n";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    EventSplitter splitter;
    std::vector<std::string> data;
    for (size_t at = 0; at < text.size(); at += piece) {
      splitter.push(std::string_view(text).substr(at, piece));
      while (const auto event = splitter.next()) data.push_back(event_data(*event));
    }
    EXPECT_EQ(data, (std::vector<std::string>{"a", "b", "", "1\n2"})) << piece;
  }
}

}  // namespace
}  // namespace qvl
