// A persistent pool that splits index ranges between its threads. One caller at a time (the engine's thread).
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace qvl {

class ThreadPool {
 public:
  // threads >= 1, the caller included; 0 takes the number of cores this process may run on.
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

 private:
  void work(int thread);
  void call(int thread) noexcept;

  std::vector<std::thread> workers_;
  const std::function<void(int)>* body_ = nullptr;  // valid while a round runs
  std::atomic<uint32_t> round_{0};
  std::atomic<int> running_{0};
  std::atomic<bool> stop_{false};
  std::mutex error_mutex_;  // guards error_
  std::exception_ptr error_;
};

}  // namespace qvl
