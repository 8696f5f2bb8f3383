// How much work beside running answers fits into a step, so that nobody's next token is late. Pure policy over times; the
// engine's thread only.
#pragma once

#include <algorithm>
#include <cstdint>

namespace qvl {

class StepPace {
 public:
  static constexpr double kStepMs = 150;       // of a step with answers in it, where prompts or pictures wait besides
  static constexpr double kLeastMs = 75;       // that these get all the same, where answers alone take as long
  static constexpr double kAloneMs = 250;      // of a picture's slice where nobody answers: then only cancellation waits
  static constexpr int64_t kLeastRows = 16;    // of a prompt: fewer cost as much

  // Time of a pass: answers alone, or with prompt_rows beside them (or rows alone).
  void record(bool answers, int64_t prompt_rows, double ms) {
    if (prompt_rows == 0) {
      answers_ms_ = answers_ms_ == 0 ? ms : answers_ms_ + 0.3 * (std::min(ms, 2 * answers_ms_) - answers_ms_);
      return;
    }
    const double row_ms = std::max(0.0, ms - (answers ? answers_ms_ : 0)) / static_cast<double>(prompt_rows);
    row_ms_ = row_ms_ == 0 ? row_ms : row_ms_ + 0.3 * (row_ms - row_ms_);
  }

  // Of a step in which somebody answers, for pictures and prompts together.
  double other_ms() const { return std::max(kLeastMs, kStepMs - answers_ms_); }
  // Prompt rows that take so long; before anything was timed, the least.
  int64_t rows(double ms) const {
    return row_ms_ == 0 ? kLeastRows : std::max(kLeastRows, static_cast<int64_t>(std::min(ms / row_ms_, 1e6)));
  }

 private:
  double answers_ms_ = 0, row_ms_ = 0;
};

}  // namespace qvl
