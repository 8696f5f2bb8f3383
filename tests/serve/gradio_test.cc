// Gradio's calls, queues and uploads, as its clients use them. The synchronous predict is in api_test.cc.
#include <gtest/gtest.h>

#include "media/data_uri.h"
#include "tests/serve/events.h"

namespace qvl {
namespace {

std::string png_bytes() {
  const auto bytes = decode_data_uri(kPng);
  return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

Reply upload(TestServer& server, const std::string& body, const std::string& path = "/gradio_api/upload") {
  return server.request(
      server.head("POST " + path, "Content-Type: multipart/form-data; boundary=XX\r\nContent-Length: " +
                                      std::to_string(body.size()) + "\r\n") +
      body);
}

std::string part(const std::string& name, const std::string& filename, const std::string& bytes) {
  return "--XX\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"" + filename + "\"\r\n\r\n" +
         bytes + "\r\n";
}

std::string upload_png(TestServer& server) {
  return Json::parse(upload(server, part("files", "a.png", png_bytes()) + "--XX--").body)[0];
}

std::string join(TestServer& server, const std::string& session, const std::string& data = R"(["hi"])") {
  const Reply reply = server.request(
      server.post("/gradio_api/queue/join?",
                  R"({"data":)" + data + R"(,"fn_index":0,"trigger_id":null,"session_hash":")" + session + "\"}"));
  EXPECT_EQ(reply.status, 200) << reply.body;
  return Json::parse(reply.body)["event_id"];
}

std::string call(TestServer& server, const std::string& data = R"(["hi"])", const std::string& root = "/gradio_api") {
  const Reply reply = server.request(server.post(root + "/call/predict", "{\"data\":" + data + "}"));
  EXPECT_EQ(reply.status, 200) << reply.body;
  return Json::parse(reply.body)["event_id"];
}

TEST(GradioCall, EventsOfOneCall) {
  TestServer server;
  for (const char* root : {"/gradio_api", ""}) {
    const std::string id = call(server, R"(["hi", null, "instruct", 0.5])", root);
    const int before = server.engine.submitted();
    const Reply reply = server.get(root + ("/call/predict/" + id));
    EXPECT_EQ(server.engine.submitted(), before + 1);  // the reader starts it
    EXPECT_TRUE(reply.has_header("Content-Type: text/event-stream"));
    EXPECT_TRUE(reply.body.ends_with("event: complete\ndata: [\"A red circle.\"]\n\n")) << reply.body;
    EXPECT_EQ(server.get(root + ("/call/predict/" + id)).status, 404);
  }
  EXPECT_FLOAT_EQ(server.engine.last_params().temperature, 0.5f);
  EXPECT_EQ(server.get("/call/predict/unknown").code(), "not_found");
}

TEST(GradioCall, LongAnswersAreNotToldAtEveryToken) {
  TestServer server;
  server.engine.set_script({.ids = ids_of("word "), .token_time = std::chrono::microseconds(100), .endless = true});
  const Reply reply = server.get("/call/predict/" + call(server, R"(["hi", null, null, null, null, 2000])", ""));
  EXPECT_NE(reply.body.find("event: complete"), std::string::npos);
  EXPECT_LT(reply.body.size(), size_t{64} * 2000 * 5);  // at every token it were 2000 * 2000 * 5 / 2
}

TEST(GradioCall, ErrorsAreEvents) {
  TestServer server;
  const Reply reply = server.get("/call/predict/" + call(server, R"(["hi", "AAAA"])", ""));
  EXPECT_TRUE(reply.body.starts_with("event: error\ndata: \"")) << reply.body;
  // What is wrong by its type is told at once.
  EXPECT_EQ(server.request(server.post("/call/predict", R"({"data":[5]})")).code(), "invalid_type");
  EXPECT_EQ(server.request(server.post("/call/predict", R"({"data":["hi"],"fn_index":7})")).code(), "invalid_value");
  EXPECT_EQ(server.request(server.post("/call/other", R"({"data":["hi"]})")).status, 404);
}

TEST(GradioQueue, MessagesOfASession) {
  TestServer server;
  const std::string id = join(server, "abc");
  const auto events = events_of(server.get("/gradio_api/queue/data?session_hash=abc").body);
  ASSERT_GE(events.size(), 4u);
  EXPECT_EQ(events[0]["msg"], "estimation");
  EXPECT_EQ(events[0]["rank"], 0);
  EXPECT_EQ(events[1]["msg"], "process_starts");
  std::string told;
  for (size_t i = 2; i + 2 < events.size(); ++i) {
    EXPECT_EQ(events[i]["msg"], "process_generating");
    const Json& data = events[i]["output"]["data"][0];
    told = i == 2 ? data.get<std::string>() : told + data[0][2].get<std::string>();
    EXPECT_EQ(i == 2 ? Json("append") : data[0][0], "append");
  }
  EXPECT_TRUE(std::string("A red circle.").starts_with(told));
  const Json& done = events[events.size() - 2];
  EXPECT_EQ(done["msg"], "process_completed");
  EXPECT_EQ(done["success"], true);
  EXPECT_EQ(done["output"]["data"], Json::array({"A red circle."}));
  EXPECT_EQ(done["output"]["is_generating"], false);
  EXPECT_EQ(events.back()["msg"], "close_stream");
  for (size_t i = 0; i + 1 < events.size(); ++i) EXPECT_EQ(events[i]["event_id"], id);
  // The session is over.
  EXPECT_EQ(events_of(server.get("/gradio_api/queue/data?session_hash=abc").body)[0]["msg"], "unexpected_error");
  EXPECT_EQ(server.request(server.post("/queue/join", R"({"data":["hi"]})")).code(), "missing_required");
}

TEST(GradioQueue, CallsThatComeWhileTheStreamRuns) {
  TestServer server;
  server.engine.set_script({.hold = true});
  const std::string first = join(server, "s");
  Client stream(server.port());
  stream.send(server.head("GET /gradio_api/queue/data?session_hash=s"));
  ASSERT_TRUE(stream.wait_for("process_starts"));
  server.engine.set_script({.ids = ids_of("A red circle.")});
  const std::string second = join(server, "s");
  ASSERT_TRUE(stream.wait_for("process_completed"));
  EXPECT_NE(stream.pending().find(second), std::string::npos);
  EXPECT_EQ(stream.pending().find("close_stream"), std::string::npos);  // the first one still runs
  // A second reader of the same session gets nothing of it.
  EXPECT_EQ(events_of(server.get("/gradio_api/queue/data?session_hash=s").body)[0]["msg"], "unexpected_error");
  // Cancelled, the first one ends, and the stream with it.
  const std::string body = R"({"event_id":")" + first + R"(","session_hash":"s","fn_index":0})";
  EXPECT_EQ(Json::parse(server.request(server.post("/gradio_api/cancel", body)).body)["success"], true);
  ASSERT_TRUE(stream.wait_for("close_stream"));
  EXPECT_TRUE(eventually([&] { return server.engine.running() == 0; }));
  EXPECT_EQ(server.engine.cancelled(), 1);
  EXPECT_EQ(Json::parse(server.request(server.post("/gradio_api/cancel", body)).body)["success"], false);
}

TEST(GradioQueue, ErrorsAreMessages) {
  TestServer server;
  join(server, "s", R"(["hi", "AAAA"])");
  auto events = events_of(server.get("/queue/data?session_hash=s").body);
  EXPECT_EQ(events[2]["msg"], "process_completed");
  EXPECT_EQ(events[2]["success"], false);
  EXPECT_TRUE(events[2]["output"]["error"].is_string());
  server.engine.set_script(
      {.ids = ids_of("half"), .finish = FinishReason::kError, .error_code = "nan_logits", .error_message = "m"});
  join(server, "s");
  events = events_of(server.get("/queue/data?session_hash=s").body);
  EXPECT_EQ(events[events.size() - 2]["output"]["code"], "nan_logits");
}

// Whoever leaves frees the engine; what nobody reads never starts.
TEST(GradioQueue, ClientsThatLeave) {
  TestServer server;
  server.engine.set_script({.hold = true});
  for (int i = 0; i < 200; ++i) call(server);  // bounded: the oldest go
  EXPECT_EQ(server.engine.submitted(), 0);
  const std::string id = join(server, "s");
  join(server, "s");
  {
    Client stream(server.port());
    stream.send(server.head("GET /queue/data?session_hash=s"));
    ASSERT_TRUE(stream.wait_for("process_starts"));
    ASSERT_TRUE(eventually([&] { return server.engine.running() == 2; }));
  }
  EXPECT_TRUE(eventually([&] { return server.engine.running() == 0; }));
  EXPECT_EQ(events_of(server.get("/queue/data?session_hash=s").body)[0]["msg"], "unexpected_error");
}

TEST(GradioQueue, StopEndsStreamsWithAMessage) {
  TestServer server;
  server.engine.set_script({.hold = true});
  join(server, "s");
  const std::string id = call(server);
  Client queue(server.port()), one(server.port()), heart(server.port());
  queue.send(server.head("GET /queue/data?session_hash=s"));
  one.send(server.head("GET /call/predict/" + id));
  heart.send(server.head("GET /gradio_api/heartbeat/s"));
  ASSERT_TRUE(queue.wait_for("process_starts"));
  ASSERT_TRUE(heart.wait_for("ALIVE"));
  ASSERT_TRUE(eventually([&] { return server.engine.running() == 2; }));
  server.stop();
  EXPECT_TRUE(queue.wait_for("shutting down"));
  EXPECT_TRUE(one.wait_for("shutting down"));
  EXPECT_TRUE(heart.closed_within(1000));
  EXPECT_TRUE(eventually([&] { return server.engine.running() == 0; }));
}

TEST(GradioUpload, FilesAreKnownHereAlone) {
  TestServer server;
  const std::string png = png_bytes();
  const Reply reply = upload(server, part("upload_id", "", "x") + part("files", "a.png", png) +
                                         part("files", "b.html", "<script>") + "--XX--");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json paths = Json::parse(reply.body);
  ASSERT_EQ(paths.size(), 2u);
  const std::string path = paths[0];
  const Reply file = server.get("/gradio_api/file=" + path);
  EXPECT_EQ(file.body, png);
  EXPECT_TRUE(file.has_header("Content-Type: image/png"));
  EXPECT_TRUE(file.has_header("Content-Security-Policy: sandbox"));
  EXPECT_TRUE(file.has_header("Content-Disposition: attachment"));
  EXPECT_TRUE(server.get("/file=" + paths[1].get<std::string>()).has_header("Content-Type: application/octet-stream"));
  for (const char* other : {"/etc/passwd", "", "/uploads/../etc/passwd"}) {
    EXPECT_EQ(server.get(std::string("/gradio_api/file=") + other).status, 404) << other;
  }
  // Uploaded files may be named in a call, by FileData or by their path.
  for (const std::string& data :
       {R"(["hi",{"path":")" + path + R"(","url":"http://)" + server.host() + "/gradio_api/file=" + path +
            R"(","orig_name":"a.png","meta":{"_type":"gradio.FileData"}}])",
        "[\"hi\",\"" + path + "\"]"}) {
    EXPECT_EQ(server.request(server.post("/api/predict", "{\"data\":" + data + "}")).status, 200);
    EXPECT_EQ(server.engine.last_prompt().visuals.size(), 1u);
  }
  const Reply unknown = server.request(server.post("/api/predict", R"({"data":["hi",{"path":"/uploads/0/a.png"}]})"));
  EXPECT_EQ(unknown.code(), "unsupported");
}

TEST(GradioUpload, BadUploads) {
  TestServer server;
  EXPECT_EQ(upload(server, "--XX--").code(), "missing_required");
  EXPECT_EQ(upload(server, "nonsense").code(), "invalid_multipart");
  EXPECT_EQ(upload(server, part("file", "a.png", "x") + "--XX--").code(), "missing_required");
  EXPECT_EQ(upload(server, part("files", "a", std::string((20u << 20) + 1, 'x')) + "--XX--").code(), "body_too_large");
  EXPECT_EQ(server.request(server.post("/gradio_api/upload", "{}")).code(), "unsupported_media_type");
  EXPECT_EQ(upload(server, part("files", "a", "x") + "--XX--", "/api/predict").code(), "unsupported_media_type");
}

TEST(GradioConfig, IsEnoughToConnect) {
  TestServer server;
  const Json config = Json::parse(server.get("/config").body);
  EXPECT_EQ(config["root"], "http://" + server.host());
  EXPECT_EQ(config["api_prefix"], "/gradio_api");
  EXPECT_EQ(config["protocol"], "sse_v3");
  EXPECT_EQ(config["dependencies"][0]["api_name"], "predict");
  const Json info = Json::parse(server.get("/gradio_api/info").body);
  const Json& predict = info["named_endpoints"]["/predict"];
  EXPECT_EQ(predict["parameters"].size(), config["dependencies"][0]["inputs"].size());
  EXPECT_EQ(predict["parameters"][0]["parameter_has_default"], false);
  EXPECT_EQ(predict["parameters"][1]["component"], "Image");
  EXPECT_EQ(info, Json::parse(server.get("/info").body));
  EXPECT_EQ(Json::parse(server.get("/gradio_api/app_id").body)["app_id"], config["app_id"]);
  EXPECT_FALSE(upload_png(server).empty());
}

}  // namespace
}  // namespace qvl
