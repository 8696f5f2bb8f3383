#include "weights/made_weights.h"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/weights/test_files.h"

namespace qvl {
namespace {

TEST(MadeWeights, LookLikeWeights) {
  const auto store = made_weights({{"a.weight", {1500, 1000}},
                                   {"a.bias", {5}},
                                   {"layers.0.input_layernorm.weight", {7}},
                                   {"self_attn.q_norm.weight", {3}},
                                   {"merger.norm.bias", {2}},
                                   {"experts.down_proj", {2, 3, 4}}},
                                  1);
  EXPECT_THAT(store->take_floats("a.bias", {5}), testing::Each(0.0f));
  EXPECT_THAT(store->take_floats("merger.norm.bias", {2}), testing::Each(0.0f));
  EXPECT_THAT(store->take_floats("layers.0.input_layernorm.weight", {7}), testing::Each(1.0f));
  EXPECT_THAT(store->take_floats("self_attn.q_norm.weight", {3}), testing::Each(1.0f));
  EXPECT_THAT(store->take_floats("experts.down_proj", {2, 3, 4}), testing::Not(testing::Contains(0.0f)));
  EXPECT_EQ(store->info("a.weight").dtype, DType::kBF16);
  const auto values = store->take_floats("a.weight", {1500, 1000});
  double sum = 0, squares = 0;
  for (const float v : values) {
    ASSERT_TRUE(std::isfinite(v));
    sum += v;
    squares += v * v;
  }
  const double n = static_cast<double>(values.size());
  EXPECT_NEAR(sum / n, 0, 2e-4);
  EXPECT_NEAR(std::sqrt(squares / n), 0.02, 2e-4);
  EXPECT_TRUE(store->not_taken().empty());
}

TEST(MadeWeights, DependOnSeedAndNameOnly) {
  const auto values = [](uint64_t seed, const std::string& name) {
    return made_weights({{"other", {9}}, {name, {2000}}}, seed)->take_floats(name, {2000});
  };
  EXPECT_EQ(values(1, "x"), values(1, "x"));
  EXPECT_NE(values(1, "x"), values(2, "x"));
  EXPECT_NE(values(1, "x"), values(1, "y"));
  const auto store = made_weights({{"x", {2000}}}, 1);
  EXPECT_EQ(store->take_floats("x", {2000}), values(1, "x"));
  EXPECT_EQ(to_float_vector(store->view("x"), "x"), values(1, "x"));  // again after the release
}

TEST(MadeWeights, NamesWhatItDoesNotHave) {
  const auto store = made_weights({{"x", {4}}}, 1);
  EXPECT_EQ(error_code_of([&] { store->view("y"); }), "model_tensor_missing");
  EXPECT_EQ(error_code_of([&] { store->take("x", {5}); }), "model_shape");
}

}  // namespace
}  // namespace qvl
