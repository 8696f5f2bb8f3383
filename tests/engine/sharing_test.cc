// Pages that requests share, rooms they make for each other, pictures known from before: the answers are the same bits
// as those of a request that has a fresh engine for itself.
#include <gtest/gtest.h>

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <random>
#include <thread>

#include "base/error.h"
#include "engine/local_engine.h"
#include "tests/engine/answers.h"
#include "tests/model/tiny_checkpoint.h"

namespace qvl {
namespace {

class SharingTest : public ::testing::Test {
 protected:
  static Model& model() {
    static TinyCheckpoint tiny = load_tiny("tiny-untied");
    return *tiny.model;
  }
  static EngineOptions options() {
    return {.context_tokens = 512, .max_sequences = 6, .prefill_chunk = 40, .max_queue = 64, .image_cache_bytes = 1 << 20,
            .stop_token_ids = {}, .valid_tokens = 2074};
  }
  static std::unique_ptr<Engine> engine(const EngineOptions& o = options()) { return make_local_engine(model(), o); }
  static Prompt text(int tokens, uint64_t seed) { return to_prompt(PromptMaker(model().config, seed).text(tokens).done()); }
  static Prompt picture(uint64_t seed, int more = 3) {
    return to_prompt(PromptMaker(model().config, seed).text(6).visual({1, 12, 16}).text(5).visual({2, 8, 8}).text(more).done());
  }
  static SamplingParams greedy(int64_t max_tokens) { return {.temperature = 0, .max_tokens = max_tokens, .logprobs = 1}; }
  static Answer ask(Engine& e, Prompt prompt, SamplingParams params) { return read_all(*e.submit(std::move(prompt), std::move(params))); }
  static Answer alone(const Prompt& prompt, const SamplingParams& params) {
    EngineOptions o = options();
    o.share_prefixes = false;
    return ask(*engine(o), prompt, params);
  }
  // The conversation goes on: the prompt, its answer, and more text.
  static Prompt next_turn(const Prompt& prompt, const Answer& answer, int tokens, uint64_t seed) {
    Prompt next = prompt;
    const Prompt more = text(tokens, seed);
    next.token_ids.insert(next.token_ids.end(), answer.ids.begin(), answer.ids.end());
    next.token_ids.insert(next.token_ids.end(), more.token_ids.begin(), more.token_ids.end());
    const auto before = static_cast<int64_t>(prompt.token_ids.size()), after = static_cast<int64_t>(next.token_ids.size());
    next.positions.clear();
    for (int64_t axis = 0; axis < 3; ++axis) {
      for (int64_t i = 0; i < after; ++i) {
        next.positions.push_back(i < before ? prompt.positions[static_cast<size_t>(axis * before + i)]
                                            : static_cast<int32_t>(i) + prompt.rope_delta);
      }
    }
    return next;
  }
  static int64_t count_files(const std::string& folder) {
    std::error_code ignored;
    const std::filesystem::recursive_directory_iterator all(folder, ignored);
    return std::count_if(begin(all), end(all), [](const auto& entry) { return entry.path().extension() == ".qvlimg"; });
  }
  static void expect_level(const Engine& engine) {
    const auto stats = engine.stats();
    EXPECT_EQ(stats.kv_blocks_free, stats.kv_blocks_total);
    EXPECT_EQ(stats.running, 0);
    EXPECT_EQ(stats.waiting, 0);
  }
};

TEST_F(SharingTest, TheSecondQuestionIsAnsweredTheSame) {
  const Prompt prompt = picture(1, 30);
  const auto want = alone(prompt, greedy(40));
  const auto e = engine();
  EXPECT_EQ(ask(*e, prompt, greedy(40)).logprobs, want.logprobs);
  for (int round = 0; round < 2; ++round) {
    const auto again = ask(*e, prompt, greedy(40));
    EXPECT_EQ(again.ids, want.ids);
    EXPECT_EQ(again.logprobs, want.logprobs);
    const auto tokens = static_cast<int64_t>(prompt.token_ids.size());
    EXPECT_EQ(again.end.stats.cached_tokens, (tokens - 1) / 32 * 32);
    EXPECT_EQ(again.end.stats.images_cached, 2);
    EXPECT_GT(again.end.stats.vision_saved_ms, 0);
    EXPECT_EQ(again.end.stats.vision_ms, 0);
    EXPECT_EQ(again.end.stats.vision_tokens, 48 + 32);
  }
  const auto stats = e->stats();
  EXPECT_EQ(stats.image_misses, 2);
  EXPECT_EQ(stats.image_hits, 4);
  EXPECT_GT(stats.kv_blocks_cached, 0);
  EXPECT_EQ(stats.prefix_query_tokens, 3 * std::ssize(prompt.token_ids));
  EXPECT_GT(stats.prefix_hit_tokens, 0);
  EXPECT_GT(stats.image_cache_bytes, 0);
  expect_level(*e);
}

// Pictures inside of the known pages are not encoded, even where their features are gone.
TEST_F(SharingTest, APictureInsideOfKnownPagesNeedsNoFeatures) {
  const Prompt prompt = picture(1, 30);
  const auto want = alone(prompt, greedy(8));
  EngineOptions o = options();
  o.image_cache_bytes = 0;
  const auto e = engine(o);
  EXPECT_EQ(ask(*e, prompt, greedy(8)).logprobs, want.logprobs);
  const auto again = ask(*e, prompt, greedy(8));
  EXPECT_EQ(again.logprobs, want.logprobs);
  EXPECT_EQ(again.end.stats.images_cached, 2);
  EXPECT_EQ(e->stats().image_misses, 2);
}

// Another picture of the same size has the same tokens: its pages must be others.
TEST_F(SharingTest, AnotherPictureIsAnotherPrefix) {
  const Prompt prompt = picture(1, 30);
  Prompt other = prompt;
  other.visuals[0] = picture(2, 30).visuals[0];
  const auto want = alone(prompt, greedy(20)), want_other = alone(other, greedy(20));
  EXPECT_NE(want.logprobs, want_other.logprobs);
  const auto e = engine();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(ask(*e, prompt, greedy(20)).logprobs, want.logprobs);
    EXPECT_EQ(ask(*e, other, greedy(20)).logprobs, want_other.logprobs);
  }
}

TEST_F(SharingTest, TheNextTurnFindsTheAnswerAsWell) {
  const Prompt first = picture(3);
  const auto e = engine();
  const auto answer = ask(*e, first, greedy(70));
  const Prompt second = next_turn(first, answer, 9, 4);
  const auto got = ask(*e, second, greedy(30));
  EXPECT_EQ(got.end.stats.cached_tokens, static_cast<int64_t>(first.token_ids.size() + answer.ids.size() - 1) / 32 * 32);
  const auto want = alone(second, greedy(30));
  EXPECT_EQ(got.ids, want.ids);
  EXPECT_EQ(got.logprobs, want.logprobs);
}

TEST_F(SharingTest, TheSamePromptManyTimesAtOnce) {
  const Prompt prompt = picture(5, 100);
  const auto want = alone(prompt, greedy(20));
  const auto e = engine();
  std::vector<std::unique_ptr<TokenStream>> streams;
  for (int i = 0; i < 6; ++i) streams.push_back(e->submit(prompt, greedy(20)));
  int64_t cached = 0;
  for (const auto& stream : streams) {
    const auto got = read_all(*stream);
    EXPECT_EQ(got.logprobs, want.logprobs);
    cached += got.end.stats.cached_tokens;
  }
  EXPECT_GE(cached, 4 * static_cast<int64_t>(prompt.token_ids.size()) / 2);
  EXPECT_EQ(e->stats().image_misses, 2);
  expect_level(*e);
}

// More answers than there is room for: they make room for each other and lose nothing, sampled ones neither.
TEST_F(SharingTest, MakingRoomChangesNoAnswer) {
  std::vector<std::pair<Prompt, SamplingParams>> requests;
  for (uint64_t i = 0; i < 5; ++i) {
    SamplingParams params = greedy(400);
    if (i % 2 == 1) params = {.temperature = 0.9f, .top_k = 40, .presence_penalty = 1, .seed = i, .max_tokens = 400, .logprobs = 1};
    if (i == 3) {
      params.thinking = {.end_token_id = 2073, .max_thinking_tokens = 300, .answer_reserve_tokens = 20, .forced_ids = {198, 2073, 271}};
      params.logit_bias = {{2073, -100.0f}};
    }
    requests.emplace_back(i == 2 ? picture(7) : text(20 + static_cast<int>(i), i), params);
  }
  std::vector<Answer> want;
  for (const auto& [prompt, params] : requests) want.push_back(alone(prompt, params));
  EngineOptions o = options();
  o.kv_tokens = 1024;  // two and a half of them
  const auto e = engine(o);
  std::vector<std::unique_ptr<TokenStream>> streams;
  for (const auto& [prompt, params] : requests) streams.push_back(e->submit(prompt, params));
  int preemptions = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto got = read_all(*streams[i]);
    EXPECT_EQ(got.ids, want[i].ids) << i;
    EXPECT_EQ(got.logprobs, want[i].logprobs) << i;
    EXPECT_EQ(got.forced, want[i].forced) << i;
    EXPECT_EQ(got.end.finish, FinishReason::kLength);
    preemptions += got.end.stats.preemptions;
  }
  EXPECT_GT(preemptions, 0);
  EXPECT_EQ(e->stats().preemptions, preemptions);
  expect_level(*e);
}

TEST_F(SharingTest, TheMoreUrgentFinishFirst) {
  EngineOptions o = options();
  o.max_sequences = 1;
  const auto e = engine(o);
  const auto running = e->submit(text(5, 1), greedy(400));
  running->next();
  SamplingParams urgent = greedy(5);
  urgent.priority = -1;
  const auto patient = e->submit(text(5, 2), greedy(5)), first = e->submit(text(5, 3), urgent);
  EXPECT_EQ(read_all(*first).ids.size(), 5u);
  EXPECT_GT(e->stats().waiting, 0);
  const auto rest = read_all(*running);
  EXPECT_EQ(rest.ids.size(), 399u);
  EXPECT_EQ(rest.end.stats.preemptions, 1);
  EXPECT_EQ(read_all(*patient).ids.size(), 5u);
}

// A random crowd in a small cache: conversations that go on, pictures, priorities, people who leave. Every answer that is
// read to its end is the one the request gets alone, and at the end every page is back.
TEST_F(SharingTest, ACrowd) {
  std::vector<Prompt> prompts;
  std::vector<Answer> want;
  for (uint64_t i = 0; i < 4; ++i) prompts.push_back(i % 2 == 0 ? picture(i, 20) : text(90, i));
  for (uint64_t i = 0; i < 4; ++i) {
    want.push_back(alone(prompts[i], greedy(60)));
    prompts.push_back(next_turn(prompts[i], want[i], 12, i));
  }
  for (uint64_t i = 4; i < 8; ++i) want.push_back(alone(prompts[i], greedy(60)));
  EngineOptions o = options();
  o.kv_tokens = 640;
  o.image_cache_bytes = 1 << 16;
  const auto e = engine(o);
  std::mt19937 rng(3);
  struct Visitor {
    size_t which;
    std::unique_ptr<TokenStream> stream;
  };
  std::vector<Visitor> visitors;
  for (int round = 0; round < 60; ++round) {
    SamplingParams params = greedy(60);
    params.priority = static_cast<int>(rng() % 3);
    const size_t which = rng() % prompts.size();
    visitors.push_back({which, e->submit(prompts[which], params)});
    if (visitors.size() < 8) continue;
    const size_t leaves = rng() % visitors.size();
    if (rng() % 3 != 0) {
      const auto got = read_all(*visitors[leaves].stream);
      EXPECT_EQ(got.ids, want[visitors[leaves].which].ids);
      EXPECT_EQ(got.logprobs, want[visitors[leaves].which].logprobs);
    }
    visitors.erase(visitors.begin() + static_cast<std::ptrdiff_t>(leaves));
  }
  for (auto& v : visitors) EXPECT_EQ(read_all(*v.stream).ids, want[v.which].ids);
  for (int i = 0; i < 2000 && e->stats().running + e->stats().waiting > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  expect_level(*e);
}

// What one engine encoded, the next one reads from its file.
TEST_F(SharingTest, PicturesSurviveARestart) {
  std::string folder = (std::filesystem::temp_directory_path() / "qvl_sharing_XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const Prompt prompt = picture(1, 30);
  const auto want = alone(prompt, greedy(10));
  EngineOptions o = options();
  o.image_store_folder = folder + "/images";
  o.model_identity = "tiny";
  const auto ask_new_engine = [&] {
    const auto e = engine(o);
    auto answer = ask(*e, prompt, greedy(10));
    for (int i = 0; i < 2000 && count_files(folder) < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return answer;
  };
  EXPECT_EQ(ask_new_engine().end.stats.images_cached, 0);
  const auto second = ask_new_engine();
  EXPECT_EQ(second.logprobs, want.logprobs);
  EXPECT_EQ(second.end.stats.images_cached, 2);
  EXPECT_EQ(second.end.stats.vision_ms, 0);
  EXPECT_GT(second.end.stats.vision_saved_ms, 0);
  o.model_identity = "another";
  EXPECT_EQ(ask_new_engine().end.stats.images_cached, 0);
  std::filesystem::remove_all(folder);
}

// ---- pictures by name ----------------------------------------------------------------------------------------------

TEST_F(SharingTest, APictureThatIsKnownNeedsNoPatches) {
  const Prompt prompt = picture(1, 30);
  const auto e = engine();
  Prompt named = prompt;
  for (auto& visual : named.visuals) visual.patches = nullptr;
  const auto refused = [&] {
    try {
      e->submit(named, greedy(5));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind, ErrorKind::kInvalidRequest);
      EXPECT_EQ(error.code, "unknown_picture");
      return true;
    }
    return false;
  };
  EXPECT_TRUE(refused());
  EXPECT_FALSE(e->knows_visual(prompt.visuals[0].content_hash));
  const auto want = ask(*e, prompt, greedy(20));
  EXPECT_TRUE(e->knows_visual(prompt.visuals[0].content_hash));
  EXPECT_FALSE(refused());
  EXPECT_EQ(ask(*e, named, greedy(20)).logprobs, want.logprobs);
  Prompt elsewhere = named;  // not a prefix that is known
  elsewhere.token_ids[0] = elsewhere.token_ids[0] == 5 ? 6 : 5;
  Prompt whole = prompt;
  whole.token_ids[0] = elsewhere.token_ids[0];
  EXPECT_EQ(ask(*e, elsewhere, greedy(20)).logprobs, alone(whole, greedy(20)).logprobs);
}

}  // namespace
}  // namespace qvl
