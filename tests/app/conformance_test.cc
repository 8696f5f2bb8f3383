// The conformance program on the reference data that the sources bring, on the full folder where it stands, and on damaged
// copies: it must be able to say no.
#include "app/conformance.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "tests/weights/test_files.h"

namespace qvl {
namespace {
namespace fs = std::filesystem;

fs::path compact() { return fs::path(QVL_SOURCE_DIR) / "tests/data/golden"; }

int conformance(const fs::path& folder, Precision precision, const std::string& only = "", size_t max_cases = 0) {
  ConformanceOptions options;
  options.folder = folder;
  options.load.precision = precision;
  options.only = only;
  options.max_cases = max_cases;
  return run_conformance(options);
}

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const fs::path& file, const std::string& bytes) { std::ofstream(file, std::ios::binary) << bytes; }

void replace_first(std::string& text, const std::string& what, const std::string& by) {
  const size_t at = text.find(what);
  ASSERT_NE(at, std::string::npos) << what;
  text.replace(at, what.size(), by);
}

TEST(Conformance, TheCompactDataInFloat32) { EXPECT_EQ(conformance(compact(), Precision::kFloat32), 0); }
TEST(Conformance, TheCompactDataInBFloat16) { EXPECT_EQ(conformance(compact(), Precision::kBFloat16), 0); }

TEST(Conformance, TheFullDataInFloat32) {
  if (golden_folder().empty()) GTEST_SKIP() << "the full reference data is not here";
  EXPECT_EQ(conformance(golden_folder(), Precision::kFloat32), 0);
}

TEST(Conformance, AFolderThatIsNoneIsAnError) {
  EXPECT_THROW(conformance(compact() / "README.md", Precision::kFloat32), Error);
  EXPECT_THROW(conformance(compact() / "absent", Precision::kFloat32), Error);
}

// Two cases of a small checkpoint, with something changed.
class DamagedConformance : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(folder_.path / "cases/tiny-untied");
    fs::create_directories(folder_.path / "checkpoints");
    fs::create_directories(folder_.path / "sampling");
    fs::create_directories(folder_.path / "positions");
    fs::copy(compact() / "checkpoints/tiny-untied", folder_.path / "checkpoints/tiny-untied");
    fs::copy(compact() / "media", folder_.path / "media", fs::copy_options::recursive);
    for (const char* file : {"cases/tiny-untied/img_tiny_png.json", "cases/tiny-untied/img_tiny_png.safetensors",
                             "cases/tiny-untied/text_short.json", "cases/tiny-untied/text_short.safetensors", "sampling/vectors.jsonl", "positions/rope_index.jsonl", "positions/vision_grid.safetensors"}) {
      fs::copy(compact() / file, folder_.path / file);
    }
  }

  int check(Precision precision = Precision::kFloat32) { return conformance(folder_.path, precision); }
  fs::path in(const std::string& name) const { return folder_.path / name; }
  fs::path expected_tensors() const { return in("cases/tiny-untied/img_tiny_png.safetensors"); }
  fs::path expected_json() const { return in("cases/tiny-untied/img_tiny_png.json"); }

  // Adds to value `index` of a float32 tensor of a safetensors file.
  static void shift(const fs::path& file, const std::string& tensor, size_t index, float by) {
    std::string bytes = read(file);
    uint64_t header = 0;
    std::memcpy(&header, bytes.data(), 8);
    const Json json = Json::parse(bytes.substr(8, header));
    const size_t at = 8 + header + json.at(tensor).at("data_offsets").at(0).get<size_t>() + index * sizeof(float);
    float value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    value += by;
    std::memcpy(bytes.data() + at, &value, sizeof value);
    write(file, bytes);
  }

  TempFolder folder_;
};

TEST_F(DamagedConformance, TheUndamagedCopyPasses) {
  EXPECT_EQ(check(), 0);
  EXPECT_EQ(check(Precision::kBFloat16), 0);
}

TEST_F(DamagedConformance, AnyTensorThatIsOffFails) {
  const std::pair<const char*, const char*> tensors[] = {
      {"img_tiny_png", "last_logits"}, {"img_tiny_png", "image_embeds"}, {"img_tiny_png", "image_deepstack.1"},
      {"text_short", "embeds"}, {"text_short", "hidden.2"}, {"text_short", "final_norm"}};
  for (const auto& [name, tensor] : tensors) {
    const fs::path file = in("cases/tiny-untied") / (std::string(name) + ".safetensors");
    const std::string whole = read(file);
    shift(file, tensor, 17, 2e-3f);
    EXPECT_EQ(check(), 1) << tensor;
    shift(file, tensor, 17, std::numeric_limits<float>::quiet_NaN());
    EXPECT_EQ(check(), 1) << tensor;
    write(file, whole);
  }
  EXPECT_EQ(check(), 0);
}

TEST_F(DamagedConformance, AWrongTokenIdFails) {
  for (const char* list : {"input_ids", "ids"}) {
    const std::string whole = read(expected_json());
    Json json = Json::parse(whole);
    Json& ids = std::string(list) == "ids" ? json["greedy"]["ids"] : json["input_ids"];
    ids[2] = ids[2].get<int>() + 1;
    write(expected_json(), json.dump());
    EXPECT_EQ(check(), 1) << list;
    write(expected_json(), whole);
  }
}

TEST_F(DamagedConformance, OtherPixelsOrAnotherPromptFail) {
  const std::string whole = read(expected_json());
  for (const char* field : {"resized_u8_sha256", "pixel_values_sha256", "prompt", "rope_delta"}) {
    Json json = Json::parse(whole);
    if (std::string(field) == "prompt") {
      json["prompt"] = json["prompt"].get<std::string>() + " ";
    } else if (std::string(field) == "rope_delta") {
      json["rope_delta"] = json["rope_delta"].get<int>() - 1;
    } else {
      json["vision"][0][field] = std::string(64, '0');
    }
    write(expected_json(), json.dump());
    EXPECT_EQ(check(), 1) << field;
  }
}

TEST_F(DamagedConformance, AWrongTableFails) {
  std::string text = read(in("sampling/vectors.jsonl"));
  replace_first(text, "\"kept\":", "\"kept\":1");
  write(in("sampling/vectors.jsonl"), text);
  EXPECT_EQ(conformance(folder_.path, Precision::kFloat32, "sampling"), 1);
  text = read(in("positions/rope_index.jsonl"));
  replace_first(text, "\"rope_delta\":-", "\"rope_delta\":-1");
  write(in("positions/rope_index.jsonl"), text);
  EXPECT_EQ(conformance(folder_.path, Precision::kFloat32, "positions"), 1);
  shift(in("positions/vision_grid.safetensors"), "side16.t1h4w6.weights", 3, 0.01f);
  EXPECT_EQ(conformance(folder_.path, Precision::kFloat32, "vision-grid"), 1);
}

TEST_F(DamagedConformance, ABrokenFileFailsItsFamilyAndSaysSo) {
  write(expected_tensors(), read(expected_tensors()).substr(0, 1000));
  EXPECT_EQ(check(), 1);
  fs::remove(expected_tensors());
  EXPECT_EQ(check(), 1);
  fs::remove(expected_json());
  write(in("checkpoints/tiny-untied/config.json"), "{}");
  EXPECT_EQ(check(), 1);
}

}  // namespace
}  // namespace qvl
