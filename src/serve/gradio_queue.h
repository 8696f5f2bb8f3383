// Calls that are made in one request and read in another, as Gradio's clients do: who calls gets an event id, and the
// stream of the session tells what became of it. A call starts when its reader is there, so one that nobody reads costs
// nothing but its request, for a while. Thread-safe.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "chat/chat_service.h"
#include "serve/http_types.h"

namespace qvl {

// The mean over all answers so far.
class Durations {
 public:
  double add(double seconds);

 private:
  std::mutex mutex_;  // guards the two below
  int64_t count_ = 0;
  double sum_ = 0;
};

class GradioQueue : public std::enable_shared_from_this<GradioQueue> {
 public:
  using Clock = std::chrono::steady_clock;
  struct Limits {
    size_t max_waiting = 64, max_waiting_bytes = size_t{64} << 20;
    std::chrono::seconds max_wait{60};
  };
  enum class Style { kCall, kQueue };  // GET /call/predict/{event_id}, GET /queue/data

  explicit GradioQueue(std::shared_ptr<Durations> durations) : GradioQueue(std::move(durations), Limits()) {}
  GradioQueue(std::shared_ptr<Durations> durations, Limits limits)
      : limits_(limits), durations_(std::move(durations)) {}

  // The event id; it is the session's name as well where that is empty. bytes: what the request holds, about. Starts
  // the call where the session has a reader. Errors: kOverloaded "queue_full".
  std::string join(std::string session, ChatRequest request, size_t bytes, const std::atomic<bool>* abandoned);
  // The session's events; starts its calls. nullptr where it has none, or a reader already.
  std::unique_ptr<Exchange> read(const std::string& session, Style style, const std::atomic<bool>* abandoned);
  // False where there is no such event.
  bool cancel(const std::string& session, const std::string& event_id);

  // Wakes the reader of a session, from any thread. Knows no streams: their wakers may hold it longer than they live.
  class Bell {
   public:
    void attach(std::function<void()> waker);
    void ring();

   private:
    std::mutex mutex_;  // guards the waker
    std::function<void()> waker_;
  };
  struct Event {
    std::string id;
    std::unique_ptr<DeltaStream> stream;  // none where the call could not start
    std::optional<Error> error;
    Clock::time_point begin;
    std::string answer;
    size_t told = 0;  // bytes of the answer that were sent
    bool announced = false;
  };

 private:
  friend class GradioStream;
  struct Waiting {
    std::string id;
    ChatRequest request;
    size_t bytes;
    Clock::time_point since;
  };
  struct Session {
    std::deque<Waiting> waiting;
    std::vector<std::unique_ptr<Event>> arrived;  // started, not taken by the reader yet
    std::set<std::string> running, cancelled;     // event ids
    std::shared_ptr<Bell> bell = std::make_shared<Bell>();
    bool reader = false;
  };

  static std::unique_ptr<Event> start(Waiting call, const std::shared_ptr<Bell>& bell,
                                      const std::atomic<bool>* abandoned);
  void drop_stale(size_t more_bytes);
  // For the reader. take() moves out what arrived and the ids to cancel; leave() ends the session, unless something
  // arrived (force: anyway).
  void take(const std::string& session, std::vector<std::unique_ptr<Event>>& events, std::set<std::string>& cancelled);
  void finished(const std::string& session, const std::string& event_id);
  bool leave(const std::string& session, bool force);

  const Limits limits_;
  const std::shared_ptr<Durations> durations_;
  std::mutex mutex_;  // guards the three below; no stream's method is called under it but its destructor
  std::map<std::string, Session> sessions_;
  size_t waiting_ = 0, waiting_bytes_ = 0;
};

}  // namespace qvl
