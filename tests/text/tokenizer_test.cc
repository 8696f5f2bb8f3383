// Text and ids against the reference implementation's vectors, with the full Qwen vocabulary.
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "base/utf8.h"
#include "tests/text/test_data.h"
#include "text/unicode.h"

namespace qvl::test {
namespace {

std::string from_hex(const std::string& hex) {
  std::string out;
  for (size_t i = 0; i < hex.size(); i += 2) out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return out;
}

TEST(Tokenizer, EncodesAsTheReference) {
  const auto rows = read_jsonl_gz("encode.jsonl.gz");
  ASSERT_EQ(rows.size(), 585u);
  for (const Json& row : rows) {
    const std::string text = row["text"];
    const auto ids = ids_of(row["ids"]);
    EXPECT_EQ(qwen_tokenizer().encode_with_added_tokens(text), ids) << row["n"] << " " << text;
    EXPECT_EQ(qwen_tokenizer().decode(ids, false), row["decoded"]) << row["n"];
    const Json& skipped = row.contains("decoded_skip_special") ? row["decoded_skip_special"] : row["decoded"];
    EXPECT_EQ(qwen_tokenizer().decode(ids, true), skipped) << row["n"];
    const bool has_added = std::any_of(ids.begin(), ids.end(), [](int32_t id) { return id >= 151643; });
    if (!has_added) {
      EXPECT_EQ(qwen_tokenizer().encode(text), ids) << row["n"] << " " << text;
    }
  }
}

TEST(Tokenizer, DecodesAsTheReference) {
  for (const Json& row : read_jsonl_gz("decode.jsonl.gz")) {
    const auto ids = ids_of(row["ids"]);
    std::string bytes;
    for (const int32_t id : ids) bytes += qwen_tokenizer().token_bytes(id).value();
    EXPECT_EQ(bytes, from_hex(row["bytes"])) << row["n"];
    EXPECT_EQ(utf8_valid(bytes), row["utf8_valid"].get<bool>()) << row["n"];
    EXPECT_EQ(qwen_tokenizer().decode(ids, false), row["decoded"]) << row["n"];
    EXPECT_EQ(qwen_tokenizer().decode(ids, true), row["decoded_skip_special"]) << row["n"];
  }
}

TEST(Tokenizer, StreamsAsTheReference) {
  for (const Json& row : read_jsonl_gz("stream.jsonl.gz")) {
    StreamDecoder decoder(qwen_tokenizer(), false);
    std::vector<std::string> chunks;
    for (const int32_t id : ids_of(row["ids"])) chunks.push_back(decoder.push(id));
    EXPECT_EQ(chunks, row["chunks"].get<std::vector<std::string>>()) << row["n"];
    EXPECT_EQ(decoder.flush(), row["tail"]) << row["n"];
    EXPECT_EQ(decoder.flush(), "") << row["n"];
  }
}

TEST(Tokenizer, StreamLeavesSpecialTokensOutOnRequest) {
  const Tokenizer& t = qwen_tokenizer();
  StreamDecoder decoder(t, true);
  // A special token inside of a character does not cut it.
  const auto ids = t.encode("\U0001f600");
  std::string out;
  for (const int32_t id : ids) out += decoder.push(id) + decoder.push(*t.added_token_id("<|im_end|>"));
  EXPECT_EQ(out + decoder.flush(), "\U0001f600");
  EXPECT_EQ(decoder.push(*t.added_token_id("<think>")), "<think>");
  EXPECT_EQ(decoder.push(-1) + decoder.push(t.size()), "");
}

TEST(Tokenizer, KnowsItsTokens) {
  const Tokenizer& t = qwen_tokenizer();
  EXPECT_EQ(t.size(), 151669);
  EXPECT_EQ(t.added_token_id("<|endoftext|>"), 151643);
  EXPECT_EQ(t.added_token_id("</think>"), 151668);
  EXPECT_EQ(t.added_token_id("hello"), std::nullopt);
  EXPECT_EQ(t.token_bytes(151645), "<|im_end|>");
  EXPECT_EQ(t.token_bytes(0), "!");
  EXPECT_EQ(t.token_bytes(151669), std::nullopt);
  EXPECT_EQ(t.token_bytes(-1), std::nullopt);
  EXPECT_TRUE(t.is_special(151645));
  EXPECT_TRUE(t.is_added(151667));
  EXPECT_FALSE(t.is_special(151667));
  EXPECT_FALSE(t.is_added(151642));
  EXPECT_FALSE(t.is_added(-5));
  EXPECT_FALSE(t.is_special(1 << 30));
}

TEST(Tokenizer, TextTypedBySomebodyGivesNoAddedToken) {
  for (int32_t id = 151643; id < qwen_tokenizer().size(); ++id) {
    const std::string content(qwen_tokenizer().token_bytes(id).value());
    for (const std::string& text : {content, "a" + content, content + content + "\n", " " + content + "\xff"}) {
      const auto ids = qwen_tokenizer().encode(text);
      for (const int32_t typed : ids) EXPECT_LT(typed, 151643) << text;
      EXPECT_EQ(qwen_tokenizer().decode(ids, true), utf8_repair(text));
    }
  }
}

TEST(Tokenizer, AddedTokensAreFoundLeftmostLongestBeforeNormalisation) {
  const Tokenizer& t = qwen_tokenizer();
  const int32_t end = *t.added_token_id("<|im_end|>");
  EXPECT_EQ(t.encode_with_added_tokens("<|<|im_end|><|im_end"), [&] {
    auto ids = t.encode("<|");
    ids.push_back(end);
    const auto tail = t.encode("<|im_end");
    ids.insert(ids.end(), tail.begin(), tail.end());
    return ids;
  }());
  // The accent belongs to the text after the token, never to the token's last character.
  EXPECT_EQ(t.decode(t.encode_with_added_tokens("<|im_end|>\u0301e\u0301"), false), "<|im_end|>\u0301\u00e9");
}

TEST(Tokenizer, InvalidUtf8BecomesReplacementCharacters) {
  const Tokenizer& t = qwen_tokenizer();
  EXPECT_EQ(t.encode("a\xff"
                     "b\xe4\xbd"),
            t.encode("a\ufffd"
                     "b\ufffd"));
  EXPECT_EQ(t.encode_with_added_tokens("\xc0<|im_end|>"), t.encode_with_added_tokens("\ufffd<|im_end|>"));
}

// Text of characters from everywhere, in any order.
std::string random_text(std::mt19937& rng) {
  static constexpr std::array<std::pair<char32_t, char32_t>, 10> kRanges{{{0x20, 0x7e},
                                                                          {0x9, 0xd},
                                                                          {0xa1, 0x24f},
                                                                          {0x300, 0x36f},
                                                                          {0x400, 0x52f},
                                                                          {0x900, 0x97f},
                                                                          {0x1100, 0x11ff},
                                                                          {0x4e00, 0x9fff},
                                                                          {0xac00, 0xd7a3},
                                                                          {0x1f300, 0x1f64f}}};
  std::string out;
  const size_t length = rng() % 40;
  for (size_t i = 0; i < length; ++i) {
    const auto& [low, high] = kRanges[rng() % kRanges.size()];
    const auto any = static_cast<char32_t>(rng() % 0x110000);
    const char32_t c =
        rng() % 8 == 0 && (any < 0xd800 || any > 0xdfff) ? any : low + static_cast<char32_t>(rng() % (high - low + 1));
    utf8_append(out, c);
  }
  return out;
}

TEST(Tokenizer, DecodingGivesBackTheNormalisedText) {
  std::mt19937 rng(7);
  for (int i = 0; i < 20000; ++i) {
    const std::string text = random_text(rng);
    const std::string normal = to_nfc(text);
    ASSERT_EQ(qwen_tokenizer().decode(qwen_tokenizer().encode(text), false), normal) << i;
    ASSERT_EQ(tiny_tokenizer().decode(tiny_tokenizer().encode(text), false), normal) << i;
    ASSERT_EQ(to_nfc(normal), normal) << i;
  }
}

TEST(Tokenizer, StreamsOfRandomTokensAreValidAndWhole) {
  std::mt19937 rng(8);
  for (int i = 0; i < 5000; ++i) {
    std::vector<int32_t> ids(rng() % 30);
    for (int32_t& id : ids) id = static_cast<int32_t>(rng() % 3 == 0 ? rng() % 256 : rng() % 151700);
    for (const bool skip : {false, true}) {
      StreamDecoder decoder(qwen_tokenizer(), skip);
      std::string joined;
      for (const int32_t id : ids) {
        const std::string chunk = decoder.push(id);
        ASSERT_TRUE(utf8_valid(chunk));
        joined += chunk;
      }
      const std::string tail = decoder.flush();
      ASSERT_TRUE(utf8_valid(tail));
      ASSERT_EQ(joined + tail, qwen_tokenizer().decode(ids, skip));
    }
  }
}

std::string repeat(std::string_view unit, size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += unit;
  return out;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr size_t kLongTextBytes = 1 << 18;  // everything takes ten times as long
#else
constexpr size_t kLongTextBytes = 1 << 20;
#endif
constexpr double kLongTextSeconds = 4;  // at most half a second on an idle machine

// What one piece of a megabyte costs must not grow with its square, which would be hours.
TEST(Tokenizer, AMegabyteOfAnythingTakesLinearTime) {
  for (const std::string& unit : std::vector<std::string>{" ",
                                                          "a",
                                                          "ab",
                                                          "\n",
                                                          " \n",
                                                          "\t",
                                                          "=",
                                                          "abcdefghijklmnopqrstuvwxyz",
                                                          "\u4f60\u597d\u4e16\u754c",
                                                          "\u7684",
                                                          "0",
                                                          "'",
                                                          "'s",
                                                          "\U0001f468\u200d\U0001f469\u200d\U0001f467",
                                                          "\u0301",
                                                          "\u0301\u0323",
                                                          "a\u0323\u0301",
                                                          "\u1100\u1161",
                                                          "\xff",
                                                          "\xe4\xbd",
                                                          "<|im_end|>",
                                                          "<|im_"}) {
    const std::string text = repeat(unit, kLongTextBytes);
    for (const bool with_added : {false, true}) {
      if (with_added && !unit.starts_with("<")) continue;
      const auto begin = std::chrono::steady_clock::now();
      const auto ids = with_added ? qwen_tokenizer().encode_with_added_tokens(text) : qwen_tokenizer().encode(text);
      const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
      EXPECT_LT(seconds.count(), kLongTextSeconds) << utf8_repair(unit);
      EXPECT_EQ(qwen_tokenizer().decode(ids, false), to_nfc(utf8_repair(text))) << utf8_repair(unit);
    }
  }
}

TEST(Tokenizer, LongAndShortPiecesMergeAlike) {
  // Pieces around the length where the merging algorithm changes, made of letters only so that each is one piece.
  std::mt19937 rng(9);
  for (int i = 0; i < 3000; ++i) {
    std::string word;
    for (size_t length = 1 + rng() % 39; length > 0; --length) word += static_cast<char>("etaoinshrdlu"[rng() % 12]);
    // The same letters after a separator that no merge crosses: CJK between them keeps it one piece, but a long one.
    const auto alone = tiny_tokenizer().encode(word);
    const std::string separator =
        "\u9f98\u9f97\u9f49\u9750\u9f98\u9f97\u9f49\u9750\u9f98\u9f97\u9f49\u9750\u9f98\u9f97";
    auto expected = tiny_tokenizer().encode(separator);
    expected.insert(expected.end(), alone.begin(), alone.end());
    ASSERT_EQ(tiny_tokenizer().encode(separator + word), expected) << word;
  }
}

TEST(Tokenizer, TheFullFileAndTheRebuiltVocabularyAgree) {
  const auto golden = golden_data();
  if (!golden) GTEST_SKIP() << "no full reference data here";
  const auto begin = std::chrono::steady_clock::now();
  const Tokenizer full = Tokenizer::load(*golden / "qwen-tokenizer");
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  RecordProperty("load_ms", static_cast<int>(seconds.count() * 1000));
  ASSERT_EQ(full.size(), qwen_tokenizer().size());
  for (int32_t id = 0; id < full.size(); ++id) {
    ASSERT_EQ(full.token_bytes(id), qwen_tokenizer().token_bytes(id));
    ASSERT_EQ(full.is_special(id), qwen_tokenizer().is_special(id));
    ASSERT_EQ(full.is_added(id), qwen_tokenizer().is_added(id));
  }
  for (const Json& row : read_jsonl_gz("encode.jsonl.gz")) {
    const std::string text = row["text"];
    EXPECT_EQ(full.encode_with_added_tokens(text), ids_of(row["ids"]));
  }
  for (const char* name : {"tiny-dense", "tiny-moe", "tiny-untied"}) {
    const auto folder = *golden / "checkpoints" / name;
    EXPECT_EQ(Tokenizer::load(folder).size(), 2074) << name;
    // The same vocabulary by its other spelling.
    const TempFolder other;
    for (const char* file : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
      std::filesystem::copy_file(folder / file, other.path() / file);
    }
    const Tokenizer second = Tokenizer::load(other.path());
    for (int32_t id = 0; id < 2074; ++id) EXPECT_EQ(second.token_bytes(id), tiny_tokenizer().token_bytes(id));
    EXPECT_EQ(second.encode("Hello w\u00f6rld, 123"), tiny_tokenizer().encode("Hello w\u00f6rld, 123"));
  }
}

}  // namespace
}  // namespace qvl::test
