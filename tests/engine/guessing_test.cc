// Answers with guesses are, token for token and bit for bit, those without.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/local_engine.h"
#include "tests/engine/answers.h"

namespace qvl {
namespace {

struct Case {
  const char* name;
  Prompt prompt;
  SamplingParams params;
};

class GuessingTest : public ::testing::TestWithParam<const char*> {
 protected:
  static Model& model() {
    static TinyCheckpoint dense = load_tiny("tiny-untied"), moe = load_tiny("tiny-moe", Precision::kBFloat16);
    return *(std::string(GetParam()) == "tiny-moe" ? moe : dense).model;
  }
  static std::unique_ptr<Engine> engine(Speculate speculate, std::vector<int32_t> stops = {}) {
    return make_local_engine(model(), {.context_tokens = 1024, .max_sequences = 4, .prefill_chunk = 24, .stop_token_ids = std::move(stops),
                                       .valid_tokens = 2074, .speculate = speculate});
  }
  static Prompt text(int tokens, uint64_t seed) { return to_prompt(PromptMaker(model().config, seed).text(tokens).done()); }
  static Prompt repetitive(int tokens, int period) {
    MadePrompt made = PromptMaker(model().config, 1).text(tokens).done();
    for (size_t i = 0; i < made.ids.size(); ++i) made.ids[i] = static_cast<int32_t>(100 + i % static_cast<size_t>(period));
    return to_prompt(made);
  }
  // A rope_delta that is not zero.
  static Prompt picture(uint64_t seed) {
    return to_prompt(PromptMaker(model().config, seed).text(6).visual({1, 6, 8}).text(5).visual({2, 4, 4}).text(3).done());
  }
  static Answer ask(Engine& e, const Prompt& prompt, const SamplingParams& params) { return read_all(*e.submit(prompt, params)); }

  static std::vector<Case> cases() {
    SamplingParams greedy{.temperature = 0, .max_tokens = 60, .logprobs = 3};
    SamplingParams short_answer = greedy, penalties = greedy, sampled = greedy, hot = greedy, cycle = greedy, thinks = greedy,
                   least = greedy;
    short_answer.max_tokens = 29;
    penalties.repetition_penalty = 1.1f, penalties.presence_penalty = 0.2f, penalties.frequency_penalty = 0.05f;
    sampled.temperature = 0.3f, sampled.top_p = 0.9f, sampled.top_k = 20, sampled.seed = 5;
    hot.temperature = 1, hot.seed = 6, hot.logit_bias = {{100, 9.0f}, {101, 9.0f}, {102, 8.0f}}, hot.repetition_penalty = 1.05f;
    cycle.frequency_penalty = 20, cycle.logit_bias = {{100, 1000.0f}, {101, 1000.0f}, {102, 1000.0f}};  // nearly a cycle of three
    thinks.thinking = {.end_token_id = 7, .max_thinking_tokens = 30, .answer_reserve_tokens = 5, .forced_ids = {198, 7, 271}};
    thinks.logit_bias = {{7, -100.0f}, {300, 8.0f}, {301, 7.0f}};
    least.min_tokens = 40, least.logit_bias = {{9, 60.0f}, {300, 55.0f}}, least.stop_token_ids = {9};
    return {{"greedy", text(20, 1), greedy},
            {"short", repetitive(60, 7), short_answer},
            {"one token", repetitive(60, 7), {.temperature = 0, .max_tokens = 1, .logprobs = 0}},
            {"two tokens", repetitive(60, 7), {.temperature = 0, .max_tokens = 2, .logprobs = 0}},
            {"penalties", repetitive(80, 5), penalties},
            {"sampled", repetitive(80, 5), sampled},
            {"cycle", text(10, 3), cycle},
            {"hot", repetitive(40, 3), hot},
            {"picture", picture(3), greedy},
            {"thinking", text(12, 4), thinks},
            {"min_tokens", text(15, 5), least}};
  }

  static void expect_same(const Answer& got, const Answer& want, const std::string& name) {
    EXPECT_EQ(got.ids, want.ids) << name;
    EXPECT_EQ(got.logprobs, want.logprobs) << name;
    EXPECT_EQ(got.forced, want.forced) << name;
    EXPECT_EQ(got.end.finish, want.end.finish) << name;
    EXPECT_EQ(got.end.stats.stop_token_id, want.end.stats.stop_token_id) << name;
    EXPECT_EQ(got.end.stats.completion_tokens, want.end.stats.completion_tokens) << name;
  }
};

TEST_P(GuessingTest, ChangesNoAnswer) {
  std::vector<Answer> want;
  {
    const auto plain = engine(Speculate::kOff);
    for (const auto& c : cases()) want.push_back(ask(*plain, c.prompt, c.params));
  }
  for (const auto& answer : want) EXPECT_EQ(answer.end.stats.guessed_tokens, 0);
  for (const auto mode : {Speculate::kAlways, Speculate::kAuto}) {
    const auto e = engine(mode);
    int64_t guessed = 0, accepted = 0;
    for (size_t i = 0; i < want.size(); ++i) {
      const Case c = cases()[i];
      const Answer got = ask(*e, c.prompt, c.params);
      expect_same(got, want[i], c.name);
      guessed += got.end.stats.guessed_tokens;
      accepted += got.end.stats.accepted_tokens;
    }
    if (mode == Speculate::kAuto) continue;  // what pays here depends on the machine
    EXPECT_GT(accepted, 60);
    EXPECT_GT(guessed, accepted + 60);  // wrong ones too
  }
}

TEST_P(GuessingTest, ChangesNoAnswerInCompany) {
  std::vector<Answer> want;
  {
    const auto plain = engine(Speculate::kOff);
    for (const auto& c : cases()) want.push_back(ask(*plain, c.prompt, c.params));
  }
  const auto e = engine(Speculate::kAlways);
  for (size_t round = 0; round < 2; ++round) {
    std::vector<std::unique_ptr<TokenStream>> streams;
    const auto all = cases();
    for (size_t i = 0; i < all.size(); ++i) {
      const Case& c = all[(i * 3 + round) % all.size()];
      streams.push_back(e->submit(c.prompt, c.params));
    }
    for (size_t i = 0; i < all.size(); ++i) {
      const size_t which = (i * 3 + round) % all.size();
      expect_same(read_all(*streams[i]), want[which], all[which].name);
    }
  }
  EXPECT_EQ(e->stats().kv_blocks_free, e->stats().kv_blocks_total);
}

// A stop id among the guessed tokens, and among those before a wrong guess.
TEST_P(GuessingTest, StopsWhereItStopped) {
  const Prompt prompt = repetitive(60, 7);
  const SamplingParams greedy{.temperature = 0, .frequency_penalty = 1, .max_tokens = 40, .logprobs = 0};
  const Answer free = ask(*engine(Speculate::kOff), prompt, greedy);
  ASSERT_EQ(free.ids.size(), 40u);
  int tried = 0;
  for (size_t stop = 1; stop < free.ids.size() && tried < 3; stop += 4) {
    if (std::find(free.ids.begin(), free.ids.begin() + static_cast<std::ptrdiff_t>(stop), free.ids[stop]) !=
        free.ids.begin() + static_cast<std::ptrdiff_t>(stop)) {
      continue;
    }
    ++tried;
    SamplingParams stops = greedy;
    stops.stop_token_ids = {free.ids[stop]};
    expect_same(ask(*engine(Speculate::kAlways), prompt, stops), ask(*engine(Speculate::kOff), prompt, stops), "request");
    expect_same(ask(*engine(Speculate::kAlways, stops.stop_token_ids), prompt, greedy),
                ask(*engine(Speculate::kOff, stops.stop_token_ids), prompt, greedy), "model");
    SamplingParams least = stops;
    least.min_tokens = static_cast<int64_t>(stop) + 3;
    expect_same(ask(*engine(Speculate::kAlways), prompt, least), ask(*engine(Speculate::kOff), prompt, least), "min_tokens");
  }
  EXPECT_GT(tried, 0);
}

// To the last slot of the context: nothing is written past the pages that were reserved.
TEST_P(GuessingTest, UpToTheEndOfTheContext) {
  const SamplingParams greedy{.temperature = 0, .max_tokens = -1, .logprobs = 0};
  for (const int tokens : {985, 1020, 1022, 1023}) {
    const Prompt prompt = repetitive(tokens, 3);
    const Answer want = ask(*engine(Speculate::kOff), prompt, greedy);
    EXPECT_EQ(std::ssize(want.ids), 1024 - tokens);
    expect_same(ask(*engine(Speculate::kAlways), prompt, greedy), want, std::to_string(tokens));
  }
}

// Several tokens of one pass come as items of their own, each with its alternatives.
TEST_P(GuessingTest, EachTokenIsAnItem) {
  const auto e = engine(Speculate::kAlways);
  const auto stream = e->submit(repetitive(60, 4), {.temperature = 0, .logit_bias = {{100, 50.0f}}, .max_tokens = 40, .logprobs = 2});
  int items = 0;
  for (Item item = stream->next(); item.kind == Item::Kind::kToken; item = stream->next()) {
    ++items;
    EXPECT_EQ(item.token.top.size(), 2u);
  }
  EXPECT_EQ(items, 40);
}

INSTANTIATE_TEST_SUITE_P(Tiny, GuessingTest, ::testing::Values("tiny-untied", "tiny-moe"),
                         [](const auto& row) { return std::string(row.param).substr(5); });

}  // namespace
}  // namespace qvl
