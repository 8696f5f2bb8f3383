// Answers that are held to a constraint, here a script of which ids may stand where.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <stdexcept>

#include "base/error.h"
#include "engine/local_engine.h"
#include "tests/engine/answers.h"

namespace qvl {
namespace {

// Place i allows steps[i]; after the last the text is over. ends: places at which it can also end.
struct Script {
  std::vector<std::vector<int32_t>> steps;
  std::set<size_t> ends;
  bool foresees = false;
  std::function<void(size_t)> on_mask;  // may throw
};

class Scripted final : public TokenConstraint {
 public:
  explicit Scripted(Script script) : script_(std::move(script)) {}
  void fill_mask(std::span<uint64_t> words) override {
    if (script_.on_mask) script_.on_mask(place_);
    for (const int32_t id : script_.steps.at(place_)) words[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
  }
  size_t words() const override { return 33; }  // fewer than the vocabulary has: ids past them are not allowed
  void accept(int32_t id) override {
    const auto& step = script_.steps.at(place_);
    if (std::find(step.begin(), step.end(), id) == step.end()) throw std::logic_error("not allowed");
    ++place_;
  }
  bool can_end() const override { return ended() || script_.ends.count(place_) > 0; }
  bool ended() const override { return place_ == script_.steps.size(); }
  std::vector<int32_t> foreseen(int64_t most) override {
    std::vector<int32_t> out;
    for (size_t i = place_; script_.foresees && i < script_.steps.size() && std::ssize(out) < most && script_.steps[i].size() == 1; ++i) {
      out.push_back(script_.steps[i][0]);
    }
    return out;
  }

 private:
  Script script_;
  size_t place_ = 0;
};

ConstraintFactory scripted(const Script& script) {
  return [script] { return std::make_unique<Scripted>(script); };
}

std::vector<std::vector<int32_t>> singles(int32_t first, int count) {
  std::vector<std::vector<int32_t>> out;
  for (int i = 0; i < count; ++i) out.push_back({first + i});
  return out;
}

class ConstraintTest : public ::testing::Test {
 protected:
  static Model& model() {
    static TinyCheckpoint tiny = load_tiny("tiny-untied");
    return *tiny.model;
  }
  static std::unique_ptr<Engine> engine(Speculate speculate = Speculate::kAuto, std::vector<int32_t> stops = {}) {
    return make_local_engine(model(), {.context_tokens = 512, .max_sequences = 4, .prefill_chunk = 24, .stop_token_ids = std::move(stops),
                                       .valid_tokens = 2074, .speculate = speculate});
  }
  static Prompt text(uint64_t seed) { return to_prompt(PromptMaker(model().config, seed).text(12).done()); }
  static Answer ask(Engine& e, const SamplingParams& params, uint64_t seed = 1) { return read_all(*e.submit(text(seed), params)); }
};

TEST_F(ConstraintTest, ChoosesWhatIsAllowedAndStopsAtTheEnd) {
  const auto e = engine();
  for (const float temperature : {0.0f, 1.5f}) {
    SamplingParams params{.temperature = temperature, .seed = 3, .max_tokens = 50, .logprobs = 2};
    params.constraint = scripted({.steps = {{5, 6}, {7}, {100, 200, 300}, {8}}, .ends = {}});
    for (int i = 0; i < 3; ++i) {  // each answer begins anew
      const Answer answer = ask(*e, params);
      ASSERT_EQ(answer.ids.size(), 4u);
      EXPECT_TRUE(answer.ids[0] == 5 || answer.ids[0] == 6);
      EXPECT_EQ(answer.ids[1], 7);
      EXPECT_TRUE(answer.ids[2] == 100 || answer.ids[2] == 200 || answer.ids[2] == 300);
      EXPECT_EQ(answer.end.finish, FinishReason::kStop);
      EXPECT_EQ(answer.end.stats.stop_token_id, -1);
    }
  }
}

TEST_F(ConstraintTest, LengthEndsItUnlessItIsComplete) {
  const auto e = engine();
  SamplingParams params{.temperature = 0, .max_tokens = 3};
  params.constraint = scripted({.steps = singles(20, 5), .ends = {}});
  const Answer cut = ask(*e, params);
  EXPECT_EQ(cut.ids.size(), 3u);
  EXPECT_EQ(cut.end.finish, FinishReason::kLength);
  params.max_tokens = 5;
  EXPECT_EQ(ask(*e, params).end.finish, FinishReason::kStop);
}

// The stop id 9 is what the model wants most; it may come where the text can end, and only there.
TEST_F(ConstraintTest, StopsOnlyWhereTheTextCanEnd) {
  const auto e = engine(Speculate::kAuto, {9});
  SamplingParams params{.temperature = 0, .logit_bias = {{9, 90.0f}}, .max_tokens = 20};
  params.constraint = scripted({.steps = singles(20, 6), .ends = {3, 5}});
  const Answer answer = ask(*e, params);
  EXPECT_EQ(answer.ids, (std::vector<int32_t>{20, 21, 22}));
  EXPECT_EQ(answer.end.stats.stop_token_id, 9);
  params.min_tokens = 4;
  EXPECT_EQ(ask(*e, params).ids.size(), 5u);
  params.ignore_eos = true;
  EXPECT_EQ(ask(*e, params).ids.size(), 6u);
  // A script that ends before min_tokens ends all the same.
  params.min_tokens = 15;
  EXPECT_EQ(ask(*e, params).end.finish, FinishReason::kStop);
}

TEST_F(ConstraintTest, FailsAlone) {
  const auto e = engine();
  const SamplingParams free{.temperature = 0, .max_tokens = 30};
  const Answer want = ask(*e, free, 2);
  const auto failing = [](const std::function<void()>& fail) {
    SamplingParams params{.temperature = 0, .max_tokens = 30};
    params.constraint = scripted({.steps = singles(20, 20), .ends = {}, .foresees = false, .on_mask = [fail](size_t place) { if (place == 4) fail(); }});
    return params;
  };
  const auto a = e->submit(text(1), failing([] { throw Error(ErrorKind::kInvalidRequest, "grammar_too_complex", "too complex"); }));
  const auto other = e->submit(text(2), free);
  const auto b = e->submit(text(1), failing([] { throw std::runtime_error("secret"); }));
  SamplingParams nothing_left{.temperature = 0, .max_tokens = 30};
  nothing_left.constraint = scripted({.steps = {{20}, {}}, .ends = {}});
  const auto c = e->submit(text(1), nothing_left);
  const Answer first = read_all(*a), second = read_all(*b), third = read_all(*c);
  EXPECT_EQ(first.ids.size(), 4u);
  EXPECT_EQ(first.end.finish, FinishReason::kError);
  EXPECT_EQ(first.end.error_code, "grammar_too_complex");
  EXPECT_EQ(first.end.error_kind, ErrorKind::kInvalidRequest);
  EXPECT_EQ(second.end.error_kind, ErrorKind::kInternal);
  EXPECT_EQ(second.end.error_code, "internal_error");
  EXPECT_EQ(second.end.error_message.find("secret"), std::string::npos);
  EXPECT_EQ(third.end.error_code, "no_token_left");
  EXPECT_EQ(read_all(*other).ids, want.ids);
  EXPECT_EQ(ask(*e, free, 2).ids, want.ids);
}

// What a constraint foresees is verified in one pass and changes no answer.
TEST_F(ConstraintTest, ForeseenTokensChangeOnlyTheTime) {
  auto steps = singles(20, 9);
  steps.push_back({300, 301, 302});
  for (const auto& step : singles(40, 14)) steps.push_back(step);
  for (const float temperature : {0.0f, 1.2f}) {
    SamplingParams params{.temperature = temperature, .frequency_penalty = 0.5f, .seed = 8, .max_tokens = 60, .logprobs = 1};
    params.constraint = scripted({.steps = steps, .ends = {}, .foresees = true});
    const Answer want = ask(*engine(Speculate::kOff), params);
    EXPECT_EQ(want.end.stats.guessed_tokens, 0);
    for (const auto mode : {Speculate::kAlways, Speculate::kAuto}) {
      const Answer got = ask(*engine(mode), params);
      EXPECT_EQ(got.ids, want.ids);
      EXPECT_EQ(got.logprobs, want.logprobs);
      EXPECT_GE(got.end.stats.accepted_tokens, 18);
    }
  }
}

// Also where the same text is spelled in other tokens: 30 is foreseen, 31 is what the model wants.
TEST_F(ConstraintTest, ForeseenTokensMayBeWrong) {
  struct Wrong final : TokenConstraint {
    int place = 0;
    void fill_mask(std::span<uint64_t> words) override { words[0] |= uint64_t{3} << 30; }
    size_t words() const override { return 33; }
    void accept(int32_t) override { ++place; }
    bool can_end() const override { return ended(); }
    bool ended() const override { return place == 12; }
    std::vector<int32_t> foreseen(int64_t most) override { return std::vector<int32_t>(static_cast<size_t>(std::min<int64_t>(most, 4)), 30); }
  };
  SamplingParams params{.temperature = 0, .logit_bias = {{31, 50.0f}}, .max_tokens = 60};
  params.constraint = [] { return std::make_unique<Wrong>(); };
  const Answer answer = ask(*engine(Speculate::kAlways), params);
  EXPECT_EQ(answer.ids, std::vector<int32_t>(12, 31));
  EXPECT_EQ(answer.end.stats.accepted_tokens, 0);
}

// The thought is free; what is forced after it comes also where the model ends it by itself; then the constraint begins.
TEST_F(ConstraintTest, BeginsAfterTheThought) {
  for (const bool by_itself : {false, true}) {
    SamplingParams params{.temperature = 0, .max_tokens = 60};
    params.thinking = {.end_token_id = 7, .max_thinking_tokens = 10, .answer_reserve_tokens = 20, .forced_ids = {198, 7, 271}};
    params.logit_bias = {{7, by_itself ? 90.0f : -100.0f}};
    params.constraint = scripted({.steps = singles(20, 6), .ends = {}, .foresees = true});
    const Answer answer = ask(*engine(Speculate::kAlways, {9}), params);
    const auto end = std::find(answer.ids.begin(), answer.ids.end(), 7);
    ASSERT_NE(end, answer.ids.end());
    EXPECT_EQ(end - answer.ids.begin(), by_itself ? 0 : 11);
    EXPECT_EQ(std::vector<int32_t>(end + 1, answer.ids.end()), (std::vector<int32_t>{271, 20, 21, 22, 23, 24, 25}));
    EXPECT_EQ(answer.end.finish, FinishReason::kStop);
  }
}

}  // namespace
}  // namespace qvl
