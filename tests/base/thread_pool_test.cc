#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <numeric>

namespace qvl {
namespace {

TEST(ThreadPool, EveryIndexOnce) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (const int64_t count : {0, 1, 2, 7, 1000}) {
      for (const int64_t grain : {1, 3, 2000}) {
        std::vector<std::atomic<int>> hits(static_cast<size_t>(count));
        pool.parallel_for(count, grain, [&](int64_t begin, int64_t end, int) {
          for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
        });
        for (const auto& h : hits) EXPECT_EQ(h, 1);
      }
    }
  }
}

TEST(ThreadPool, ManyRounds) {
  ThreadPool pool(4);
  std::atomic<int> sum{0};
  for (int i = 0; i < 2000; ++i) pool.run([&](int thread) { sum += thread; });
  EXPECT_EQ(sum, 2000 * (0 + 1 + 2 + 3));
}

}  // namespace
}  // namespace qvl
