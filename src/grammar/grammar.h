// A context-free grammar over bytes, compiled: each rule a small automaton whose steps are byte ranges or calls of other rules.
// Immutable, so shared between threads. No recursion over what somebody wrote is deeper than its parser allowed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace qvl {

struct CodePointRange {
  char32_t low, high;
};

// What a grammar is written in before it is compiled.
struct GrammarExpr {
  enum class Kind { kText, kClass, kSequence, kChoice, kRepeat, kRule };
  Kind kind = Kind::kSequence;         // without parts: the empty text
  std::string text;                    // kText: bytes
  std::vector<CodePointRange> ranges;  // kClass: one code point, in UTF-8
  std::vector<GrammarExpr> parts;      // kRepeat: one
  int64_t min = 0, max = -1;           // kRepeat; -1: without end
  int rule = -1;                       // kRule
};

GrammarExpr expr_text(std::string bytes);
GrammarExpr expr_class(std::vector<CodePointRange> ranges);  // any order, overlaps allowed
GrammarExpr expr_sequence(std::vector<GrammarExpr> parts);
GrammarExpr expr_choice(std::vector<GrammarExpr> parts);  // without parts: nothing matches
GrammarExpr expr_repeat(GrammarExpr part, int64_t min, int64_t max);
GrammarExpr expr_optional(GrammarExpr part);
GrammarExpr expr_rule(int rule);

// Sorted, merged, without surrogates and what is above U+10FFFF.
std::vector<CodePointRange> normal_ranges(std::vector<CodePointRange> ranges);
std::vector<CodePointRange> complement(std::vector<CodePointRange> ranges);

inline constexpr int64_t kMaxRepetition = 10'000;

class Grammar {
 public:
  struct Edge {
    uint8_t low, high;
    int32_t target;
  };
  struct Call {
    int32_t rule;
    int32_t back;  // the state after it
  };

  std::span<const Edge> edges(int32_t state) const { return slice(edges_, states_[at(state)].edges, states_[at(state) + 1].edges); }
  std::span<const Call> calls(int32_t state) const { return slice(calls_, states_[at(state)].calls, states_[at(state) + 1].calls); }
  bool final(int32_t state) const { return states_[at(state)].final; }
  // Nothing but the end of the rule follows.
  bool only_final(int32_t state) const { return states_[at(state)].only_final; }
  // Another state after which all texts of at most `bytes` bytes are read alike: as far, and with the rule's end at the same places.
  struct Likeness {
    int32_t state = -1;  // -1: none is known
    int32_t bytes = 0;
  };
  Likeness like(int32_t state) const { return states_[at(state)].like; }
  int32_t states() const { return static_cast<int32_t>(states_.size()) - 1; }

  // A rule matches texts that are not empty; that it may be left out is part of its callers.
  int32_t start(int32_t rule) const { return starts_[at(rule)]; }
  // Rules that may begin with a call of another have a smaller number than it.
  int32_t order(int32_t rule) const { return orders_[at(rule)]; }
  int32_t root() const { return root_; }
  size_t bytes() const;

 private:
  friend class GrammarCompiler;
  struct State {
    uint32_t edges = 0, calls = 0;  // where its own begin
    bool final = false, only_final = false;
    Likeness like;
  };
  static size_t at(int32_t i) { return static_cast<size_t>(i); }
  template <typename T>
  static std::span<const T> slice(const std::vector<T>& all, uint32_t begin, uint32_t end) {
    return std::span(all).subspan(begin, end - begin);
  }

  std::vector<State> states_;  // one more than there are
  std::vector<Edge> edges_;
  std::vector<Call> calls_;
  std::vector<int32_t> starts_, orders_;
  int32_t root_ = 0;
};

class GrammarBuilder {
 public:
  // label: how messages name the rule. Errors: kInvalidRequest with `code` past kMaxRules.
  GrammarBuilder(std::string code) : code_(std::move(code)) {}
  int add_rule(std::string label);
  void define(int rule, GrammarExpr expr);
  bool defined(int rule) const { return rules_[static_cast<size_t>(rule)].defined; }
  // Errors (kInvalidRequest, `code`): undefined rules, rules that call themselves before they read anything, rules that can never
  // end, more states than kMaxStates.
  Grammar compile(int root) const;

  static constexpr size_t kMaxRules = 50'000, kMaxStates = 200'000, kMaxEdges = 2'000'000;
  static constexpr int kMaxCallChain = 512;  // rules that begin with rules that begin with ...

 private:
  friend class GrammarCompiler;
  struct Rule {
    std::string label;
    GrammarExpr expr;
    bool defined = false;
  };
  std::string code_;
  std::vector<Rule> rules_;
};

}  // namespace qvl
