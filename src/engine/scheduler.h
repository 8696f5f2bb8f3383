// Which sequences run and what the next step computes: pure policy over counts, testable without a model.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "cache/block_pool.h"
#include "engine/sequence.h"

namespace qvl {

struct SchedulerOptions {
  int max_sequences = 4;       // that run at once
  int64_t prefill_chunk = 256; // most prompt tokens of one step; a chunk may end inside a picture
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
    Guess guess = {};
    int64_t rows() const { return tokens + static_cast<int64_t>(guess.verified); }
  };
  std::vector<Part> parts;
  Sequence* encode = nullptr;  // has a picture to encode: one slice of the vision tower belongs to this step
};

class Scheduler {
 public:
  Scheduler(const SchedulerOptions& options, BlockPool& pool) : options_(options), pool_(pool) {}

  void add(std::unique_ptr<Sequence> sequence) { waiting_.push_back(std::move(sequence)); }
  // Moves waiting sequences, in order of arrival, to the running ones as long as pages for their prompt and longest answer
  // are free: a running sequence never lacks a page.
  void admit();
  StepPlan plan() const;
  // Takes the sequence out, wherever it is, and returns its pages.
  std::unique_ptr<Sequence> remove(const Sequence* sequence);

  const std::vector<std::unique_ptr<Sequence>>& running() const { return running_; }
  const std::deque<std::unique_ptr<Sequence>>& waiting() const { return waiting_; }
  bool holds(const Sequence* sequence) const;  // running or waiting; looks at the address only
  bool idle() const { return running_.empty() && waiting_.empty(); }

 private:
  SchedulerOptions options_;
  BlockPool& pool_;
  std::deque<std::unique_ptr<Sequence>> waiting_;
  std::vector<std::unique_ptr<Sequence>> running_;  // in order of admission
};

int64_t pages_for(int64_t tokens);

}  // namespace qvl
