// What was answered under one model's name, whichever protocol asked: every DeltaStream counts itself here when it ends.
// Thread-safe.
#pragma once

#include <array>
#include <string>

#include "base/metrics.h"

namespace qvl {

struct AnswerOutcome;

class ModelMetrics {
 public:
  enum class End { kStop, kLength, kAbort, kError };
  static constexpr std::array<const char*, 4> kEndNames = {"stop", "length", "abort", "error"};

  explicit ModelMetrics(std::string name) : model(std::move(name)) {}

  // seconds: from submit to the end.
  void ended(const AnswerOutcome& outcome, double seconds);
  // The client left before the end; outcome says what was known until then.
  void abandoned(const AnswerOutcome& outcome);

  const std::string model;
  std::array<Counter, kEndNames.size()> ends;
  Counter prompt_tokens, cached_tokens, generation_tokens, image_tokens, guessed_tokens, accepted_tokens;
  // Seconds and tokens; the bounds are vLLM's, so that its dashboards work.
  Histogram ttft{0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5,  0.75,
                 1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560};
  Histogram token_gap{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3,
                      0.4,   0.5,    0.75,  1,    2.5,   5,    7.5,   10,  20,   40,  80};
  Histogram latency{0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
  Histogram queue{0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
  Histogram prefill{0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
  Histogram decode{0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
  Histogram vision{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 5, 7.5, 10, 15, 20, 30, 60, 120};
  Histogram request_prompt_tokens{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000};
  Histogram request_generation_tokens{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000};

 private:
  void count_tokens(const AnswerOutcome& outcome);
};

}  // namespace qvl
