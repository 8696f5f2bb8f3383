// llama.cpp's GBNF: `root ::= "yes" | "no"`, with literals, classes, groups, | * + ? {m} {m,} {m,n} and # comments.
#pragma once

#include <string_view>

#include "grammar/grammar.h"

namespace qvl {

inline constexpr size_t kMaxGrammarBytes = 64 * 1024;

// Starts at the rule "root". Errors (kInvalidRequest "invalid_grammar"), with line and column where there is one: bad syntax, missing
// or repeated rules, left recursion, more than kMaxGrammarBytes, groups more than 100 deep, repetitions above kMaxRepetition.
Grammar parse_gbnf(std::string_view text);

}  // namespace qvl
