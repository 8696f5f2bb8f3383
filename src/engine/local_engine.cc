#include "engine/local_engine.h"

#include <algorithm>
#include <thread>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "engine/model_runner.h"
#include "engine/scheduler.h"
#include "engine/speculation.h"
#include "engine/step_pace.h"

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
  void end_thinking() override { state_->end_thinking = true; }

 private:
  std::shared_ptr<StreamState> state_;
};

std::unique_ptr<ImageStore> make_store(const Model& model, const EngineOptions& options) {
  if (options.image_store_folder.empty()) return nullptr;
  const VisionConfig& vision = model.config.vision;
  return std::make_unique<ImageStore>(ImageStoreOptions{.folder = options.image_store_folder,
                                                        .max_bytes = options.image_store_bytes,
                                                        .identity = options.model_identity,
                                                        .width = vision.out_hidden_size,
                                                        .deepstack = vision.deepstack_visual_indexes.size()});
}

class LocalEngine : public Engine {
 public:
  LocalEngine(Model& model, const EngineOptions& options)
      : options_(options), pages_(static_cast<int32_t>(pages_for(std::max(options.context_tokens, options.kv_tokens)))), pool_(pages_),
        scheduler_({.max_sequences = options.max_sequences, .share_prefixes = options.share_prefixes}, pool_),
        image_store_(make_store(model, options)), image_cache_(options.image_cache_bytes, image_store_.get()), runner_(model, pages_, image_cache_) {
    for (int answers = 1; answers < kMostGuessRows; ++answers) pass_costs_.emplace_back(answers);
    publish_stats();
    thread_ = std::thread([this] { run(); });
  }

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
    const std::lock_guard lock(stats_mutex_);
    EngineStats stats = published_;
    stats.waiting = std::max(0, unfinished_ - stats.running);
    return stats;
  }
  int64_t context_tokens() const override { return options_.context_tokens; }
  bool knows_visual(const Sha256& content_hash) const override { return image_cache_.contains(content_hash); }

 private:
  void run() noexcept;
  bool step();
  void take_new();
  void drop_cancelled();
  void publish_stats();
  StepPlan plan();
  void encode(Sequence& s, double ms, bool fine);
  void know_visuals(Sequence& s);
  void guess(StepPlan& plan);
  BestOf needed_logits(const StepPlan::Part& part) const;
  void forward(const StepPlan& plan);
  void record_times(const StepPlan& plan, double ms);
  void fail(Sequence& s, const std::exception& e);
  void advance(const StepPlan& plan, std::span<const float> logits);
  void settle(Sequence& s);
  bool take_tokens(Sequence& s, const StepPlan::Guess& guess, std::span<const float> logits);
  bool choose_token(Sequence& s, std::span<const float> logits);
  TokenEvent sample(Sequence& s, std::span<const float> logits);
  bool is_stop(const Sequence& s, int32_t id) const;
  std::vector<int32_t> banned(const Sequence& s) const;
  void finish(Sequence& s, FinishReason reason, const std::string& code = "", const std::string& message = "",
              ErrorKind kind = ErrorKind::kInternal);

  const EngineOptions options_;
  const int32_t pages_;
  PagePool pool_;
  Scheduler scheduler_;
  std::unique_ptr<ImageStore> image_store_;  // may be null
  ImageCache image_cache_;
  ModelRunner runner_;
  std::vector<PassCost> pass_costs_;  // by answers in a pass, less one
  std::vector<uint64_t> allowed_;     // by a constraint; kept so that no token allocates
  StepPace pace_;

  std::mutex mutex_;  // guards arrived_
  std::condition_variable came_;
  std::deque<std::unique_ptr<Sequence>> arrived_;
  std::atomic<uint64_t> next_id_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<int> unfinished_{0};
  mutable std::mutex stats_mutex_;  // guards published_
  EngineStats published_;
  std::thread thread_;  // last: it uses all of the above
};

// What the builder of a prompt owes: nothing below looks again.
void check_prompt(const Prompt& prompt, int64_t vocab_size) {
  const auto tokens = std::ssize(prompt.token_ids);
  QVL_CHECK(tokens > 0 && std::ssize(prompt.positions) == 3 * tokens, "{} tokens, {} positions", tokens, prompt.positions.size());
  for (const int32_t id : prompt.token_ids) QVL_CHECK(id >= 0 && id < vocab_size, "token {} of {}", id, vocab_size);
  for (const auto& visual : prompt.visuals) {
    QVL_CHECK(visual.grid.t > 0 && std::ssize(visual.token_begins) == visual.grid.t,
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
  auto sequence = std::make_unique<Sequence>(
      next_id_++, std::move(prompt), std::move(params),
      Sequence::Limits{.max_tokens = max_tokens, .valid_tokens = options_.valid_tokens, .merge_unit = runner_.merge_unit()});
  know_visuals(*sequence);
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

// On the caller's thread. Features that are known stay the sequence's own until they are used: nothing can be lost while
// it waits.
void LocalEngine::know_visuals(Sequence& s) {
  for (size_t v = 0; v < s.visuals.size(); ++v) {
    const PromptVisual& visual = s.prompt.visuals[v];
    s.visuals[v].features = image_cache_.load(visual.content_hash, s.visuals[v].run_tokens * visual.grid.t, visual.pinned);
    if (visual.patches != nullptr || s.visuals[v].features != nullptr) continue;
    throw Error(ErrorKind::kInvalidRequest, "unknown_picture",
                "a picture was named that is not, or no longer, in the cache: send its data again");
  }
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
  scheduler_.grow();
  scheduler_.admit();
  for (const auto& s : scheduler_.running()) runner_.settle_visuals(*s);
  publish_stats();
  if (scheduler_.idle()) return false;
  StepPlan plan = this->plan();
  if (plan.parts.empty()) return true;
  try {
    if (options_.speculate != Speculate::kOff) guess(plan);
    for (auto& part : plan.parts) part.best = needed_logits(part);
    forward(plan);
  } catch (const std::exception& e) {
    // advance() may have ended some of them already.
    for (const auto& part : plan.parts) {
      if (scheduler_.holds(part.sequence)) fail(*part.sequence, e);
    }
  }
  return true;
}

// The step's work; its slice of a picture is done already. While somebody answers, prompts and pictures share the time
// that is left.
StepPlan LocalEngine::plan() {
  const auto& running = scheduler_.running();
  const bool answering = std::any_of(running.begin(), running.end(), [](const auto& s) { return s->decodes(); });
  const bool reading = std::any_of(running.begin(), running.end(), [](const auto& s) { return s->vision_done() && !s->decodes(); });
  const bool encoding = std::any_of(running.begin(), running.end(), [](const auto& s) { return !s->vision_done(); });
  const double ms = reading && encoding ? pace_.other_ms() / 2 : pace_.other_ms();
  StepPlan plan = scheduler_.plan(answering ? std::min(options_.prefill_chunk, pace_.rows(ms)) : options_.prefill_chunk);
  if (plan.encode != nullptr) encode(*plan.encode, answering ? ms : StepPace::kAloneMs, answering);
  return plan;
}

void LocalEngine::encode(Sequence& s, double ms, bool fine) {
  try {
    if (runner_.encode_slice(s, ms, fine)) scheduler_.end_turn(s);
  } catch (const std::exception& e) {
    fail(s, e);
  }
}

// Constraints may leave any token.
BestOf LocalEngine::needed_logits(const StepPlan::Part& part) const {
  const Sequence& s = *part.sequence;
  if (s.constraint != nullptr) return {};
  return s.sampler.needed(options_.stop_token_ids.size() + s.params.stop_token_ids.size(), part.guess.verified);
}

bool answers(const StepPlan::Part& part) { return part.answers; }
bool only_answers(const StepPlan& plan) { return std::all_of(plan.parts.begin(), plan.parts.end(), answers); }

bool constrained(const Sequence& s) { return s.constraint != nullptr && s.thinking.answering(); }

// Where a constraint leaves one text to come, its tokens: nearly always right, so that they are worth their rows.
bool foresee(StepPlan::Part& part, int64_t most) {
  Sequence& s = *part.sequence;
  if (!constrained(s)) return false;
  auto ids = s.constraint->foreseen(most);
  if (ids.empty()) return false;
  part.guess = {.context = 0, .ids = std::move(ids), .verified = 0};
  part.guess.verified = part.guess.ids.size();
  return true;
}

// Adds to each answer what may follow it, and decides how much of that is verified.
void LocalEngine::guess(StepPlan& plan) {
  constexpr int64_t kPlainTokens = 3;  // at the start of an answer: they show what a pass costs with this context
  const auto count = std::count_if(plan.parts.begin(), plan.parts.end(), answers);
  if (count == 0 || count >= kMostGuessRows) return;
  const PassCost& cost = pass_costs_[static_cast<size_t>(count - 1)];
  const bool decodes = only_answers(plan);
  int64_t rows = 0;
  for (const auto& part : plan.parts) rows += part.tokens;
  auto tokens = static_cast<double>(count);  // that the pass is expected to yield
  int extra = 0;
  for (auto& part : plan.parts) {
    Sequence& s = *part.sequence;
    const int64_t room = std::ssize(s.pages) * KvCache::kPageTokens - s.total_tokens();
    const int64_t most = std::min<int64_t>({kMostGuessRows - count - extra, s.max_tokens - s.generated() - 1, room});
    if (!answers(part) || most <= 0) continue;
    if (foresee(part, most)) {
      extra += static_cast<int>(part.guess.verified);
      tokens += static_cast<double>(part.guess.verified);
      continue;
    }
    if (!s.lookup) s.lookup.emplace(s.prompt_tokens() + s.max_tokens);
    const auto match = s.lookup->find(s.tokens);
    if (match.length == 0) continue;
    part.guess = {.context = match.length, .ids = guess_from(s.tokens, match.next, most)};
    // Beside a prompt's many rows each row costs its share of the arithmetic.
    const auto relative = [&](int k) {
      return decodes ? cost.of(extra + k) / cost.of(extra) : static_cast<double>(rows + extra + k) / static_cast<double>(rows + extra);
    };
    int verified = 0;
    if (options_.speculate == Speculate::kAlways) {
      verified = static_cast<int>(most);
    } else if (s.generated() >= kPlainTokens && (cost.known() || !decodes)) {
      verified = s.guessing.choose(match.length, static_cast<int>(most), tokens - 1, relative);
    }
    part.guess.verified = static_cast<size_t>(verified);
    extra += verified;
    tokens += s.guessing.expected_tokens(match.length, verified) - 1;
  }
}

void LocalEngine::forward(const StepPlan& plan) {
  const auto now = Clock::now();
  for (const auto& part : plan.parts) {
    if (part.sequence->prefill_start == Clock::time_point{}) part.sequence->prefill_start = now;
  }
  // Work stops in the middle of a pass only when nobody waits for any of it.
  const auto nobody_waits = [&] {
    return stopping_ || std::all_of(plan.parts.begin(), plan.parts.end(),
                                    [](const auto& part) { return part.sequence->stream->cancelled.load(); });
  };
  const auto logits = runner_.forward(plan, nobody_waits);
  if (nobody_waits()) return;
  record_times(plan, ms_between(now, Clock::now()));
  advance(plan, logits);
}

void LocalEngine::record_times(const StepPlan& plan, double ms) {
  const auto count = plan.parts.size();
  size_t guesses = 0;
  int64_t prompt_rows = 0;
  for (const auto& part : plan.parts) {
    guesses += part.guess.verified;
    if (!answers(part)) prompt_rows += part.tokens;
  }
  if (prompt_rows == 0 && count <= pass_costs_.size()) pass_costs_[count - 1].record(static_cast<int>(guesses), ms);
  if (guesses == 0) pace_.record(answers(plan.parts.front()), prompt_rows, ms);
}

// A request that fails ends alone; its message says no more than its owner may know.
void LocalEngine::fail(Sequence& s, const std::exception& e) {
  log_error("engine: request {}: {}", s.id, e.what());
  if (const auto* error = dynamic_cast<const Error*>(&e)) {
    // The request's own fault: a grammar that proves too complex.
    finish(s, FinishReason::kError, error->code, error->what(), error->kind == ErrorKind::kInvalidRequest ? error->kind : ErrorKind::kInternal);
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
  const Scheduler::Counts& counts = scheduler_.counts();
  const std::lock_guard lock(stats_mutex_);
  published_ = {.running = static_cast<int>(scheduler_.running().size()),
                .kv_blocks_total = pages_,
                .kv_blocks_free = pool_.free(),
                .kv_blocks_cached = pool_.cached(),
                .prefix_query_tokens = counts.query_tokens,
                .prefix_hit_tokens = counts.hit_tokens,
                .preemptions = counts.preemptions,
                .image_hits = runner_.image_counts().hits,
                .image_misses = runner_.image_counts().misses,
                .image_cache_bytes = static_cast<int64_t>(image_cache_.bytes())};
}

void LocalEngine::advance(const StepPlan& plan, std::span<const float> logits) {
  const auto vocab = static_cast<size_t>(runner_.vocab_size());
  for (const auto& part : plan.parts) {
    Sequence& s = *part.sequence;
    const bool last = s.computed + part.tokens == s.total_tokens();
    if (!last) {
      s.computed += part.tokens;
      settle(s);
      continue;
    }
    s.computed += part.tokens - 1;
    const size_t values = (1 + part.guess.verified) * vocab;
    const auto rows = logits.first(values);
    logits = logits.subspan(values);
    try {
      if (take_tokens(s, part.guess, rows)) settle(s);
    } catch (const std::exception& e) {
      fail(s, e);
    }
  }
}

// After a pass: what is computed serves others, and what that was computed from is not needed here any more.
void LocalEngine::settle(Sequence& s) {
  scheduler_.publish(s);
  for (size_t v = 0; v < s.visuals.size(); ++v) {
    if (s.visuals[v].end <= s.computed && s.prompt.visuals[v].patches != nullptr) s.visuals[v].features.reset();
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

// Chooses each token as if the pass had had no guesses, and goes on as long as the next row was computed for just this token.
// Keys and values of the rows after that are overwritten by the next pass. False: the answer is over, and the sequence gone.
bool LocalEngine::take_tokens(Sequence& s, const StepPlan::Guess& guess, std::span<const float> logits) {
  const auto vocab = static_cast<size_t>(runner_.vocab_size());
  s.stats.guessed_tokens += static_cast<int64_t>(guess.verified);
  for (size_t i = 0; i <= guess.verified; ++i) {
    ++s.computed;
    if (!choose_token(s, logits.subspan(i * vocab, vocab))) return false;
    if (i >= guess.ids.size()) return true;
    const bool right = s.tokens.back() == guess.ids[i];
    if (guess.context > 0) s.guessing.learn(guess.context + static_cast<int>(i), right);
    if (!right) return true;
    if (i < guess.verified) ++s.stats.accepted_tokens;
  }
  return true;
}

TokenEvent LocalEngine::sample(Sequence& s, std::span<const float> logits) {
  const auto never = banned(s);
  if (!constrained(s)) return s.sampler.sample(logits, never);
  const size_t words = s.constraint->words();
  allowed_.assign(std::max(words, (logits.size() + 63) / 64), 0);
  s.constraint->fill_mask(std::span(allowed_).first(words));
  const auto allow_stop = [&](int32_t id) {
    if (id >= 0 && static_cast<size_t>(id) / 64 < allowed_.size() && is_stop(s, id)) allowed_[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
  };
  if (s.constraint->can_end()) {
    std::for_each(options_.stop_token_ids.begin(), options_.stop_token_ids.end(), allow_stop);
    std::for_each(s.params.stop_token_ids.begin(), s.params.stop_token_ids.end(), allow_stop);
  }
  return s.sampler.sample(logits, never, allowed_);
}

// False: the answer is over, and the sequence gone.
bool LocalEngine::choose_token(Sequence& s, std::span<const float> logits) {
  if (s.generated() == 0) {
    s.first_token = Clock::now();
    s.stats.prefill_ms = ms_between(s.prefill_start, s.first_token);
    s.stats.ttft_ms = ms_between(s.submitted, s.first_token);
  }
  TokenEvent event;
  if (s.stream->end_thinking && s.thinking.thinking()) s.thinking.close();
  auto forced = s.thinking.forced();
  if (!forced) {
    event = sample(s, logits);
    if (is_stop(s, event.id)) {
      if (!s.thinking.thinking()) {
        s.stats.stop_token_id = event.id;
        finish(s, FinishReason::kStop);
        return false;
      }
      s.thinking.close();
      forced = s.thinking.forced();
    }
  }
  if (forced) {
    event = s.sampler.event_for(*forced, logits);
    event.forced = true;
  }
  if (!forced && constrained(s)) s.constraint->accept(event.id);
  s.sampler.accept(event.id);
  s.thinking.accept(event.id);
  s.tokens.push_back(event.id);
  ++s.stats.completion_tokens;
  s.stream->push({.kind = TokenStream::Item::Kind::kToken, .token = std::move(event), .finish = {}, .error_code = {}, .error_message = {}, .stats = {}});
  const bool complete = constrained(s) && s.constraint->ended();
  if (!complete && s.generated() < s.max_tokens) return true;
  finish(s, complete ? FinishReason::kStop : FinishReason::kLength);
  return false;
}

void LocalEngine::finish(Sequence& s, FinishReason reason, const std::string& code, const std::string& message, ErrorKind kind) {
  const auto now = Clock::now();
  const auto began = s.admitted == Clock::time_point{} ? now : s.admitted;
  s.stats.queue_ms = ms_between(s.submitted, began);
  if (s.first_token != Clock::time_point{}) s.stats.decode_ms = ms_between(s.first_token, now);
  if (reason != FinishReason::kError) scheduler_.publish(s);
  const auto sequence = scheduler_.remove(&s, reason != FinishReason::kError);  // frees its pages before anybody hears of the end
  --unfinished_;
  publish_stats();
  sequence->stream->push({.kind = TokenStream::Item::Kind::kDone, .token = {}, .finish = reason, .error_code = code,
                          .error_message = message, .stats = sequence->stats, .error_kind = kind});
}

}  // namespace

std::unique_ptr<Engine> make_local_engine(Model& model, const EngineOptions& options) {
  return std::make_unique<LocalEngine>(model, options);
}

}  // namespace qvl
