// A backend that looks on: what it records, and that looking on changes nothing.
#include "model/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/known_models.h"
#include "model/model.h"
#include "ops/ref_ops.h"
#include "weights/made_weights.h"

namespace qvl {
namespace {

size_t at(int64_t i) { return static_cast<size_t>(i); }

class CalibrationTest : public testing::TestWithParam<bool> {
 protected:
  CalibrationTest() : config_(*known_model(GetParam() ? "qwen3-vl-30b-a3b" : "qwen3-vl-2b")), backend_(make_ref_backend()) {
    TextConfig& text = config_.text;
    text.vocab_size = 50, text.hidden_size = 72, text.intermediate_size = 300, text.num_hidden_layers = 2;
    text.num_attention_heads = 3, text.num_key_value_heads = 1, text.head_dim = 16;
    text.rope.mrope_section = {4, 2, 2};
    if (text.moe) text.moe->num_experts = 4, text.moe->num_experts_per_tok = 2, text.moe->moe_intermediate_size = 40;
    VisionConfig& vision = config_.vision;
    vision.depth = 1, vision.hidden_size = 32, vision.intermediate_size = 40, vision.num_heads = 2, vision.num_position_embeddings = 16;
    vision.out_hidden_size = text.hidden_size, vision.deepstack_visual_indexes = {0};
  }

  std::vector<float> logits(Backend& backend, PackedSink* sink, int64_t tokens, const ForwardTrace* trace = nullptr) {
    std::vector<std::pair<std::string, Shape>> tensors;
    for (const auto& spec : expected_tensors(config_)) tensors.emplace_back(spec.name, spec.shape);
    const auto store = made_weights(std::move(tensors), 1);
    Model model(WeightLoader(backend, *store, {.quantize = Quantize::kInt4, .sink = sink}), config_);
    const auto cache = model.language.make_kv_cache(1);
    const std::vector<int32_t> pages = {0};
    Batch batch;
    for (int64_t i = 0; i < tokens; ++i) batch.token_ids.push_back(static_cast<int32_t>(i * 7 % 50));
    for (int axis = 0; axis < 3; ++axis) {
      for (int64_t i = 0; i < tokens; ++i) batch.positions.push_back(static_cast<int32_t>(i));
    }
    batch.sequences = {{.row_begin = 0, .rows = tokens, .past = 0, .pages = pages}};
    batch.logit_rows = {0, tokens - 1};
    const auto out = model.language.forward(batch, *cache, {}, trace);
    return {out.begin(), out.end()};
  }

  ModelConfig config_;
  std::unique_ptr<Backend> backend_;
};

TEST_P(CalibrationTest, RecordsTheInputsOfInt4Matrices) {
  constexpr int64_t kTokens = 9;
  const std::string layer = "model.language_model.layers.0.";
  Calibration calibration;
  RecordingBackend recording(*backend_, calibration);
  std::vector<float> embeds;
  ForwardTrace trace;
  trace.embeds = [&](const float* x) { embeds.assign(x, x + kTokens * config_.text.hidden_size); };
  const auto seen = logits(recording, &recording, kTokens, &trace);
  EXPECT_EQ(seen, logits(*backend_, nullptr, kTokens));  // looking on changes nothing

  for (const char* name : {"self_attn.q_proj.weight", "self_attn.o_proj.weight"}) ASSERT_NE(calibration.find(layer + name), nullptr) << name;
  for (const char* name : {"mlp.gate_proj.weight", "mlp.down_proj.weight"}) EXPECT_EQ(calibration.find(layer + name) == nullptr, GetParam()) << name;
  for (const char* name : {"self_attn.v_proj.weight", "self_attn.k_proj.weight", "mlp.gate.weight", "mlp.experts.0.down", "mlp.experts.0.gate_up"}) {
    EXPECT_EQ(calibration.find(layer + name), nullptr) << name;
  }
  EXPECT_EQ(calibration.find("model.language_model.embed_tokens.weight"), nullptr);

  // Queries and keys of the first layer see the normed embeddings; made norm weights come from the same store.
  const int64_t h = config_.text.hidden_size;
  const auto store = made_weights({{layer + "input_layernorm.weight", {h}}}, 1);
  const auto weight = store->take_floats(layer + "input_layernorm.weight", {h});
  std::vector<float> normed(embeds.size());
  backend_->ops().rms_norm(embeds.data(), kTokens, h, weight.data(), static_cast<float>(config_.text.rms_norm_eps), normed.data());
  const InputMoments& moments = *calibration.find(layer + "self_attn.q_proj.weight");
  ASSERT_EQ(moments.inputs(), h);
  double total = 0;
  for (int64_t i = 0; i < h; ++i) {
    for (int64_t j = 0; j < h; ++j) {
      double sum = 0;
      for (int64_t r = 0; r < kTokens; ++r) sum += double{normed[at(r * h + i)]} * normed[at(r * h + j)];
      ASSERT_NEAR(moments.sum(0, i, j), sum, 1e-4 + 1e-4 * std::abs(sum)) << i << ", " << j;
      total += std::abs(sum);
    }
  }
  EXPECT_GT(total, 1);
  EXPECT_GE(calibration.bytes(), static_cast<size_t>(h * (h + 1) / 2) * sizeof(float));
}

INSTANTIATE_TEST_SUITE_P(All, CalibrationTest, testing::Bool(), [](const auto& test) { return test.param ? "moe" : "dense"; });

}  // namespace
}  // namespace qvl
