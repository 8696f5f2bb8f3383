// The decoder end to end on the tiny checkpoints: what a row's result may not depend on.
#include "model/language_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/model/tiny_checkpoint.h"

namespace qvl {
namespace {

// A sequence in a cache of its own pages.
struct Running {
  const MadePrompt* prompt;
  const std::vector<VisionFeatures>* features;
  std::vector<int32_t> pages;
  int64_t computed = 0;
};

std::vector<int32_t> page_list(int first, int64_t tokens, bool backwards = false) {
  std::vector<int32_t> pages(static_cast<size_t>(tokens / KvCache::kPageTokens + 1));
  std::iota(pages.begin(), pages.end(), first);
  if (backwards) std::reverse(pages.begin(), pages.end());
  return pages;
}

// Rows computed..computed+count-1 of each sequence as one batch; every row's logits are asked for.
Batch batch_of(const std::vector<std::pair<Running*, int64_t>>& parts) {
  Batch batch;
  int64_t rows = 0;
  for (const auto& [s, count] : parts) rows += count;
  batch.positions.resize(static_cast<size_t>(3 * rows));
  for (const auto& [s, count] : parts) {
    const int64_t begin = s->computed, end = begin + count, first = batch.rows(), size = s->prompt->size();
    batch.token_ids.insert(batch.token_ids.end(), s->prompt->ids.begin() + begin, s->prompt->ids.begin() + end);
    for (int64_t axis = 0; axis < 3; ++axis) {
      for (int64_t i = 0; i < count; ++i) {
        batch.positions[static_cast<size_t>(axis * rows + first + i)] =
            s->prompt->positions[static_cast<size_t>(axis * size + begin + i)];
      }
    }
    batch.sequences.push_back({.row_begin = first, .rows = count, .past = begin, .pages = s->pages});
    for (size_t v = 0; v < s->prompt->visuals.size(); ++v) {
      const auto& visual = s->prompt->visuals[v];
      const int64_t run = (*s->features)[v].tokens / visual.grid.t;
      for (size_t g = 0; g < visual.begins.size(); ++g) {
        const int64_t from = std::max(begin, visual.begins[g]), to = std::min(end, visual.begins[g] + run);
        if (from >= to) continue;
        batch.visuals.push_back({.row_begin = first + from - begin, .rows = to - from, .features = &(*s->features)[v],
                                 .first_token = static_cast<int64_t>(g) * run + from - visual.begins[g]});
      }
    }
    for (int64_t i = 0; i < count; ++i) batch.logit_rows.push_back(first + i);
  }
  return batch;
}

std::vector<VisionFeatures> encode(Model& model, const MadePrompt& prompt) {
  std::vector<VisionFeatures> out;
  for (const auto& v : prompt.visuals) out.push_back(model.vision.forward(v.grid, v.patches));
  return out;
}

std::vector<float> run_chunks(Model& model, const MadePrompt& prompt, const std::vector<VisionFeatures>& features, int64_t chunk) {
  const auto cache = model.language.make_kv_cache(8);
  Running s{&prompt, &features, page_list(1, prompt.size(), true)};
  std::vector<float> logits;
  while (s.computed < prompt.size()) {
    const int64_t count = std::min(chunk, prompt.size() - s.computed);
    const auto got = model.language.forward(batch_of({{&s, count}}), *cache);
    logits.insert(logits.end(), got.begin(), got.end());
    s.computed += count;
  }
  return logits;
}

struct Setting {
  const char* checkpoint;
  Precision precision;
  int threads;
};

class LanguageModelTest : public ::testing::TestWithParam<Setting> {
 protected:
  void SetUp() override {
    tiny_ = load_tiny(GetParam().checkpoint, GetParam().precision, GetParam().threads);
    prompt_ = PromptMaker(config(), 1).text(5).visual({1, 6, 8}).text(3).visual({3, 4, 4}).text(4).done();
    other_ = PromptMaker(config(), 2).text(9).visual({1, 4, 6}).text(12).done();
    features_ = encode(*tiny_.model, prompt_);
    other_features_ = encode(*tiny_.model, other_);
  }
  const ModelConfig& config() const { return tiny_.model->config; }
  LanguageModel& language() { return tiny_.model->language; }
  int64_t vocab() const { return config().text.vocab_size; }

  TinyCheckpoint tiny_;
  MadePrompt prompt_, other_;
  std::vector<VisionFeatures> features_, other_features_;
};

// Chunks that cut pictures, pages and attention tiles anywhere, down to a token at a time, give the same bits.
TEST_P(LanguageModelTest, ChunksGiveTheSameBitsAsOnePass) {
  const auto want = run_chunks(*tiny_.model, prompt_, features_, prompt_.size());
  ASSERT_EQ(static_cast<int64_t>(want.size()), prompt_.size() * vocab());
  for (const float x : want) ASSERT_TRUE(std::isfinite(x));
  for (const int64_t chunk : {1, 2, 3, 7, 8, 9, 13, 16, 31, 32, 33}) {
    EXPECT_EQ(run_chunks(*tiny_.model, prompt_, features_, chunk), want) << "chunks of " << chunk;
  }
}

// In a batch with another sequence, before or behind it and at another stage, a sequence gets the bits that it gets alone.
TEST_P(LanguageModelTest, CompanyDoesNotMatter) {
  const auto want = run_chunks(*tiny_.model, prompt_, features_, prompt_.size());
  const auto want_other = run_chunks(*tiny_.model, other_, other_features_, other_.size());
  for (const bool first : {true, false}) {
    const auto cache = language().make_kv_cache(16);
    Running a{&prompt_, &features_, page_list(0, prompt_.size())}, b{&other_, &other_features_, page_list(8, other_.size())};
    std::vector<float> got_a, got_b;
    int64_t rows = 3;
    while (a.computed < prompt_.size() || b.computed < other_.size()) {
      const int64_t na = std::min(rows, prompt_.size() - a.computed), nb = std::min(rows % 5 + 1, other_.size() - b.computed);
      std::vector<std::pair<Running*, int64_t>> parts;
      if (na > 0) parts.emplace_back(&a, na);
      if (nb > 0) parts.emplace_back(&b, nb);
      if (!first) std::reverse(parts.begin(), parts.end());
      auto logits = language().forward(batch_of(parts), *cache);
      for (const auto& [s, count] : parts) {
        auto& to = s == &a ? got_a : got_b;
        const auto mine = logits.first(static_cast<size_t>(count * vocab()));
        to.insert(to.end(), mine.begin(), mine.end());
        logits = logits.subspan(mine.size());
        s->computed += count;
      }
      rows = rows * 2 % 11 + 1;
    }
    EXPECT_EQ(got_a, want);
    EXPECT_EQ(got_b, want_other);
  }
}

// What a picture left behind in scratch or cache never reaches the next request.
TEST_P(LanguageModelTest, NothingOfTheLastRequestStays) {
  const MadePrompt text = PromptMaker(config(), 3).text(21).done();
  const auto fresh = run_chunks(*tiny_.model, text, {}, text.size());
  const auto cache = language().make_kv_cache(4);
  Running picture{&prompt_, &features_, {0, 1, 2}};
  language().forward(batch_of({{&picture, prompt_.size()}}), *cache);
  const std::vector<VisionFeatures> none;
  Running after{&text, &none, {2}};  // a page that the first one used
  const auto got = language().forward(batch_of({{&after, text.size()}}), *cache);
  EXPECT_EQ(std::vector<float>(got.begin(), got.end()), fresh);
}

// DeepStack reaches the logits from the picture on, and none before it.
TEST_P(LanguageModelTest, DeepStackActsFromThePictureOn) {
  const auto want = run_chunks(*tiny_.model, prompt_, features_, prompt_.size());
  for (size_t layer = 0; layer < 3; ++layer) {
    auto changed = features_;
    for (float& x : changed[0].deepstack[layer]) x = 0;
    const auto got = run_chunks(*tiny_.model, prompt_, changed, 7);
    const auto before = static_cast<std::ptrdiff_t>(prompt_.visuals[0].begins[0] * vocab());
    EXPECT_TRUE(std::equal(want.begin(), want.begin() + before, got.begin()));
    double worst = 0;
    for (size_t i = want.size() - static_cast<size_t>(vocab()); i < want.size(); ++i) worst = std::max(worst, std::abs(double{want[i]} - got[i]));
    EXPECT_GT(worst, 1e-3) << layer;
  }
}

// Work that stopped between layers is done again with the same result.
TEST_P(LanguageModelTest, StoppedWorkIsDoneAgain) {
  const auto want = run_chunks(*tiny_.model, prompt_, features_, prompt_.size());
  const auto cache = language().make_kv_cache(8);
  Running s{&prompt_, &features_, page_list(1, prompt_.size())};
  for (int layers = 0; layers < config().text.num_hidden_layers; ++layers) {
    int asked = 0;
    EXPECT_TRUE(language().forward(batch_of({{&s, prompt_.size()}}), *cache, [&] { return asked++ == layers; }).empty());
    EXPECT_EQ(asked, layers + 1);
  }
  const auto got = language().forward(batch_of({{&s, prompt_.size()}}), *cache, [] { return false; });
  EXPECT_EQ(std::vector<float>(got.begin(), got.end()), want);
}

// In bfloat16 a router may choose another expert where its margin is small: so the middle row is judged, not the worst.
TEST_P(LanguageModelTest, AgreesWithTheReferenceBackend) {
  auto reference = load_tiny(GetParam().checkpoint, make_ref_backend());
  const auto reference_features = encode(*reference.model, prompt_);
  const auto want = run_chunks(*reference.model, prompt_, reference_features, prompt_.size());
  const auto got = run_chunks(*tiny_.model, prompt_, features_, 13);
  ASSERT_EQ(want.size(), got.size());
  std::vector<double> worst(static_cast<size_t>(prompt_.size()));
  for (size_t i = 0; i < want.size(); ++i) {
    double& row = worst[i / static_cast<size_t>(vocab())];
    row = std::max(row, std::abs(double{want[i]} - got[i]));
  }
  std::sort(worst.begin(), worst.end());
  if (GetParam().precision == Precision::kFloat32) {
    EXPECT_LT(worst.back(), 1e-3);
  } else {
    EXPECT_LT(worst[worst.size() / 2], 0.6);
  }
}

TEST_P(LanguageModelTest, VisualRowsPastTheFeaturesAreRefused) {
  const auto cache = language().make_kv_cache(8);
  Running s{&prompt_, &features_, page_list(0, prompt_.size())};
  Batch batch = batch_of({{&s, prompt_.size()}});
  batch.visuals[0].first_token = 1;
  EXPECT_THROW(language().forward(batch, *cache), std::logic_error);
}

INSTANTIATE_TEST_SUITE_P(Tiny, LanguageModelTest,
                         ::testing::Values(Setting{"tiny-untied", Precision::kFloat32, 1}, Setting{"tiny-untied", Precision::kBFloat16, 3},
                                           Setting{"tiny-moe", Precision::kFloat32, 2}, Setting{"tiny-moe", Precision::kBFloat16, 1}),
                         [](const auto& row) {
                           return std::string(row.param.checkpoint).substr(5) +
                                  (row.param.precision == Precision::kFloat32 ? "_float32_" : "_bfloat16_") +
                                  std::to_string(row.param.threads);
                         });

}  // namespace
}  // namespace qvl
