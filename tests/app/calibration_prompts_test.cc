// What --calibrate reads: the built-in prompts, and the pictures of the model's folder; files that are not as they should be cost themselves alone.
#include "app/calibration_prompts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/weights/test_files.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class CalibrationPromptsTest : public testing::Test {
 protected:
  CalibrationPromptsTest() {
    fs::copy(fs::path(QVL_SOURCE_DIR) / "models/demo", folder(), fs::copy_options::recursive);
    fs::remove_all(folder() / "samples");
  }

  fs::path folder() const { return temp_.path / "model"; }

  // Of calibrating with FOLDER/calibration, whose pictures are those of the first screen.
  std::string log_with(const std::string& index) const {
    fs::remove_all(folder() / "calibration");
    if (!index.empty()) {
      fs::copy(fs::path(QVL_SOURCE_DIR) / "models/demo/samples", folder() / "calibration");
      std::ofstream(folder() / "calibration/index.json") << index;
    }
    testing::internal::CaptureStdout();
    LoadOptions options{.threads = 2, .quantize = Quantize::kInt4, .calibrate = true, .packed_cache = "off"};
    load_model(folder(), options);
    return testing::internal::GetCapturedStdout();
  }

  TempFolder temp_;
};

TEST_F(CalibrationPromptsTest, ReadsWhatTheFolderHas) {
  EXPECT_THAT(log_with(""), HasSubstr("of 19 prompts read"));
  const std::string picture = R"({"file": "shapes.png", "questions": {"en": ["What is it?", "Why?"], "zh": ["这是什么？"]}})";
  const std::string log = log_with("[" + picture + "," + picture + R"(, {"file": "bars.png", "questions": {"en": []}}])");
  EXPECT_THAT(log, HasSubstr("of 21 prompts read"));
  EXPECT_THAT(log, Not(HasSubstr("warn")));
}

TEST_F(CalibrationPromptsTest, LeavesOutWhatIsBroken) {
  const std::string good = R"({"file": "shapes.png", "questions": {"en": ["What is it?"]}})";
  for (const char* const bad : {R"({"file": "none.png", "questions": {}})", R"({"file": 3})", R"({"file": "index.json", "questions": {"en": ["?"]}})", "7"}) {
    const std::string log = log_with("[" + good + "," + bad + "]");
    EXPECT_THAT(log, HasSubstr("calibrating without what follows")) << bad;
    EXPECT_THAT(log, HasSubstr("of 20 prompts read")) << bad;
  }
  EXPECT_THAT(log_with("{"), HasSubstr("of 19 prompts read"));
}

}  // namespace
}  // namespace qvl
