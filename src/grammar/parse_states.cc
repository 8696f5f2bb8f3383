#include "grammar/parse_states.h"

#include <algorithm>
#include <map>

#include "base/error.h"

namespace qvl {
namespace {

size_t at(int32_t i) { return static_cast<size_t>(i); }

void sort_unique(std::vector<ParseStates::Pair>& pairs) {
  std::sort(pairs.begin(), pairs.end());
  pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());
}

[[noreturn]] void too_complex() {
  throw Error(ErrorKind::kInvalidRequest, "grammar_too_complex", "the grammar or schema can be read in too many ways at once: make it simpler");
}

}  // namespace

size_t ParseStates::Hash::operator()(const std::vector<Pair>& pairs) const {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const auto& [a, b] : pairs) {
    hash = (hash ^ (static_cast<uint64_t>(static_cast<uint32_t>(a)) << 32 | static_cast<uint32_t>(b))) * 0x9E3779B97F4A7C15u;
    hash ^= hash >> 29;
  }
  return hash;
}

ParseStates::ParseStates(const Grammar& grammar) : grammar_(grammar) {
  intern_place({});  // kDead
  intern_frames({{kBottom, 0}});
}

void ParseStates::count(size_t work) {
  work_ += static_cast<int64_t>(work);
  if (work_ > kMaxWork) too_complex();
}

int32_t ParseStates::begin() { return alone(grammar_.root()); }
int32_t ParseStates::alone(int32_t state) { return settle({{state, 0}}); }
int32_t ParseStates::after(int32_t frames) { return settle(*frames_[at(frames)]); }

int32_t ParseStates::intern_frames(std::vector<Pair> pairs) {
  sort_unique(pairs);
  if (pairs.size() > kMaxPairs || frames_.size() > kMaxFrames) too_complex();
  const auto [entry, is_new] = frame_ids_.try_emplace(std::move(pairs), static_cast<int32_t>(frames_.size()));
  if (is_new) frames_.push_back(&entry->first);
  return entry->second;
}

// pairs: as a place is known by; (kBottom, 0) among them where the text can end.
int32_t ParseStates::intern_place(std::vector<Pair> pairs) {
  if (pairs.size() > kMaxPairs) too_complex();
  const auto [entry, is_new] = place_ids_.try_emplace(std::move(pairs), static_cast<int32_t>(places_.size()));
  if (is_new) {
    if (places_.size() > kMaxPlaces) too_complex();
    Place place;
    place.pairs = &entry->first;
    place.can_end = !entry->first.empty() && entry->first.front().first == kBottom;
    places_.push_back(std::move(place));
  }
  return entry->second;
}

// The place whose states are the targets, with the rules ended that may end there. One state with several frames becomes one pair.
int32_t ParseStates::settle(std::vector<Pair> targets) {
  std::vector<Pair> todo = std::move(targets), seen;
  std::map<int32_t, std::vector<Pair>> by_state;  // state -> the pairs of its frames
  std::vector<Pair> popped;
  while (!todo.empty()) {
    sort_unique(todo);
    std::vector<Pair> next;
    for (const Pair& target : todo) {
      if (std::find(seen.begin(), seen.end(), target) != seen.end()) continue;
      seen.push_back(target);
      count(1 + seen.size());
      const auto& [state, frames] = target;
      if (state == kBottom) {
        by_state[kBottom] = {};
        continue;
      }
      const auto& below = *frames_[at(frames)];
      count(below.size());
      if (!grammar_.only_final(state)) {
        auto& all = by_state[state];
        all.insert(all.end(), below.begin(), below.end());
      }
      if (grammar_.final(state)) next.insert(next.end(), below.begin(), below.end());
    }
    todo = std::move(next);
  }
  std::vector<Pair> pairs;
  for (auto& [state, frames] : by_state) pairs.emplace_back(state, state == kBottom ? 0 : intern_frames(std::move(frames)));
  return intern_place(std::move(pairs));
}

// The bytes that can come, with the calls of rules followed: each rule once, with all that may follow it.
void ParseStates::expand(Place& place) {
  std::map<std::pair<int32_t, int32_t>, std::vector<Pair>> calls;  // (order, rule) -> frames
  std::vector<Move> moves;
  const auto look = [&](int32_t state, int32_t frames) {
    for (const auto& e : grammar_.edges(state)) moves.push_back({e.low, e.high, e.target, frames});
    for (const auto& c : grammar_.calls(state)) {
      auto& of_callee = calls[{grammar_.order(c.rule), c.rule}];
      if (grammar_.only_final(c.back)) {  // nothing of the caller is left
        const auto& below = *frames_[at(frames)];
        of_callee.insert(of_callee.end(), below.begin(), below.end());
      } else {
        of_callee.emplace_back(c.back, frames);
      }
      if (of_callee.size() > 4 * kMaxPairs) sort_unique(of_callee);
    }
    count(1 + grammar_.edges(state).size() + 4 * grammar_.calls(state).size());
  };
  for (const auto& [state, frames] : *place.pairs) {
    if (state != kBottom) look(state, frames);
  }
  while (!calls.empty()) {
    const auto first = calls.begin();
    const int32_t rule = first->first.second, frames = intern_frames(std::move(first->second));
    calls.erase(first);
    look(grammar_.start(rule), frames);
  }
  place.moves = std::move(moves);
  place.expanded = true;
}

int32_t ParseStates::step(int32_t from, uint8_t byte) {
  if (!places_[at(from)].expanded) expand(places_[at(from)]);
  std::vector<Pair> targets;
  for (const Move& m : places_[at(from)].moves) {
    if (m.low <= byte && byte <= m.high) targets.emplace_back(m.target, m.frames);
  }
  count(1 + places_[at(from)].moves.size());
  const int32_t to = targets.empty() ? kDead : settle(std::move(targets));
  auto& table = places_[at(from)].next;
  if (!table) {
    table = std::make_unique<std::array<int32_t, 256>>();
    table->fill(kUnknown);
  }
  return (*table)[byte] = to;
}

int ParseStates::only_byte(int32_t place) {
  if (!places_[at(place)].expanded) expand(places_[at(place)]);
  int byte = -1;
  for (const Move& m : places_[at(place)].moves) {
    if (m.low != m.high || (byte >= 0 && byte != m.low)) return -1;
    byte = m.low;
  }
  return byte;
}

int32_t ParseStates::keep_only(int32_t place) {
  const std::vector<Pair> kept = *places_[at(place)].pairs;
  std::vector<bool> live(frames_.size());
  for (const auto& [state, frames] : kept) live[at(frames)] = true;
  for (auto f = static_cast<int32_t>(frames_.size()) - 1; f >= 0; --f) {
    if (!live[at(f)]) continue;
    for (const auto& [back, below] : *frames_[at(f)]) live[at(below)] = true;
  }
  auto old_ids = std::move(frame_ids_);
  const auto old_frames = std::move(frames_);
  frame_ids_.clear(), frames_.clear(), place_ids_.clear(), places_.clear();
  intern_place({});
  intern_frames({{kBottom, 0}});
  std::vector<int32_t> renumbered(old_frames.size(), 0);
  for (size_t f = 1; f < old_frames.size(); ++f) {
    if (!live[f]) continue;
    std::vector<Pair> pairs = *old_frames[f];
    for (auto& pair : pairs) pair.second = renumbered[at(pair.second)];
    renumbered[f] = intern_frames(std::move(pairs));
  }
  std::vector<Pair> pairs = kept;
  for (auto& pair : pairs) pair.second = renumbered[at(pair.second)];
  return intern_place(std::move(pairs));
}

}  // namespace qvl
