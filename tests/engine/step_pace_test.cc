#include "engine/step_pace.h"

#include <gtest/gtest.h>

namespace qvl {
namespace {

TEST(StepPace, LittleBeforeAnythingIsKnown) {
  const StepPace pace;
  EXPECT_EQ(pace.rows(pace.other_ms()), StepPace::kLeastRows);
  EXPECT_EQ(pace.other_ms(), StepPace::kStepMs);
}

TEST(StepPace, WhatAnswersLeave) {
  StepPace pace;
  pace.record(true, 0, 50);
  EXPECT_DOUBLE_EQ(pace.other_ms(), 100);
  pace.record(true, 20, 90);  // 2 ms a row
  EXPECT_EQ(pace.rows(pace.other_ms()), 50);
  EXPECT_EQ(pace.rows(1), StepPace::kLeastRows);
  StepPace slow;
  slow.record(true, 0, 400);
  EXPECT_EQ(slow.other_ms(), StepPace::kLeastMs);
}

TEST(StepPace, FollowsWhatItSees) {
  StepPace pace;
  pace.record(false, 256, 256);
  EXPECT_EQ(pace.rows(100), 100);
  for (int i = 0; i < 50; ++i) pace.record(false, 256, 512);  // a longer context
  EXPECT_EQ(pace.rows(100), 50);
  pace.record(true, 0, 50);
  pace.record(true, 0, 5000);  // a hiccup
  EXPECT_GT(pace.other_ms(), 80);
  for (int i = 0; i < 50; ++i) pace.record(true, 100, 40);  // faster than thought: never less than nothing
  EXPECT_GE(pace.rows(100), StepPace::kLeastRows);
}

}  // namespace
}  // namespace qvl
