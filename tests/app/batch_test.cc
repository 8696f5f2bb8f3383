// `batch` on the demo model: the formats, what is answered once, and what an interrupted run left.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "app/batch_jobs.h"
#include "app/batch_output.h"
#include "app/commands.h"
#include "base/json.h"
#include "tests/weights/test_files.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::vector<Json> read_lines(const fs::path& path) {
  std::istringstream text(read_text(path));
  std::vector<Json> out;
  for (std::string line; std::getline(text, line);) out.push_back(Json::parse(line));
  return out;
}

std::string request(const std::string& id, const std::string& text, int tokens = 6) {
  const Json body = {{"messages", Json::array({{{"role", "user"}, {"content", text}}})}, {"temperature", 0}, {"max_tokens", tokens}};
  return dump_json({{"custom_id", id}, {"method", "POST"}, {"url", "/v1/chat/completions"}, {"body", body}}) + "\n";
}

class BatchTest : public testing::Test {
 protected:
  BatchTest() {
    flags_.model.precision = "float32";
    flags_.model.threads = 2;
    flags_.model.ctx_size = 1024;
    flags_.model.batch_size = 3;
    flags_.model.image_cache_dir = "off";
    flags_.input = (temp_.path / "in.jsonl").string();
    flags_.output = (temp_.path / "out.jsonl").string();
  }

  std::map<std::string, Json> run() {
    EXPECT_EQ(run_batch(flags_), 0);
    std::map<std::string, Json> by_id;
    for (const Json& line : read_lines(flags_.output)) {
      const std::string id = line["custom_id"].is_string() ? line["custom_id"].get<std::string>()
                                                           : "line " + line["error"]["line"].dump();
      EXPECT_TRUE(by_id.emplace(id, line).second) << id << " was answered twice";
    }
    return by_id;
  }

  TempFolder temp_;
  BatchFlags flags_;
};

TEST_F(BatchTest, AnswersInOpenAisFormatAndGoesOn) {
  std::string input;
  for (int i = 0; i < 8; ++i) input += request("q" + std::to_string(i), "What is " + std::to_string(i) + " and 1?");
  write_text(flags_.input, input);
  const auto first = run();
  ASSERT_EQ(first.size(), 8u);
  const Json& one = first.at("q3");
  EXPECT_TRUE(one["id"].get<std::string>().starts_with("batch_req_"));
  EXPECT_TRUE(one["error"].is_null());
  EXPECT_EQ(one["response"]["status_code"], 200);
  EXPECT_TRUE(one["response"]["request_id"].get<std::string>().starts_with("req_"));
  EXPECT_EQ(one["response"]["body"]["object"], "chat.completion");
  EXPECT_LE(one["response"]["body"]["usage"]["completion_tokens"], 6);

  // Cut off within a line: what is whole stays, the rest is asked again, with the same answers.
  const std::string whole = read_text(flags_.output);
  const size_t third = whole.find('\n', whole.find('\n', whole.find('\n') + 1) + 1) + 1;
  write_text(flags_.output, whole.substr(0, third + 40));
  const auto again = run();
  ASSERT_EQ(again.size(), 8u);
  EXPECT_EQ(read_text(flags_.output).substr(0, third), whole.substr(0, third));
  for (const auto& [id, line] : first) {
    EXPECT_EQ(line["response"]["body"]["choices"], again.at(id)["response"]["body"]["choices"]) << id;
  }
  const std::string done = read_text(flags_.output);
  run();
  EXPECT_EQ(read_text(flags_.output), done);
}

TEST_F(BatchTest, OneBadLineIsOneErrorLine) {
  const std::string good = request("good", "hi");
  std::string stream = request("stream", "hi"), url = request("url", "hi");
  stream.replace(stream.find("\"max_tokens\""), 0, "\"stream\":true,");
  url.replace(url.find("/v1/chat/completions"), 20, "/v1/embeddings");
  write_text(flags_.input, good + "not json\n\n{\"custom_id\":7}\n" + good + stream + url +
                               "{\"custom_id\":\"bare\",\"url\":\"/v1/chat/completions\"}\n" + request("huge", "hi", -1) + request("last", "hi"));
  const auto check = [&](const std::vector<Json>& lines) {
    ASSERT_EQ(lines.size(), 9u);
    std::map<std::string, int> statuses;
    std::map<int, std::string> errors;
    for (const Json& line : lines) {
      if (line["response"].is_null()) {
        errors[line["error"]["line"].get<int>()] = line["error"]["code"];
      } else {
        statuses[line["custom_id"].get<std::string>()] = line["response"]["status_code"];
        if (line["response"]["status_code"] != 200) {
          EXPECT_TRUE(line["response"]["body"]["error"]["message"].is_string());
        }
      }
    }
    EXPECT_EQ(statuses, (std::map<std::string, int>{
                            {"good", 200}, {"stream", 400}, {"url", 400}, {"bare", 400}, {"huge", 400}, {"last", 200}}));
    EXPECT_EQ(errors, (std::map<int, std::string>{{2, "invalid_json"}, {4, "invalid_type"}, {5, "duplicate_custom_id"}}));
  };
  EXPECT_EQ(run_batch(flags_), 0);
  check(read_lines(flags_.output));
  EXPECT_EQ(run_batch(flags_), 0);  // bad lines are told once
  check(read_lines(flags_.output));
}

TEST_F(BatchTest, FolderOfPictures) {
  const fs::path media = fs::path(QVL_SOURCE_DIR) / "tests/data/media";
  fs::create_directories(temp_.path / "pictures/sub");
  fs::copy_file(media / "gray.png", temp_.path / "pictures/a, \"b\".png");
  fs::copy_file(media / "progressive.jpg", temp_.path / "pictures/sub/c.JPG");
  write_text(temp_.path / "pictures/broken.png", "no picture");
  write_text(temp_.path / "pictures/readme.txt", "no picture either");
  flags_.input = (temp_.path / "pictures").string();
  flags_.prompt = "What is this?";
  flags_.temperature = 0;
  flags_.max_tokens = 5;
  ASSERT_EQ(run_batch(flags_), 0);
  std::map<std::string, Json> rows;
  for (const Json& row : read_lines(flags_.output)) rows[row["file"].get<std::string>()] = row;
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_FALSE(rows.at("a, \"b\".png")["answer"].get<std::string>().empty());
  EXPECT_TRUE(rows.at("sub/c.JPG")["error"].is_null());
  EXPECT_GT(rows.at("sub/c.JPG")["tokens"], 0);
  EXPECT_TRUE(rows.at("broken.png")["error"].is_string());

  flags_.output = (temp_.path / "out.csv").string();
  ASSERT_EQ(run_batch(flags_), 0);
  std::string csv = read_text(flags_.output);
  EXPECT_TRUE(csv.starts_with("file,answer,tokens,error\r\n"));
  EXPECT_NE(csv.find("\r\n\"a, \"\"b\"\".png\","), csv.npos);
  write_text(flags_.output, csv.substr(0, csv.size() - 3));
  ASSERT_EQ(run_batch(flags_), 0);
  std::vector<std::string> files;
  BatchOutput(flags_.output, BatchFormat::kCsv, "", [&](const auto& fields) {
    ASSERT_EQ(fields.size(), 4u);
    files.push_back(fields[0]);
  });
  std::sort(files.begin(), files.end());
  EXPECT_EQ(files, (std::vector<std::string>{"a, \"b\".png", "broken.png", "file", "sub/c.JPG"}));
}

TEST_F(BatchTest, FilesOfOthersStayAsTheyAre) {
  write_text(flags_.input, request("a", "hi"));
  for (const std::string& other : {std::string("precious\n"), std::string("precious"), request("b", "hi"), std::string("{\"a\":1}\n")}) {
    write_text(flags_.output, other);
    EXPECT_THROW(run_batch(flags_), Error);
    EXPECT_EQ(read_text(flags_.output), other);
  }
  flags_.output = flags_.input;
  EXPECT_THROW(run_batch(flags_), Error);
  EXPECT_EQ(read_text(flags_.input), request("a", "hi"));
}

TEST_F(BatchTest, FlagsThatDoNotFit) {
  flags_.input = (temp_.path / "none.jsonl").string();
  EXPECT_THROW(make_batch_jobs(flags_), Error);
  flags_.input = temp_.path.string();
  EXPECT_THROW(make_batch_jobs(flags_), Error);  // no prompt
  flags_.prompt = "What?";
  EXPECT_THROW(make_batch_jobs(flags_), Error);  // no pictures
}

TEST(BatchOutput, CsvRecordsWithLinesAndQuotes) {
  TempFolder temp;
  const fs::path path = temp.path / "out.csv";
  const std::vector<std::string> fields = {"a,b", "two\r\nlines \"quoted\"", "", "plain"};
  { BatchOutput(path, BatchFormat::kCsv, "", [](const auto&) { FAIL(); }).append(csv_record(fields)); }
  write_text(path, read_text(path) + "\"torn,\n");
  std::vector<std::vector<std::string>> found;
  BatchOutput output(path, BatchFormat::kCsv, "", [&](const auto& record) { found.push_back(record); });
  EXPECT_EQ(found, (std::vector<std::vector<std::string>>{fields}));
  EXPECT_EQ(read_text(path), csv_record(fields));
  EXPECT_THROW(BatchOutput(path, BatchFormat::kCsv, "", [](const auto&) {}), Error);  // another run writes to it
}

}  // namespace
}  // namespace qvl
