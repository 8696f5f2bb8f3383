// Hands out the pages of a KV cache. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "base/check.h"

namespace qvl {

class BlockPool {
 public:
  explicit BlockPool(int32_t pages) : total_(pages) {
    for (int32_t i = pages; i > 0; --i) free_.push_back(i - 1);
  }

  int64_t total() const { return total_; }
  int64_t free() const { return static_cast<int64_t>(free_.size()); }

  // Appends `count` pages to `pages`, or nothing where there are not as many.
  bool take(int64_t count, std::vector<int32_t>& pages) {
    if (count > free()) return false;
    pages.insert(pages.end(), free_.end() - count, free_.end());
    free_.resize(free_.size() - static_cast<size_t>(count));
    return true;
  }

  void give_back(std::vector<int32_t>& pages) {
    free_.insert(free_.end(), pages.begin(), pages.end());
    pages.clear();
    QVL_CHECK(free() <= total_, "page returned twice");
  }

 private:
  int32_t total_;
  std::vector<int32_t> free_;
};

}  // namespace qvl
