// A persistent pool that splits index ranges between its threads. One caller at a time (the engine's thread).
//
// A neighbour on one of the cores costs its share and little more: threads take pieces as they come free, the caller waits
// for no thread that has not begun, and waiting threads give their core up as soon as waiting stops paying.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace qvl {

class ThreadPool {
 public:
  // threads >= 1, the caller included; 0 takes the number of cores this process may use (affinity and control group).
  // Where that is all cores of the affinity mask, each worker is pinned to one.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(thread) once for every thread 0..size()-1 at the same time; returns when all are done. Where
  // bodies throw, the first exception is thrown again here, after all have ended.
  void run(const std::function<void(int thread)>& body);
  // Splits [0, count) into pieces of `grain` that threads take as they come free; body(begin, end, thread).
  void parallel_for(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t, int)>& body);
  // Splits [0, count) into one range for each thread. A thread walks through its own, half of what is left at a time and at least `grain`,
  // so that it reads one long way through memory, and then goes on with half of what another has left. body(begin, end, thread).
  // count < 2^32.
  void parallel_ranges(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t, int)>& body);

 private:
  // How long one thread spins before it sleeps: to the full as long as that bridges the gaps between two ops, hardly at all
  // while others need the core.
  class Patience {
   public:
    template <typename Done>
    bool spin_until(Done done);

   private:
    std::chrono::nanoseconds budget_{kMost};
    static constexpr std::chrono::microseconds kLeast{4}, kMost{250};
  };

  void work(int thread, int core);
  bool enter(uint32_t& last_round);
  void leave();
  void open(const std::function<void(int)>& body);
  template <typename Done>
  void wait_for_gate(Done done);
  void finish_round();
  void call(int thread) noexcept;

  // Of parallel_ranges and of one thread, what nobody took: its begin in the upper half, its end in the lower.
  struct alignas(64) Range {
    std::atomic<uint64_t> value{0};
  };
  // A piece of the thread's own range, which is filled from another's when it is empty; false where nothing is left.
  bool take(int thread, int64_t grain, int64_t& begin, int64_t& end);
  bool steal(int thread, int64_t grain);

  std::vector<Range> ranges_;  // of each thread
  std::vector<std::thread> workers_;
  const std::function<void(int)>* body_ = nullptr;  // valid while the gate is open or somebody is inside
  alignas(64) std::atomic<uint32_t> round_{0};      // what sleeping workers watch
  alignas(64) std::atomic<uint64_t> gate_{0};       // the round, whether workers may still enter it, how many did and are inside
  alignas(64) std::atomic<int64_t> next_{0};        // of parallel_for: the first index that nobody took
  std::atomic<bool> stop_{false};
  Patience patience_;  // the caller's
  std::mutex error_mutex_;  // guards error_
  std::exception_ptr error_;
};

}  // namespace qvl
