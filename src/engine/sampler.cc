#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace qvl {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
size_t at(int64_t i) { return static_cast<size_t>(i); }

// Keeps the k largest and all that tie with the k-th.
void keep_top_k(std::vector<Candidate>& candidates, int k) {
  if (k <= 0 || at(k) >= candidates.size()) return;
  std::nth_element(candidates.begin(), candidates.begin() + (k - 1), candidates.end(),
                   [](const Candidate& a, const Candidate& b) { return a.probability > b.probability; });
  const float kth = candidates[at(k - 1)].probability;
  std::erase_if(candidates, [&](const Candidate& c) { return c.probability < kth; });
}

// Here a candidate's probability still holds its logit.
void softmax(std::vector<Candidate>& candidates) {
  float top = kNever;
  for (const auto& c : candidates) top = std::max(top, c.probability);
  double total = 0;
  for (auto& c : candidates) total += c.probability = std::exp(c.probability - top);
  for (auto& c : candidates) c.probability = static_cast<float>(c.probability / total);
}

void require_numbers(std::span<const float> logits) {
  if (std::any_of(logits.begin(), logits.end(), [](float x) { return std::isnan(x); })) {
    throw Error(ErrorKind::kInternal, "nan_logits", "the model's logits are not numbers: its weights are damaged");
  }
}

bool more_likely(const Candidate& a, const Candidate& b);

void normalise(std::vector<Candidate>& candidates) {
  double mass = 0;
  for (const auto& c : candidates) mass += c.probability;
  for (auto& c : candidates) c.probability = static_cast<float>(c.probability / mass);
}

// Drops the least likely as long as their mass together is at most 1 - top_p, in float32 as the reference compares it:
// where the mass meets top_p exactly, the rounding decides.
void keep_top_p(std::vector<Candidate>& candidates, float top_p) {
  std::sort(candidates.begin(), candidates.end(), more_likely);
  double tail = 0;
  while (candidates.size() > 1 && static_cast<float>(tail += candidates.back().probability) <= 1.0f - top_p) candidates.pop_back();
  normalise(candidates);
}

bool more_likely(const Candidate& a, const Candidate& b) {
  return a.probability > b.probability || (a.probability == b.probability && a.id < b.id);
}

}  // namespace

Sampler::Sampler(SamplingParams params, std::span<const int32_t> prompt_ids, int32_t valid_tokens)
    : params_(std::move(params)), valid_tokens_(valid_tokens), rng_(params_.seed ? *params_.seed : std::random_device{}()) {
  if (params_.repetition_penalty == 1.0f) return;
  prompt_ids_.assign(prompt_ids.begin(), prompt_ids.end());
  std::sort(prompt_ids_.begin(), prompt_ids_.end());
  prompt_ids_.erase(std::unique(prompt_ids_.begin(), prompt_ids_.end()), prompt_ids_.end());
}

void Sampler::accept(int32_t id) { ++generated_[id]; }

std::vector<float> Sampler::adjusted(std::span<const float> logits, std::span<const int32_t> banned) const {
  std::vector<float> out(logits.begin(), logits.end());
  const auto known = [&](int32_t id) { return id >= 0 && at(id) < out.size(); };
  const auto repeat = [&](int32_t id) {
    if (known(id)) out[at(id)] = out[at(id)] > 0 ? out[at(id)] / params_.repetition_penalty : out[at(id)] * params_.repetition_penalty;
  };
  if (params_.repetition_penalty != 1.0f) {
    for (const int32_t id : prompt_ids_) repeat(id);
    for (const auto& [id, count] : generated_) {
      if (!std::binary_search(prompt_ids_.begin(), prompt_ids_.end(), id)) repeat(id);
    }
  }
  for (const auto& [id, count] : generated_) {
    if (known(id)) out[at(id)] -= params_.presence_penalty + params_.frequency_penalty * static_cast<float>(count);
  }
  for (const auto& [id, bias] : params_.logit_bias) {
    if (known(id)) out[at(id)] += bias;
  }
  for (const int32_t id : banned) {
    if (known(id)) out[at(id)] = kNever;
  }
  if (valid_tokens_ > 0 && at(valid_tokens_) < out.size()) std::fill(out.begin() + valid_tokens_, out.end(), kNever);
  return out;
}

std::vector<Candidate> Sampler::distribution(std::span<const float> logits, std::span<const int32_t> banned) const {
  const std::vector<float> values = adjusted(logits, banned);
  require_numbers(values);
  std::vector<Candidate> candidates;
  int32_t best = -1;
  for (size_t i = 0; i < values.size(); ++i) {
    if (best < 0 || values[i] > values[at(best)]) best = static_cast<int32_t>(i);
  }
  if (best < 0 || values[at(best)] == kNever) {
    throw_error(ErrorKind::kInternal, "nan_logits", "no token is left to choose: every one is banned");
  }
  if (params_.temperature <= 0) return {{best, 1.0f}};
  // Dividing differences from the best keeps the smallest temperatures finite.
  const float top = std::min(values[at(best)], std::numeric_limits<float>::max());
  candidates.reserve(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != kNever) candidates.push_back({static_cast<int32_t>(i), std::min((values[i] - top) / params_.temperature, 0.0f)});
  }
  keep_top_k(candidates, params_.top_k);
  softmax(candidates);
  if (params_.top_p < 1.0f) keep_top_p(candidates, params_.top_p);
  if (params_.min_p > 0) {
    const float least = params_.min_p * std::min_element(candidates.begin(), candidates.end(), more_likely)->probability;
    std::erase_if(candidates, [&](const Candidate& c) { return c.probability < least; });
    normalise(candidates);
  }
  return candidates;
}

TokenEvent Sampler::sample(std::span<const float> logits, std::span<const int32_t> banned) {
  const auto candidates = distribution(logits, banned);
  int32_t chosen = candidates[0].id;
  if (candidates.size() > 1) {
    // The float32 probabilities sum to one only nearly; without their true sum the last candidate would get the rest.
    double u = 0;
    for (const auto& c : candidates) u += c.probability;
    u *= static_cast<double>(rng_() >> 11) * 0x1.0p-53;
    for (const auto& c : candidates) {
      if (c.probability <= 0) continue;
      chosen = c.id;
      if ((u -= c.probability) < 0) break;
    }
  }
  return event_for(chosen, logits);
}

TokenEvent Sampler::event_for(int32_t id, std::span<const float> logits) const {
  TokenEvent event;
  event.id = id;
  if (params_.logprobs < 0) return event;
  require_numbers(logits);
  const float top = *std::max_element(logits.begin(), logits.end());
  double total = 0;
  for (const float x : logits) total += std::exp(x - top);
  const auto log_total = static_cast<float>(std::log(total)) + top;
  event.logprob = logits[at(id)] - log_total;
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  const auto count = std::min<std::ptrdiff_t>(params_.logprobs, std::ssize(order));
  std::partial_sort(order.begin(), order.begin() + count, order.end(),
                    [&](int32_t a, int32_t b) { return logits[at(a)] > logits[at(b)] || (logits[at(a)] == logits[at(b)] && a < b); });
  for (std::ptrdiff_t i = 0; i < count; ++i) event.top.push_back({order[at(i)], logits[at(order[at(i)])] - log_total});
  return event;
}

}  // namespace qvl
