// The engine end to end on the tiny checkpoints: same answers in any company, every way to end, every page returned.
#include "engine/local_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <thread>

#include "base/error.h"
#include "engine/scheduler.h"
#include "tests/engine/answers.h"
#include "tests/engine/faulty_backend.h"
#include "tests/model/tiny_checkpoint.h"

namespace qvl {
namespace {

// Waits for the engine's books to be level again; the last item comes after the pages went back.
void expect_all_free(const Engine& engine) {
  const auto stats = engine.stats();
  EXPECT_EQ(stats.kv_blocks_free, stats.kv_blocks_total);
  EXPECT_EQ(stats.running, 0);
  EXPECT_EQ(stats.waiting, 0);
}

void wait_until(const std::function<bool()>& done) {
  for (int i = 0; i < 20000 && !done(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_TRUE(done());
}

class LocalEngineTest : public ::testing::TestWithParam<const char*> {
 protected:
  static TinyCheckpoint& tiny() {
    static TinyCheckpoint dense = load_tiny("tiny-untied"), moe = load_tiny("tiny-moe", Precision::kBFloat16);
    return std::string(GetParam()) == "tiny-moe" ? moe : dense;
  }
  static Model& model() { return *tiny().model; }

  static EngineOptions options() {
    return {.context_tokens = 1024, .max_sequences = 4, .prefill_chunk = 24, .max_queue = 8, .image_cache_bytes = 1 << 20,
            .stop_token_ids = {}, .valid_tokens = 2074};
  }
  static std::unique_ptr<Engine> engine(const EngineOptions& o = options()) { return make_local_engine(model(), o); }

  static Prompt text(int tokens, uint64_t seed) { return to_prompt(PromptMaker(model().config, seed).text(tokens).done()); }
  static Prompt picture(uint64_t seed) {
    return to_prompt(PromptMaker(model().config, seed).text(6).visual({1, 6, 8}).text(5).visual({2, 4, 4}).text(3).done());
  }
  static Prompt large_picture(uint64_t seed) {
    return to_prompt(PromptMaker(model().config, seed).text(2).visual({1, 56, 56}).text(2).done());
  }
  static Answer ask(Engine& e, Prompt prompt, SamplingParams params) { return read_all(*e.submit(std::move(prompt), std::move(params))); }
  // On an engine of its own: not while another one runs, for a model has one thread.
  static Answer alone(const Prompt& prompt, const SamplingParams& params) { return ask(*engine(), prompt, params); }
};

constexpr int kGreedy = 0;

SamplingParams greedy(int64_t max_tokens) { return {.temperature = kGreedy, .max_tokens = max_tokens, .logprobs = 1}; }

// ---- the same bits in any company ----------------------------------------------------------------------------------

TEST_P(LocalEngineTest, CompanyChangesNothing) {
  const std::vector<std::pair<Prompt, SamplingParams>> requests = {
      {picture(1), greedy(24)},
      {text(40, 2), greedy(17)},
      {picture(3), {.temperature = 0.9f, .top_k = 20, .top_p = 0.95f, .presence_penalty = 1.5f, .seed = 11, .max_tokens = 30, .logprobs = 0}},
      {text(1, 4), greedy(9)},
  };
  std::vector<Answer> want;
  for (const auto& [prompt, params] : requests) want.push_back(alone(prompt, params));
  const auto e = engine();
  for (int round = 0; round < 3; ++round) {
    std::vector<std::unique_ptr<TokenStream>> streams;
    for (size_t i = 0; i < requests.size(); ++i) {
      const auto& [prompt, params] = requests[(i + static_cast<size_t>(round)) % requests.size()];
      streams.push_back(e->submit(prompt, params));
    }
    for (size_t i = 0; i < requests.size(); ++i) {
      const Answer got = read_all(*streams[i]);
      const Answer& expected = want[(i + static_cast<size_t>(round)) % requests.size()];
      EXPECT_EQ(got.ids, expected.ids);
      EXPECT_EQ(got.logprobs, expected.logprobs);
      EXPECT_EQ(got.end.finish, FinishReason::kLength);
    }
  }
  expect_all_free(*e);
}

TEST_P(LocalEngineTest, TheChunkChangesNothing) {
  const auto want = alone(picture(5), greedy(12));
  EXPECT_EQ(want.ids.size(), 12u);
  for (const int64_t chunk : {1, 5, 33, 4096}) {
    EngineOptions o = options();
    o.prefill_chunk = chunk;
    const auto got = ask(*engine(o), picture(5), greedy(12));
    EXPECT_EQ(got.ids, want.ids) << chunk;
    EXPECT_EQ(got.logprobs, want.logprobs) << chunk;
  }
}

// ---- ways to end ---------------------------------------------------------------------------------------------------

TEST_P(LocalEngineTest, MaxTokensAndTheContext) {
  const auto e = engine();
  for (const int64_t n : {1, 2, 5}) {
    const auto got = ask(*e, text(10, 1), greedy(n));
    EXPECT_EQ(std::ssize(got.ids), n);
    EXPECT_EQ(got.end.finish, FinishReason::kLength);
    EXPECT_EQ(got.end.stats.completion_tokens, n);
    EXPECT_EQ(got.end.stats.prompt_tokens, 10);
    EXPECT_GT(got.end.stats.ttft_ms, 0);
  }
  // The context holds prompt and answer.
  EXPECT_EQ(ask(*e, text(1000, 1), greedy(500)).ids.size(), 24u);
  EXPECT_EQ(ask(*e, text(1023, 1), greedy(-1)).ids.size(), 1u);
  for (const int tokens : {1024, 1025, 3000}) {
    try {
      e->submit(text(tokens, 1), greedy(1));
      ADD_FAILURE() << tokens;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind, ErrorKind::kInvalidRequest);
      EXPECT_EQ(error.code, "context_length_exceeded");
      EXPECT_NE(std::string(error.what()).find(std::to_string(tokens)), std::string::npos);
      EXPECT_NE(std::string(error.what()).find("1024"), std::string::npos);
    }
  }
  expect_all_free(*e);
}

// The first index from 3 on whose token did not come before.
size_t first_new(const std::vector<int32_t>& ids) {
  for (size_t i = 3; i < ids.size(); ++i) {
    if (std::find(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(i), ids[i]) == ids.begin() + static_cast<std::ptrdiff_t>(i)) return i;
  }
  return 0;
}

TEST_P(LocalEngineTest, StopIdsMinTokensAndIgnoreEos) {
  const Prompt prompt = text(12, 6);
  const auto free = alone(prompt, greedy(24));
  const size_t stop = first_new(free.ids);
  ASSERT_GT(stop, 0u);
  const std::vector<int32_t> until(free.ids.begin(), free.ids.begin() + static_cast<std::ptrdiff_t>(stop));

  SamplingParams params = greedy(24);
  params.stop_token_ids = {free.ids[stop]};
  auto got = alone(prompt, params);
  EXPECT_EQ(got.ids, until);
  EXPECT_EQ(got.end.finish, FinishReason::kStop);
  EXPECT_EQ(got.end.stats.stop_token_id, free.ids[stop]);
  EXPECT_EQ(got.end.stats.completion_tokens, static_cast<int64_t>(stop));

  params.min_tokens = static_cast<int64_t>(stop) + 2;  // not chosen before: another token takes its place
  got = alone(prompt, params);
  EXPECT_GE(got.ids.size(), stop + 2);
  EXPECT_EQ(std::count(got.ids.begin(), got.ids.begin() + static_cast<std::ptrdiff_t>(stop) + 2, free.ids[stop]), 0);

  EngineOptions o = options();
  o.stop_token_ids = {5, free.ids[stop]};  // the model's own
  const auto e = engine(o);
  got = ask(*e, prompt, greedy(24));
  EXPECT_EQ(got.ids, until);
  EXPECT_EQ(got.end.stats.stop_token_id, free.ids[stop]);
  params = greedy(24);
  params.ignore_eos = true;
  EXPECT_EQ(ask(*e, prompt, params).ids, free.ids);
  params.stop_token_ids = {free.ids[stop]};  // the request's own still count
  EXPECT_EQ(ask(*e, prompt, params).ids, until);
}

TEST_P(LocalEngineTest, OnlyTokensThatExist) {
  SamplingParams params{.temperature = 50, .seed = 1, .max_tokens = 300};
  for (const int32_t id : alone(text(3, 1), params).ids) EXPECT_LT(id, 2074);
}

TEST_P(LocalEngineTest, TheBooksOfAnAnswer) {
  const auto e = engine();
  const Prompt prompt = picture(9);
  auto first = ask(*e, prompt, greedy(4));
  EXPECT_EQ(first.end.stats.images_cached, 0);
  EXPECT_EQ(first.end.stats.vision_tokens, 12 + 8);
  EXPECT_GT(first.end.stats.vision_ms, 0);
  auto second = ask(*e, prompt, greedy(4));
  EXPECT_EQ(second.end.stats.images_cached, 2);
  EXPECT_EQ(second.ids, first.ids);
  EXPECT_EQ(second.logprobs, first.logprobs);
  // Of two pictures one known.
  const MadePrompt made = PromptMaker(model().config, 9).text(6).visual({1, 6, 8}).text(2).visual({1, 4, 4}).text(2).done();
  EXPECT_EQ(ask(*e, to_prompt(made), greedy(4)).end.stats.images_cached, 1);
  // No cache, the same answer.
  EngineOptions o = options();
  o.image_cache_bytes = 0;
  o.share_prefixes = false;
  const auto bare = engine(o);
  for (int i = 0; i < 2; ++i) {
    const auto got = ask(*bare, prompt, greedy(4));
    EXPECT_EQ(got.end.stats.images_cached, 0);
    EXPECT_EQ(got.logprobs, first.logprobs);
  }
}

// ---- leaving early -------------------------------------------------------------------------------------------------

TEST_P(LocalEngineTest, CancelWhileQueued) {
  EngineOptions o = options();
  o.max_sequences = 1;
  const auto e = engine(o);
  const auto running = e->submit(text(5, 1), greedy(1000));
  const auto queued = e->submit(text(5, 2), greedy(10)), behind = e->submit(text(5, 3), greedy(10));
  running->next();
  EXPECT_EQ(e->stats().waiting, 2);
  queued->cancel();
  const auto got = read_all(*queued);
  EXPECT_EQ(got.end.finish, FinishReason::kCancelled);
  EXPECT_TRUE(got.ids.empty());
  EXPECT_GT(got.end.stats.queue_ms, 0);
  EXPECT_EQ(e->stats().running, 1);
  running->cancel();
  EXPECT_EQ(read_all(*behind).ids.size(), 10u);
  expect_all_free(*e);
}

TEST_P(LocalEngineTest, CancelWhileEncodingAPicture) {
  const auto e = engine();
  const auto stream = e->submit(large_picture(1), greedy(50));
  wait_until([&] { return e->stats().running == 1; });
  EXPECT_LT(e->stats().kv_blocks_free, e->stats().kv_blocks_total);
  stream->cancel();
  const auto got = read_all(*stream);
  EXPECT_EQ(got.end.finish, FinishReason::kCancelled);
  EXPECT_TRUE(got.ids.empty());
  EXPECT_EQ(got.end.stats.vision_tokens, 0);
  expect_all_free(*e);
}

TEST_P(LocalEngineTest, CancelWhileReadingThePrompt) {
  EngineOptions o = options();
  o.prefill_chunk = 1;
  const auto e = engine(o);
  const auto stream = e->submit(text(1000, 1), greedy(20));
  wait_until([&] { return e->stats().running == 1; });
  stream->cancel();
  const auto got = read_all(*stream);
  EXPECT_EQ(got.end.finish, FinishReason::kCancelled);
  EXPECT_TRUE(got.ids.empty());
  EXPECT_EQ(got.end.stats.ttft_ms, 0);
  expect_all_free(*e);
}

TEST_P(LocalEngineTest, CancelWhileAnswering) {
  const auto want = alone(text(7, 2), greedy(60));
  const auto e = engine();
  const auto other = e->submit(text(7, 2), greedy(60));
  const auto stream = e->submit(text(5, 1), greedy(900));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(stream->next().kind, Item::Kind::kToken);
  stream->cancel();
  stream->cancel();  // twice is once
  const auto got = read_all(*stream);
  EXPECT_EQ(got.end.finish, FinishReason::kCancelled);
  EXPECT_LT(got.ids.size(), 800u);
  EXPECT_EQ(got.end.stats.completion_tokens, 5 + std::ssize(got.ids));
  EXPECT_EQ(read_all(*other).ids, want.ids);  // nobody else noticed
  expect_all_free(*e);
  stream->cancel();  // after the end
}

// A stream that is destroyed is a request that is cancelled, whatever it was doing and whatever lay unread in it.
TEST_P(LocalEngineTest, StreamsDestroyedAtAnyMoment) {
  const auto want = alone(text(9, 3), greedy(8));
  const auto e = engine();
  for (int round = 0; round < 24; ++round) {
    auto gone = e->submit(round % 3 == 0 ? picture(static_cast<uint64_t>(round)) : text(200, static_cast<uint64_t>(round)), greedy(700));
    auto owner = std::make_unique<std::vector<int>>(1);
    if (round % 2 == 0) gone->set_waker([raw = owner.get()] { ++raw->front(); });
    const auto stays = e->submit(text(9, 3), greedy(8));
    std::this_thread::sleep_for(std::chrono::microseconds(700 * (round % 12)));
    gone.reset();
    owner.reset();  // the waker must not run any more
    EXPECT_EQ(read_all(*stays).ids, want.ids);
  }
  wait_until([&] { return e->stats().running == 0; });
  expect_all_free(*e);
}

TEST_P(LocalEngineTest, TheEngineGoesWhileRequestsRun) {
  for (int round = 0; round < 6; ++round) {
    EngineOptions o = options();
    o.max_sequences = 2;
    auto e = engine(o);
    std::vector<std::unique_ptr<TokenStream>> streams;
    streams.push_back(e->submit(large_picture(1), greedy(50)));
    for (uint64_t i = 0; i < 4; ++i) streams.push_back(e->submit(text(30, i), greedy(900)));
    std::this_thread::sleep_for(std::chrono::milliseconds(3 * round));
    e.reset();
    for (const auto& stream : streams) EXPECT_EQ(read_all(*stream).end.finish, FinishReason::kCancelled);
  }
}

TEST_P(LocalEngineTest, IdleEnginesComeAndGo) {
  for (int round = 0; round < 100; ++round) {
    const auto e = engine();
    const auto stats = e->stats();
    EXPECT_EQ(stats.kv_blocks_total, 32);
    EXPECT_EQ(stats.kv_blocks_free, 32);  // from the first moment on
  }
}

TEST_P(LocalEngineTest, AFullQueueRefuses) {
  EngineOptions o = options();
  o.max_sequences = 1;
  o.max_queue = 2;
  const auto e = engine(o);
  std::vector<std::unique_ptr<TokenStream>> streams;
  for (uint64_t i = 0; i < 3; ++i) streams.push_back(e->submit(text(5, i), greedy(1000)));  // one that runs, two that wait
  const auto refused = [&] {
    try {
      streams.push_back(e->submit(text(5, 9), greedy(5)));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind, ErrorKind::kOverloaded);
      EXPECT_EQ(error.code, "queue_full");
      return true;
    }
    return false;
  };
  EXPECT_TRUE(refused());
  EXPECT_TRUE(refused());
  streams[1]->cancel();
  EXPECT_EQ(read_all(*streams[1]).end.finish, FinishReason::kCancelled);
  EXPECT_FALSE(refused());
  EXPECT_TRUE(refused());
  streams[0]->cancel();
  streams[2]->cancel();
  EXPECT_EQ(read_all(*streams[3]).ids.size(), 5u);
  wait_until([&] { return e->stats().waiting == 0 && e->stats().running == 0; });
  expect_all_free(*e);
}

// Many threads at once: every request gets its own answer.
TEST_P(LocalEngineTest, ManyThreads) {
  EngineOptions o = options();
  o.max_queue = 100;
  const auto e = engine(o);
  std::vector<Answer> want;
  for (uint64_t i = 0; i < 4; ++i) want.push_back(alone(text(4 + static_cast<int>(i), i), greedy(6)));
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 8; ++i) {
        const uint64_t which = (t + i) % 4;
        auto stream = e->submit(text(4 + static_cast<int>(which), which), greedy(6));
        if (i % 4 == 3) {
          stream->cancel();
          ++right;
        } else {
          right += read_all(*stream).ids == want[which].ids;
        }
        e->stats();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 32);
  wait_until([&] { return e->stats().running == 0 && e->stats().waiting == 0; });
  expect_all_free(*e);
}

// ---- faults --------------------------------------------------------------------------------------------------------

// The weights of one norm are not numbers.
class DamagedStore : public WeightStore {
 public:
  explicit DamagedStore(const std::string& checkpoint) : store_(open_safetensors(tiny_folder(checkpoint))) {}
  std::vector<std::string> names() const override { return store_->names(); }
  bool has(const std::string& name) const override { return store_->has(name); }
  ConstTensorView view(const std::string& name) override {
    auto view = store_->view(name);
    if (name == "model.language_model.norm.weight") {
      damaged_.assign(static_cast<size_t>(view.elements()), std::numeric_limits<float>::quiet_NaN());
      view = {reinterpret_cast<const std::byte*>(damaged_.data()), DType::kF32, view.shape};
    }
    return view;
  }
  void release(const std::string& name) override { store_->release(name); }

 private:
  std::unique_ptr<WeightStore> store_;
  std::vector<float> damaged_;
};

TEST_P(LocalEngineTest, DamagedWeightsFailEachRequestAndNotTheEngine) {
  DamagedStore store(GetParam());
  const auto backend = make_cpu_backend({.threads = 2, .precision = Precision::kFloat32, .instruction_set = ""});
  Model damaged(*backend, store, load_model_config(tiny_folder(GetParam())));
  const auto e = make_local_engine(damaged, options());
  for (int i = 0; i < 3; ++i) {
    const auto got = ask(*e, text(5, 1), i == 0 ? greedy(5) : SamplingParams{.top_k = 5, .top_p = 0.9f, .seed = 1, .max_tokens = 5});
    EXPECT_TRUE(got.ids.empty());
    EXPECT_EQ(got.end.finish, FinishReason::kError);
    EXPECT_EQ(got.end.error_code, "nan_logits");
    EXPECT_FALSE(got.end.error_message.empty());
  }
  // Forced tokens do not hide it.
  SamplingParams params = greedy(20);
  params.thinking = {.end_token_id = 7, .max_thinking_tokens = 0, .answer_reserve_tokens = 0, .forced_ids = {7}};
  EXPECT_EQ(ask(*e, text(5, 1), params).end.error_code, "nan_logits");
  params.logprobs = -1;
  EXPECT_EQ(ask(*e, text(5, 1), params).end.error_code, "nan_logits");
  expect_all_free(*e);
}

// Keys and values that are not numbers stay in the pages a request gives back: the next one must not see them.
TEST_P(LocalEngineTest, ThePagesOfAFailedRequestPoisonNobody) {
  const auto want = alone(text(37, 1), greedy(20));
  const auto want_picture = alone(picture(2), greedy(20));
  const auto e = engine();
  MadePrompt bad = PromptMaker(model().config, 8).text(3).visual({1, 16, 16}).text(150).visual({1, 4, 4}).text(1).done();
  for (auto& visual : bad.visuals) std::fill(visual.patches.begin(), visual.patches.end(), std::numeric_limits<float>::quiet_NaN());
  for (int round = 0; round < 3; ++round) {
    const auto failed = e->submit(to_prompt(bad), greedy(700));
    const auto beside = e->submit(text(37, 1), greedy(20));
    EXPECT_EQ(read_all(*failed).end.error_code, "nan_logits");
    EXPECT_EQ(read_all(*beside).ids, want.ids);
    const auto after = ask(*e, text(37, 1), greedy(20));
    EXPECT_EQ(after.ids, want.ids);
    EXPECT_EQ(after.logprobs, want.logprobs);
    EXPECT_EQ(ask(*e, picture(2), greedy(20)).logprobs, want_picture.logprobs);
  }
  expect_all_free(*e);
}

// A picture that breaks our own rules ends its request; those beside it go on.
TEST_P(LocalEngineTest, AFaultWhileEncodingEndsOnlyItsRequest) {
  const auto want = alone(text(11, 1), greedy(200));
  const auto want_picture = alone(picture(4), greedy(10));
  const auto e = engine();
  const auto beside = e->submit(text(11, 1), greedy(200));
  beside->next();
  Prompt broken = picture(3);
  broken.visuals[1].patches = std::make_shared<const std::vector<float>>(7);
  const auto fails = e->submit(broken, greedy(10));
  const auto waits = e->submit(picture(4), greedy(10));
  const auto got = read_all(*fails);
  EXPECT_EQ(got.end.finish, FinishReason::kError);
  EXPECT_EQ(got.end.error_code, "internal_error");
  EXPECT_EQ(got.end.error_message, "internal error");  // no paths, no conditions
  EXPECT_EQ(read_all(*waits).ids, want_picture.ids);
  const auto rest = read_all(*beside);
  EXPECT_EQ(rest.end.finish, FinishReason::kLength);
  EXPECT_EQ(rest.ids, std::vector<int32_t>(want.ids.begin() + 1, want.ids.end()));
  expect_all_free(*e);
}

// A run of visual tokens that goes past the prompt's end is cut there, not written over anything.
TEST_P(LocalEngineTest, AVisualRunPastTheEndIsCut) {
  const auto want = alone(picture(4), greedy(10));
  const auto e = engine();
  Prompt odd = text(20, 3);
  odd.visuals = {picture(3).visuals[0]};
  odd.visuals[0].token_begins = {19};
  EXPECT_EQ(ask(*e, odd, greedy(2)).ids.size(), 2u);
  EXPECT_EQ(ask(*e, picture(4), greedy(10)).ids, want.ids);
}

// A fault inside a forward pass ends the requests of that pass; one whose picture is still being encoded goes on.
TEST_P(LocalEngineTest, AFaultInAPassEndsThatPassOnly) {
  auto owned = std::make_unique<FaultyBackend>(make_cpu_backend({.threads = 2, .precision = Precision::kFloat32, .instruction_set = ""}));
  FaultyOps& ops = owned->faulty();
  TinyCheckpoint faulty = load_tiny(GetParam(), std::move(owned));
  EngineOptions o = options();
  o.context_tokens = 8192;  // room for all three
  const auto e = make_local_engine(*faulty.model, o);
  const auto want = ask(*e, picture(3), greedy(8));
  ASSERT_EQ(want.ids.size(), 8u);
  const std::pair<std::exception_ptr, std::string> faults[] = {
      {std::make_exception_ptr(std::bad_alloc()), "insufficient_memory"},
      {std::make_exception_ptr(std::runtime_error("/secret")), "internal_error"},
      {std::make_exception_ptr(Error(ErrorKind::kInternal, "device_lost", "the device went away")), "device_lost"}};
  uint64_t seed = 7;  // of a picture that the engine does not know yet: a known one would be answered before anybody looks
  for (const auto& [fault, code] : faults) {
    const auto a = e->submit(text(10, 1), greedy(3000)), b = e->submit(text(10, 2), greedy(3000));
    a->next();
    b->next();
    const auto encodes = e->submit(large_picture(seed++), greedy(3));
    wait_until([&] { return e->stats().running == 3; });
    ops.fault = fault;
    ops.faults = 1;
    for (const auto* stream : {&a, &b}) {
      const auto got = read_all(**stream);
      EXPECT_EQ(got.end.finish, FinishReason::kError);
      EXPECT_EQ(got.end.error_code, code);
      EXPECT_EQ(got.end.error_message.find("secret"), std::string::npos);
    }
    // On a machine so slow that the picture was done by then, it was in that pass.
    const auto third = read_all(*encodes);
    if (third.end.finish == FinishReason::kError) {
      EXPECT_EQ(third.end.stats.vision_tokens, 28 * 28);
    } else {
      EXPECT_EQ(third.ids.size(), 3u);
    }
    EXPECT_EQ(ask(*e, picture(3), greedy(8)).logprobs, want.logprobs);
    expect_all_free(*e);
  }
}

TEST_P(LocalEngineTest, PromptsThatBreakOurRulesAreRefused) {
  const auto e = engine();
  const auto refused = [&](const std::function<void(Prompt&)>& change) {
    Prompt prompt = picture(1);
    change(prompt);
    EXPECT_THROW(e->submit(prompt, greedy(2)), std::logic_error);
  };
  refused([](Prompt& p) { p.token_ids.clear(); });
  refused([](Prompt& p) { p.positions.pop_back(); });
  refused([](Prompt& p) { p.token_ids[3] = -1; });
  refused([](Prompt& p) { p.token_ids[3] = 2080; });
  refused([](Prompt& p) { p.visuals[0].token_begins.clear(); });
  refused([](Prompt& p) { p.visuals[1].token_begins[1] = -1; });
  refused([](Prompt& p) { p.visuals[1].token_begins[1] = std::ssize(p.token_ids); });
  EXPECT_EQ(ask(*e, picture(1), greedy(2)).ids.size(), 2u);
  expect_all_free(*e);
}

// ---- thinking ------------------------------------------------------------------------------------------------------

constexpr int32_t kThinkEnd = 2073;

SamplingParams thinking(int64_t max_tokens, int64_t budget, int64_t reserve) {
  SamplingParams params = greedy(max_tokens);
  params.thinking = {.end_token_id = kThinkEnd, .max_thinking_tokens = budget, .answer_reserve_tokens = reserve, .forced_ids = {198, kThinkEnd, 271}};
  params.logit_bias = {{kThinkEnd, -100.0f}};  // this model would not close its thought itself
  return params;
}

TEST_P(LocalEngineTest, AThinkingBudgetForcesTheAnswer) {
  const Prompt prompt = text(20, 1);
  SamplingParams plain = greedy(30);
  plain.logit_bias = {{kThinkEnd, -100.0f}};
  const auto free = alone(prompt, plain);
  const auto got = alone(prompt, thinking(30, 6, 4));
  ASSERT_EQ(got.ids.size(), 30u);
  EXPECT_TRUE(std::equal(free.ids.begin(), free.ids.begin() + 6, got.ids.begin()));
  EXPECT_EQ((std::vector<int32_t>(got.ids.begin() + 6, got.ids.begin() + 9)), (std::vector<int32_t>{198, kThinkEnd, 271}));
  for (size_t i = 0; i < 30; ++i) EXPECT_EQ(got.forced[i], i >= 6 && i < 9) << i;
  // The rest is what the model says after exactly this text.
  MadePrompt continued;
  continued.ids = prompt.token_ids;
  continued.ids.insert(continued.ids.end(), got.ids.begin(), got.ids.begin() + 9);
  continued.positions = rope_positions(continued.size(), {}).ids;
  plain.max_tokens = 21;
  const auto rest = alone(to_prompt(continued), plain);
  EXPECT_EQ(std::vector<int32_t>(got.ids.begin() + 9, got.ids.end()), rest.ids);
  EXPECT_EQ(std::vector<float>(got.logprobs.begin() + 9, got.logprobs.end()), rest.logprobs);
}

TEST_P(LocalEngineTest, AThoughtEndsWhenItIsTold) {
  const auto running = engine(options());
  const auto stream = running->submit(text(20, 1), thinking(600, -1, 4));
  std::vector<int32_t> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(stream->next().token.id);
  stream->end_thinking();
  for (auto item = stream->next(); item.kind == TokenStream::Item::Kind::kToken; item = stream->next()) ids.push_back(item.token.id);
  const std::vector<int32_t> closing = {198, kThinkEnd, 271};
  const auto at = std::search(ids.begin(), ids.end(), closing.begin(), closing.end());
  ASSERT_NE(at, ids.end());
  EXPECT_LT(at - ids.begin(), 590);  // long before the budget would have ended it, at 593
  EXPECT_EQ(ids.size(), 600u);       // and the answer took the rest, without a second end
  EXPECT_EQ(std::count(ids.begin(), ids.end(), kThinkEnd), 1);
}

TEST_P(LocalEngineTest, AnEndOfTextInsideTheThoughtIsNoEnd) {
  const Prompt prompt = text(20, 1);
  SamplingParams plain = greedy(30);
  plain.logit_bias = {{kThinkEnd, -100.0f}};
  const auto free = alone(prompt, plain);
  const size_t stop = first_new(free.ids);
  ASSERT_GT(stop, 0u);
  EngineOptions o = options();
  o.stop_token_ids = {free.ids[stop]};
  const auto got = ask(*engine(o), prompt, thinking(60, -1, 4));
  ASSERT_GT(got.ids.size(), stop + 3);  // and the answer is not empty, although the model may want to stop at once
  for (size_t i = 0; i < stop; ++i) EXPECT_EQ(got.ids[i], free.ids[i]);
  EXPECT_EQ(got.ids[stop], 198);
  EXPECT_EQ(got.ids[stop + 1], kThinkEnd);
  EXPECT_EQ(got.ids[stop + 2], 271);
  for (const int32_t id : got.ids) EXPECT_NE(id, free.ids[stop]);
}

TEST_P(LocalEngineTest, VeryFewTokensForAThought) {
  const auto e = engine();
  for (const int64_t n : {1, 2, 3, 4, 5}) {
    const auto got = ask(*e, text(20, 1), thinking(n, -1, 2));
    EXPECT_EQ(std::ssize(got.ids), n);
    EXPECT_EQ(std::count(got.ids.begin(), got.ids.end(), kThinkEnd), 1) << n;
    EXPECT_EQ(got.forced.back(), n == 1) << n;  // the last one is the answer's
  }
}

// A thought that the model closes itself, and an end of text right after it: the answer still has a token.
TEST_P(LocalEngineTest, ANaturalCloseThenAnImmediateEnd) {
  const Prompt prompt = text(20, 1);
  SamplingParams params = thinking(40, -1, 4);
  params.logit_bias = {{kThinkEnd, 1000.0f}, {9, 900.0f}};  // closes at once, then wants to stop at once
  params.presence_penalty = 3000;
  params.stop_token_ids = {9};
  const auto got = alone(prompt, params);
  ASSERT_GE(got.ids.size(), 2u);
  EXPECT_LE(got.ids.size(), 4u);  // newlines are no answer yet
  EXPECT_EQ(got.ids[0], kThinkEnd);
  EXPECT_FALSE(got.forced[0]);
  EXPECT_EQ(got.end.finish, FinishReason::kStop);
  EXPECT_EQ(got.end.stats.stop_token_id, 9);
}

INSTANTIATE_TEST_SUITE_P(Tiny, LocalEngineTest, ::testing::Values("tiny-untied", "tiny-moe"), [](const auto& row) {
  return std::string(row.param).substr(5);
});

}  // namespace
}  // namespace qvl
