// How the next token is chosen: plain data, validated by whoever builds it.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "engine/token_constraint.h"

namespace qvl {

// Forces an end of the reasoning, so that an answer always follows it.
struct ThinkingBudget {
  int32_t end_token_id = -1;             // </think>
  int64_t max_thinking_tokens = -1;      // -1: only what max_tokens leaves after answer_reserve_tokens
  int64_t answer_reserve_tokens = 0;     // of max_tokens, kept for the answer
  std::vector<int32_t> forced_ids;       // appended when the budget ends: "</think>" and the newlines after it
};

struct SamplingParams {
  float temperature = 1.0f;  // 0: greedy
  int top_k = 0;             // 0: off
  float top_p = 1.0f;
  float min_p = 0.0f;
  float repetition_penalty = 1.0f;  // over prompt and answer
  float presence_penalty = 0.0f;    // over the answer
  float frequency_penalty = 0.0f;
  std::vector<std::pair<int32_t, float>> logit_bias;
  std::optional<uint64_t> seed;  // absent: random
  int64_t max_tokens = -1;       // -1: what the context leaves
  int64_t min_tokens = 0;        // stop ids are not chosen before
  bool ignore_eos = false;
  std::vector<int32_t> stop_token_ids;  // in addition to the model's own
  int logprobs = -1;                    // -1: none; else the number of alternatives reported (0..20)
  std::optional<ThinkingBudget> thinking;
  int priority = 0;  // lower runs first, and makes room for others last
  ConstraintFactory constraint;  // of the answer, from its first token after the thought on; absent: anything
};

}  // namespace qvl
