// One request to the engines behind this server, as an Exchange: chosen, tried again elsewhere while nothing of the answer
// was shown, passed on piece by piece. Destroying it closes the connection, which ends the engine's work.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "serve/http_types.h"
#include "serve/upstream_events.h"
#include "serve/upstream_pool.h"

namespace qvl {

struct UpstreamQuestion {
  std::string path;   // "/v1/chat/completions"
  AnswerForm form = AnswerForm::kPlain;
  std::string model;  // chooses the engine
  std::shared_ptr<const std::string> body;
  std::string request_id;
};

class UpstreamAnswer final : public Exchange {
 public:
  // pool outlives it. Errors: those of UpstreamPool::nobody_serves().
  UpstreamAnswer(UpstreamPool& pool, UpstreamQuestion question);

  void set_waker(std::function<void()> waker) override;
  void stop(const Error& why) override;
  Poll poll() override;

 private:
  using Clock = std::chrono::steady_clock;

  bool try_next();
  void on_head(HttpCall::Poll& head);
  void on_bytes(const std::string& bytes);
  void on_end();
  void on_failure(const HttpCall::Poll& failure);
  void relay_events();
  void end_with(const Error& error);
  HttpResponse whole_response();

  UpstreamPool& pool_;
  const UpstreamQuestion question_;
  std::function<void()> waker_;
  std::vector<size_t> tried_;
  std::unique_ptr<UpstreamPool::Lease> lease_;
  std::unique_ptr<HttpCall> call_;  // none: the answer has ended

  int status_ = 0;
  HttpHeaders headers_;  // of the answer, those that the client gets
  bool streaming_ = false, shown_ = false;
  Clock::time_point head_at_;
  EventSplitter splitter_;
  EventRelay relay_;
  std::string out_;    // events for the client
  std::string whole_;  // of an answer that is no stream
  std::optional<HttpResponse> response_;
  bool ended_ = false;
};

}  // namespace qvl
