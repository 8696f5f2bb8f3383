// Which sequences run, on which pages, and what the next step computes: pure policy over counts, testable without a model.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "cache/page_pool.h"
#include "engine/sequence.h"
#include "ops/ops.h"

namespace qvl {

struct SchedulerOptions {
  int max_sequences = 8;       // that run at once
  bool share_prefixes = true;  // a sequence begins with the pages that earlier ones with the same beginning left
};

// One forward pass: these sequences, this many of their pending tokens each.
struct StepPlan {
  // What may follow a sequence's last token. The first `verified` ids get rows of the pass, the others are only watched.
  struct Guess {
    int context = 0;  // tokens that agreed where it was found; 0: foreseen by the request's constraint
    std::vector<int32_t> ids;
    size_t verified = 0;
  };
  struct Part {
    Sequence* sequence;
    int64_t tokens;
    bool answers = false;  // one token of an answer, not a prompt's
    Guess guess = {};
    BestOf best = {};  // of its logits
    int64_t rows() const { return tokens + static_cast<int64_t>(guess.verified); }
  };
  std::vector<Part> parts;     // answers first
  Sequence* encode = nullptr;  // has a picture to encode: one slice of the vision tower belongs to this step
};

class Scheduler {
 public:
  // An answer's first pages are reserved with its prompt's: a sequence that was let in gets so far without asking.
  static constexpr int64_t kReservedTokens = 256;

  struct Counts {
    int64_t query_tokens = 0, hit_tokens = 0;  // of prompts that were admitted, and those whose pages were known
    int64_t preemptions = 0;
  };

  Scheduler(const SchedulerOptions& options, PagePool& pool) : options_(options), pool_(pool) {}

  void add(std::unique_ptr<Sequence> sequence);
  // Moves waiting sequences, by priority and then in order of arrival, to the running ones, as long as pages for what is
  // known of them and kReservedTokens more are free. One of a more urgent priority takes the place of less urgent ones.
  void admit();
  // Gives every running sequence pages for all its tokens. Where none is free, the least urgent, youngest sequence goes back
  // to the queue with what it generated.
  void grow();
  // Prompts get prefill_tokens of the step together, the shortest rest first; whoever has to watch moves ahead by what
  // others got. A chunk may end inside a picture. Pages that became known since are taken over.
  StepPlan plan(int64_t prefill_tokens);
  // After a pass: makes the pages that are full now known.
  void publish(Sequence& sequence);
  // A picture of the sequence is done: others come before its next one.
  void end_turn(Sequence& sequence) { sequence.encode_turn = next_turn_++; }
  // Takes the sequence out, wherever it is, and returns its pages. sound: what it computed may serve others.
  std::unique_ptr<Sequence> remove(const Sequence* sequence, bool sound = true);

  const std::vector<std::unique_ptr<Sequence>>& running() const { return running_; }
  const std::deque<std::unique_ptr<Sequence>>& waiting() const { return waiting_; }
  bool holds(const Sequence* sequence) const;  // running or waiting; looks at the address only
  bool idle() const { return running_.empty() && waiting_.empty(); }
  const Counts& counts() const { return counts_; }

 private:
  std::optional<PagePool::Content> next_content(const Sequence& sequence) const;
  void take_known_pages(Sequence& sequence);
  bool make_room_for(const Sequence& sequence, int64_t pages);
  void preempt(Sequence& sequence);
  void enqueue(std::unique_ptr<Sequence> sequence);
  Sequence* least_urgent() const;
  void plan_prompts(StepPlan& plan, int64_t tokens);

  SchedulerOptions options_;
  PagePool& pool_;
  std::deque<std::unique_ptr<Sequence>> waiting_;   // in order of admission
  std::vector<std::unique_ptr<Sequence>> running_;  // as they were admitted
  uint64_t next_turn_ = 0;
  Counts counts_;
};

int64_t pages_for(int64_t tokens);

// What decides the keys and values of a page of the sequence; before: PagePool::serial() of the page before it.
PagePool::Content page_content(const Sequence& sequence, int64_t page, uint64_t before);

}  // namespace qvl
