#include "chat/truncation.h"

#include <gtest/gtest.h>

#include "chat/chat_service.h"
#include "tests/chat/tiny_model.h"

namespace qvl {
namespace {

Json message(const char* role, const std::string& text) { return {{"role", role}, {"content", text}}; }

TEST(Truncation, TurnsBeginWithTheUser) {
  const Json messages = Json::array({message("system", "s"), message("user", "1"), message("assistant", "a"), message("tool", "t"),
                                     message("assistant", "b"), message("user", "2"), message("user", "3"), message("assistant", "c")});
  const auto turns = turns_of(messages);
  ASSERT_EQ(turns.size(), 3u);
  EXPECT_EQ(turns[0].begin, 1u);
  EXPECT_EQ(turns[0].end, 5u);
  EXPECT_EQ(turns[1].end, 6u);
  EXPECT_EQ(turns[2].end, 8u);
  EXPECT_EQ(without_turns(messages, turns, 0), messages);
  EXPECT_EQ(without_turns(messages, turns, 2), Json::array({message("system", "s"), message("user", "3"), message("assistant", "c")}));
}

TEST(Truncation, WhatPrecedesTheFirstUserBelongsToItsTurn) {
  const auto turns = turns_of(Json::array({message("assistant", "hello"), message("user", "1"), message("user", "2")}));
  ASSERT_EQ(turns.size(), 2u);
  EXPECT_EQ(turns[0].begin, 0u);
  EXPECT_EQ(turns[0].end, 2u);
  EXPECT_TRUE(turns_of(Json::array()).empty());
  EXPECT_TRUE(turns_of(Json::array({message("system", "s")})).empty());
}

TEST(Truncation, NothingGoesWhereAllFits) {
  EXPECT_EQ(turns_to_drop(10, {20, 30, 40}, 100), 0u);
  EXPECT_EQ(turns_to_drop(10, {20, 30, 41}, 100), 2u);  // to half of it
  EXPECT_EQ(turns_to_drop(10, {}, 5), 0u);
  EXPECT_EQ(turns_to_drop(10, {500}, 100), 0u);  // never the last
  EXPECT_EQ(turns_to_drop(10, {20, 500}, 100), 1u);
  EXPECT_EQ(turns_to_drop(10, {500, 20}, 100), 1u);
}

// While a conversation grows, the first kept turn stays the same for many turns: what was computed can be used again.
TEST(Truncation, TheCutStaysWhereItIs) {
  std::vector<int64_t> tokens;
  size_t last = 0;
  int moves = 0;
  for (int turn = 0; turn < 200; ++turn) {
    tokens.push_back(10);
    const size_t drop = turns_to_drop(20, tokens, 400);
    EXPECT_GE(drop, last);
    EXPECT_LE(20 + 10 * static_cast<int64_t>(tokens.size() - drop), 400);
    moves += drop != last;
    last = drop;
  }
  EXPECT_LE(moves, 10);
}

class FittedChatTest : public testing::Test {
 protected:
  FittedChatTest() { model_ = &models_.add(tiny_model("demo", TemplateKind::kInstruct, engine_)); }

  ChatRequest request(int turns, int words) {
    ChatRequest out;
    out.model = model_;
    out.truncate = true;
    out.sampling.max_tokens = 50;
    out.input.messages.push_back(message("system", "Be kind."));
    for (int i = 0; i < turns; ++i) {
      out.input.messages.push_back(message("user", fmt::format("question {}", i)));
      std::string text = fmt::format("answer {}", i);
      for (int w = 0; w < words; ++w) text += " word";
      if (i + 1 < turns) out.input.messages.push_back(message("assistant", text));
    }
    return out;
  }
  // The dropped messages, and the prompt as text.
  std::pair<int64_t, std::string> run(const ChatRequest& chat) {
    engine_.set_script({.ids = ids_of("Yes.")});
    const auto stream = start_chat(chat);
    while (true) {
      const auto item = stream->next();
      if (item.outcome) return {item.outcome->dropped_messages, tiny_tokenizer().decode(engine_.last_prompt().token_ids, false)};
    }
  }

  FakeEngine engine_{600};
  ModelRegistry models_;
  const ServedModel* model_ = nullptr;
};

TEST_F(FittedChatTest, AShortConversationIsWhole) {
  const auto [dropped, prompt] = run(request(3, 5));
  EXPECT_EQ(dropped, 0);
  EXPECT_NE(prompt.find("question 0"), std::string::npos);
}

TEST_F(FittedChatTest, TheOldestTurnsGo) {
  const ChatRequest chat = request(20, 40);
  const auto [dropped, prompt] = run(chat);
  EXPECT_GT(dropped, 20);
  EXPECT_EQ(dropped % 2, 0);  // question and answer
  EXPECT_NE(prompt.find("Be kind."), std::string::npos);
  EXPECT_NE(prompt.find("question 19"), std::string::npos);
  EXPECT_EQ(prompt.find(fmt::format("question {}<", dropped / 2 - 1)), std::string::npos);
  EXPECT_NE(prompt.find(fmt::format("question {}<", dropped / 2)), std::string::npos);
  EXPECT_LE(std::ssize(engine_.last_prompt().token_ids), 550);
}

TEST_F(FittedChatTest, WithoutTheFieldItIsRefused) {
  ChatRequest chat = request(20, 40);
  chat.truncate = false;
  EXPECT_THROW(run(chat), Error);
  chat = request(1, 0);
  chat.input.messages[1]["content"] = std::string(40000, 'x');  // the last turn alone
  try {
    run(chat);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code, "context_length_exceeded");
  }
}

// A turn takes its pictures with it, and those that stay keep their places.
TEST_F(FittedChatTest, PicturesGoWithTheirTurns) {
  ChatRequest chat = request(12, 30);
  for (const size_t at : {1u, 3u, 23u}) {
    Json& message_at = chat.input.messages[at];
    const std::string text = message_at["content"];
    message_at["content"] = Json::array({{{"type", "image"}}, {{"type", "text"}, {"text", text}}});
    PictureInput picture;
    picture.source = std::string("data:image/png;base64,") + std::string(kPng);
    picture.max_pixels = at == 23 ? 65536 : 16384;
    chat.input.pictures.push_back(picture);
  }
  const auto [dropped, prompt] = run(chat);
  EXPECT_GE(dropped, 4);
  const Prompt last = engine_.last_prompt();
  ASSERT_EQ(last.visuals.size(), 1u);
  ASSERT_NE(last.visuals[0].patches, nullptr);
  EXPECT_NE(prompt.find("question 11"), std::string::npos);
  ChatRequest alone = request(1, 0);
  alone.input.messages[1] = chat.input.messages[23];
  alone.input.pictures = {chat.input.pictures[2]};
  run(alone);
  EXPECT_EQ(engine_.last_prompt().visuals.at(0).content_hash, last.visuals[0].content_hash);
}

}  // namespace
}  // namespace qvl
