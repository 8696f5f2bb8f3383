// The memory plan: sizes as words, weights as they really come, settings made smaller in order, and what cannot fit
// refused.
#include "app/memory_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/weight_loading.h"
#include "base/error.h"
#include "cpu/cpu_backend.h"
#include "model/known_models.h"
#include "model/memory_needs.h"
#include "weights/made_weights.h"

namespace qvl {
namespace {

constexpr size_t kMiB = 1 << 20, kGiB = 1 << 30;

std::unique_ptr<Backend> cpu() {
  return make_cpu_backend({.threads = 1, .precision = Precision::kBFloat16, .instruction_set = ""});
}

TEST(MemoryPlan, Sizes) {
  EXPECT_EQ(parse_size("8G"), 8 * kGiB);
  EXPECT_EQ(parse_size("900M"), 900 * kMiB);
  EXPECT_EQ(parse_size("1.5g"), 3 * kGiB / 2);
  EXPECT_EQ(parse_size("2048k"), 2 * kMiB);
  EXPECT_EQ(parse_size("2000000000"), 2000000000u);
  for (const char* bad : {"", "G", "10X", "8GB", "-1G", "+1G", " 8G", "8 G", "1e9G", "nan", "inf", "0x10M", "512", "0",
                          "0G", "99999999999G", "1,5G"}) {
    EXPECT_EQ(parse_size(bad), std::nullopt) << bad;
  }
}

// What is planned before a tensor is read is what packing gives.
TEST(MemoryPlan, WeightsAreForeseen) {
  for (const char* name : {"tiny-untied", "tiny-moe"}) {
    const auto folder = std::filesystem::path(QVL_SOURCE_DIR) / "tests/data/golden/checkpoints" / name;
    const auto config = load_model_config(folder);
    for (const Quantize quantize : {Quantize::kNone, Quantize::kInt8, Quantize::kInt4}) {
      const auto backend = cpu();
      const auto store = open_safetensors(folder);
      const DType stored = store->info("model.language_model.embed_tokens.weight").dtype;
      WeightLoader loader(*backend, *store, {.quantize = quantize});
      const Model model(loader, config);
      size_t vectors = 0;
      for (const auto& spec : expected_tensors(config)) {
        if (spec.shape.size() < 2 || spec.name.find("pos_embed") != std::string::npos) {
          size_t elements = 1;
          for (const int64_t d : spec.shape) elements *= static_cast<size_t>(d);
          vectors += elements * sizeof(float);
        }
      }
      const auto packed = static_cast<double>(weight_bytes(model) + vectors);
      EXPECT_NEAR(static_cast<double>(weight_needs(config, *backend, quantize, stored)), packed, 0.02 * packed)
          << name << " " << quantize_name(quantize);
    }
  }
}

TEST(MemoryPlan, TrueSizes) {
  const auto backend = cpu();
  const auto needs = [&](const char* name, Quantize quantize) {
    return static_cast<double>(weight_needs(*known_model(name), *backend, quantize, DType::kBF16)) / 1e9;
  };
  EXPECT_NEAR(needs("qwen3-vl-2b", Quantize::kNone), 4.26, 0.1);  // 2.13 G parameters
  EXPECT_NEAR(needs("qwen3-vl-4b", Quantize::kInt4), 2.8, 0.15);
  EXPECT_LT(needs("qwen3-vl-30b-a3b", Quantize::kInt4), 18.0);
}

class FitTest : public testing::Test {
 protected:
  MemorySettings fit(size_t limit) {
    testing::internal::CaptureStdout();
    const auto release = [this](int*) { log_ = testing::internal::GetCapturedStdout(); };
    int unused = 0;
    const std::unique_ptr<int, decltype(release)> at_end(&unused, release);
    return fit_memory(config_, processor_, *backend_, settings_, kWeights, kProgram, limit);
  }
  size_t total(const MemorySettings& s) {
    return plan_memory(config_, processor_, *backend_, s, kWeights, kProgram).total();
  }

  static constexpr size_t kWeights = 1500 * kMiB, kProgram = 100 * kMiB;
  const ModelConfig config_ = *known_model("qwen3-vl-2b");
  const std::unique_ptr<Backend> backend_ = cpu();
  const ProcessorConfig processor_;
  const MemorySettings settings_ = {.context_tokens = 32768, .max_pixels = 16777216};
  std::string log_;
};

TEST_F(FitTest, NothingChangesWhereAllFits) {
  const MemorySettings found = fit(total(settings_));
  EXPECT_EQ(found.context_tokens, settings_.context_tokens);
  EXPECT_EQ(found.max_pixels, settings_.max_pixels);
  EXPECT_EQ(found.image_cache_bytes, settings_.image_cache_bytes);
  EXPECT_EQ(log_, "");
}

TEST_F(FitTest, TheImageCacheFirst) {
  const size_t limit = total(settings_) - 100 * kMiB;
  const MemorySettings found = fit(limit);
  EXPECT_EQ(found.context_tokens, settings_.context_tokens);
  EXPECT_EQ(found.max_pixels, settings_.max_pixels);
  EXPECT_EQ(found.image_cache_bytes, settings_.image_cache_bytes - 100 * kMiB);
  EXPECT_THAT(log_, testing::HasSubstr("image cache"));
  EXPECT_THAT(log_, testing::Not(testing::HasSubstr("context gets")));
}

// Room for several requests at once goes before the pictures' size, and never below one whole context.
TEST_F(FitTest, ThenRoomForOthers) {
  MemorySettings many = settings_;
  many.kv_tokens = 4 * settings_.context_tokens;
  EXPECT_GT(total(many), total(settings_) + 2 * kGiB);
  const auto fit_many = [&](size_t limit) {
    const MemorySettings found = fit_memory(config_, processor_, *backend_, many, kWeights, kProgram, limit);
    EXPECT_LE(total(found), limit);
    return found;
  };
  MemorySettings found = fit_many(total(many) - kGiB);
  EXPECT_LT(found.kv_tokens, many.kv_tokens);
  EXPECT_GT(found.kv_tokens, many.context_tokens);
  EXPECT_EQ(found.max_pixels, settings_.max_pixels);
  found = fit_many(total(settings_) - 2 * kGiB);
  EXPECT_EQ(found.kv_tokens, settings_.context_tokens);
  EXPECT_LT(found.max_pixels, settings_.max_pixels);
  found = fit_many(total(settings_) - 5 * kGiB);
  EXPECT_EQ(found.kv_tokens, found.context_tokens);
}

TEST_F(FitTest, ThenPicturesThenTheContext) {
  const MemorySettings pictures = fit(total(settings_) - 2 * kGiB);
  EXPECT_LT(pictures.max_pixels, settings_.max_pixels);
  EXPECT_EQ(pictures.context_tokens, settings_.context_tokens);
  const MemorySettings context = fit(total(settings_) - 5 * kGiB);
  EXPECT_LT(context.context_tokens, settings_.context_tokens);
  EXPECT_GE(context.context_tokens, 4096);
  EXPECT_THAT(log_, testing::AllOf(testing::HasSubstr("image cache"), testing::HasSubstr("pictures"),
                                   testing::HasSubstr("context gets")));
}

// Every limit is kept, or refused.
TEST_F(FitTest, TheLimitHolds) {
  bool refused = false;
  for (size_t limit = total(settings_); limit > kWeights; limit -= 97 * kMiB) {
    try {
      EXPECT_LE(total(fit(limit)), limit);
      EXPECT_FALSE(refused) << "a smaller limit was met after a larger was not";
    } catch (const Error& e) {
      refused = true;
      EXPECT_EQ(e.kind, ErrorKind::kMemory);
      EXPECT_EQ(e.code, "memory_budget");
      EXPECT_THAT(e.what(), testing::AllOf(testing::HasSubstr("at least"), testing::HasSubstr("--quantize")));
    }
  }
  EXPECT_TRUE(refused);
}

TEST_F(FitTest, TheSmallestPlanIsMuchSmaller) {
  const MemorySettings smallest = smallest_settings(settings_);
  EXPECT_EQ(smallest.kv_format, KvFormat::kInt8);
  EXPECT_LT(total(smallest), total(settings_) - 4 * kGiB);
}

}  // namespace
}  // namespace qvl
