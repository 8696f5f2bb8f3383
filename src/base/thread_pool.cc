#include "base/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>
#include <utility>

namespace qvl {
namespace {

// gate_: the round in the upper half, then the open bit, the workers that entered, and those of them still inside.
constexpr uint64_t kInside = 1, kInsideMask = 0xFFFF, kEntered = 1u << 16, kEnteredMask = 0x7FFF, kOpen = 1u << 31;
constexpr int kRoundShift = 32;

int64_t inside(uint64_t gate) { return static_cast<int64_t>(gate & kInsideMask); }
int64_t entered(uint64_t gate) { return static_cast<int64_t>(gate >> 16 & kEnteredMask); }

constexpr uint64_t range_of(int64_t begin, int64_t end) { return static_cast<uint64_t>(begin) << 32 | static_cast<uint64_t>(end); }
constexpr int64_t range_begin(uint64_t range) { return static_cast<int64_t>(range >> 32); }
constexpr int64_t range_end(uint64_t range) { return static_cast<int64_t>(range & 0xFFFFFFFF); }
constexpr int64_t left_in(uint64_t range) { return range_end(range) - range_begin(range); }
constexpr int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }
// Half of what is left, in whole grains.
constexpr int64_t half(int64_t left, int64_t grain) { return std::min(left, round_up((left + 1) / 2, grain)); }

std::vector<int> allowed_cores() {
  std::vector<int> cores;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (CPU_ISSET(i, &set)) cores.push_back(i);
    }
  }
  return cores;
}

// Processors' worth of time that a container may use; a large number where nothing limits it.
int quota_cores() {
  std::string quota;
  double period = 0;
  if (std::ifstream file("/sys/fs/cgroup/cpu.max"); file >> quota >> period && quota != "max" && period > 0) {
    return std::max(1, static_cast<int>(std::ceil(std::atof(quota.c_str()) / period)));
  }
  return 1 << 20;
}

// A thread stays where its caches are. It may be moved all the same: an administrator who takes the core away wins.
void pin_to(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(core), &set);
  pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

template <typename Done>
bool ThreadPool::Patience::spin_until(Done done) {
  if (done()) return true;
  const auto end = std::chrono::steady_clock::now() + budget_;
  do {
    for (int i = 0; i < 16; ++i) {
      if (done()) {
        budget_ = std::min<std::chrono::nanoseconds>(2 * budget_, kMost);
        return true;
      }
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  budget_ = std::max<std::chrono::nanoseconds>(budget_ / 4, kLeast);
  return done();
}

ThreadPool::ThreadPool(int threads) {
  const auto cores = allowed_cores();
  if (threads <= 0) {
    const auto all = cores.empty() ? static_cast<int>(std::thread::hardware_concurrency()) : static_cast<int>(cores.size());
    threads = std::max(1, std::min(all, quota_cores()));
  }
  ranges_ = std::vector<Range>(static_cast<size_t>(threads));
  // With cores to spare the kernel places threads better than a fixed order would, beside other programs that pin as well.
  const bool pins = std::ssize(cores) == threads;
  for (int i = 1; i < threads; ++i) {
    workers_.emplace_back([this, i, core = pins ? cores[static_cast<size_t>(i)] : -1] { work(i, core); });
  }
}

ThreadPool::~ThreadPool() {
  stop_.store(true, std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void ThreadPool::work(int thread, int core) {
  if (core >= 0) pin_to(core);
  Patience patience;
  uint32_t heard = 0, last_round = 0;
  while (true) {
    if (!patience.spin_until([&] { return round_.load(std::memory_order_acquire) != heard; })) {
      round_.wait(heard, std::memory_order_acquire);
    }
    heard = round_.load(std::memory_order_acquire);
    if (stop_.load(std::memory_order_relaxed)) return;
    if (enter(last_round)) {
      call(thread);
      leave();
    }
  }
}

// The gate names its round: who comes late finds it closed, or is in time for the next round and does not enter that twice.
bool ThreadPool::enter(uint32_t& last_round) {
  uint64_t gate = gate_.load(std::memory_order_acquire);
  while ((gate & kOpen) != 0 && static_cast<uint32_t>(gate >> kRoundShift) != last_round) {
    if (gate_.compare_exchange_weak(gate, gate + kEntered + kInside, std::memory_order_acq_rel, std::memory_order_acquire)) {
      last_round = static_cast<uint32_t>(gate >> kRoundShift);
      return true;
    }
  }
  return false;
}

void ThreadPool::leave() {
  if (inside(gate_.fetch_sub(kInside, std::memory_order_acq_rel)) == 1) gate_.notify_one();
}

void ThreadPool::call(int thread) noexcept {
  try {
    (*body_)(thread);
  } catch (...) {
    const std::lock_guard lock(error_mutex_);
    if (!error_) error_ = std::current_exception();
  }
}

void ThreadPool::open(const std::function<void(int)>& body) {
  body_ = &body;
  const uint32_t round = round_.load(std::memory_order_relaxed) + 1;
  gate_.store(uint64_t{round} << kRoundShift | kOpen, std::memory_order_release);
  // Sequentially consistent: notify_all looks for sleepers, and must not look before the store is seen by one that falls asleep.
  round_.store(round, std::memory_order_seq_cst);
  round_.notify_all();
}

template <typename Done>
void ThreadPool::wait_for_gate(Done done) {
  if (patience_.spin_until([&] { return done(gate_.load(std::memory_order_acquire)); })) return;
  for (uint64_t gate = gate_.load(std::memory_order_acquire); !done(gate); gate = gate_.load(std::memory_order_acquire)) {
    gate_.wait(gate, std::memory_order_acquire);
  }
}

// Nobody enters any more; those inside use what `body` refers to, so nothing may leave before they do.
void ThreadPool::finish_round() {
  gate_.fetch_and(~kOpen, std::memory_order_acq_rel);
  wait_for_gate([](uint64_t gate) { return inside(gate) == 0; });
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::run(const std::function<void(int)>& body) {
  if (workers_.empty()) {
    body(0);
    return;
  }
  open(body);
  call(0);
  wait_for_gate([all = std::ssize(workers_)](uint64_t gate) { return entered(gate) == all && inside(gate) == 0; });
  finish_round();
}

void ThreadPool::parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t, int)>& body) {
  if (count <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  if (count <= grain || workers_.empty()) {
    body(0, count, 0);
    return;
  }
  next_.store(0, std::memory_order_relaxed);
  const std::function<void(int)> take_pieces = [&](int thread) {
    for (int64_t begin = next_.fetch_add(grain, std::memory_order_relaxed); begin < count;
         begin = next_.fetch_add(grain, std::memory_order_relaxed)) {
      body(begin, std::min(begin + grain, count), thread);
    }
  };
  open(take_pieces);
  call(0);
  finish_round();
}

bool ThreadPool::take(int thread, int64_t grain, int64_t& begin, int64_t& end) {
  auto& range = ranges_[static_cast<size_t>(thread)].value;
  do {
    for (uint64_t had = range.load(std::memory_order_relaxed); left_in(had) > 0;) {
      begin = range_begin(had);
      end = begin + half(left_in(had), grain);
      if (range.compare_exchange_weak(had, range_of(end, range_end(had)), std::memory_order_relaxed)) return true;
    }
  } while (steal(thread, grain));
  return false;
}

// A range's value says all about it, so it does not matter whether it changed and changed back.
bool ThreadPool::steal(int thread, int64_t grain) {
  while (true) {
    Range* victim = nullptr;
    uint64_t had = 0;
    for (Range& range : ranges_) {
      const uint64_t value = range.value.load(std::memory_order_relaxed);
      if (left_in(value) > left_in(had)) victim = &range, had = value;
    }
    if (victim == nullptr) return false;
    const int64_t end = range_end(had), middle = end - half(left_in(had), grain);
    if (victim->value.compare_exchange_strong(had, range_of(range_begin(had), middle), std::memory_order_relaxed)) {
      ranges_[static_cast<size_t>(thread)].value.store(range_of(middle, end), std::memory_order_relaxed);
      return true;
    }
  }
}

void ThreadPool::parallel_ranges(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t, int)>& body) {
  if (count <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  if (count <= grain || workers_.empty()) {
    body(0, count, 0);
    return;
  }
  const auto start = [&](int64_t thread) { return std::min(count, round_up(count * thread / size(), grain)); };
  for (int thread = 0; thread < size(); ++thread) {
    ranges_[static_cast<size_t>(thread)].value.store(range_of(start(thread), start(thread + 1)), std::memory_order_relaxed);
  }
  const std::function<void(int)> take_pieces = [&](int thread) {
    for (int64_t begin = 0, end = 0; take(thread, grain, begin, end);) body(begin, end, thread);
  };
  open(take_pieces);
  call(0);
  finish_round();
}

}  // namespace qvl
