// Numbers between bounds, as digits.
#pragma once

#include <cstdint>
#include <optional>

#include "grammar/grammar.h"

namespace qvl {

// Decimal integers without leading zeros, of at most 16 digits. Nothing matches where low > high.
GrammarExpr integer_range(std::optional<int64_t> low, std::optional<int64_t> high);

// Decimals with at most six digits after the point and nine before it, which a double tells apart. Bounds in millionths, inclusive.
inline constexpr int64_t kDecimalScale = 1'000'000, kMaxDecimal = int64_t{1'000'000'000} * kDecimalScale - 1;
GrammarExpr decimal_range(int64_t low, int64_t high);

}  // namespace qvl
