// An engine of the tests: emits scripted ids, one at a time, and remembers what it was asked. Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/engine.h"

namespace qvl {

struct FakeScript {
  std::vector<int32_t> ids;
  FinishReason finish = FinishReason::kStop;
  std::string error_code, error_message;
  std::chrono::microseconds token_time{0};  // between two tokens
  bool endless = false;                     // ids again and again, until max_tokens or a cancel
  bool hold = false;                        // no token before the request is cancelled
  std::vector<int32_t> after_thinking;      // where set, end_thinking() ends an endless script with these
};

class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(int64_t context = 4096) : context_(context) {}
  ~FakeEngine() override {
    for (std::thread& thread : threads_) thread.join();
  }

  void set_script(FakeScript script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
  }
  Prompt last_prompt() const {
    const std::lock_guard lock(mutex_);
    return last_prompt_;
  }
  SamplingParams last_params() const {
    const std::lock_guard lock(mutex_);
    return last_params_;
  }
  std::vector<SamplingParams> all_params() const {
    const std::lock_guard lock(mutex_);
    return all_params_;
  }
  // Says that it knows the pictures submitted so far, and takes them without patches until it forgets.
  void know_pictures() { knows_ = true; }
  void forget_pictures() { forgot_ = true; }  // but says it knows them
  int submitted() const { return submitted_; }
  int cancelled() const { return cancelled_; }
  int running() const { return running_; }
  void refuse(std::optional<Error> error) {
    const std::lock_guard lock(mutex_);
    refusal_ = std::move(error);
  }

  std::unique_ptr<TokenStream> submit(Prompt prompt, SamplingParams params) override;
  EngineStats stats() const override { return {}; }
  int64_t context_tokens() const override { return context_; }
  bool knows_visual(const Sha256& hash) const override {
    const std::lock_guard lock(mutex_);
    return knows_ && std::find(hashes_.begin(), hashes_.end(), hash) != hashes_.end();
  }

 private:
  struct Shared {
    std::mutex mutex;
    std::condition_variable came;
    std::deque<TokenStream::Item> items;
    std::function<void()> waker;
    std::atomic<bool> cancelled{false}, thinking_ends{false};

    void push(TokenStream::Item item) {
      const std::lock_guard lock(mutex);
      items.push_back(std::move(item));
      came.notify_all();
      if (waker) waker();
    }
  };
  class Stream;
  void emit(const std::shared_ptr<Shared>& shared, FakeScript script, const Prompt& prompt, int64_t max_tokens, int top);

  const int64_t context_;
  mutable std::mutex mutex_;  // guards the six below
  FakeScript script_;
  Prompt last_prompt_;
  SamplingParams last_params_;
  std::vector<SamplingParams> all_params_;
  std::optional<Error> refusal_;
  std::vector<std::thread> threads_;
  std::vector<Sha256> hashes_;  // of pictures that came with their patches; guarded by mutex_ too
  std::atomic<bool> knows_{false}, forgot_{false};
  std::atomic<int> submitted_{0}, cancelled_{0}, running_{0};
};

class FakeEngine::Stream final : public TokenStream {
 public:
  explicit Stream(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}
  ~Stream() override {
    cancel();
    const std::lock_guard lock(shared_->mutex);
    shared_->waker = nullptr;
  }
  std::optional<Item> try_next() override {
    const std::lock_guard lock(shared_->mutex);
    return take();
  }
  Item next() override {
    std::unique_lock lock(shared_->mutex);
    shared_->came.wait(lock, [&] { return !shared_->items.empty(); });
    return *take();
  }
  void set_waker(std::function<void()> waker) override {
    const std::lock_guard lock(shared_->mutex);
    shared_->waker = std::move(waker);
    if (!shared_->items.empty()) shared_->waker();
  }
  void cancel() override { shared_->cancelled = true; }
  void end_thinking() override { shared_->thinking_ends = true; }

 private:
  std::optional<Item> take() {
    if (shared_->items.empty()) return std::nullopt;
    Item item = std::move(shared_->items.front());
    shared_->items.pop_front();
    return item;
  }
  std::shared_ptr<Shared> shared_;
};

inline std::unique_ptr<TokenStream> FakeEngine::submit(Prompt prompt, SamplingParams params) {
  const std::lock_guard lock(mutex_);
  if (refusal_) throw Error(*refusal_);
  if (static_cast<int64_t>(prompt.token_ids.size()) >= context_) {
    throw Error(ErrorKind::kInvalidRequest, "context_length_exceeded", "too long");
  }
  for (const PromptVisual& visual : prompt.visuals) {
    if (visual.patches) {
      hashes_.push_back(visual.content_hash);
    } else if (forgot_) {
      throw Error(ErrorKind::kInvalidRequest, "unknown_picture", "forgotten");
    }
  }
  ++submitted_;
  ++running_;
  last_prompt_ = prompt;
  last_params_ = params;
  all_params_.push_back(params);
  const auto shared = std::make_shared<Shared>();
  threads_.emplace_back([this, shared, script = script_, prompt = std::move(prompt), max = params.max_tokens,
                         top = params.logprobs] { emit(shared, script, prompt, max, top); });
  return std::make_unique<Stream>(shared);
}

inline void FakeEngine::emit(const std::shared_ptr<Shared>& shared, FakeScript script, const Prompt& prompt,
                             int64_t max_tokens, int top) {
  using Item = TokenStream::Item;
  Item done{Item::Kind::kDone, {}, script.finish, script.error_code, script.error_message, {}};
  done.stats.prompt_tokens = static_cast<int64_t>(prompt.token_ids.size());
  auto n = static_cast<int64_t>(script.ids.size());
  for (int64_t i = 0; script.endless || i < n || script.hold; ++i) {
    if (shared->thinking_ends && !script.after_thinking.empty()) {
      script = {.ids = std::move(script.after_thinking)};
      n = static_cast<int64_t>(script.ids.size());
      i = 0;
    }
    if (shared->cancelled) {
      done.finish = FinishReason::kCancelled;
      ++cancelled_;
      break;
    }
    if (script.hold) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      continue;
    }
    if (max_tokens >= 0 && i == max_tokens) {
      done.finish = FinishReason::kLength;
      break;
    }
    if (script.token_time.count() > 0) std::this_thread::sleep_for(script.token_time);
    TokenEvent token;
    token.id = script.ids[static_cast<size_t>(i % n)];
    token.logprob = -0.5f;
    for (int k = 0; k < top; ++k) token.top.push_back({token.id + k, -0.5f - static_cast<float>(k)});
    ++done.stats.completion_tokens;
    shared->push(Item{Item::Kind::kToken, std::move(token), FinishReason::kStop, {}, {}, {}});
  }
  shared->push(std::move(done));
  --running_;
}

}  // namespace qvl
