#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
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
        const auto hit = [&](int64_t begin, int64_t end, int) {
          for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
        };
        pool.parallel_for(count, grain, hit);
        pool.parallel_ranges(count, grain, hit);
        for (const auto& h : hits) EXPECT_EQ(h, 2);
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

// Rounds of all kinds in any order, so short that workers come late to most: nobody misses a run() or enters one twice, and
// every index of the others is taken once.
TEST(ThreadPool, RoundsThatFollowEachOtherAtOnce) {
  ThreadPool pool(4);
  std::vector<int> runs(4);
  int64_t sum = 0;
  for (int i = 0; i < 3000; ++i) {
    if (i % 3 == 0) {
      pool.run([&](int thread) { ++runs[static_cast<size_t>(thread)]; });
    } else {
      std::atomic<int64_t> indices{0};
      const auto add = [&](int64_t begin, int64_t end, int) {
        for (int64_t k = begin; k < end; ++k) indices += k;
      };
      pool.parallel_for(7, 1 + i % 2, add);
      pool.parallel_ranges(30, 1 + i % 2, add);
      sum += indices;
    }
  }
  EXPECT_EQ(runs, (std::vector<int>(4, 1000)));
  EXPECT_EQ(sum, 2000 * (21 + 435));
}

// What the pieces wrote is there when a round is over, without atomics: a sanitizer sees it if not.
TEST(ThreadPool, TheCallerSeesWhatWasWritten) {
  ThreadPool pool(3);
  std::vector<int> values(500);
  for (int round = 1; round <= 400; ++round) {
    const auto add = [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(i)] += round;
    };
    pool.parallel_for(std::ssize(values), 10, add);
    pool.parallel_ranges(std::ssize(values), 10, add);
    ASSERT_EQ(std::accumulate(values.begin(), values.end(), 0), 500 * round * (round + 1));
  }
}

TEST(ThreadPool, SleepingWorkersAreWoken) {
  ThreadPool pool(3);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // far longer than they spin
    std::atomic<int> entered{0};
    pool.run([&](int) { ++entered; });
    EXPECT_EQ(entered, 3);
  }
}

// A piece that takes long keeps one thread; the others do the rest meanwhile.
TEST(ThreadPool, PiecesGoToWhoeverIsFree) {
  ThreadPool pool(2);
  pool.run([](int) {});
  std::atomic<int> done{0};
  int done_at_end_of_first = 0;
  pool.parallel_for(100, 1, [&](int64_t begin, int64_t, int) {
    if (begin == 0) {
      for (int i = 0; i < 2000 && done < 99; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      done_at_end_of_first = done;
    }
    ++done;
  });
  EXPECT_EQ(done_at_end_of_first, 99);
}

// Pieces are halves of what is left, in whole grains; a thread that is held up by one is relieved of all the others.
TEST(ThreadPool, RangesOfAThreadThatIsHeldUpAreTaken) {
  ThreadPool pool(2);
  pool.run([](int) {});
  std::atomic<int64_t> done{0};
  pool.parallel_ranges(1000, 10, [&](int64_t begin, int64_t end, int) {
    EXPECT_TRUE(begin % 10 == 0 && end % 10 == 0 && end - begin <= 250);
    if (begin == 0) {
      const int64_t others = 1000 - (end - begin);
      for (int i = 0; i < 2000 && done < others; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      EXPECT_EQ(done, others);
    }
    done += end - begin;
  });
  EXPECT_EQ(done, 1000);
}

TEST(ThreadPool, IdlePoolsComeAndGo) {
  for (int i = 0; i < 200; ++i) ThreadPool pool(1 + i % 4);
}

// Cores that are taken away while it works, from all threads of the process as taskset -a does: slower, and nothing else.
TEST(ThreadPool, CoresMayGoAndComeBack) {
  cpu_set_t all, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof all, &all), 0);
  CPU_ZERO(&one);
  for (size_t core = 0; core < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++core) {
    if (CPU_ISSET(core, &all)) CPU_SET(core, &one);
  }
  const auto allow = [](const cpu_set_t& set) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
      sched_setaffinity(std::stoi(entry.path().filename().string()), sizeof set, &set);
    }
  };
  ThreadPool pool;
  EXPECT_LE(pool.size(), CPU_COUNT(&all));
  std::atomic<int64_t> pieces{0};
  for (int round = 0; round < 3; ++round) {
    for (const auto* set : {&one, &all}) {
      allow(*set);
      for (int i = 0; i < 50; ++i) {
        pool.parallel_for(64, 1, [&](int64_t, int64_t, int) { ++pieces; });
        pool.run([&](int) {});
      }
    }
  }
  EXPECT_EQ(pieces, 3 * 2 * 50 * 64);
  allow(one);
  EXPECT_EQ(ThreadPool().size(), 1);
  allow(all);
}

}  // namespace
}  // namespace qvl
