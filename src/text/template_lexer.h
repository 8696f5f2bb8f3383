// Cuts a Jinja template into data, statements and expressions of tokens. Nothing is evaluated. No state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace qvl {

struct TemplateToken {
  enum class Kind { kName, kNumber, kString, kOperator };
  Kind kind;
  std::string text;  // a string's value, without quotes and escapes

  bool is_name(std::string_view name) const { return kind == Kind::kName && text == name; }
  bool is_operator(std::string_view op) const { return kind == Kind::kOperator && text == op; }
};

struct TemplatePiece {
  enum class Kind { kData, kStatement, kExpression };  // text, {% %}, {{ }}; comments are left out
  Kind kind;
  std::string data;                   // kData
  std::vector<TemplateToken> tokens;  // the others
  size_t line;
};

inline constexpr size_t kMaxTemplateDepth = 64;

// Errors: kModel "template_syntax" where something is not closed or no token, "template_depth" past kMaxTemplateDepth
// nested brackets. `name` is the file for messages.
std::vector<TemplatePiece> lex_template(std::string_view source, const std::string& name);

}  // namespace qvl
