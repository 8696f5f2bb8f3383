// /metrics: every protocol counts in the same place, labels hold nothing that clients send, and the dashboard asks for
// nothing that is not there.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "base/log.h"
#include "tests/serve/test_server.h"

namespace qvl {
namespace {

using Samples = std::map<std::string, double>;  // by name and labels as they stand

Samples read_metrics(const TestServer& server) {
  const Reply reply = server.get("/metrics");
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.has_header("Content-Type: text/plain; version=0.0.4"));
  Samples samples;
  std::istringstream text(reply.body);
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("#")) continue;
    const size_t space = line.rfind(' ');
    EXPECT_TRUE(samples.emplace(line.substr(0, space), std::stod(line.substr(space + 1))).second) << line;
  }
  return samples;
}

double sum(const Samples& samples, const std::string& name, const std::string& label = "") {
  double total = 0;
  for (const auto& [key, value] : samples) {
    const std::string found = key.substr(0, key.find('{'));
    if (found == name && key.find(label) != key.npos) total += value;
  }
  return total;
}

const char* const kUser = R"("messages":[{"role":"user","content":"hi"}])";

TEST(Metrics, EveryProtocolCountsOnce) {
  TestServer server;
  const std::string user = kUser;
  ASSERT_EQ(server.chat("{" + user + "}").status, 200);
  ASSERT_EQ(server.chat("{\"stream\":true," + user + "}").status, 200);
  ASSERT_EQ(server.request(server.post("/v1/messages", "{\"model\":\"demo\",\"max_tokens\":50," + user + "}")).status, 200);
  ASSERT_EQ(server.request(server.post("/v1/responses", R"({"input":"hi"})")).status, 200);
  ASSERT_EQ(server.request(server.post("/api/predict", R"({"data":["hi",null,"instruct"]})")).status, 200);
  const Samples now = read_metrics(server);
  EXPECT_EQ(sum(now, "qwenvl_request_success_total", "finished_reason=\"stop\""), 5);
  EXPECT_EQ(sum(now, "qwenvl_request_success_total"), 5);
  const auto tokens = static_cast<double>(ids_of("A red circle.").size());
  EXPECT_EQ(sum(now, "qwenvl_request_generation_tokens_count", "model_name=\"demo\""), 5);
  EXPECT_EQ(sum(now, "qwenvl_inter_token_latency_seconds_count"), 5 * (tokens - 1));
  EXPECT_GT(sum(now, "qwenvl_prompt_tokens_total"), 5);
  EXPECT_EQ(sum(now, "qwenvl_e2e_request_latency_seconds_count"), 5);
  EXPECT_EQ(sum(now, "qwenvl_http_responses_total", "route=\"/v1/chat/completions\",status=\"2xx\""), 2);
  EXPECT_GT(sum(now, "process_resident_memory_bytes"), 1e6);
  EXPECT_GT(sum(now, "process_threads"), 3);
  EXPECT_GT(sum(now, "process_start_time_seconds"), 1.7e9);
}

TEST(Metrics, ClientsThatLeaveAreCounted) {
  TestServer server;
  server.engine.set_script({.ids = ids_of("on "), .token_time = std::chrono::microseconds(500), .endless = true});
  {
    Client client(server.port());
    client.send(server.post("/v1/chat/completions", std::string("{\"stream\":true,") + kUser + "}"));
    ASSERT_TRUE(client.wait_for("on"));
  }
  EXPECT_TRUE(eventually([&] { return sum(read_metrics(server), "qwenvl_request_success_total", "\"abort\"") == 1; }));
}

TEST(Metrics, LabelsHoldNothingOfClients) {
  TestServer server;
  EXPECT_EQ(server.get("/canary/x%22?canary=1").status, 404);
  EXPECT_EQ(server.get("/v1/models/canary").status, 404);
  EXPECT_EQ(server.chat(std::string(R"({"model":"canary",)") + kUser + "}").status, 404);
  EXPECT_EQ(server.request("CANARY / HTTP/1.1\r\nHost: " + server.host() + "\r\n\r\n").status, 405);
  const Reply reply = server.get("/metrics");
  EXPECT_EQ(reply.body.find("canary"), std::string::npos);
  EXPECT_EQ(reply.body.find("CANARY"), std::string::npos);
  const auto unknown = [&] { return sum(read_metrics(server), "qwenvl_http_responses_total", "route=\"other\",status=\"4xx\""); };
  EXPECT_TRUE(eventually([&] { return unknown() >= 2; }));
}

TEST(Metrics, HistogramsAreCumulative) {
  Histogram histogram{1, 2, 5};
  for (const double value : {0.5, 1.0, 1.5, 4.0, 9.0}) histogram.observe(value);
  EXPECT_EQ(histogram.cumulative(), (std::vector<int64_t>{2, 3, 4, 5}));
  EXPECT_DOUBLE_EQ(histogram.sum(), 16);
}

TEST(Metrics, NamesForOtherDashboards) {
  ServerOptions options;
  options.metric_names = MetricNames::kVllm;
  {
    TestServer server(options);
    const std::string text = server.get("/metrics").body;
    for (const char* name : {"vllm:num_requests_running", "vllm:time_to_first_token_seconds_bucket", "vllm:prompt_tokens_total",
                             "vllm:request_success_total", "vllm:kv_cache_usage_perc", "qwenvl_vision_encode_seconds_count"}) {
      EXPECT_NE(text.find(std::string("\n") + name + "{model_name=\"demo\""), text.npos) << name;
    }
    EXPECT_EQ(text.find("qwenvl_prompt_tokens_total"), text.npos);
  }
  options.metric_names = MetricNames::kLlamaCpp;
  TestServer server(options);
  const Samples samples = read_metrics(server);
  for (const char* name : {"llamacpp:prompt_tokens_total", "llamacpp:tokens_predicted_total", "llamacpp:requests_processing"}) {
    EXPECT_TRUE(samples.contains(name)) << name;
  }
}

TEST(Metrics, DashboardAsksForNothingElse) {
  std::ifstream file(std::string(QVL_SOURCE_DIR) + "/deploy/grafana-dashboard.json");
  const Json board = Json::parse(file);
  TestServer server;
  std::set<std::string> names;
  for (const auto& [key, value] : read_metrics(server)) names.insert(key.substr(0, key.find('{')));
  ASSERT_EQ(server.get("/health").status, 200);
  for (const auto& [key, value] : read_metrics(server)) names.insert(key.substr(0, key.find('{')));
  const std::regex metric("\\b(?:qwenvl|process)_[a-z0-9_]+");
  int asked = 0;
  for (const Json& panel : board.at("panels")) {
    ASSERT_FALSE(panel.at("targets").empty()) << panel.at("title");
    for (const Json& target : panel.at("targets")) {
      const std::string query = target.at("expr");
      for (std::sregex_iterator it(query.begin(), query.end(), metric), end; it != end; ++it, ++asked) {
        EXPECT_TRUE(names.contains(it->str())) << panel.at("title") << ": " << it->str();
      }
    }
  }
  EXPECT_GT(asked, 25);
}

// Lines of the log while `work` runs.
template <typename Work>
std::vector<std::string> logged(LogFormat format, const Work& work) {
  testing::internal::CaptureStderr();
  log_init(format);
  work();
  std::istringstream text(testing::internal::GetCapturedStderr());
  log_init();
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

TEST(RequestLog, OneLineWithoutAnythingThatWasSaid) {
  ServerOptions options;
  options.api_key = "canary-key-1234567890";
  const std::string key = "Authorization: Bearer canary-key-1234567890\r\n";
  for (const LogFormat format : {LogFormat::kJson, LogFormat::kText}) {
    const auto lines = logged(format, [&] {
      TestServer server(options);
      server.engine.set_script({.ids = ids_of("A canary.")});
      const std::string canary = R"({"messages":[{"role":"user","content":"canary prompt"}]})";
      EXPECT_EQ(server.chat(canary, key).status, 200);
      EXPECT_EQ(server.chat(canary, "Authorization: Bearer canary-wrong-1234567890\r\n").status, 401);
      EXPECT_EQ(server.chat(R"({"messages":[{"role":"canary","content":"x"}]})", key).status, 400);
      EXPECT_EQ(server.get("/canary.png?canary", key).status, 404);
      server.stop();
    });
    int requests = 0;
    for (const std::string& line : lines) {
      EXPECT_EQ(line.find("canary"), line.npos) << line;
      requests += line.find("route") != line.npos;
    }
    EXPECT_EQ(requests, 4);
    if (format != LogFormat::kJson) continue;
    int answered = 0;
    for (const std::string& line : lines) {
      const Json json = Json::parse(line);
      EXPECT_TRUE(json.contains("time") && json.contains("level"));
      if (json.value("event", "") != "request" || json["status"] != 200) continue;
      ++answered;
      EXPECT_EQ(json["route"], "/v1/chat/completions");
      EXPECT_EQ(json["model"], "demo");
      EXPECT_EQ(json["finish"], "stop");
      EXPECT_GT(json["prompt_tokens"].get<int>(), 1);
      EXPECT_TRUE(json["id"].get<std::string>().starts_with("req_"));
      for (const char* name : {"completion_tokens", "vision_tokens", "cached_tokens", "queue_ms", "vision_ms", "prefill_ms",
                               "decode_ms", "ttft_ms", "total_ms"}) {
        EXPECT_TRUE(json[name].is_number()) << name;
      }
    }
    EXPECT_EQ(answered, 1);
  }
}

TEST(RequestLog, TextsAreEscapedInJson) {
  const auto lines = logged(LogFormat::kJson, [] { log_warn("a \"quoted\"\nline"); });
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(Json::parse(lines[0])["message"], "a \"quoted\"\nline");
  EXPECT_EQ(Json::parse(lines[0])["level"], "warning");
}

}  // namespace
}  // namespace qvl
