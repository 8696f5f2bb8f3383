// tests/data/serve/requests.tsv: one request body a row with the status and code that must come. The ids are those of
// the project's table of bad inputs; "choice" marks rows where that table leaves the outcome to us.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/serve/test_server.h"

namespace qvl {
namespace {

#ifdef __SANITIZE_THREAD__
constexpr std::chrono::seconds kMostTime(60);
#else
constexpr std::chrono::seconds kMostTime(5);
#endif

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  std::string out;
  size_t begin = 0;
  for (size_t at = text.find(from); at != text.npos; at = text.find(from, begin)) {
    out.append(text, begin, at - begin);
    out.append(to);
    begin = at + from.size();
  }
  out.append(text, begin);
  text = std::move(out);
}

// $M a good messages field, $PNG a picture, $FRAME one for videos, $BYTES(hex), $KEYS(n) so many members, $R(text,n) n copies of text, in
// which $COMMA is a comma.
std::string expand(std::string text) {
  replace_all(text, "$M", "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]");
  replace_all(text, "$PNG", kPng);
  replace_all(text, "$FRAME", kFrame);
  for (size_t at = text.find("$BYTES("); at != text.npos; at = text.find("$BYTES(", at)) {
    const size_t end = text.find(')', at);
    std::string bytes;
    for (size_t i = at + 7; i < end; i += 2) bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
    text.replace(at, end + 1 - at, bytes);
    at += bytes.size();
  }
  if (const size_t at = text.find("$KEYS("); at != text.npos) {
    const size_t end = text.find(')', at);
    std::string members = "\"k\":0";
    for (int i = 1; i < std::stoi(text.substr(at + 6)); ++i) members += ",\"k" + std::to_string(i) + "\":0";
    text.replace(at, end + 1 - at, members);
  }
  for (size_t at = text.find("$R("); at != text.npos; at = text.find("$R(", at)) {
    const size_t comma = text.find(',', at), end = text.find(')', comma);
    std::string unit = text.substr(at + 3, comma - at - 3);
    replace_all(unit, "$COMMA", ",");
    std::string copies;
    for (int n = std::stoi(text.substr(comma + 1)); n > 0; --n) copies += unit;
    text.replace(at, end + 1 - at, copies);
    at += copies.size();
  }
  replace_all(text, "$COMMA", ",");
  return text;
}

TEST(RequestTable, EveryRowHasItsOutcome) {
  TestServer server;
  std::ifstream file(std::string(QVL_SOURCE_DIR) + "/tests/data/serve/requests.tsv");
  std::string line;
  std::getline(file, line);
  int rows = 0;
  while (std::getline(file, line)) {
    std::vector<std::string> cells(1);
    for (const char c : line) c == '\t' ? cells.emplace_back() : cells.back() += c, void();
    ASSERT_GE(cells.size(), 4u) << line;
    SCOPED_TRACE(cells[0] + " " + cells[3].substr(0, 100));
    const auto begin = std::chrono::steady_clock::now();
    const Reply reply = server.chat(expand(cells[3]));
    const auto took = std::chrono::steady_clock::now() - begin;
    EXPECT_EQ(reply.status, std::stoi(cells[1])) << reply.body;
    EXPECT_EQ(reply.code(), cells[2]) << reply.body;
    EXPECT_LT(took, kMostTime);
    EXPECT_TRUE(reply.has_header("Content-Type: application/json"));
    if (reply.status >= 400) {
      EXPECT_LT(reply.body.size(), 1000u);
      const Json error = Json::parse(reply.body)["error"];
      EXPECT_TRUE(error["message"].is_string() && error["type"].is_string() && error.contains("param"));
      EXPECT_EQ(error["message"].get<std::string>().find('\n'), std::string::npos);
      EXPECT_EQ(reply.body.find(QVL_SOURCE_DIR), std::string::npos);
    }
    ++rows;
  }
  EXPECT_GT(rows, 150);
  // The server is as good as before.
  const Reply good = server.chat(expand("{$M}"));
  EXPECT_EQ(Json::parse(good.body)["choices"][0]["message"]["content"], "A red circle.");
}

}  // namespace
}  // namespace qvl
