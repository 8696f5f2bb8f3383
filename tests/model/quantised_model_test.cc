// A small model of odd shapes with int4 and int8 weights: the same bits for any chunk, any company and any number of threads,
// and close to the same model in float32.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "cpu/cpu_backend.h"
#include "model/known_models.h"
#include "model/model.h"
#include "weights/made_weights.h"

namespace qvl {
namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

ModelConfig small_config(bool moe) {
  ModelConfig config = *known_model(moe ? "qwen3-vl-30b-a3b" : "qwen3-vl-2b");
  TextConfig& text = config.text;
  text.vocab_size = 300, text.hidden_size = 160, text.intermediate_size = 352, text.num_hidden_layers = 3;
  text.num_attention_heads = 6, text.num_key_value_heads = 2, text.head_dim = 48;
  text.rope.mrope_section = {10, 8, 6};
  if (text.moe) text.moe->num_experts = 7, text.moe->num_experts_per_tok = 3, text.moe->moe_intermediate_size = 72;
  VisionConfig& vision = config.vision;
  vision.depth = 2, vision.hidden_size = 48, vision.intermediate_size = 80, vision.num_heads = 2, vision.num_position_embeddings = 16;
  vision.out_hidden_size = text.hidden_size, vision.deepstack_visual_indexes = {0};
  return config;
}

struct Loaded {
  Loaded(bool moe, Quantize quantize, Precision precision, int threads)
      : config(small_config(moe)), backend(make_cpu_backend({.threads = threads, .precision = precision, .instruction_set = ""})) {
    std::vector<std::pair<std::string, Shape>> tensors;
    for (const auto& spec : expected_tensors(config)) tensors.emplace_back(spec.name, spec.shape);
    const auto store = made_weights(std::move(tensors), 1);
    WeightLoader loader(*backend, *store, {.quantize = quantize});
    model = std::make_unique<Model>(loader, config);
  }

  // Logits of every token of a prompt that is fed in chunks.
  std::vector<float> logits(int64_t tokens, int64_t chunk) {
    const auto cache = model->language.make_kv_cache(static_cast<int>(tokens / KvCache::kPageTokens + 1));
    std::vector<int32_t> pages(at(tokens / KvCache::kPageTokens + 1));
    std::iota(pages.rbegin(), pages.rend(), 0);
    std::vector<float> out;
    for (int64_t begin = 0; begin < tokens; begin += chunk) {
      const int64_t count = std::min(chunk, tokens - begin);
      Batch batch;
      for (int64_t i = begin; i < begin + count; ++i) {
        batch.token_ids.push_back(static_cast<int32_t>(i * 7919 % config.text.vocab_size));
        batch.logit_rows.push_back(i - begin);
      }
      for (int axis = 0; axis < 3; ++axis) {
        for (int64_t i = begin; i < begin + count; ++i) batch.positions.push_back(static_cast<int32_t>(i));
      }
      batch.sequences = {{.row_begin = 0, .rows = count, .past = begin, .pages = pages}};
      const auto part = model->language.forward(batch, *cache);
      out.insert(out.end(), part.begin(), part.end());
    }
    return out;
  }

  ModelConfig config;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Model> model;
};

class QuantisedModelTest : public testing::TestWithParam<std::tuple<bool, Quantize>> {};

TEST_P(QuantisedModelTest, SameBitsForAnyChunkAndAnyNumberOfThreads) {
  const auto [moe, quantize] = GetParam();
  constexpr int64_t kTokens = 75;
  const auto want = Loaded(moe, quantize, Precision::kBFloat16, 1).logits(kTokens, kTokens);
  for (const int threads : {1, 2, 3}) {
    Loaded loaded(moe, quantize, Precision::kBFloat16, threads);
    for (const int64_t chunk : {1, 2, 5, 13, 32, 75}) {
      const auto got = loaded.logits(kTokens, chunk);
      ASSERT_EQ(got.size(), want.size());
      for (size_t i = 0; i < got.size(); ++i) {
        ASSERT_EQ(got[i], want[i]) << threads << " threads, chunks of " << chunk << ", logit " << i;
      }
    }
  }
}

TEST_P(QuantisedModelTest, StaysNearFloat32) {
  const auto [moe, quantize] = GetParam();
  const auto want = Loaded(moe, Quantize::kNone, Precision::kFloat32, 2).logits(20, 20);
  const auto got = Loaded(moe, quantize, Precision::kFloat32, 2).logits(20, 20);
  double error = 0, size = 0;
  for (size_t i = 0; i < want.size(); ++i) error += std::pow(got[i] - want[i], 2), size += std::pow(want[i], 2);
  // int4's weights alone are 8 % off (22 dB), and three layers add up; a router may then choose other experts.
  EXPECT_LT(std::sqrt(error / size), quantize == Quantize::kInt8 ? 0.05 : 0.3);
  EXPECT_GT(error, 0) << "nothing was quantised";
}

INSTANTIATE_TEST_SUITE_P(All, QuantisedModelTest,
                         testing::Combine(testing::Bool(), testing::Values(Quantize::kInt8, Quantize::kInt4)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param) ? "moe_" : "dense_") +
                                  std::string(quantize_name(std::get<1>(test.param)));
                         });

}  // namespace
}  // namespace qvl
