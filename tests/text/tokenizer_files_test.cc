// Broken and hostile tokenizer files: each refused with a reason, none crashing.
#include "text/tokenizer_files.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "tests/text/test_data.h"

namespace qvl::test {
namespace {

class TokenizerFiles : public ::testing::Test {
 protected:
  // The reason for which the folder is refused; "" where it loads.
  std::string load() {
    try {
      const Tokenizer tokenizer = Tokenizer::load(folder_.path());
      EXPECT_EQ(tokenizer.decode(tokenizer.encode("Hello \u4f60\n"), false), "Hello \u4f60\n");
      return "";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind, ErrorKind::kModel);
      EXPECT_EQ(e.code, "model_tokenizer");
      const std::string message = e.what();
      EXPECT_EQ(message.find('\n'), std::string::npos);
      return message;
    }
  }

  std::string load_changed(const std::function<void(Json&)>& change) {
    Json changed = tiny_;
    change(changed);
    write_text(folder_.path() / "tokenizer.json", dump_json(changed));
    return load();
  }

  void expect_refused(const std::string& reason, const std::function<void(Json&)>& change) {
    const std::string message = load_changed(change);
    EXPECT_NE(message.find(reason), std::string::npos) << "found: " << message;
    EXPECT_EQ(message.find("tokenizer.json: "), 0u) << message;
  }

  const Json tiny_ = Json::parse(read_text(text_data() / "tiny" / "tokenizer.json"));
  TempFolder folder_;
};

TEST_F(TokenizerFiles, TheUnchangedFileLoads) {
  EXPECT_EQ(load_changed([](Json&) {}), "");
}

TEST_F(TokenizerFiles, MergesAsStringsAndAsPairsAreTheSame) {
  ASSERT_TRUE(tiny_["model"]["merges"][0].is_array());
  EXPECT_EQ(load_changed([](Json& json) {
              for (Json& merge : json["model"]["merges"])
                merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
            }),
            "");
  const Tokenizer other = Tokenizer::load(folder_.path());
  EXPECT_EQ(other.encode("The quick brown fox"), tiny_tokenizer().encode("The quick brown fox"));
}

TEST_F(TokenizerFiles, Missing) {
  EXPECT_NE(load().find("found neither"), std::string::npos);
  write_text(folder_.path() / "vocab.json", "{}");
  EXPECT_NE(load().find("tokenizer_config.json"), std::string::npos);
  write_text(folder_.path() / "tokenizer.json", "{}");
  EXPECT_NE(load().find("\"model\""), std::string::npos);
  for (const char* text : {"", "[", "null", "5", "{}{}", "\xff\xfe", "{\"model\": 5}", "{\"model\": {}}"}) {
    write_text(folder_.path() / "tokenizer.json", text);
    EXPECT_NE(load(), "") << text;
  }
  write_text(folder_.path() / "tokenizer.json", std::string(100000, '['));
  EXPECT_NE(load(), "");
}

TEST_F(TokenizerFiles, Ids) {
  for (const Json& id : {Json(2147483648), Json(-1), Json(4000000000000000000), Json(1.5), Json("7"), Json(nullptr),
                         Json(18446744073709551615u)}) {
    expect_refused("id", [&](Json& json) { json["model"]["vocab"]["\u0120\u0120"] = id; });
    expect_refused("id", [&](Json& json) { json["added_tokens"][3]["id"] = id; });
  }
  expect_refused("twice", [](Json& json) { json["model"]["vocab"]["\u0120\u0120"] = 300; });
  expect_refused("twice", [](Json& json) { json["added_tokens"][3]["id"] = json["added_tokens"][2]["id"]; });
  expect_refused("twice", [](Json& json) { json["added_tokens"][3]["id"] = 300; });
  expect_refused("of only 2074 tokens", [](Json& json) { json["added_tokens"][25]["id"] = 2074; });
  expect_refused("of only 2074 tokens", [](Json& json) { json["added_tokens"][0]["id"] = 151643; });
  expect_refused("of only 2073 tokens", [](Json& json) { json["added_tokens"].erase(0); });
}

TEST_F(TokenizerFiles, Tokens) {
  expect_refused("byte fallback", [](Json& json) { json["model"]["vocab"]["<0x-1>"] = 2074; });
  expect_refused("alphabet", [](Json& json) {
    json["added_tokens"].erase(25);
    json["model"]["vocab"]["a b"] = 2073;
  });
  expect_refused("every byte", [](Json& json) {
    const Json id = json["model"]["vocab"]["!"];
    json["model"]["vocab"].erase("!");
    json["model"]["vocab"]["!!!!!!!!!"] = id;
  });
  expect_refused("empty", [](Json& json) { json["model"]["vocab"][""] = 2074; });
  expect_refused("1 to 256 bytes", [](Json& json) { json["added_tokens"][0]["content"] = ""; });
  expect_refused("1 to 256 bytes", [](Json& json) { json["added_tokens"][0]["content"] = std::string(257, 'x'); });
  expect_refused("content", [](Json& json) { json["added_tokens"][0].erase("content"); });
  expect_refused("twice", [](Json& json) { json["added_tokens"][0]["content"] = "<think>"; });
  expect_refused("lstrip", [](Json& json) { json["added_tokens"][0]["lstrip"] = true; });
  expect_refused("added_tokens", [](Json& json) { json["added_tokens"] = "x"; });
  expect_refused("vocab", [](Json& json) { json["model"]["vocab"] = Json::array(); });
  expect_refused("vocabulary", [](Json& json) { json["model"]["vocab"] = Json::object(); });
}

TEST_F(TokenizerFiles, AKeyThatStandsTwice) {
  std::string text = dump_json(tiny_);
  const std::string once = "\"!\":0,";
  ASSERT_NE(text.find(once), std::string::npos);
  text.insert(text.find(once), "\"!\":1,");
  write_text(folder_.path() / "tokenizer.json", text);
  EXPECT_NE(load().find("twice"), std::string::npos);
}

TEST_F(TokenizerFiles, AnAddedTokenMayAlsoStandInTheVocabulary) {
  EXPECT_EQ(load_changed([](Json& json) { json["model"]["vocab"]["<|endoftext|>"] = 2048; }), "");
  EXPECT_TRUE(Tokenizer::load(folder_.path()).is_special(2048));
  // But no text may then come to it by merging.
  expect_refused("merge", [](Json& json) {
    json["model"]["vocab"]["<|"] = 2048;
    json["added_tokens"][0]["content"] = "<|";
    json["model"]["merges"].push_back({"<", "|"});
  });
}

TEST_F(TokenizerFiles, Merges) {
  expect_refused("known tokens", [](Json& json) { json["model"]["merges"].push_back({"qqqqq", "a"}); });
  expect_refused("known tokens", [](Json& json) { json["model"]["merges"].push_back({"a", "\u4f60"}); });
  expect_refused("known tokens", [](Json& json) { json["model"]["merges"].push_back({"", "a"}); });
  expect_refused("result of merge", [](Json& json) { json["model"]["merges"].push_back({"!", "~"}); });
  expect_refused("once", [](Json& json) { json["model"]["merges"].push_back(json["model"]["merges"][5]); });
  for (const Json& merge : {Json(5), Json("ab"), Json::parse(R"(["a"])"), Json::parse(R"(["a", 5])"),
                            Json::parse(R"(["a", "b", "c"])"), Json(nullptr)}) {
    expect_refused("merge", [&](Json& json) { json["model"]["merges"].push_back(merge); });
  }
  expect_refused("merges", [](Json& json) { json["model"].erase("merges"); });
}

TEST_F(TokenizerFiles, WhatWouldReadTextOtherwise) {
  expect_refused("split pattern",
                 [](Json& json) { json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "(a+)+"; });
  // GPT-4's pattern: numbers of up to three digits in one piece.
  expect_refused("split pattern", [](Json& json) {
    std::string regex = json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"];
    regex.replace(regex.find("|\\p{N}|"), 7, "|\\p{N}{1,3}|");
    json["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = regex;
  });
  expect_refused("split pattern", [](Json& json) { json["pre_tokenizer"]["pretokenizers"][0].erase("pattern"); });
  expect_refused("Isolated", [](Json& json) { json["pre_tokenizer"]["pretokenizers"][0]["behavior"] = "Removed"; });
  expect_refused("inverted", [](Json& json) { json["pre_tokenizer"]["pretokenizers"][0]["invert"] = true; });
  expect_refused("use_regex", [](Json& json) { json["pre_tokenizer"]["pretokenizers"][1].erase("use_regex"); });
  expect_refused("add_prefix_space",
                 [](Json& json) { json["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = true; });
  expect_refused("pre-tokenizer", [](Json& json) { json["pre_tokenizer"] = nullptr; });
  expect_refused("pre-tokenizer", [](Json& json) { json["pre_tokenizer"] = Json::parse(R"({"type": "ByteLevel"})"); });
  expect_refused("pre-tokenizer", [](Json& json) { json["pre_tokenizer"]["pretokenizers"].push_back(5); });
  expect_refused("NFC", [](Json& json) { json["normalizer"]["type"] = "NFKC"; });
  expect_refused("NFC", [](Json& json) { json["normalizer"] = nullptr; });
  expect_refused("BPE", [](Json& json) { json["model"]["type"] = "Unigram"; });
  expect_refused("byte_fallback", [](Json& json) { json["model"]["byte_fallback"] = true; });
  expect_refused("ignore_merges", [](Json& json) { json["model"]["ignore_merges"] = true; });
  expect_refused("dropout", [](Json& json) { json["model"]["dropout"] = 0.1; });
  expect_refused("end_of_word_suffix", [](Json& json) { json["model"]["end_of_word_suffix"] = "</w>"; });
}

TEST_F(TokenizerFiles, VocabJsonAndMergesTxt) {
  const auto path = [&](const char* name) { return folder_.path() / name; };
  std::string merges = "#version: 0.2\r\n";
  for (const Json& merge : tiny_["model"]["merges"])
    merges += merge[0].get<std::string>() + " " + merge[1].get<std::string>() + "\r\n";
  Json config = {{"tokenizer_class", "Qwen2Tokenizer"}, {"added_tokens_decoder", Json::object()}};
  for (const Json& token : tiny_["added_tokens"])
    config["added_tokens_decoder"][std::to_string(token["id"].get<int>())] = token;
  write_text(path("vocab.json"), dump_json(tiny_["model"]["vocab"]));
  write_text(path("merges.txt"), merges);
  write_text(path("tokenizer_config.json"), dump_json(config));
  EXPECT_EQ(load(), "");
  const Tokenizer tokenizer = Tokenizer::load(folder_.path());
  for (int32_t id = 0; id < tokenizer.size(); ++id)
    EXPECT_EQ(tokenizer.token_bytes(id), tiny_tokenizer().token_bytes(id));
  EXPECT_EQ(tokenizer.encode("The quick brown fox"), tiny_tokenizer().encode("The quick brown fox"));

  const auto with_config = [&](const std::function<void(Json&)>& change) {
    Json changed = config;
    change(changed);
    write_text(path("tokenizer_config.json"), dump_json(changed));
    return load();
  };
  EXPECT_NE(with_config([](Json& c) { c["tokenizer_class"] = "LlamaTokenizer"; }).find("tokenizer_class"),
            std::string::npos);
  EXPECT_NE(with_config([](Json& c) { c.erase("added_tokens_decoder"); }).find("added_tokens_decoder"),
            std::string::npos);
  for (const char* id : {"-1", "x", "", "99999999999", "2 "}) {
    EXPECT_NE(
        with_config([&](Json& c) { c["added_tokens_decoder"][id] = c["added_tokens_decoder"]["2048"]; }).find("id"),
        std::string::npos)
        << id;
  }
  write_text(path("tokenizer_config.json"), dump_json(config));
  for (const char* line : {"a", "a b c", "qqqqq a", " a", "a "}) {
    write_text(path("merges.txt"), merges + line + "\n");
    EXPECT_EQ(load().find("merges.txt: "), 0u) << line;
  }
}

TEST_F(TokenizerFiles, ChangedBytesNeverCrash) {
  const std::string whole = read_text(text_data() / "tiny" / "tokenizer.json");
  std::mt19937 rng(6);
  size_t refused = 0;
  for (int i = 0; i < 1500; ++i) {
    std::string changed = whole;
    switch (rng() % 3) {
      case 0:
        changed.resize(rng() % changed.size());
        break;
      case 1:
        changed.erase(rng() % changed.size(), 1 + rng() % 40);
        break;
      default:
        for (int j = 0; j < 4; ++j) changed[rng() % changed.size()] = "0123456789-\"{}[],:\x80 "[rng() % 21];
    }
    write_text(folder_.path() / "tokenizer.json", changed);
    try {
      const Tokenizer tokenizer = Tokenizer::load(folder_.path());
      // What it loads it can use.
      const std::string text = "Hello w\u00f6rld <|im_end|> \U0001f600";
      EXPECT_EQ(tokenizer.decode(tokenizer.encode_with_added_tokens(text), false), text);
    } catch (const Error& e) {
      EXPECT_EQ(e.code, "model_tokenizer");
      ++refused;
    }
  }
  EXPECT_GT(refused, 800u);
}

}  // namespace
}  // namespace qvl::test
