// qwen3vl bench: what it counts against formulas written out, what it reads, and its output on the demo model.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "app/bench_memory.h"
#include "app/bench_sequences.h"
#include "app/bench_tests.h"
#include "app/bench_work.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "cpu/roofs.h"
#include "model/known_models.h"
#include "tests/model/tiny_checkpoint.h"

namespace qvl {
namespace {

// ---- arithmetic

TEST(BenchWork, CountsTheMatricesOfADenseModel) {
  const ModelWork work = model_work(*known_model("qwen3-vl-2b"));
  const double h = 2048, q = 2048, kv = 1024, inner = 6144, vocab = 151936;
  EXPECT_DOUBLE_EQ(work.token, 28 * (h * (q + 2 * kv) + q * h + 3 * h * inner));
  EXPECT_DOUBLE_EQ(work.head, vocab * h);  // tied: the embedding is the head
  EXPECT_DOUBLE_EQ(work.text_weights, work.token + work.head);
  EXPECT_DOUBLE_EQ(work.attended, 2 * 28 * q);
  const double d = 1024, wide = 4 * d, block = 4 * d * d + 2 * d * 4096, merger = wide * wide + wide * h;
  EXPECT_DOUBLE_EQ(work.patch, 1536 * d + 24 * block + 4 * merger / 4);  // the merger and three of DeepStack, one row of four
  EXPECT_DOUBLE_EQ(work.attended_patch, 2 * 24 * d);
}

TEST(BenchWork, CountsTheChosenExpertsOnly) {
  const ModelWork work = model_work(*known_model("qwen3-vl-30b-a3b"));
  const double h = 2048, q = 4096, kv = 512, expert = 3 * h * 768, router = 128 * h, vocab = 151936;
  const double attention = h * (q + 2 * kv) + q * h;
  EXPECT_DOUBLE_EQ(work.token, 48 * (attention + router + 8 * expert));
  EXPECT_DOUBLE_EQ(work.head, vocab * h);
  EXPECT_DOUBLE_EQ(work.text_weights, 48 * (attention + router + 128 * expert) + 2 * vocab * h);  // untied
}

TEST(BenchWork, APromptInPiecesIsTheSameWork) {
  const ModelWork work = model_work(*known_model("qwen3-vl-4b"));
  EXPECT_DOUBLE_EQ(text_macs(work, 0, 700, 1), text_macs(work, 0, 512, 0) + text_macs(work, 512, 188, 1));
  EXPECT_DOUBLE_EQ(text_macs(work, 41, 1, 1), work.token + work.head + 42 * work.attended);
}

TEST(BenchWork, FramesOfAVideoDoNotSeeEachOther) {
  const ModelWork work = model_work(*known_model("qwen3-vl-2b"));
  EXPECT_DOUBLE_EQ(vision_macs(work, {3, 8, 6}), 3 * vision_macs(work, {1, 8, 6}));
  EXPECT_DOUBLE_EQ(vision_macs(work, {1, 8, 6}), 48 * work.patch + 48.0 * 48 * work.attended_patch);
}

// ---- flags

TEST(BenchPlan, ReadsLists) {
  BenchFlags flags;
  flags.prompts = "7,512,1048576";
  flags.images = "1024x768,32x8192";
  flags.tests = "ttft,decode";
  const BenchPlan plan(flags);
  EXPECT_EQ(plan.prompts, (std::vector<int64_t>{7, 512, 1048576}));
  ASSERT_EQ(plan.pictures.size(), 2u);
  EXPECT_EQ(plan.pictures[1].width, 32);
  EXPECT_EQ(plan.pictures[1].height, 8192);
  EXPECT_TRUE(plan.wants("decode") && plan.wants("ttft"));
  EXPECT_FALSE(plan.wants("prefill") || plan.wants("image"));
}

TEST(BenchPlan, RefusesWhatIsNoList) {
  const std::vector<std::pair<std::string BenchFlags::*, std::vector<std::string>>> bad = {
      {&BenchFlags::prompts, {"", "0", "-1", "5,", ",5", "5 6", "1e3", "99999999999999999999", "5,x"}},
      {&BenchFlags::generated, {"0", "1048577"}},
      {&BenchFlags::batches, {"0", "257"}},
      {&BenchFlags::depths, {"-1", "1048577"}},
      {&BenchFlags::images, {"", "x", "1024", "1024x", "x768", "31x64", "64x8193", "64x64x64", "64x64,", "64*64"}},
      {&BenchFlags::tests, {"", "decode,", "Decode", "decode prefill"}},
  };
  for (const auto& [field, values] : bad) {
    for (const auto& value : values) {
      BenchFlags flags;
      flags.*field = value;
      try {
        const BenchPlan plan(flags);
        ADD_FAILURE() << "accepted \"" << value << "\"";
      } catch (const Error& e) {
        EXPECT_EQ(e.code, "bad_flag") << value;
      }
    }
  }
}

// ---- sequences

struct Sequences : ::testing::Test {
  // Bytes of keys and values of one token.
  static double kv(const TinyCheckpoint& tiny) {
    return static_cast<double>(tiny.model->language.kv_page_bytes()) / KvCache::kPageTokens;
  }
};

TEST_F(Sequences, CountsWhatAPassReads) {
  auto tiny = load_tiny("tiny-untied");
  const WeightBytes weights = tiny.model->language.weight_bytes();
  EXPECT_GT(weights.total, weights.every_pass);  // untied: the embedding is looked up, not read
  EXPECT_EQ(weights.expert, 0u);
  const auto pass = static_cast<double>(weights.every_pass);
  BenchSequences one(*tiny.backend, *tiny.model, 1, 60, 16);
  one.prefill(37);  // 16 + 16 + 5
  EXPECT_EQ(one.length(), 37);
  EXPECT_DOUBLE_EQ(one.take_bytes(), 3 * pass + (16 + 32 + 37) * kv(tiny));
  one.decode_step();
  EXPECT_DOUBLE_EQ(one.take_bytes(), pass + 38 * kv(tiny));
  one.rewind(5);
  one.decode_step();
  EXPECT_DOUBLE_EQ(one.take_bytes(), pass + 6 * kv(tiny));

  BenchSequences three(*tiny.backend, *tiny.model, 3, 40, 16);
  three.fill(35);
  EXPECT_EQ(three.length(), 35);
  three.decode_step();  // the weights once for all, the cache of each
  EXPECT_DOUBLE_EQ(three.take_bytes(), pass + 3 * 36 * kv(tiny));
}

TEST_F(Sequences, CountsTheExpertsThatWereChosen) {
  auto tiny = load_tiny("tiny-moe");
  const MoeConfig& moe = *tiny.model->config.text.moe;
  const WeightBytes weights = tiny.model->language.weight_bytes();
  int layers = 0;
  for (int i = 0; i < tiny.model->config.text.num_hidden_layers; ++i) layers += tiny.model->config.text.layer_is_moe(i);
  ASSERT_GT(layers, 0);
  BenchSequences one(*tiny.backend, *tiny.model, 1, 100, 64);
  one.decode_step();  // one row: exactly per_token experts in a layer
  const auto fixed = static_cast<double>(weights.every_pass);
  const auto expert = static_cast<double>(weights.expert);
  EXPECT_DOUBLE_EQ(one.take_bytes(), fixed + kv(tiny) + layers * moe.num_experts_per_tok * expert);
  one.prefill(64);
  const double bytes = one.take_bytes() - fixed - 65 * kv(tiny);
  EXPECT_GT(bytes, layers * moe.num_experts_per_tok * expert);
  EXPECT_LE(bytes, layers * moe.num_experts * expert);
}

TEST_F(Sequences, ACacheThatCannotFitIsAnError) {
  auto tiny = load_tiny("tiny-untied");
  try {
    BenchSequences(*tiny.backend, *tiny.model, 4096, int64_t{1} << 20, 16);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code, "memory_budget");
  }
}

// ---- roofs and the report

TEST(Roofs, TheBetterOfTwoMeasurementsAndTheBestOfAKind) {
  const std::vector<Roof> first = {{RoofKind::kRead, "r", 5}, {RoofKind::kInt8, "a", 7}, {RoofKind::kInt8, "b", 9}};
  const std::vector<Roof> second = {{RoofKind::kRead, "r", 4}, {RoofKind::kInt8, "a", 11}, {RoofKind::kFloat, "b", 99}};
  const auto better = better_roofs(first, second);
  ASSERT_EQ(better.size(), 3u);
  EXPECT_EQ(better[0].rate, 5);
  EXPECT_EQ(better[1].rate, 11);
  EXPECT_EQ(better[2].rate, 9);  // another kind of the same name is another roof
  EXPECT_EQ(best_rate(better, RoofKind::kInt8), 11);
  EXPECT_EQ(best_rate(better, RoofKind::kFloat), 0);
}

TEST(BenchMemory, ThePeakFollowsWhatIsUsed) {
  if (!reset_peak_resident_bytes()) GTEST_SKIP() << "the system does not let a process reset its peak";
  const double before = peak_resident_bytes();
  constexpr size_t kBytes = size_t{64} << 20;
  {
    std::vector<char> block(kBytes, 1);
    EXPECT_GT(resident_bytes(), before + 0.9 * kBytes) << static_cast<int>(block[kBytes / 2]);
  }
  EXPECT_GT(peak_resident_bytes(), before + 0.9 * kBytes);
  ASSERT_TRUE(reset_peak_resident_bytes());
  EXPECT_LT(peak_resident_bytes(), before + 0.5 * kBytes);
}

TEST(Bench, PrintsOneObjectForTheDemoModel) {
  ASSERT_EQ(setenv("QVL_MODELS", QVL_SOURCE_DIR "/models", 1), 0);
  BenchFlags flags;
  flags.prompts = "40";
  flags.generated = "3";
  flags.batches = "1,2";
  flags.depths = "0,33";
  flags.images = "64x96";
  flags.model.threads = 1;
  flags.reps = 1;
  flags.json = true;
  log_init();  // away from standard output
  ::testing::internal::CaptureStdout();
  EXPECT_EQ(run_bench(flags), 0);
  const Json out = parse_json(::testing::internal::GetCapturedStdout(), "output", ErrorKind::kInternal, "bad");
  const double read = out.at("read_roof_gbps"), peak = out.at("matrix_peak_tflops");
  EXPECT_GT(read, 0);
  EXPECT_GT(peak, 0);
  EXPECT_GT(out.at("peak_rss_mb").get<double>(), out.at("weights_mb").get<double>());
  EXPECT_LT(out.at("peak_rss_mb").get<double>(), 512);  // not the memory that measuring the roofs took
  std::map<std::string, int> count;
  for (const Json& row : out.at("rows")) {
    const std::string test = row.at("test");
    ++count[test];
    const double seconds = row.at("ms").get<double>() / 1e3;
    EXPECT_GT(seconds, 0);
    EXPECT_NEAR(row.at("tok_s").get<double>() * seconds, row.at("tokens").get<double>() * row.at("batch").get<double>(), 1e-6);
    const double share = test == "decode" ? row.at("gbps").get<double>() / read : row.at("tflops").get<double>() / peak;
    EXPECT_GT(share, 0);
    // The tower's weights may have another format, and its arithmetic another roof.
    if (test == "decode" || test == "prefill") {
      EXPECT_NEAR(row.at("roof_share").get<double>(), share, 1e-9 * share);
    }
  }
  EXPECT_EQ(count, (std::map<std::string, int>{{"decode", 4}, {"prefill", 2}, {"image", 1}, {"ttft", 1}}));
}

TEST(Bench, AnUnknownMadeModelIsABadFlag) {
  ModelFlags flags;
  flags.model = "made:qwen3-vl-3b";
  try {
    load_bench_model(flags);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code, "bad_flag");
    EXPECT_NE(std::string(e.what()).find("qwen3-vl-30b-a3b"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace qvl
