#include "serve/gradio_queue.h"

#include "base/json.h"
#include "base/log.h"
#include "serve/chat_format.h"
#include "serve/gradio_stream.h"
#include "serve/upload_store.h"

namespace qvl {

double Durations::add(double seconds) {
  const std::lock_guard lock(mutex_);
  ++count_;
  sum_ += seconds;
  return sum_ / static_cast<double>(count_);
}

void GradioQueue::Bell::attach(std::function<void()> waker) {
  const std::lock_guard lock(mutex_);
  waker_ = std::move(waker);
  if (waker_) waker_();
}

void GradioQueue::Bell::ring() {
  const std::lock_guard lock(mutex_);
  if (waker_) waker_();
}

std::unique_ptr<GradioQueue::Event> GradioQueue::start(Waiting call, const std::shared_ptr<Bell>& bell,
                                                       const std::atomic<bool>* abandoned) {
  auto event = std::make_unique<Event>();
  event->id = std::move(call.id);
  event->begin = Clock::now();
  try {
    event->stream = start_chat(call.request, abandoned);
    event->stream->set_waker([bell] { bell->ring(); });
  } catch (const Error& error) {
    event->error.emplace(error);
  } catch (const std::exception& error) {
    log_error("call failed: {}", error.what());
    event->error.emplace(ErrorKind::kInternal, "internal_error", "the server failed on this call");
  }
  return event;
}

// Makes room for one call more: those that waited too long go, then the oldest sessions that nobody reads.
void GradioQueue::drop_stale(size_t more_bytes) {
  const auto now = Clock::now();
  const auto drop = [&](std::map<std::string, Session>::iterator session) {
    for (const Waiting& call : session->second.waiting) {
      --waiting_;
      waiting_bytes_ -= call.bytes;
    }
    return sessions_.erase(session);
  };
  for (auto session = sessions_.begin(); session != sessions_.end();) {
    const auto& waiting = session->second.waiting;
    const bool stale = !waiting.empty() && now - waiting.front().since > limits_.max_wait;
    session = stale ? drop(session) : std::next(session);
  }
  while (waiting_ >= limits_.max_waiting || waiting_bytes_ + more_bytes > limits_.max_waiting_bytes) {
    auto oldest = sessions_.end();
    for (auto session = sessions_.begin(); session != sessions_.end(); ++session) {
      if (session->second.waiting.empty()) continue;
      if (oldest == sessions_.end() || session->second.waiting.front().since < oldest->second.waiting.front().since) {
        oldest = session;
      }
    }
    if (oldest == sessions_.end()) {
      throw Error(ErrorKind::kOverloaded, "queue_full", "too many calls wait to be read; try again");
    }
    drop(oldest);
  }
}

std::string GradioQueue::join(std::string session, ChatRequest request, size_t bytes,
                              const std::atomic<bool>* abandoned) {
  const std::string id = secret_name();
  if (session.empty()) session = id;
  Waiting call{id, std::move(request), bytes, Clock::now()};
  std::shared_ptr<Bell> bell;
  {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(session);
    if (found == sessions_.end() || !found->second.reader) {
      drop_stale(bytes);
      ++waiting_;
      waiting_bytes_ += bytes;
      sessions_[session].waiting.push_back(std::move(call));
      return id;
    }
    found->second.running.insert(id);  // keeps the reader until it arrives
    bell = found->second.bell;
  }
  auto event = start(std::move(call), bell, abandoned);
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(session);
  if (found != sessions_.end() && found->second.bell == bell) {  // else the reader has left
    found->second.arrived.push_back(std::move(event));
    bell->ring();
  }
  return id;
}

std::unique_ptr<Exchange> GradioQueue::read(const std::string& session, Style style,
                                            const std::atomic<bool>* abandoned) {
  std::deque<Waiting> calls;
  std::shared_ptr<Bell> bell;
  {
    const std::lock_guard lock(mutex_);
    const auto found = sessions_.find(session);
    if (found == sessions_.end() || found->second.reader) return nullptr;
    found->second.reader = true;
    calls = std::move(found->second.waiting);
    found->second.waiting.clear();
    for (const Waiting& call : calls) {
      --waiting_;
      waiting_bytes_ -= call.bytes;
      found->second.running.insert(call.id);
    }
    bell = found->second.bell;
  }
  // From here on the stream ends the session, also where a start fails.
  auto stream = std::make_unique<GradioStream>(shared_from_this(), session, bell, style);
  for (Waiting& call : calls) stream->add(start(std::move(call), bell, abandoned));
  return stream;
}

bool GradioQueue::cancel(const std::string& session, const std::string& event_id) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return false;
  auto& waiting = found->second.waiting;
  for (auto call = waiting.begin(); call != waiting.end(); ++call) {
    if (call->id != event_id) continue;
    --waiting_;
    waiting_bytes_ -= call->bytes;
    waiting.erase(call);
    if (waiting.empty() && !found->second.reader) sessions_.erase(found);
    return true;
  }
  if (!found->second.running.contains(event_id)) return false;
  found->second.cancelled.insert(event_id);
  found->second.bell->ring();
  return true;
}

void GradioQueue::take(const std::string& session, std::vector<std::unique_ptr<Event>>& events,
                       std::set<std::string>& cancelled) {
  const std::lock_guard lock(mutex_);
  Session& own = sessions_.at(session);
  events = std::move(own.arrived);
  own.arrived.clear();
  cancelled = own.cancelled;
}

void GradioQueue::finished(const std::string& session, const std::string& event_id) {
  const std::lock_guard lock(mutex_);
  Session& own = sessions_.at(session);
  own.running.erase(event_id);
  own.cancelled.erase(event_id);
}

bool GradioQueue::leave(const std::string& session, bool force) {
  const std::lock_guard lock(mutex_);
  const auto own = sessions_.find(session);
  if (own == sessions_.end()) return true;
  if (!force && !own->second.running.empty()) return false;
  sessions_.erase(own);
  return true;
}

}  // namespace qvl
