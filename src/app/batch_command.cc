// Many requests at once from a file or a folder of pictures.
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <exception>
#include <thread>

#include "app/batch_jobs.h"
#include "app/engine_factory.h"
#include "serve/answer_set.h"

namespace qvl {
namespace {

using Clock = std::chrono::steady_clock;

std::atomic<bool> interrupted{false};

void on_signal(int signal) {
  interrupted = true;
  std::signal(signal, SIG_DFL);  // the second ends the process
}

// How far the run is, on standard error: one line that changes in a terminal, else a line now and then.
class Progress {
 public:
  explicit Progress(size_t total) : total_(total), terminal_(::isatty(STDERR_FILENO) != 0) {}

  void count(bool failed, size_t skipped) {
    const std::lock_guard lock(mutex_);
    ++done_;
    failed_ += failed;
    const auto now = Clock::now();
    if (now - told_ < (terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10000))) return;
    told_ = now;
    tell(skipped, terminal_ ? "\r" : "", terminal_ ? "\033[K" : "\n");
  }
  void finish(size_t skipped) {
    const std::lock_guard lock(mutex_);
    tell(skipped, terminal_ ? "\r" : "", "\n");
  }

 private:
  void tell(size_t skipped, const char* before, const char* after) const {
    const double seconds = std::chrono::duration<double>(Clock::now() - begin_).count();
    std::string line = fmt::format("{}{} of {} done", before, skipped + done_, total_);
    if (skipped > 0) line += fmt::format(", {} by an earlier run", skipped);
    if (failed_ > 0) line += fmt::format(", {} failed", failed_);
    if (done_ > 0 && seconds > 0) {
      const double left = static_cast<double>(total_ - std::min(total_, skipped + done_)) * seconds / static_cast<double>(done_);
      line += fmt::format(", {:.1f} a second, {:.0f} s left", static_cast<double>(done_) / seconds, left);
    }
    std::fputs((line + after).c_str(), stderr);
  }

  const size_t total_;
  const bool terminal_;
  const Clock::time_point begin_ = Clock::now();
  std::mutex mutex_;  // guards the below
  size_t done_ = 0, failed_ = 0;
  Clock::time_point told_ = Clock::now();
};

// Wakes the thread that waits for answers. Their wakers share it: they may run until the answers go.
class Bell {
 public:
  void ring() {
    const std::lock_guard lock(mutex_);
    rung_ = true;
    changed_.notify_one();
  }
  void wait() {  // a while at most
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::milliseconds(100), [&] { return rung_; });
    rung_ = false;
  }

 private:
  std::mutex mutex_;  // guards rung_
  std::condition_variable changed_;
  bool rung_ = false;
};

// Waits for whole answers. nullopt: interrupted. Errors: of the first answer that failed.
std::optional<BatchAnswer> collect(AnswerSet& answers) {
  const auto bell = std::make_shared<Bell>();
  answers.set_waker([bell] { bell->ring(); });
  BatchAnswer out{std::vector<ChatDelta>(answers.size()), std::vector<AnswerOutcome>(answers.size()), {}};
  while (!answers.over()) {
    if (interrupted) return std::nullopt;
    auto next = answers.try_next();
    if (!next) {
      bell->wait();
      continue;
    }
    append(out.deltas[next->index], std::move(next->item.delta));
    if (!next->item.outcome) continue;
    if (next->item.outcome->error) throw *next->item.outcome->error;
    out.outcomes[next->index] = std::move(*next->item.outcome);
  }
  out.total = answers.total();
  return out;
}

class BatchRun {
 public:
  BatchRun(BatchJobs& jobs, BatchOutput& output, const ModelRegistry& models)
      : jobs_(jobs), output_(output), models_(models), progress_(jobs.size()) {}

  // Errors: BatchOutput::append()'s.
  void run(int at_once) {
    std::vector<std::thread> workers;
    for (int i = 0; i < at_once; ++i) workers.emplace_back([this] { work(); });
    for (std::thread& worker : workers) worker.join();
    progress_.finish(jobs_.skipped());
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void work() noexcept {
    try {
      while (!interrupted && !failed_) {
        std::optional<BatchItem> item;
        size_t skipped = 0;
        {
          const std::lock_guard lock(mutex_);
          item = jobs_.next();
          skipped = jobs_.skipped();
        }
        if (!item || !answer(*item, skipped)) return;
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      failure_ = std::current_exception();
      failed_ = true;
    }
  }

  // False where the run was interrupted.
  bool answer(const BatchItem& item, size_t skipped) {
    std::string record;
    bool failed = true;
    try {
      if (item.broken) throw Error(*item.broken);
      const OpenAiChatRequest request = jobs_.request(item, models_);
      const auto answer = ask(request);
      if (!answer) return false;
      record = jobs_.record(item, request, *answer);
      failed = false;
    } catch (const Error& error) {
      if (interrupted) return false;
      record = jobs_.record(item, error);
    } catch (const std::bad_alloc&) {
      record = jobs_.record(item, Error(ErrorKind::kOverloaded, "insufficient_memory", "not enough memory for this request"));
    }
    output_.append(record);
    progress_.count(failed, skipped);
    return true;
  }

  std::optional<BatchAnswer> ask(const OpenAiChatRequest& request) {
    while (!interrupted) {
      try {
        AnswerSet answers(start_chats(request.chat, request.n, &interrupted));
        return collect(answers);
      } catch (const Error& error) {
        if (error.code != "queue_full") throw;
        std::this_thread::sleep_for(std::chrono::milliseconds(200));  // n answers of each of the others
      }
    }
    return std::nullopt;
  }

  BatchJobs& jobs_;
  BatchOutput& output_;
  const ModelRegistry& models_;
  Progress progress_;
  std::atomic<bool> failed_{false};
  std::mutex mutex_;  // guards jobs_.next() and failure_
  std::exception_ptr failure_;
};

}  // namespace

int run_batch(const BatchFlags& flags) {
  const auto jobs = make_batch_jobs(flags);
  BatchOutput output(flags.output, jobs->format(), jobs->begin(), [&](const auto& record) { jobs->skip(record); });
  if (output.empty()) output.append(jobs->header());
  const RunningModel model = start_model(flags.model);
  ModelRegistry models;
  model.add_to(models);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, on_signal);
  // Two more than the engine answers at once, whose pictures are read meanwhile.
  BatchRun(*jobs, output, models).run(flags.model.batch_size + 2);
  if (!interrupted) return 0;
  std::fputs("interrupted: the same command goes on where this one ended\n", stderr);
  return 128 + SIGINT;
}

}  // namespace qvl
