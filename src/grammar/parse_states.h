// Where a grammar can be after some text. A place is a state of a rule with what follows when the rule ends; those places are
// interned with their steps, so that a step that was taken before is one look into a table. One thread.
//
// Stacks share their tails, and calls of one rule from several places at once are one stack with several tops: an ambiguous
// grammar needs no more than a number of stacks that grows with the text, not with the ways to read it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "grammar/grammar.h"

namespace qvl {

class ParseStates {
 public:
  static constexpr int32_t kDead = 0;  // no text follows, not even the empty one

  // (state, frames): a state and what may follow it. Of frames: (state to go back to, frames below).
  using Pair = std::pair<int32_t, int32_t>;
  static constexpr int32_t kBottom = -1;  // as a state to go back to: the end of the whole text

  explicit ParseStates(const Grammar& grammar);

  int32_t begin();                  // of the root rule
  int32_t alone(int32_t state);     // at this state, with the bottom below it
  int32_t after(int32_t frames);    // once a rule with these frames has ended
  // Errors: kInvalidRequest "grammar_too_complex" where more places are needed than kMaxPlaces.
  int32_t next(int32_t place, uint8_t byte) {
    const auto& table = places_[static_cast<size_t>(place)].next;
    const int32_t known = table ? (*table)[byte] : kUnknown;
    return known != kUnknown ? known : step(place, byte);
  }
  bool can_end(int32_t place) const { return places_[static_cast<size_t>(place)].can_end; }
  std::span<const Pair> kernel(int32_t place) const { return *places_[static_cast<size_t>(place)].pairs; }
  // The only byte that can come; -1 where there is a choice, or none.
  int only_byte(int32_t place);

  size_t size() const { return places_.size(); }
  // Forgets all but one place; returns its new number.
  int32_t keep_only(int32_t place);

  static constexpr size_t kMaxPlaces = 20'000, kMaxFrames = 200'000, kMaxPairs = 4'096;
  // Elementary steps since the last call, at most kMaxWork of them: nothing that one token needs comes near it.
  void start_work() { work_ = 0; }
  void count(size_t work);
  static constexpr int64_t kMaxWork = 1'000'000;

 private:
  static constexpr int32_t kUnknown = -1;
  struct Hash {
    size_t operator()(const std::vector<Pair>& pairs) const;
  };
  struct Move {
    uint8_t low, high;
    int32_t target, frames;
  };
  struct Place {
    const std::vector<Pair>* pairs = nullptr;  // a key of place_ids_
    bool can_end = false, expanded = false;
    std::vector<Move> moves;
    std::unique_ptr<std::array<int32_t, 256>> next;
  };

  int32_t step(int32_t place, uint8_t byte);
  void expand(Place& place);
  int32_t intern_place(std::vector<Pair> pairs);
  int32_t intern_frames(std::vector<Pair> pairs);
  int32_t settle(std::vector<Pair> targets);

  const Grammar& grammar_;
  std::unordered_map<std::vector<Pair>, int32_t, Hash> place_ids_, frame_ids_;
  std::vector<Place> places_;
  std::vector<const std::vector<Pair>*> frames_;  // keys of frame_ids_; those below have smaller numbers
  int64_t work_ = 0;
};

}  // namespace qvl
