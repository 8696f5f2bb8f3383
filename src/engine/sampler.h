// Chooses one token from logits: penalties, bias, temperature, top-k, top-p, min-p, in this order (that of transformers'
// generate, with OpenAI's two penalties added). One sequence's; one thread.
//
// A vocabulary has 152 thousand tokens and few of them can be chosen: the maxima of blocks of logits give a bound below which
// nothing reaches the top k, sums by size the one below which nothing reaches top-p, and only what is above is sorted.
#pragma once

#include <random>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "engine/sampling_params.h"
#include "ops/ops.h"

namespace qvl {

struct Candidate {
  int32_t id;
  float probability;
};

class Sampler {
 public:
  // valid_tokens: ids from there on are never chosen (rows of the embedding that belong to no token); <= 0: all are valid.
  Sampler(SamplingParams params, std::span<const int32_t> prompt_ids, int32_t valid_tokens);

  // logits: [vocab], raw. banned: ids that may not be chosen now. allowed: one bit an id, empty where all may be.
  // Errors: kInternal "nan_logits" where no finite logit is left, "no_token_left" where `allowed` leaves none.
  TokenEvent sample(std::span<const float> logits, std::span<const int32_t> banned, std::span<const uint64_t> allowed = {});
  // Which of the next token's logits sample() needs exactly, guesses' rows after it included; `banned`: how many ids may be banned then.
  BestOf needed(size_t banned, size_t guesses) const;
  // Every generated token, forced ones included, in order.
  void accept(int32_t id);

  // What sample() draws from, valid until the next call: best first where top-p chose them, else by id; temperature 0 gives one
  // candidate.
  std::span<const Candidate> distribution(std::span<const float> logits, std::span<const int32_t> banned,
                                          std::span<const uint64_t> allowed = {});
  TokenEvent event_for(int32_t id, std::span<const float> logits);  // with the logprobs that were asked for

 private:
  bool adjusts(std::span<const int32_t> banned) const;
  std::span<const float> adjusted(std::span<const float> logits, std::span<const int32_t> banned, std::span<const uint64_t> allowed);
  float find_maxima(std::span<const float> values);
  float bound_of_top(size_t count);
  void gather(std::span<const float> values, float best);
  void keep_top_k(int k);
  void softmax();
  void keep_top_p(float top_p);
  void sort_by_probability();
  double drop_tail(float most);
  void keep_min_p(float min_p);
  void normalise();

  SamplingParams params_;
  int32_t valid_tokens_;
  std::unordered_map<int32_t, int32_t> generated_;  // id -> count
  std::vector<int32_t> prompt_ids_;                 // distinct; kept only for the repetition penalty
  std::mt19937_64 rng_;
  // Kept between tokens, so that none of them allocates.
  std::vector<float> values_, maxima_, sorted_maxima_;
  std::vector<Candidate> candidates_, other_candidates_;
};

}  // namespace qvl
