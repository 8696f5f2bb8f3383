#include "grammar/number_range.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace qvl {
namespace {

constexpr int64_t kMostInteger = 9'999'999'999'999'999;
constexpr int kFractionDigits = 6;

GrammarExpr digit(char low, char high) { return expr_class({{static_cast<char32_t>(low), static_cast<char32_t>(high)}}); }
GrammarExpr digits(size_t min, size_t max) {
  return expr_repeat(digit('0', '9'), static_cast<int64_t>(min), static_cast<int64_t>(max));
}
bool all(std::string_view text, char c) { return text.find_first_not_of(c) == text.npos; }

// As many digits as the bounds have; a bound that is empty while `count` is not holds nothing back.
GrammarExpr same_length(std::string_view low, std::string_view high, size_t count) {
  if (all(low, '0')) low = {};
  if (all(high, '9')) high = {};
  if (low.empty() && high.empty()) return count == 0 ? expr_text("") : digits(count, count);
  const char l = low.empty() ? '0' : low[0], h = high.empty() ? '9' : high[0];
  const auto rest = [](std::string_view bound) { return bound.empty() ? bound : bound.substr(1); };
  if (l == h) return expr_sequence({digit(l, l), same_length(rest(low), rest(high), count - 1)});
  std::vector<GrammarExpr> parts;
  char from = l, to = h;
  if (!low.empty()) parts.push_back(expr_sequence({digit(l, l), same_length(rest(low), {}, count - 1)})), ++from;
  if (!high.empty()) parts.push_back(expr_sequence({digit(h, h), same_length({}, rest(high), count - 1)})), --to;
  if (from <= to) parts.push_back(expr_sequence({digit(from, to), same_length({}, {}, count - 1)}));
  return expr_choice(std::move(parts));
}

GrammarExpr magnitudes(int64_t low, int64_t high) {
  std::vector<GrammarExpr> parts;
  int64_t first = 0, end = 10;
  for (size_t count = 1; first <= high && count <= 16; ++count, first = end, end *= 10) {
    const int64_t a = std::max(low, first), b = std::min(high, end - 1);
    if (a > b) continue;
    const std::string la = std::to_string(a), lb = std::to_string(b);
    if (count > 1 && a == first && b == end - 1) {
      parts.push_back(expr_sequence({digit('1', '9'), digits(count - 1, count - 1)}));
    } else {
      // A first digit of one or more comes with the bound: of two digits and more it is never an empty one.
      parts.push_back(count == 1 ? digit(la[0], lb[0])
                                 : [&] {
                                     if (la[0] == lb[0]) return expr_sequence({digit(la[0], la[0]), same_length(la.substr(1), lb.substr(1), count - 1)});
                                     std::vector<GrammarExpr> by_first;
                                     by_first.push_back(expr_sequence({digit(la[0], la[0]), same_length(la.substr(1), {}, count - 1)}));
                                     by_first.push_back(expr_sequence({digit(lb[0], lb[0]), same_length({}, lb.substr(1), count - 1)}));
                                     if (lb[0] - la[0] > 1) {
                                       by_first.push_back(expr_sequence({digit(static_cast<char>(la[0] + 1), static_cast<char>(lb[0] - 1)), digits(count - 1, count - 1)}));
                                     }
                                     return expr_choice(std::move(by_first));
                                   }());
    }
  }
  return expr_choice(std::move(parts));
}

// Digits after the point, none to `count` more of them, whose value with zeros behind them lies between the bounds (see same_length).
GrammarExpr fraction(std::string_view low, std::string_view high, size_t count) {
  if (all(high, '9')) high = {};
  const bool may_stop = all(low, '0');
  if (may_stop) low = {};
  if (count == 0) return expr_text("");
  if (low.empty() && high.empty()) return digits(0, count);
  const char l = low.empty() ? '0' : low[0], h = high.empty() ? '9' : high[0];
  const auto rest = [](std::string_view bound) { return bound.empty() ? bound : bound.substr(1); };
  std::vector<GrammarExpr> parts;
  if (may_stop) parts.push_back(expr_text(""));
  if (l == h) {
    parts.push_back(expr_sequence({digit(l, l), fraction(rest(low), rest(high), count - 1)}));
    return expr_choice(std::move(parts));
  }
  char from = l, to = h;
  if (!low.empty()) parts.push_back(expr_sequence({digit(l, l), fraction(rest(low), {}, count - 1)})), ++from;
  if (!high.empty()) parts.push_back(expr_sequence({digit(h, h), fraction({}, rest(high), count - 1)})), --to;
  if (from <= to) parts.push_back(expr_sequence({digit(from, to), digits(0, count - 1)}));
  return expr_choice(std::move(parts));
}

std::string padded(int64_t millionths) {
  std::string text = std::to_string(millionths);
  return std::string(static_cast<size_t>(kFractionDigits) - text.size(), '0') + text;
}

// Nothing, or a point and digits, with low <= millionths <= high.
GrammarExpr point_and_fraction(int64_t low, int64_t high) {
  const std::string l = padded(low), h = padded(high);
  std::vector<GrammarExpr> parts;
  if (low == 0) parts.push_back(expr_text(""));
  // A point has a digit after it: each first digit with what may follow it.
  for (char c = l[0]; c <= h[0]; ++c) {
    const std::string_view below = c == l[0] ? std::string_view(l).substr(1) : std::string_view();
    const std::string_view above = c == h[0] ? std::string_view(h).substr(1) : std::string_view();
    parts.push_back(expr_sequence({expr_text("."), digit(c, c), fraction(below, above, kFractionDigits - 1)}));
  }
  return expr_choice(std::move(parts));
}

GrammarExpr decimal_magnitudes(int64_t low, int64_t high) {
  const int64_t a = low / kDecimalScale, b = high / kDecimalScale, fa = low % kDecimalScale, fb = high % kDecimalScale;
  if (a == b) return expr_sequence({magnitudes(a, a), point_and_fraction(fa, fb)});
  std::vector<GrammarExpr> parts;
  parts.push_back(expr_sequence({magnitudes(a, a), point_and_fraction(fa, kDecimalScale - 1)}));
  if (b - a > 1) parts.push_back(expr_sequence({magnitudes(a + 1, b - 1), point_and_fraction(0, kDecimalScale - 1)}));
  parts.push_back(expr_sequence({magnitudes(b, b), point_and_fraction(0, fb)}));
  return expr_choice(std::move(parts));
}

// Both signs from the magnitudes of each; zero has none.
template <typename F>
GrammarExpr both_signs(int64_t low, int64_t high, F of_magnitudes) {
  std::vector<GrammarExpr> parts;
  if (low > high) return expr_choice({});
  if (low < 0) parts.push_back(expr_sequence({expr_text("-"), of_magnitudes(std::max<int64_t>(1, -high), -low)}));
  if (high >= 0) parts.push_back(of_magnitudes(std::max<int64_t>(0, low), high));
  return expr_choice(std::move(parts));
}

}  // namespace

GrammarExpr integer_range(std::optional<int64_t> low, std::optional<int64_t> high) {
  const int64_t least = std::max(low.value_or(-kMostInteger), -kMostInteger), most = std::min(high.value_or(kMostInteger), kMostInteger);
  return both_signs(least, most, magnitudes);
}

GrammarExpr decimal_range(int64_t low, int64_t high) {
  return both_signs(std::max(low, -kMaxDecimal), std::min(high, kMaxDecimal), decimal_magnitudes);
}

}  // namespace qvl
