#include "grammar/grammar.h"

#include <algorithm>
#include <tuple>

namespace qvl {
namespace {

using Kind = GrammarExpr::Kind;
constexpr char32_t kLast = 0x10FFFF;

}  // namespace

GrammarExpr expr_text(std::string bytes) {
  GrammarExpr e;
  e.kind = Kind::kText;
  e.text = std::move(bytes);
  return e;
}

GrammarExpr expr_class(std::vector<CodePointRange> ranges) {
  GrammarExpr e;
  e.kind = Kind::kClass;
  e.ranges = normal_ranges(std::move(ranges));
  return e;
}

GrammarExpr expr_sequence(std::vector<GrammarExpr> parts) {
  if (parts.size() == 1) return std::move(parts[0]);
  GrammarExpr e;
  e.parts = std::move(parts);
  return e;
}

GrammarExpr expr_choice(std::vector<GrammarExpr> parts) {
  if (parts.size() == 1) return std::move(parts[0]);
  GrammarExpr e;
  e.kind = Kind::kChoice;
  e.parts = std::move(parts);
  return e;
}

GrammarExpr expr_repeat(GrammarExpr part, int64_t min, int64_t max) {
  GrammarExpr e;
  e.kind = Kind::kRepeat;
  e.parts.push_back(std::move(part));
  e.min = min;
  e.max = max;
  return e;
}

GrammarExpr expr_optional(GrammarExpr part) { return expr_repeat(std::move(part), 0, 1); }

GrammarExpr expr_rule(int rule) {
  GrammarExpr e;
  e.kind = Kind::kRule;
  e.rule = rule;
  return e;
}

std::vector<CodePointRange> normal_ranges(std::vector<CodePointRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) { return std::tie(a.low, a.high) < std::tie(b.low, b.high); });
  std::vector<CodePointRange> out;
  const auto add = [&out](char32_t low, char32_t high) {
    if (low > high) return;
    if (!out.empty() && low <= out.back().high + 1) {
      out.back().high = std::max(out.back().high, high);
    } else {
      out.push_back({low, high});
    }
  };
  for (const auto& r : ranges) {
    add(r.low, std::min<char32_t>(r.high, 0xD7FF));
    add(std::max<char32_t>(r.low, 0xE000), std::min(r.high, kLast));
  }
  return out;
}

std::vector<CodePointRange> complement(std::vector<CodePointRange> ranges) {
  std::vector<CodePointRange> out;
  char32_t next = 0;
  for (const auto& r : normal_ranges(std::move(ranges))) {
    if (r.low > next) out.push_back({next, r.low - 1});
    next = r.high + 1;
  }
  if (next <= kLast) out.push_back({next, kLast});
  return normal_ranges(std::move(out));
}

size_t Grammar::bytes() const {
  return sizeof(*this) + states_.size() * sizeof(State) + edges_.size() * sizeof(Edge) + calls_.size() * sizeof(Call) +
         (starts_.size() + orders_.size()) * sizeof(int32_t);
}

int GrammarBuilder::add_rule(std::string label) {
  if (rules_.size() >= kMaxRules) throw_error(ErrorKind::kInvalidRequest, code_, "expected at most {} rules", kMaxRules);
  rules_.push_back({std::move(label), {}, false});
  return static_cast<int>(rules_.size()) - 1;
}

void GrammarBuilder::define(int rule, GrammarExpr expr) {
  auto& r = rules_[static_cast<size_t>(rule)];
  r.expr = std::move(expr);
  r.defined = true;
}

}  // namespace qvl
