// How many guessed tokens are worth a place in the next pass. Pure policy over counts and times; the engine's thread only.
#pragma once

#include <array>
#include <cstdint>

namespace qvl {

// Rows that a pass may have where it holds guesses. More make no better use of the weights they share.
inline constexpr int kMostGuessRows = 16;

// What `extra` rows cost on top of a pass, learnt from the times of passes with the same rows besides.
class PassCost {
 public:
  explicit PassCost(int64_t base_rows = 1);
  // Time of a pass with `extra` rows of guesses.
  void record(int extra, double ms);
  // Relative to a pass without extra rows.
  double of(int extra) const;
  // Before a pass without extra rows was timed, nothing is known about this machine and model.
  bool known() const { return base_ms_ > 0; }

 private:
  struct Ratio {
    double weight = 0, sum = 0;
  };
  double usual_slope_, slope_;  // of the line that stands in for what was not measured
  double base_ms_ = 0;
  std::array<Ratio, kMostGuessRows> ratios_;  // by extra rows
};

// How often the guesses of one request are right, by how many tokens of context they agree with. Guesses that were not
// verified count as well: the next token shows whether the first of them was right, so that trying again costs nothing.
class GuessPolicy {
 public:
  // `context`: tokens that agree before the guessed token.
  void learn(int context, bool right);
  double chance(int context) const;  // of being right

  // The number of guesses, 0..available, with the most tokens a time: matched tokens of context stand before the first guess,
  // the pass yields other_tokens besides this request's. cost(extra): relative time of a pass.
  template <typename Cost>
  int choose(int matched, int available, double other_tokens, const Cost& cost) const {
    double expected = 1, all_right = 1, best_rate = (other_tokens + 1) * kMargin;
    int best = 0;
    for (int k = 1; k <= available; ++k) {
      all_right *= chance(matched + k - 1);
      expected += all_right;
      const double rate = (other_tokens + expected) / cost(k);
      if (rate > best_rate) best_rate = rate, best = k;
    }
    return best;
  }
  // Tokens of this request that a pass with k guesses is expected to give.
  double expected_tokens(int matched, int k) const;

 private:
  static constexpr double kMargin = 1.03;  // a gain below it is noise
  static constexpr int kClasses = 4;
  static int class_of(int context) { return context >= 8 ? 3 : context >= 4 ? 2 : context == 3 ? 1 : 0; }

  struct Count {
    double tried = 0, right = 0;
  };
  std::array<Count, kClasses> counts_;
};

}  // namespace qvl
