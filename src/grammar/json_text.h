// The pieces of JSON text, as a model may write it: at most one space or one line break with its indentation between tokens, numbers
// that a double holds, strings without lone surrogates.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "grammar/grammar.h"

namespace qvl {

// Rules that schemas share. Values in it hold rules of its builder.
class JsonText {
 public:
  explicit JsonText(GrammarBuilder& builder);

  GrammarExpr space() const { return expr_rule(space_); }  // may be empty
  GrammarExpr comma() const;
  GrammarExpr colon() const;
  GrammarExpr string_char() const { return expr_rule(char_); }  // one code point, escaped or not
  GrammarExpr string(int64_t min = 0, int64_t max = -1) const;  // with its quotes
  GrammarExpr plain_string_char() const { return expr_rule(plain_char_); }  // without escapes
  GrammarExpr number() const;
  GrammarExpr integer() const;
  GrammarExpr any_value() const { return expr_rule(value_); }
  GrammarExpr any_object() const { return expr_rule(object_); }
  GrammarExpr any_array() const { return expr_rule(array_); }
  GrammarExpr literal(const Json& value) const;

  // "{" members "}", "[" items "]"; members that may be empty are the caller's.
  GrammarExpr braces(GrammarExpr members) const;
  GrammarExpr brackets(GrammarExpr items) const;

 private:
  int space_, plain_char_, char_, string_, value_, object_, array_;
};

// One of a class's code points inside a string, escaped where JSON asks for it. Rare control characters are left out of classes with
// more than `exact` members.
GrammarExpr json_class(const std::vector<CodePointRange>& ranges, bool exact);
// One of the texts; what they begin with in common is read once.
GrammarExpr one_of_texts(std::vector<std::string> texts);
// A string, without escapes, that is none of the keys.
GrammarExpr string_but(GrammarBuilder& builder, const JsonText& json, const std::vector<std::string>& keys);

}  // namespace qvl
