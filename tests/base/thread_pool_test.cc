#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>
#include <string>

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

// One thread fails while the others still work with what the caller's frame holds.
TEST(ThreadPool, AnExceptionComesOutOnceAllHaveEnded) {
  for (const int threads : {1, 2, 4}) {
    ThreadPool pool(threads);
    for (int thrower = 0; thrower < threads; ++thrower) {
      std::atomic<int> ended{0};
      try {
        pool.run([&](int thread) {
          if (thread == thrower) throw std::runtime_error("thread " + std::to_string(thread));
          std::this_thread::sleep_for(std::chrono::milliseconds(5));
          ++ended;
        });
        FAIL() << "no exception";
      } catch (const std::runtime_error& e) {
        EXPECT_EQ(e.what(), "thread " + std::to_string(thrower));
      }
      EXPECT_EQ(ended, threads - 1);
      pool.run([&](int) { ++ended; });  // and works on
      EXPECT_EQ(ended, 2 * threads - 1);
    }
  }
}

}  // namespace
}  // namespace qvl
