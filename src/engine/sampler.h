// Chooses one token from logits: penalties, bias, temperature, top-k, top-p, min-p, in this order (that of transformers'
// generate, with OpenAI's two penalties added). One sequence's; one thread.
#pragma once

#include <random>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"
#include "engine/sampling_params.h"

namespace qvl {

struct Candidate {
  int32_t id;
  float probability;
};

class Sampler {
 public:
  // valid_tokens: ids from there on are never chosen (rows of the embedding that belong to no token); <= 0: all are valid.
  Sampler(SamplingParams params, std::span<const int32_t> prompt_ids, int32_t valid_tokens);

  // logits: [vocab], raw. banned: ids that may not be chosen now. Errors: kInternal "nan_logits" where no finite logit is left.
  TokenEvent sample(std::span<const float> logits, std::span<const int32_t> banned);
  // Every generated token, forced ones included, in order.
  void accept(int32_t id);

  // What sample() draws from, in no particular order; temperature 0 gives one candidate.
  std::vector<Candidate> distribution(std::span<const float> logits, std::span<const int32_t> banned) const;
  TokenEvent event_for(int32_t id, std::span<const float> logits) const;  // with the logprobs that were asked for

 private:
  std::vector<float> adjusted(std::span<const float> logits, std::span<const int32_t> banned) const;

  SamplingParams params_;
  int32_t valid_tokens_;
  std::unordered_map<int32_t, int32_t> generated_;  // id -> count
  std::vector<int32_t> prompt_ids_;                 // distinct; kept only for the repetition penalty
  std::mt19937_64 rng_;
};

}  // namespace qvl
