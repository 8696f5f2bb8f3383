// Quantised weights through the packed cache: the same bits as when they are made, from the cache only while its
// sources are what they were, and made again whatever has happened to the file.
#include "app/weight_loading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cpu/cpu_backend.h"
#include "model/packed_cache.h"
#include "ops/ref_ops.h"
#include "tests/weights/test_files.h"
#include "weights/made_weights.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;

struct Loaded {
  std::vector<float> logits;
  std::string log;
};

class WeightLoadingTest : public testing::TestWithParam<const char*> {
 protected:
  WeightLoadingTest() {
    fs::copy(fs::path(QVL_SOURCE_DIR) / "tests/data/golden/checkpoints" / GetParam(), folder(),
             fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    options_.threads = 2;
    options_.quantize = Quantize::kInt4;
    options_.packed_cache = cache().string();
  }

  fs::path folder() const { return temp_.path / "model"; }
  fs::path cache() const { return temp_.path / "cache"; }
  std::vector<fs::path> kept() const {
    std::vector<fs::path> out;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(cache(), none)) out.push_back(entry.path());
    return out;
  }

  static Batch ten_tokens() {
    static const std::vector<int32_t> kPages = {0};
    Batch batch;
    for (int i = 0; i < 10; ++i) batch.token_ids.push_back(i * 7);
    for (int axis = 0; axis < 3; ++axis) {
      for (int i = 0; i < 10; ++i) batch.positions.push_back(i);
    }
    batch.sequences = {{.row_begin = 0, .rows = 10, .past = 0, .pages = kPages}};
    batch.logit_rows = {0, 9};
    return batch;
  }

  // Loads, and runs ten tokens through the text model and sixteen patches through the vision tower.
  Loaded run() const {
    testing::internal::CaptureStdout();
    const auto config = load_model_config(folder());
    const auto store = open_safetensors(folder());
    const auto backend = make_backend(options_);
    const auto read_prompts = [&](Model& reader, const auto& progress) {
      const auto cache = reader.language.make_kv_cache(1);
      reader.language.forward(ten_tokens(), *cache);
      progress(1, 1);
      ++prompts_read_;
    };
    const auto model = load_weights(*backend, *store, config, options_, folder(), read_prompts);
    EXPECT_TRUE(store->not_taken().empty());
    const auto cache = model->language.make_kv_cache(1);
    const auto logits = model->language.forward(ten_tokens(), *cache);
    Loaded out{{logits.begin(), logits.end()}, ""};
    std::vector<float> patches(static_cast<size_t>(16 * config.vision.patch_dim()));
    for (size_t i = 0; i < patches.size(); ++i) patches[i] = static_cast<float>(i % 17) / 17 - 0.5f;
    const auto features = model->vision.forward({1, 4, 4}, patches);
    out.logits.insert(out.logits.end(), features.embeds.begin(), features.embeds.end());
    out.log = testing::internal::GetCapturedStdout();
    return out;
  }

  TempFolder temp_;
  LoadOptions options_;
  mutable int prompts_read_ = 0;  // by calibration
};

TEST_P(WeightLoadingTest, TheCacheGivesTheSameBits) {
  options_.packed_cache = "off";
  const Loaded plain = run();
  EXPECT_TRUE(kept().empty());
  options_.packed_cache = cache().string();
  const Loaded first = run(), second = run();
  EXPECT_THAT(first.log, testing::HasSubstr("kept the int4 weights"));
  EXPECT_THAT(second.log, testing::HasSubstr("of int4 weights from"));
  EXPECT_EQ(plain.logits, first.logits);
  EXPECT_EQ(first.logits, second.logits);
  EXPECT_EQ(kept().size(), 1u);
  options_.threads = 1;
  EXPECT_EQ(first.logits, run().logits);
}

// Each plan and precision has a file of its own, and none is read for another.
TEST_P(WeightLoadingTest, PlansDoNotMix) {
  const Loaded int4 = run();
  options_.quantize = Quantize::kInt8;
  const Loaded int8 = run();
  EXPECT_NE(int4.logits, int8.logits);
  options_.precision = Precision::kFloat32;
  const Loaded exact = run();
  EXPECT_THAT(exact.log, testing::HasSubstr("kept the int8 weights"));
  EXPECT_EQ(kept().size(), 3u);
  options_.precision = Precision::kBFloat16;
  EXPECT_EQ(int8.logits, run().logits);
  options_.quantize = Quantize::kNone;  // read from the checkpoint as fast as from a copy of it
  run();
  EXPECT_EQ(kept().size(), 3u);
}

// Calibrated weights have a file of their own, are read back from it without reading prompts again, and are the same on any threads.
TEST_P(WeightLoadingTest, CalibratedWeightsAreKeptApart) {
  const Loaded plain = run();
  EXPECT_EQ(prompts_read_, 0);
  options_.calibrate = true;
  const Loaded first = run();
  EXPECT_EQ(prompts_read_, 1);
  EXPECT_NE(first.logits, plain.logits);
  EXPECT_THAT(first.log, testing::AllOf(testing::HasSubstr("calibrated in"), testing::HasSubstr("kept the int4 weights")));
  EXPECT_EQ(kept().size(), 2u);
  EXPECT_EQ(run().logits, first.logits);
  EXPECT_EQ(prompts_read_, 1);
  options_.packed_cache = "off";
  options_.threads = 1;
  EXPECT_EQ(run().logits, first.logits);
  EXPECT_EQ(prompts_read_, 2);
  options_.packed_cache = cache().string();
  options_.calibrate = false;
  EXPECT_EQ(run().logits, plain.logits);
}

// Moved into each other's place, neither is taken for the other.
TEST_P(WeightLoadingTest, CalibratedFilesAreToldApartByWhatIsInThem) {
  const auto backend = make_backend(options_);
  const PackedKey plain = packed_key(cache(), folder(), *backend, Quantize::kInt4), calibrated = packed_key(cache(), folder(), *backend, Quantize::kInt4, true);
  EXPECT_NE(plain.file, calibrated.file);
  const Loaded good = run();
  fs::rename(plain.file, calibrated.file);
  options_.calibrate = true;
  const Loaded made = run();
  EXPECT_EQ(prompts_read_, 1);
  EXPECT_NE(made.logits, good.logits);
}

TEST_P(WeightLoadingTest, ADamagedFileIsMadeAgain) {
  const Loaded good = run();
  const fs::path file = kept().at(0);
  const auto size = fs::file_size(file);
  for (const size_t place : {size_t{10}, size_t{50}, size_t{5000}, size / 2, size - 3}) {
    std::fstream out(file, std::ios::in | std::ios::out | std::ios::binary);
    out.seekg(static_cast<std::streamoff>(place));
    const char byte = static_cast<char>(out.get());
    out.seekp(static_cast<std::streamoff>(place));
    out.put(static_cast<char>(byte ^ 4));
    out.close();
    const Loaded again = run();
    EXPECT_EQ(again.logits, good.logits) << place;
    EXPECT_THAT(again.log, testing::HasSubstr("quantised again")) << place;
    EXPECT_THAT(run().log, testing::HasSubstr("of int4 weights from")) << place;
  }
  fs::resize_file(file, size / 3);
  EXPECT_EQ(run().logits, good.logits);
  EXPECT_EQ(fs::file_size(file), size);
}

// Sound, of the right identity, but without what the model needs.
TEST_P(WeightLoadingTest, AnIncompleteFileIsMadeAgain) {
  const Loaded good = run();
  const auto backend = make_backend(options_);
  const PackedKey key = packed_key(cache(), folder(), *backend, options_.quantize);
  EXPECT_EQ(kept(), std::vector<fs::path>{key.file});
  PackedFileWriter writer(key.file, key.identity);
  writer.add("model.visual.patch_embed.proj.weight", 3, {1, 1}, {});
  ASSERT_TRUE(writer.finish());
  const Loaded again = run();
  EXPECT_THAT(again.log, testing::HasSubstr("quantised again"));
  EXPECT_EQ(again.logits, good.logits);
}

TEST_P(WeightLoadingTest, ChangedSourcesAreReadAgain) {
  run();
  fs::path shard;
  for (const auto& entry : fs::directory_iterator(folder())) {
    if (entry.path().extension() == ".safetensors") shard = entry.path();
  }
  fs::last_write_time(shard, fs::last_write_time(shard) + std::chrono::seconds(1));
  EXPECT_THAT(run().log, testing::HasSubstr("made of other files"));
  EXPECT_THAT(run().log, testing::HasSubstr("of int4 weights from"));
  std::ofstream(folder() / "config.json", std::ios::app) << "\n";
  EXPECT_THAT(run().log, testing::HasSubstr("quantised again"));
  EXPECT_EQ(kept().size(), 1u);
}

// Nothing that is wrong with the cache's folder keeps a model from loading.
TEST_P(WeightLoadingTest, AFolderThatCannotBeWritten) {
  std::ofstream(cache()) << "a file";
  const Loaded found = run();
  EXPECT_THAT(found.log, testing::HasSubstr("not kept for the next start"));
  EXPECT_FALSE(found.logits.empty());
}

TEST_P(WeightLoadingTest, TheReferenceBackendKeepsNothing) {
  options_.reference = true;
  EXPECT_FALSE(run().logits.empty());
  EXPECT_TRUE(kept().empty());
}

INSTANTIATE_TEST_SUITE_P(Tiny, WeightLoadingTest, testing::Values("tiny-untied", "tiny-moe"), [](const auto& param) {
  std::string name = param.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace qvl
