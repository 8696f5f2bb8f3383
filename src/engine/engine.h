// One engine thread runs one model. submit() and TokenStream are the only crossings between threads.
// Knows ids, positions and patches; no strings, no JSON, no pictures.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/hash.h"
#include "engine/sampling_params.h"
#include "media/preprocess.h"

namespace qvl {

// One picture or video of a prompt.
struct PromptVisual {
  Grid grid;
  // [grid.patches(), patch_dim]. May be null where the engine knows the features (Engine::knows_visual).
  std::shared_ptr<const std::vector<float>> patches;
  Sha256 content_hash{};                              // of the patches and the grid
  std::vector<int64_t> token_begins;                  // where each temporal group's run of pad tokens starts; grid.t entries
  bool pinned = false;                                // the client names it again: its features leave the cache last
};

struct Prompt {
  std::vector<int32_t> token_ids;
  std::vector<int32_t> positions;  // [3, token_ids.size()]: t, h, w (model/rope_positions.h)
  int32_t rope_delta = 0;
  std::vector<PromptVisual> visuals;  // in order of appearance
};

enum class FinishReason { kStop, kLength, kCancelled, kError };

struct TokenLogprob {
  int32_t id;
  float logprob;
};

struct TokenEvent {
  int32_t id = -1;
  float logprob = 0;                  // where asked for
  std::vector<TokenLogprob> top;      // where asked for, best first
  bool forced = false;                // by the thinking budget
};

struct RequestStats {
  int64_t prompt_tokens = 0, completion_tokens = 0;
  int64_t vision_tokens = 0;       // of the prompt
  int64_t cached_tokens = 0;       // prompt tokens that did not have to be computed
  int images_cached = 0;           // visuals whose features were known or not needed
  double vision_saved_ms = 0;      // what encoding those took when it was done
  int preemptions = 0;             // times it had to make room for others
  int64_t guessed_tokens = 0;      // that were verified by a pass
  int64_t accepted_tokens = 0;     // of them, that the answer took
  double queue_ms = 0, vision_ms = 0, prefill_ms = 0, decode_ms = 0;
  double ttft_ms = 0;              // submit to first token
  int32_t stop_token_id = -1;      // the stop id that ended it, not part of the tokens
};

// The answer to one request. next() and the waker may be used from one other thread; cancel() and end_thinking() from any.
class TokenStream {
 public:
  struct Item {
    enum class Kind { kToken, kDone } kind;
    TokenEvent token;                   // kToken
    FinishReason finish = FinishReason::kStop;  // kDone
    std::string error_code, error_message;      // kDone with kError
    RequestStats stats;                         // kDone
    ErrorKind error_kind = ErrorKind::kInternal;  // kDone with kError: kInvalidRequest where the request itself is at fault
  };

  virtual ~TokenStream() = default;
  virtual std::optional<Item> try_next() = 0;  // nullopt: nothing yet
  virtual Item next() = 0;                     // waits; after kDone it must not be called again
  // Called from the engine's thread whenever items came, once right away if some are there. Must be quick, must not throw,
  // set a waker or destroy the stream. Set at most once; when the stream's destructor returns it runs no more.
  virtual void set_waker(std::function<void()> waker) = 0;
  // The request's work stops at the next layer or token; a kDone item with kCancelled still comes.
  virtual void cancel() = 0;
  // From any thread: a thought that is still open is closed at the next token, as when its budget ends. Without a
  // ThinkingBudget, or after the thought, it does nothing.
  virtual void end_thinking() {}
};

// The counters only grow.
struct EngineStats {
  int running = 0, waiting = 0;
  int64_t kv_blocks_total = 0, kv_blocks_free = 0;  // free: used by no request
  int64_t kv_blocks_cached = 0;                     // of the free ones, those that hold known text
  int64_t prefix_query_tokens = 0, prefix_hit_tokens = 0;  // counters: tokens of admitted prompts, and those found in the cache
  int64_t preemptions = 0;                          // counter
  int64_t image_hits = 0, image_misses = 0;         // counters: visuals whose features were known or not needed; encoded ones
  int64_t image_cache_bytes = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  // Queues the request. Errors: kInvalidRequest "context_length_exceeded" (names prompt tokens and context) and
  // "unknown_picture" (patches are missing and the features are not known), kOverloaded "queue_full". Destroying the stream
  // cancels the request.
  virtual std::unique_ptr<TokenStream> submit(Prompt prompt, SamplingParams params) = 0;
  virtual EngineStats stats() const = 0;
  virtual int64_t context_tokens() const = 0;  // prompt and answer together
  // Whether a visual of this content_hash may come without its patches now. From any thread.
  virtual bool knows_visual(const Sha256& /*content_hash*/) const { return false; }
};

}  // namespace qvl
