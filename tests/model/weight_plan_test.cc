// The table of formats by name, held against the tensors of a real model, and the loader's errors.
#include "model/weight_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "cpu/cpu_backend.h"
#include "model/known_models.h"
#include "model/weight_loader.h"
#include "weights/made_weights.h"

namespace qvl {
namespace {

TEST(WeightPlan, ParsesItsOwnNames) {
  for (const Quantize q : {Quantize::kNone, Quantize::kInt8, Quantize::kInt4})
    EXPECT_EQ(parse_quantize(quantize_name(q)), q);
  EXPECT_EQ(parse_quantize("int2"), std::nullopt);
  EXPECT_EQ(parse_quantize(""), std::nullopt);
}

TEST(WeightPlan, NoneLeavesEverythingPlain) {
  for (const auto& spec : expected_tensors(*known_model("qwen3-vl-30b-a3b"))) {
    EXPECT_EQ(weight_format(Quantize::kNone, spec.name), WeightFormat::kPlain) << spec.name;
  }
}

// Every matrix of the text model is quantised but the routers; every layer's in four bits, embedding and head in eight.
TEST(WeightPlan, QuantisesEveryMatrixOfTheText) {
  for (const char* model : {"qwen3-vl-4b", "qwen3-vl-32b", "qwen3-vl-30b-a3b"}) {
    for (const auto& spec : expected_tensors(*known_model(model))) {
      if (spec.shape.size() < 2 || spec.name.starts_with("model.visual.")) continue;
      const bool router = spec.name.ends_with(".mlp.gate.weight"),
                 layer = spec.name.find(".layers.") != std::string::npos, value = spec.name.ends_with(".v_proj.weight");
      EXPECT_EQ(weight_format(Quantize::kInt8, spec.name), router  ? WeightFormat::kPlain
                                                           : layer ? WeightFormat::kInt8
                                                                   : WeightFormat::kInt8Halves)
          << spec.name;
      EXPECT_EQ(weight_format(Quantize::kInt4, spec.name), router   ? WeightFormat::kPlain
                                                           : value  ? WeightFormat::kInt8
                                                           : layer  ? WeightFormat::kInt4
                                                                    : WeightFormat::kInt8Halves)
          << spec.name;
    }
  }
}

TEST(WeightPlan, ItsTextTellsSettingsApart) {
  EXPECT_NE(plan_text(Quantize::kInt4), plan_text(Quantize::kInt8));
  EXPECT_NE(plan_text(Quantize::kNone), plan_text(Quantize::kInt8));
}

// Values that are made straight in the packed format multiply like weights of deviation 0.02.
TEST(WeightLoader, MadeMatricesAreOfSaneSize) {
  const auto backend = make_cpu_backend({.threads = 2, .precision = Precision::kBFloat16, .instruction_set = ""});
  const std::string name = "model.language_model.layers.0.mlp.down_proj.weight";
  for (const Quantize quantize : {Quantize::kInt8, Quantize::kInt4}) {
    const auto store = made_weights({{name, {512, 1024}}}, 1);
    WeightLoader loader(*backend, *store, {.quantize = quantize});
    const auto linear = loader.linear(name, 512, 1024);
    EXPECT_TRUE(store->not_taken().empty());
    const std::vector<float> x(1024, 1.0f);
    std::vector<float> y(512);
    backend->ops().linear(*linear, x.data(), 1, y.data());
    double squares = 0;
    for (const float v : y) squares += double{v} * v;
    EXPECT_NEAR(std::sqrt(squares / 512), 0.02 * 32, 0.08) << quantize_name(quantize);  // 0.02 sqrt(1024)
    EXPECT_NE(y[0], y[16]);                                                             // panels differ
  }
}

TEST(WeightLoader, ErrorsNameTheTensor) {
  const auto backend = make_cpu_backend({.threads = 1, .precision = Precision::kBFloat16, .instruction_set = ""});
  class Broken final : public WeightStore {
   public:
    Broken() { values_[7] = NAN; }
    std::vector<std::string> names() const override { return {"lm_head.weight"}; }
    bool has(const std::string& name) const override { return name == "lm_head.weight"; }
    ConstTensorView view(const std::string&) override {
      return {reinterpret_cast<const std::byte*>(values_.data()), DType::kF32, {2, 16}};
    }
    void release(const std::string&) override {}

   private:
    std::vector<float> values_ = std::vector<float>(32, 1.0f);
  };
  Broken store;
  WeightLoader loader(*backend, store, {.quantize = Quantize::kInt4});
  try {
    loader.linear("lm_head.weight", 2, 16);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code, "model_not_finite");
    EXPECT_THAT(e.what(), testing::HasSubstr("lm_head.weight"));
  }
  Broken again;
  WeightLoader plain(*backend, again);
  EXPECT_NO_THROW(plain.linear("lm_head.weight", 2, 16));  // unquantised, NaN is the request's trouble
}

}  // namespace
}  // namespace qvl
