// Numbers that many threads count and one reads. Lock-free; a reader may see one of two related numbers earlier than the other.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace qvl {

class Counter {
 public:
  void add(int64_t more = 1) { value_.fetch_add(more, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

// How many observations were at most each of some bounds, and the sum of all.
class Histogram {
 public:
  // Ascending, at most kMaxBounds.
  Histogram(std::initializer_list<double> bounds) : bounds_(bounds) { bounds_.resize(std::min(bounds_.size(), kMaxBounds)); }

  void observe(double value) {
    const auto at = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
    counts_[static_cast<size_t>(at)].add();
    sum_.fetch_add(value, std::memory_order_relaxed);
  }

  const std::vector<double>& bounds() const { return bounds_; }
  // Observations at most bounds()[i], cumulative; the last entry, one more than bounds, is their number.
  std::vector<int64_t> cumulative() const {
    std::vector<int64_t> out;
    int64_t total = 0;
    for (size_t i = 0; i <= bounds_.size(); ++i) out.push_back(total += counts_[i].value());
    return out;
  }
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kMaxBounds = 26;
  std::vector<double> bounds_;
  std::array<Counter, kMaxBounds + 1> counts_;
  std::atomic<double> sum_{0};
};

}  // namespace qvl
