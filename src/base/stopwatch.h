// Seconds, for measurements. Thread-safe.
#pragma once

#include <algorithm>
#include <chrono>

namespace qvl {

inline double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Runs once to warm up, then as often as fits into budget_s; the shortest time: a shared machine only ever makes a run slower.
template <typename F>
double best_seconds(double budget_s, const F& run) {
  run();
  double best = 1e9;
  for (const double end = now_s() + budget_s; now_s() < end;) {
    const double start = now_s();
    run();
    best = std::min(best, now_s() - start);
  }
  return best;
}

}  // namespace qvl
