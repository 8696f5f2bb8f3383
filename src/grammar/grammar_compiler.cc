// GrammarExpr -> Grammar: each rule by Thompson's construction, then without the empty steps.
#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <limits>
#include <map>

#include "grammar/grammar.h"

namespace qvl {
namespace {

using Kind = GrammarExpr::Kind;
size_t at(int64_t i) { return static_cast<size_t>(i); }

// Calls f(bytes, count) with the byte ranges whose sequences spell the code points low..high, which stand between two of the
// boundaries where the length of UTF-8 changes.
using ByteRange = std::pair<uint8_t, uint8_t>;
int encode(char32_t c, std::array<uint8_t, 4>& out) {
  const auto byte = [](char32_t x) { return static_cast<uint8_t>(x); };
  if (c < 0x80) return out[0] = byte(c), 1;
  if (c < 0x800) return out = {byte(0xC0 | c >> 6), byte(0x80 | (c & 63)), 0, 0}, 2;
  if (c < 0x10000) return out = {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63)), 0}, 3;
  return out = {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 63)), byte(0x80 | (c >> 6 & 63)), byte(0x80 | (c & 63))}, 4;
}

template <typename F>
void split_utf8(char32_t low, char32_t high, F f) {
  constexpr char32_t kEnds[] = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
  for (const char32_t end : kEnds) {
    if (low <= end && high > end) {
      split_utf8(low, end, f);
      low = end + 1;
    }
  }
  // Within one length: the ranges of the later bytes must be full unless the bytes before them are fixed.
  for (int shift = 6; shift <= 18; shift += 6) {
    const char32_t mask = (char32_t{1} << shift) - 1;
    if (high < 0x80 || (low & ~mask) == (high & ~mask)) break;
    if ((low & mask) != 0) {
      split_utf8(low, low | mask, f);
      split_utf8((low | mask) + 1, high, f);
      return;
    }
    if ((high & mask) != mask) {
      split_utf8(low, (high & ~mask) - 1, f);
      split_utf8(high & ~mask, high, f);
      return;
    }
  }
  std::array<uint8_t, 4> first{}, last{};
  const int count = encode(low, first);
  encode(high, last);
  std::array<ByteRange, 4> ranges;
  for (int i = 0; i < count; ++i) ranges[at(i)] = {first[at(i)], last[at(i)]};
  f(std::span<const ByteRange>(ranges.data(), at(count)));
}

}  // namespace

class GrammarCompiler {
 public:
  GrammarCompiler(const GrammarBuilder& builder) : builder_(builder) {
    for (size_t i = 0; i < builder.rules_.size(); ++i) rules_.push_back(&builder.rules_[i].expr);
  }

  Grammar run(int root) {
    reach(root);
    nullable_ = fixpoint([this](const GrammarExpr& e) { return is_nullable(e); });
    productive_ = fixpoint([this](const GrammarExpr& e) { return is_productive(e); });
    for (const int r : reached_) {
      if (!productive_[at(r)]) refuse("{} can never end", builder_.rules_[at(r)].label);
    }
    begins_.assign(rules_.size(), -1);
    ends_.assign(rules_.size(), -1);
    for (const int r : reached_) {
      begins_[at(r)] = state();
      ends_[at(r)] = state();
    }
    for (size_t i = 0; i < reached_.size(); ++i) {  // bodies of repetitions come to them as they are met
      const int r = reached_[i];
      build(*rules_[at(r)], begins_[at(r)], ends_[at(r)]);
    }
    close();
    order();
    grammar_.root_ = grammar_.starts_[at(root)];
    return std::move(grammar_);
  }

 private:
  struct RawState {
    std::vector<int32_t> empty;
    std::vector<Grammar::Edge> edges;
    std::vector<Grammar::Call> calls;
    // Between two copies of a repetition: which, and how many copies may and must follow.
    int32_t repetition = -1, left = 0, needed = 0;
  };

  template <typename... Args>
  [[noreturn]] void refuse(fmt::format_string<Args...> format, Args&&... args) const {
    throw Error(ErrorKind::kInvalidRequest, builder_.code_, fmt::format(format, std::forward<Args>(args)...));
  }

  template <typename F>
  static void each_rule(const GrammarExpr& e, F f) {
    if (e.kind == Kind::kRule) f(e.rule);
    for (const auto& part : e.parts) each_rule(part, f);
  }

  void reach(int root) {
    std::vector<bool> seen(rules_.size());
    std::vector<int> todo{root};
    seen[at(root)] = true;
    users_.resize(rules_.size());
    while (!todo.empty()) {
      const int r = todo.back();
      todo.pop_back();
      reached_.push_back(r);
      if (!builder_.rules_[at(r)].defined) refuse("{} is not defined", builder_.rules_[at(r)].label);
      each_rule(*rules_[at(r)], [&](int used) {
        if (users_[at(used)].empty() || users_[at(used)].back() != r) users_[at(used)].push_back(r);
        if (!seen[at(used)]) seen[at(used)] = true, todo.push_back(used);
      });
    }
  }

  // The least set of rules for which the property holds, given it for the rules that they use.
  std::vector<bool> fixpoint(const std::function<bool(const GrammarExpr&)>& holds) {
    known_.assign(rules_.size(), false);
    std::vector<bool> queued(rules_.size(), true);
    std::deque<int> todo(reached_.rbegin(), reached_.rend());
    while (!todo.empty()) {
      const int r = todo.front();
      todo.pop_front();
      queued[at(r)] = false;
      if (known_[at(r)] || !holds(*rules_[at(r)])) continue;
      known_[at(r)] = true;
      for (const int user : users_[at(r)]) {
        if (!known_[at(user)] && !queued[at(user)]) queued[at(user)] = true, todo.push_back(user);
      }
    }
    return known_;
  }

  bool is_nullable(const GrammarExpr& e) const {
    const auto self = [this](const GrammarExpr& part) { return is_nullable(part); };
    switch (e.kind) {
      case Kind::kText: return e.text.empty();
      case Kind::kClass: return false;
      case Kind::kSequence: return std::all_of(e.parts.begin(), e.parts.end(), self);
      case Kind::kChoice: return std::any_of(e.parts.begin(), e.parts.end(), self);
      case Kind::kRepeat: return e.min == 0 || is_nullable(e.parts[0]);
      case Kind::kRule: return nullable_.empty() ? known_[at(e.rule)] : nullable_[at(e.rule)];
    }
    return false;
  }

  bool is_productive(const GrammarExpr& e) const {
    const auto self = [this](const GrammarExpr& part) { return is_productive(part); };
    switch (e.kind) {
      case Kind::kText: return true;
      case Kind::kClass: return !e.ranges.empty();
      case Kind::kSequence: return std::all_of(e.parts.begin(), e.parts.end(), self);
      case Kind::kChoice: return std::any_of(e.parts.begin(), e.parts.end(), self);
      case Kind::kRepeat: return e.min == 0 || is_productive(e.parts[0]);
      case Kind::kRule: return known_[at(e.rule)];
    }
    return false;
  }

  int32_t state() {
    if (raw_.size() >= GrammarBuilder::kMaxStates) refuse("too large: more than {} states", GrammarBuilder::kMaxStates);
    raw_.emplace_back();
    return static_cast<int32_t>(raw_.size()) - 1;
  }

  void edge(int32_t from, uint8_t low, uint8_t high, int32_t to) { raw_[at(from)].edges.push_back({low, high, to}); }

  void build(const GrammarExpr& e, int32_t from, int32_t to) {
    switch (e.kind) {
      case Kind::kText: {
        if (e.text.empty()) raw_[at(from)].empty.push_back(to);
        for (size_t i = 0; i < e.text.size(); ++i) {
          const int32_t next = i + 1 == e.text.size() ? to : state();
          const auto byte = static_cast<uint8_t>(e.text[i]);
          edge(from, byte, byte, next);
          from = next;
        }
        break;
      }
      case Kind::kClass: build_class(e.ranges, from, to); break;
      case Kind::kSequence:
        if (e.parts.empty()) raw_[at(from)].empty.push_back(to);
        for (size_t i = 0; i < e.parts.size(); ++i) {
          const int32_t next = i + 1 == e.parts.size() ? to : state();
          build(e.parts[i], from, next);
          from = next;
        }
        break;
      case Kind::kChoice:
        for (const auto& part : e.parts) {
          if (is_productive_now(part)) build(part, from, to);
        }
        break;
      case Kind::kRepeat: build_repeat(e, from, to); break;
      case Kind::kRule: call(e.rule, nullable_[at(e.rule)], from, to); break;
    }
  }

  // All rules are productive by now; only classes without members are not.
  bool is_productive_now(const GrammarExpr& e) { return is_productive(e); }

  void call(int rule, bool nullable, int32_t from, int32_t to) {
    raw_[at(from)].calls.push_back({rule, to});
    if (nullable) raw_[at(from)].empty.push_back(to);
  }

  void build_class(const std::vector<CodePointRange>& ranges, int32_t from, int32_t to) {
    for (const auto& r : ranges) {
      split_utf8(r.low, r.high, [&](std::span<const ByteRange> bytes) {
        int32_t here = from;
        for (size_t i = 0; i < bytes.size(); ++i) {
          const int32_t next = i + 1 == bytes.size() ? to : state();
          edge(here, bytes[i].first, bytes[i].second, next);
          here = next;
        }
      });
    }
  }

  static size_t size_of(const GrammarExpr& e) {
    size_t size = e.text.size() + 1;
    if (e.kind == Kind::kClass && (e.ranges.empty() || e.ranges.back().high >= 0x80)) size += 8 * e.ranges.size();
    for (const auto& part : e.parts) size += size_of(part) * (e.kind == Kind::kRepeat ? at(std::max<int64_t>({e.min, e.max, 1})) : 1);
    return std::min<size_t>(size, GrammarBuilder::kMaxStates);
  }

  void build_repeat(const GrammarExpr& e, int32_t from, int32_t to) {
    const GrammarExpr& body = e.parts[0];
    if (e.max == 0 || !is_productive(body)) {
      raw_[at(from)].empty.push_back(to);
      return;
    }
    const int64_t copies = std::max(e.min, e.max), least = is_nullable(body) ? 0 : e.min;
    // Copies of a large body become calls of one rule; those of an empty one too, or each copy could be stepped over to all later.
    constexpr size_t kSmall = 256;
    int rule = -1;
    if (copies > 1 && (is_nullable(body) || size_of(body) * at(copies) > kSmall)) rule = hoist(body);
    const auto copy = [&](int32_t a, int32_t b) { rule < 0 ? build(body, a, b) : call(rule, false, a, b); };
    const int32_t repetition = repetitions_++;
    const auto between = [&](int64_t done) {
      const int32_t s = state();
      raw_[at(s)].repetition = repetition;
      raw_[at(s)].left = e.max < 0 ? std::numeric_limits<int32_t>::max() : static_cast<int32_t>(e.max - done);
      raw_[at(s)].needed = static_cast<int32_t>(std::max<int64_t>(least - done, 0));
      return s;
    };
    for (int64_t i = 0; i < least; ++i) {
      const int32_t next = e.max == least && i + 1 == least ? to : between(i + 1);
      copy(from, next);
      from = next;
    }
    if (e.max < 0) {
      const int32_t loop = state();
      raw_[at(from)].empty.push_back(loop);
      copy(loop, loop);
      raw_[at(loop)].empty.push_back(to);
      return;
    }
    if (e.max == least && least > 0) return;
    for (int64_t i = least; i < e.max; ++i) {
      raw_[at(from)].empty.push_back(to);
      const int32_t next = i + 1 == e.max ? to : between(i + 1);
      copy(from, next);
      from = next;
    }
  }

  int hoist(const GrammarExpr& body) {
    rules_.push_back(&body);
    begins_.push_back(state());
    ends_.push_back(state());
    nullable_.push_back(is_nullable(body));
    known_.push_back(true);
    const int rule = static_cast<int>(rules_.size()) - 1;
    reached_.push_back(rule);
    return rule;
  }

  // Numbers the states that are begun, entered by a byte or returned to; their empty steps are followed once and for all.
  void close() {
    number_.assign(raw_.size(), -1);
    std::vector<int32_t> todo;
    const auto number = [&](int32_t s) {
      if (number_[at(s)] < 0) {
        number_[at(s)] = static_cast<int32_t>(order_.size());
        order_.push_back(s);
      }
      return number_[at(s)];
    };
    std::vector<bool> is_end(raw_.size());
    for (const int r : reached_) number(begins_[at(r)]), is_end[at(ends_[at(r)])] = true;
    std::vector<int32_t> seen_by(raw_.size(), -1);
    size_t work = 0;
    for (size_t i = 0; i < order_.size(); ++i) {
      const auto me = static_cast<int32_t>(i);
      Grammar::State made{static_cast<uint32_t>(grammar_.edges_.size()), static_cast<uint32_t>(grammar_.calls_.size()), false, false, {}};
      todo.assign(1, order_[i]);
      seen_by[at(order_[i])] = me;
      while (!todo.empty()) {
        const RawState& raw = raw_[at(todo.back())];
        made.final = made.final || is_end[at(todo.back())];
        todo.pop_back();
        for (auto e : raw.edges) grammar_.edges_.push_back({e.low, e.high, number(e.target)});
        for (auto c : raw.calls) grammar_.calls_.push_back({c.rule, number(c.back)});
        for (const int32_t next : raw.empty) {
          if (seen_by[at(next)] == me) continue;
          seen_by[at(next)] = me;
          todo.push_back(next);
        }
        work += 1 + raw.edges.size() + raw.calls.size() + raw.empty.size();
        if (work > GrammarBuilder::kMaxEdges) refuse("too large: more than {} steps", GrammarBuilder::kMaxEdges);
      }
      made.only_final = made.final && grammar_.edges_.size() == made.edges && grammar_.calls_.size() == made.calls;
      made.like = likeness(me, raw_[at(order_[i])]);
      grammar_.states_.push_back(made);
    }
    grammar_.states_.push_back({static_cast<uint32_t>(grammar_.edges_.size()), static_cast<uint32_t>(grammar_.calls_.size()), false, false, {}});
    for (size_t r = 0; r < rules_.size(); ++r) grammar_.starts_.push_back(begins_[r] < 0 ? -1 : number_[at(begins_[r])]);
  }

  // With the first state met between copies of the same repetition. A copy has at least one byte, so the two differ only once one
  // has no copies left, or needs no more.
  Grammar::Likeness likeness(int32_t me, const RawState& raw) {
    if (raw.repetition < 0) return {};
    const Counted mine{me, raw.left, raw.needed};
    const auto [first, is_new] = counted_.try_emplace({raw.repetition, raw.needed == 0}, mine);
    if (is_new) return {};
    const Counted& other = first->second;
    int32_t bytes = std::numeric_limits<int32_t>::max();
    if (mine.left != other.left) bytes = std::min({bytes, mine.left, other.left});
    if (mine.needed != other.needed) bytes = std::min({bytes, mine.needed - 1, other.needed - 1});
    return {other.state, bytes};
  }

  const std::string& label(int rule) const {
    static const std::string repeated = "a repetition";
    return at(rule) < builder_.rules_.size() ? builder_.rules_[at(rule)].label : repeated;
  }

  // Callers before those they begin with. Depth-first without recursion.
  void order() {
    enum : uint8_t { kNew, kOpen, kDone };
    std::vector<uint8_t> colour(rules_.size(), kNew);
    std::vector<int> chain(rules_.size(), 1);
    grammar_.orders_.assign(rules_.size(), 0);
    int32_t next = static_cast<int32_t>(rules_.size());
    std::vector<std::pair<int, size_t>> path;
    for (const int r : reached_) {
      if (colour[at(r)] != kNew) continue;
      path.assign(1, {r, 0});
      colour[at(r)] = kOpen;
      while (!path.empty()) {
        auto& [rule, i] = path.back();
        const auto calls = grammar_.calls(grammar_.starts_[at(rule)]);
        if (i == calls.size()) {
          colour[at(rule)] = kDone;
          for (const auto& c : calls) chain[at(rule)] = std::max(chain[at(rule)], chain[at(c.rule)] + 1);
          if (chain[at(rule)] > GrammarBuilder::kMaxCallChain) refuse("{} begins with more than {} rules in each other", label(rule), GrammarBuilder::kMaxCallChain);
          grammar_.orders_[at(rule)] = --next;
          path.pop_back();
          continue;
        }
        const int callee = calls[i++].rule;
        if (colour[at(callee)] == kOpen) refuse("{} calls itself before it reads anything (left recursion)", label(callee));
        if (colour[at(callee)] == kNew) colour[at(callee)] = kOpen, path.emplace_back(callee, 0);
      }
    }
  }

  const GrammarBuilder& builder_;
  std::vector<const GrammarExpr*> rules_;  // the builder's, then bodies of repetitions
  std::vector<int> reached_;
  std::vector<std::vector<int>> users_;
  std::vector<bool> known_, nullable_, productive_;
  std::vector<RawState> raw_;
  struct Counted {
    int32_t state, left, needed;
  };
  std::vector<int32_t> begins_, ends_, number_, order_;
  int32_t repetitions_ = 0;
  std::map<std::pair<int32_t, bool>, Counted> counted_;  // (repetition, nothing more needed) -> the first state met
  Grammar grammar_;
};

Grammar GrammarBuilder::compile(int root) const { return GrammarCompiler(*this).run(root); }

}  // namespace qvl
