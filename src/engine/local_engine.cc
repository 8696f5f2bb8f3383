#include "engine/local_engine.h"

#include <algorithm>
#include <thread>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "engine/model_runner.h"
#include "engine/scheduler.h"

namespace qvl {
namespace {

class LocalStream : public TokenStream {
 public:
  explicit LocalStream(std::shared_ptr<StreamState> state) : state_(std::move(state)) {}
  ~LocalStream() override {
    state_->set_waker({});
    state_->cancelled = true;
  }
  std::optional<Item> try_next() override { return state_->try_next(); }
  Item next() override { return state_->next(); }
  void set_waker(std::function<void()> waker) override { state_->set_waker(std::move(waker)); }
  void cancel() override { state_->cancelled = true; }

 private:
  std::shared_ptr<StreamState> state_;
};

class LocalEngine : public Engine {
 public:
  LocalEngine(Model& model, const EngineOptions& options)
      : options_(options), pages_(static_cast<int32_t>(pages_for(options.context_tokens))), pool_(pages_),
        scheduler_({.max_sequences = options.max_sequences, .prefill_chunk = options.prefill_chunk}, pool_),
        runner_(model, pages_, options.image_cache_bytes), thread_([this] { run(); }) {}

  ~LocalEngine() override {
    {
      // Under the lock, or the engine's thread could look just before and sleep just after.
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    came_.notify_all();
    thread_.join();
  }

  std::unique_ptr<TokenStream> submit(Prompt prompt, SamplingParams params) override;

  EngineStats stats() const override {
    const int running = running_, unfinished = unfinished_;
    return {.running = running, .waiting = std::max(0, unfinished - running), .kv_blocks_total = pages_, .kv_blocks_free = free_pages_};
  }
  int64_t context_tokens() const override { return options_.context_tokens; }

 private:
  void run() noexcept;
  bool step();
  void take_new();
  void drop_cancelled();
  void publish_stats();
  void forward(const StepPlan& plan);
  void fail(Sequence& s, const std::exception& e);
  void advance(const StepPlan& plan, std::span<const float> logits);
  void choose_token(Sequence& s, std::span<const float> logits);
  bool is_stop(const Sequence& s, int32_t id) const;
  std::vector<int32_t> banned(const Sequence& s) const;
  void finish(Sequence& s, FinishReason reason, const std::string& code = "", const std::string& message = "");

  const EngineOptions options_;
  const int32_t pages_;
  BlockPool pool_;
  Scheduler scheduler_;
  ModelRunner runner_;

  std::mutex mutex_;  // guards arrived_
  std::condition_variable came_;
  std::deque<std::unique_ptr<Sequence>> arrived_;
  std::atomic<uint64_t> next_id_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<int> running_{0}, unfinished_{0};
  std::atomic<int64_t> free_pages_{pages_};
  std::thread thread_;  // last: it uses all of the above
};

// What the builder of a prompt owes: nothing below looks again.
void check_prompt(const Prompt& prompt, int64_t vocab_size) {
  const auto tokens = std::ssize(prompt.token_ids);
  QVL_CHECK(tokens > 0 && std::ssize(prompt.positions) == 3 * tokens, "{} tokens, {} positions", tokens, prompt.positions.size());
  for (const int32_t id : prompt.token_ids) QVL_CHECK(id >= 0 && id < vocab_size, "token {} of {}", id, vocab_size);
  for (const auto& visual : prompt.visuals) {
    QVL_CHECK(visual.grid.t > 0 && std::ssize(visual.token_begins) == visual.grid.t && visual.patches != nullptr,
              "{} runs of tokens for {} temporal groups", visual.token_begins.size(), visual.grid.t);
    for (const int64_t begin : visual.token_begins) QVL_CHECK(begin >= 0 && begin < tokens, "a run at {} of {}", begin, tokens);
  }
}

std::unique_ptr<TokenStream> LocalEngine::submit(Prompt prompt, SamplingParams params) {
  const auto tokens = static_cast<int64_t>(prompt.token_ids.size());
  check_prompt(prompt, runner_.vocab_size());
  if (tokens + 1 > options_.context_tokens) {
    throw_error(ErrorKind::kInvalidRequest, "context_length_exceeded",
                "the prompt has {} tokens, but the context holds {} together with the answer", tokens, options_.context_tokens);
  }
  const int64_t room = options_.context_tokens - tokens;
  const int64_t max_tokens = params.max_tokens > 0 ? std::min(params.max_tokens, room) : room;
  auto sequence = std::make_unique<Sequence>(next_id_++, std::move(prompt), std::move(params), max_tokens, options_.valid_tokens);
  auto stream = std::make_unique<LocalStream>(sequence->stream);
  {
    const std::lock_guard lock(mutex_);
    if (unfinished_ >= options_.max_sequences + options_.max_queue) {
      throw_error(ErrorKind::kOverloaded, "queue_full", "{} requests are running or waiting already; try again later",
                  unfinished_.load());
    }
    arrived_.push_back(std::move(sequence));
    ++unfinished_;
  }
  came_.notify_one();
  return stream;
}

void LocalEngine::run() noexcept {
  while (!stopping_) {
    try {
      if (step()) continue;
    } catch (const std::exception& e) {
      // Between two requests' work: nobody knows whose fault it is. The process goes on.
      while (!scheduler_.running().empty()) fail(*scheduler_.running().front(), e);
      if (!scheduler_.waiting().empty()) fail(*scheduler_.waiting().front(), e);
      continue;
    }
    std::unique_lock lock(mutex_);
    came_.wait(lock, [&] { return stopping_ || !arrived_.empty(); });
  }
  take_new();
  while (!scheduler_.running().empty()) finish(*scheduler_.running().front(), FinishReason::kCancelled);
  while (!scheduler_.waiting().empty()) finish(*scheduler_.waiting().front(), FinishReason::kCancelled);
}

// One round: new requests, cancellations, at most one slice of vision, one forward pass. False: nothing to do.
bool LocalEngine::step() {
  take_new();
  drop_cancelled();
  scheduler_.admit();
  publish_stats();
  if (scheduler_.idle()) return false;
  const StepPlan plan = scheduler_.plan();
  if (plan.encode != nullptr) {
    try {
      runner_.encode_slice(*plan.encode);
    } catch (const std::exception& e) {
      fail(*plan.encode, e);
    }
  }
  if (plan.parts.empty()) return true;
  try {
    forward(plan);
  } catch (const std::exception& e) {
    // advance() may have ended some of them already.
    for (const auto& part : plan.parts) {
      if (scheduler_.holds(part.sequence)) fail(*part.sequence, e);
    }
  }
  return true;
}

void LocalEngine::forward(const StepPlan& plan) {
  const auto now = Clock::now();
  for (const auto& part : plan.parts) {
    if (part.sequence->computed == 0) part.sequence->prefill_start = now;
  }
  // Work stops in the middle of a pass only when nobody waits for any of it.
  const auto nobody_waits = [&] {
    return stopping_ || std::all_of(plan.parts.begin(), plan.parts.end(),
                                    [](const auto& part) { return part.sequence->stream->cancelled.load(); });
  };
  const auto logits = runner_.forward(plan, nobody_waits);
  if (!nobody_waits()) advance(plan, logits);
}

// A request that fails ends alone; its message says no more than its owner may know.
void LocalEngine::fail(Sequence& s, const std::exception& e) {
  log_error("engine: request {}: {}", s.id, e.what());
  if (const auto* error = dynamic_cast<const Error*>(&e)) {
    finish(s, FinishReason::kError, error->code, error->what());
  } else if (dynamic_cast<const std::bad_alloc*>(&e) != nullptr) {
    finish(s, FinishReason::kError, "insufficient_memory", "not enough memory for this request");
  } else {
    finish(s, FinishReason::kError, "internal_error", "internal error");
  }
}

void LocalEngine::take_new() {
  const std::lock_guard lock(mutex_);
  for (; !arrived_.empty(); arrived_.pop_front()) scheduler_.add(std::move(arrived_.front()));
}

void LocalEngine::drop_cancelled() {
  std::vector<Sequence*> gone;
  for (const auto& s : scheduler_.running()) {
    if (s->stream->cancelled) gone.push_back(s.get());
  }
  for (const auto& s : scheduler_.waiting()) {
    if (s->stream->cancelled) gone.push_back(s.get());
  }
  for (Sequence* s : gone) finish(*s, FinishReason::kCancelled);
}

void LocalEngine::publish_stats() {
  running_ = static_cast<int>(scheduler_.running().size());
  free_pages_ = pool_.free();
}

void LocalEngine::advance(const StepPlan& plan, std::span<const float> logits) {
  const auto vocab = static_cast<size_t>(runner_.vocab_size());
  for (const auto& part : plan.parts) {
    Sequence& s = *part.sequence;
    const bool last = s.computed + part.tokens == s.total_tokens();
    s.computed += part.tokens;
    if (!last) continue;
    const auto row = logits.first(vocab);
    logits = logits.subspan(vocab);
    try {
      choose_token(s, row);
    } catch (const Error& e) {
      finish(s, FinishReason::kError, e.code, e.what());
    }
  }
}

bool LocalEngine::is_stop(const Sequence& s, int32_t id) const {
  const auto in = [id](const std::vector<int32_t>& ids) { return std::find(ids.begin(), ids.end(), id) != ids.end(); };
  return (!s.params.ignore_eos && in(options_.stop_token_ids)) || in(s.params.stop_token_ids);
}

// Ends of text that may not come now: before min_tokens, and where the answer after a thought would be empty.
std::vector<int32_t> LocalEngine::banned(const Sequence& s) const {
  if (s.generated() >= s.params.min_tokens && (!s.thinking.answer_is_empty() || s.thinking.thinking())) return {};
  std::vector<int32_t> ids = options_.stop_token_ids;
  ids.insert(ids.end(), s.params.stop_token_ids.begin(), s.params.stop_token_ids.end());
  return ids;
}

void LocalEngine::choose_token(Sequence& s, std::span<const float> logits) {
  if (s.generated() == 0) {
    s.first_token = Clock::now();
    s.stats.prefill_ms = ms_between(s.prefill_start, s.first_token);
    s.stats.ttft_ms = ms_between(s.submitted, s.first_token);
  }
  TokenEvent event;
  auto forced = s.thinking.forced();
  if (!forced) {
    event = s.sampler.sample(logits, banned(s));
    if (is_stop(s, event.id)) {
      if (!s.thinking.thinking()) {
        s.stats.stop_token_id = event.id;
        finish(s, FinishReason::kStop);
        return;
      }
      s.thinking.close();
      forced = s.thinking.forced();
    }
  }
  if (forced) {
    event = s.sampler.event_for(*forced, logits);
    event.forced = true;
  }
  s.sampler.accept(event.id);
  s.thinking.accept(event.id);
  s.tokens.push_back(event.id);
  ++s.stats.completion_tokens;
  s.stream->push({.kind = TokenStream::Item::Kind::kToken, .token = std::move(event), .finish = {}, .error_code = {}, .error_message = {}, .stats = {}});
  if (s.generated() >= s.max_tokens) finish(s, FinishReason::kLength);
}

void LocalEngine::finish(Sequence& s, FinishReason reason, const std::string& code, const std::string& message) {
  const auto now = Clock::now();
  const auto began = s.admitted == Clock::time_point{} ? now : s.admitted;
  s.stats.queue_ms = ms_between(s.submitted, began);
  if (s.first_token != Clock::time_point{}) s.stats.decode_ms = ms_between(s.first_token, now);
  for (const auto& f : s.features) s.stats.vision_tokens += f->tokens;
  const auto sequence = scheduler_.remove(&s);  // frees its pages before anybody hears of the end
  --unfinished_;
  publish_stats();
  sequence->stream->push({.kind = TokenStream::Item::Kind::kDone, .token = {}, .finish = reason, .error_code = code,
                          .error_message = message, .stats = sequence->stats});
}

}  // namespace

std::unique_ptr<Engine> make_local_engine(Model& model, const EngineOptions& options) {
  return std::make_unique<LocalEngine>(model, options);
}

}  // namespace qvl
