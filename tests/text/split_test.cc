// The split pattern and NFC against Python's regex and unicodedata (tools/make_text_vectors.py).
#include "text/split.h"

#include <gtest/gtest.h>

#include "tests/text/test_data.h"
#include "text/unicode.h"

namespace qvl::test {
namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> pieces;
  for (size_t pos = 0; pos < text.size();) {
    const size_t end = next_piece(text, pos);
    pieces.push_back(text.substr(pos, end - pos));
    if (end <= pos) break;
    pos = end;
  }
  return pieces;
}

TEST(Split, AsTheRegularExpression) {
  const auto rows = read_jsonl_gz("split.jsonl.gz");
  ASSERT_GE(rows.size(), 3000u);
  for (const Json& row : rows) {
    EXPECT_EQ(split(row["text"]), row["pieces"].get<std::vector<std::string>>()) << row;
  }
}

TEST(Split, BackTracking) {
  using Pieces = std::vector<std::string>;
  EXPECT_EQ(split("a  b"), (Pieces{"a", " ", " b"}));
  EXPECT_EQ(split("a \n  b"), (Pieces{"a", " \n", " ", " b"}));
  EXPECT_EQ(split("a   "), (Pieces{"a", "   "}));
  EXPECT_EQ(split("\t\tx"), (Pieces{"\t", "\tx"}));
  EXPECT_EQ(split("  1"), (Pieces{" ", " ", "1"}));
  EXPECT_EQ(split("\u3000\u3000!"), (Pieces{"\u3000", "\u3000", "!"}));
  EXPECT_EQ(split("it's'll'\u017fx'"), (Pieces{"it", "'s", "'ll", "'\u017f", "x", "'"}));
  EXPECT_EQ(split(" !\r\n\n x"), (Pieces{" !\r\n\n", " x"}));
}

TEST(Nfc, AsUnicodedata) {
  const auto rows = read_jsonl_gz("nfc.jsonl.gz");
  ASSERT_GE(rows.size(), 3000u);
  for (const Json& row : rows) {
    EXPECT_EQ(to_nfc(row["text"].get<std::string>()), row["nfc"].get<std::string>()) << row;
  }
}

TEST(Nfc, LongRunsOfMarksAreSorted) {
  // 100,000 pairs in the wrong order: quadratic sorting would take minutes.
  std::string text = "a";
  for (int i = 0; i < 100000; ++i) text += "\u0301\u0323";
  const std::string normal = to_nfc(text);
  std::string expected = "\u1ea1";
  for (int i = 1; i < 100000; ++i) expected += "\u0323";
  for (int i = 0; i < 100000; ++i) expected += "\u0301";
  EXPECT_EQ(normal, expected);
}

}  // namespace
}  // namespace qvl::test
