// The reader's side of a GradioQueue: one session's events as server-sent events.
#pragma once

#include <string>
#include <vector>

#include "serve/gradio_queue.h"

namespace qvl {

// kCall: "event: generating|complete|error" with a list of the outputs so far. kQueue: "data: {"msg": ...}" with
// estimation, process_starts, process_generating (the first whole, then what to append), process_completed,
// close_stream.
class GradioStream final : public Exchange {
 public:
  GradioStream(std::shared_ptr<GradioQueue> queue, std::string session, std::shared_ptr<GradioQueue::Bell> bell,
               GradioQueue::Style style)
      : queue_(std::move(queue)), session_(std::move(session)), bell_(std::move(bell)), style_(style) {}
  ~GradioStream() override;

  void add(std::unique_ptr<GradioQueue::Event> event) { events_.push_back(std::move(event)); }
  void set_waker(std::function<void()> waker) override { bell_->attach(std::move(waker)); }
  void stop(const Error& why) override { stopped_.emplace(why); }
  Poll poll() override;
  std::optional<AnswerReport> report() const override { return report_; }  // of the last event that ended

 private:
  using Event = GradioQueue::Event;
  // Appends what is new; true where the event is over.
  bool advance(Event& event, bool cancelled, std::string& out);
  bool end(Event& event, const AnswerOutcome& outcome, std::string& out);
  std::string announce(const Event& event) const;
  std::string generating(Event& event) const;
  std::string completed(const Event& event) const;
  std::string failed(const Event& event, const Error& error) const;

  std::shared_ptr<GradioQueue> queue_;
  std::string session_;
  std::shared_ptr<GradioQueue::Bell> bell_;
  GradioQueue::Style style_;
  std::vector<std::unique_ptr<Event>> events_;
  std::optional<Error> stopped_;
  std::optional<AnswerReport> report_;
  bool left_ = false;
};

}  // namespace qvl
