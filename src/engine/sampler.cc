#include "engine/sampler.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace qvl {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr size_t kBlock = 128;  // logits that share a maximum
size_t at(int64_t i) { return static_cast<size_t>(i); }

bool more_likely(const Candidate& a, const Candidate& b) {
  return a.probability > b.probability || (a.probability == b.probability && a.id < b.id);
}

// The largest of a block; false where one is not a number. In lanes, which the compiler turns into vectors.
bool block_maximum(const float* x, size_t count, float& out) {
  constexpr size_t kLanes = 16;
  float most[kLanes];
  int32_t bad[kLanes] = {};
  std::fill_n(most, kLanes, kNever);
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float value = x[i + lane];
      most[lane] = value > most[lane] ? value : most[lane];
      bad[lane] |= value != value;
    }
  }
  bool numbers = true;
  out = kNever;
  for (size_t lane = 0; lane < kLanes; ++lane) {
    out = std::max(out, most[lane]);
    numbers = numbers && bad[lane] == 0;
  }
  for (; i < count; ++i) {
    out = x[i] > out ? x[i] : out;
    numbers = numbers && !std::isnan(x[i]);
  }
  return numbers;
}

// Calls f(index, value) for all values from `bound` up, by index. maxima: of the values' blocks.
template <typename F>
void each_from(std::span<const float> values, std::span<const float> maxima, float bound, F f) {
  for (size_t block = 0; block < maxima.size(); ++block) {
    if (maxima[block] < bound) continue;
    for (size_t i = block * kBlock; i < std::min(values.size(), (block + 1) * kBlock); ++i) {
      if (values[i] >= bound) f(static_cast<int32_t>(i), values[i]);
    }
  }
}

// Numbers that are none stay: find_maxima() must see them.
void keep_allowed(std::span<float> values, std::span<const uint64_t> allowed) {
  for (size_t begin = 0; begin < values.size(); begin += 64) {
    const uint64_t bits = begin / 64 < allowed.size() ? allowed[begin / 64] : 0;
    if (bits == ~uint64_t{0}) continue;
    const auto part = values.subspan(begin, std::min<size_t>(64, values.size() - begin));
    for (size_t i = 0; i < part.size(); ++i) {
      if ((bits >> i & 1) == 0 && part[i] == part[i]) part[i] = kNever;
    }
  }
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

// Penalties move tokens by so much at most, each down or each up; bans take the first places.
BestOf Sampler::needed(size_t banned, size_t guesses) const {
  constexpr int kMostTopK = 100;  // more is not worth looking for
  const bool few = params_.temperature <= 0 || (params_.top_k > 0 && params_.top_k <= kMostTopK);
  if (!few || params_.logprobs >= 0 || params_.repetition_penalty != 1.0f || !params_.logit_bias.empty()) return {};
  int32_t most = 0;
  if (params_.frequency_penalty != 0) {
    for (const auto& [id, count] : generated_) most = std::max(most, count);
    most += static_cast<int32_t>(guesses);
  }
  const float penalty = std::fabs(params_.presence_penalty) + std::fabs(params_.frequency_penalty) * static_cast<float>(most);
  return {.count = (params_.temperature <= 0 ? 1 : params_.top_k) + static_cast<int32_t>(banned), .within = penalty,
          .outputs = std::max(valid_tokens_, 0)};
}

bool Sampler::adjusts(std::span<const int32_t> banned) const {
  return params_.repetition_penalty != 1.0f || params_.presence_penalty != 0.0f || params_.frequency_penalty != 0.0f ||
         !params_.logit_bias.empty() || !banned.empty();
}

// The logits of the tokens that exist, with penalties and bias; themselves where there are none.
std::span<const float> Sampler::adjusted(std::span<const float> logits, std::span<const int32_t> banned, std::span<const uint64_t> allowed) {
  if (valid_tokens_ > 0) logits = logits.first(std::min(logits.size(), at(valid_tokens_)));
  if (!adjusts(banned) && allowed.empty()) return logits;
  values_.assign(logits.begin(), logits.end());
  const auto known = [&](int32_t id) { return id >= 0 && at(id) < values_.size(); };
  const auto repeat = [&](int32_t id) {
    if (!known(id)) return;
    float& value = values_[at(id)];
    value = value > 0 ? value / params_.repetition_penalty : value * params_.repetition_penalty;
  };
  if (params_.repetition_penalty != 1.0f) {
    for (const int32_t id : prompt_ids_) repeat(id);
    for (const auto& [id, count] : generated_) {
      if (!std::binary_search(prompt_ids_.begin(), prompt_ids_.end(), id)) repeat(id);
    }
  }
  for (const auto& [id, count] : generated_) {
    if (known(id)) values_[at(id)] -= params_.presence_penalty + params_.frequency_penalty * static_cast<float>(count);
  }
  for (const auto& [id, bias] : params_.logit_bias) {
    if (known(id)) values_[at(id)] += bias;
  }
  for (const int32_t id : banned) {
    if (known(id)) values_[at(id)] = kNever;
  }
  if (!allowed.empty()) keep_allowed(values_, allowed);
  return values_;
}

// Fills maxima_ and returns the largest of all.
float Sampler::find_maxima(std::span<const float> values) {
  maxima_.resize((values.size() + kBlock - 1) / kBlock);
  float most = kNever;
  bool numbers = true;
  for (size_t block = 0; block < maxima_.size(); ++block) {
    const size_t begin = block * kBlock;
    numbers &= block_maximum(values.data() + begin, std::min(kBlock, values.size() - begin), maxima_[block]);
    most = std::max(most, maxima_[block]);
  }
  if (!numbers) {
    throw Error(ErrorKind::kInternal, "nan_logits", "the model's logits are not numbers: its weights are damaged");
  }
  return most;
}

// A value that at least `count` of the values reach: the count-th largest of the maxima.
float Sampler::bound_of_top(size_t count) {
  if (count == 0 || count > maxima_.size()) return kNever;
  sorted_maxima_.assign(maxima_.begin(), maxima_.end());
  const auto kth = sorted_maxima_.begin() + static_cast<std::ptrdiff_t>(count) - 1;
  std::nth_element(sorted_maxima_.begin(), kth, sorted_maxima_.end(), std::greater<>());
  return *kth;
}

// Candidates whose logit, divided by the temperature, may be among the k largest or tie with the k-th, by id. Their probability
// still holds that logit. Dividing differences from the best keeps the smallest temperatures finite.
void Sampler::gather(std::span<const float> values, float best) {
  const float top = std::min(best, std::numeric_limits<float>::max()), temperature = params_.temperature;
  float bound = params_.top_k > 0 ? std::min(bound_of_top(at(params_.top_k)), top) : kNever;
  // Two logits may differ and, once divided, not; by how much is known unless numbers near the ends of float's range meet.
  const bool ordinary = temperature >= 1e-3f && temperature <= 1e3f && top - bound < 1e30f;
  bound = ordinary ? bound - ((top - bound) * 1e-6f + 1e-35f) : kNever;
  candidates_.clear();
  if (bound == kNever) candidates_.reserve(values.size());
  each_from(values, maxima_, bound, [&](int32_t id, float value) {
    if (value != kNever) candidates_.push_back({id, std::min((value - top) / temperature, 0.0f)});
  });
}

// Keeps the k largest and all that tie with the k-th, by id.
void Sampler::keep_top_k(int k) {
  if (k <= 0 || at(k) >= candidates_.size()) return;
  other_candidates_ = candidates_;
  const auto kth = other_candidates_.begin() + (k - 1);
  std::nth_element(other_candidates_.begin(), kth, other_candidates_.end(), more_likely);
  std::erase_if(candidates_, [least = kth->probability](const Candidate& c) { return c.probability < least; });
}

// The largest of the candidates' logits is 0.
void Sampler::softmax() {
  double total = 0;
  for (auto& c : candidates_) total += c.probability = std::exp(c.probability);
  for (auto& c : candidates_) c.probability = static_cast<float>(c.probability / total);
}

// Drops the least likely as long as their mass together is at most 1 - top_p, in float32 as the reference compares it:
// where the mass meets top_p exactly, the rounding decides. The rest is sorted, best first.
void Sampler::keep_top_p(float top_p) {
  double tail = drop_tail(1.0f - top_p);
  sort_by_probability();
  while (candidates_.size() > 1 && static_cast<float>(tail += candidates_.back().probability) <= 1.0f - top_p) candidates_.pop_back();
  normalise();
}

// Best first, then by id, from the order by id. Many candidates, as flat distributions have, by their digits.
void Sampler::sort_by_probability() {
  constexpr size_t kMany = 2048, kDigits = 1 << 10;
  if (candidates_.size() < kMany) {
    std::sort(candidates_.begin(), candidates_.end(), more_likely);
    return;
  }
  for (int shift = 0; shift < 30; shift += 10) {  // a probability is at most 1, whose bits are fewer than 30
    const auto digit = [shift](const Candidate& c) { return kDigits - 1 - (std::bit_cast<uint32_t>(c.probability) >> shift & (kDigits - 1)); };
    std::array<size_t, kDigits + 1> begins{};
    for (const auto& c : candidates_) ++begins[digit(c) + 1];
    for (size_t i = 1; i <= kDigits; ++i) begins[i] += begins[i - 1];
    other_candidates_.resize(candidates_.size());
    for (const auto& c : candidates_) other_candidates_[begins[digit(c)]++] = c;
    candidates_.swap(other_candidates_);
  }
}

// Drops candidates that are less likely than all others, with a mass of at most `most` together, without sorting; returns it.
double Sampler::drop_tail(float most) {
  constexpr size_t kFew = 256;  // sorted just as fast
  if (candidates_.size() <= kFew) return 0;
  // A probability's upper bits: eight steps between a power of two and the next.
  const auto step_of = [](const Candidate& c) { return std::bit_cast<uint32_t>(c.probability) >> 20; };
  std::array<double, (std::bit_cast<uint32_t>(1.0f) >> 20) + 1> mass{};
  uint32_t last = 0;
  for (const auto& c : candidates_) {
    mass[step_of(c)] += c.probability;
    last = std::max(last, step_of(c));
  }
  double tail = 0;
  uint32_t first = 0;
  while (first < last && static_cast<float>(tail + mass[first]) <= most) tail += mass[first++];
  std::erase_if(candidates_, [&](const Candidate& c) { return step_of(c) < first; });
  return tail;
}

// Drops what is less likely than this share of the best.
void Sampler::keep_min_p(float min_p) {
  float best = 0;
  for (const auto& c : candidates_) best = std::max(best, c.probability);
  std::erase_if(candidates_, [least = min_p * best](const Candidate& c) { return c.probability < least; });
  normalise();
}

void Sampler::normalise() {
  double mass = 0;
  for (const auto& c : candidates_) mass += c.probability;
  for (auto& c : candidates_) c.probability = static_cast<float>(c.probability / mass);
}

std::span<const Candidate> Sampler::distribution(std::span<const float> logits, std::span<const int32_t> banned,
                                                 std::span<const uint64_t> allowed) {
  const auto values = adjusted(logits, banned, allowed);
  const float best = find_maxima(values);
  if (best == kNever) {
    throw Error(ErrorKind::kInternal, allowed.empty() ? "nan_logits" : "no_token_left", "no token is left to choose: every one is banned");
  }
  if (params_.temperature <= 0) {
    const auto block = static_cast<size_t>(std::find(maxima_.begin(), maxima_.end(), best) - maxima_.begin());
    const auto id = std::find(values.begin() + static_cast<std::ptrdiff_t>(block * kBlock), values.end(), best) - values.begin();
    candidates_.assign(1, {static_cast<int32_t>(id), 1.0f});
    return candidates_;
  }
  gather(values, best);
  keep_top_k(params_.top_k);
  softmax();
  if (params_.top_p < 1.0f) keep_top_p(params_.top_p);
  if (params_.min_p > 0) keep_min_p(params_.min_p);
  return candidates_;
}

TokenEvent Sampler::sample(std::span<const float> logits, std::span<const int32_t> banned, std::span<const uint64_t> allowed) {
  const auto candidates = distribution(logits, banned, allowed);
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

TokenEvent Sampler::event_for(int32_t id, std::span<const float> logits) {
  TokenEvent event;
  event.id = id;
  if (params_.logprobs < 0) return event;
  const float top = find_maxima(logits);
  double total = 0;
  for (const float x : logits) total += std::exp(x - top);
  const auto log_total = static_cast<float>(std::log(total)) + top;
  event.logprob = logits[at(id)] - log_total;
  const size_t count = std::min(at(params_.logprobs), logits.size());
  if (count == 0) return event;
  candidates_.clear();
  each_from(logits, maxima_, bound_of_top(count), [&](int32_t i, float value) { candidates_.push_back({i, value}); });
  const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(candidates_.begin(), end, candidates_.end(), more_likely);
  for (auto c = candidates_.begin(); c != end; ++c) event.top.push_back({c->id, c->probability - log_total});
  return event;
}

}  // namespace qvl
