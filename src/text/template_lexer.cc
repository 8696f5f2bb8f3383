#include "text/template_lexer.h"

#include <algorithm>
#include <array>

#include "base/error.h"

namespace qvl {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_name_char(char c) { return is_name_start(c) || is_digit(c); }

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& name) : source_(source), name_(name) {}

  std::vector<TemplatePiece> lex() {
    while (pos_ < source_.size()) {
      const size_t open = find_open();
      if (open > pos_)
        pieces_.push_back({TemplatePiece::Kind::kData, std::string(source_.substr(pos_, open - pos_)), {}, line_});
      advance_to(open);
      if (open == source_.size()) break;
      const char kind = source_[open + 1];
      advance_to(open + 2);
      if (kind == '#') {
        skip_comment();
      } else {
        lex_code(kind);
      }
    }
    return std::move(pieces_);
  }

 private:
  [[noreturn]] void fail(const std::string& code, size_t line, const std::string& reason) const {
    throw Error(ErrorKind::kModel, code, fmt::format("{}, line {}: {}", name_, line, reason));
  }

  void advance_to(size_t end) {
    line_ += static_cast<size_t>(std::count(source_.begin() + static_cast<ptrdiff_t>(pos_),
                                            source_.begin() + static_cast<ptrdiff_t>(end), '\n'));
    pos_ = end;
  }

  size_t find_open() const {
    for (size_t i = source_.find('{', pos_); i != std::string_view::npos; i = source_.find('{', i + 1)) {
      if (i + 1 < source_.size() && (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#')) return i;
    }
    return source_.size();
  }

  void skip_comment() {
    const size_t end = source_.find("#}", pos_);
    if (end == std::string_view::npos) fail("template_syntax", line_, "a comment {# is not closed");
    advance_to(end + 2);
  }

  // From behind {% or {{ to behind its end.
  void lex_code(char kind) {
    const bool statement = kind == '%';
    const std::string_view end = statement ? "%}" : "}}";
    TemplatePiece piece{statement ? TemplatePiece::Kind::kStatement : TemplatePiece::Kind::kExpression, "", {}, line_};
    if (starts_with("-") || starts_with("+")) advance_to(pos_ + 1);
    brackets_.clear();
    for (;;) {
      while (pos_ < source_.size() && std::string_view(" \t\r\n").find(source_[pos_]) != std::string_view::npos) {
        advance_to(pos_ + 1);
      }
      if (pos_ >= source_.size()) {
        fail("template_syntax", piece.line, fmt::format("{} is not closed", statement ? "{%" : "{{"));
      }
      // Inside of brackets }} closes two dictionaries.
      if (brackets_.empty()) {
        const size_t dash = starts_with("-") || starts_with("+") ? 1 : 0;
        if (source_.substr(pos_ + dash).starts_with(end)) {
          advance_to(pos_ + dash + end.size());
          break;
        }
      }
      piece.tokens.push_back(lex_token());
    }
    pieces_.push_back(std::move(piece));
  }

  bool starts_with(std::string_view text) const { return source_.substr(pos_).starts_with(text); }

  TemplateToken lex_token() {
    const char c = source_[pos_];
    if (c == '"' || c == '\'') return lex_string(c);
    if (is_digit(c)) return lex_while(TemplateToken::Kind::kNumber, [](char d) { return is_name_char(d); });
    if (is_name_start(c)) return lex_while(TemplateToken::Kind::kName, is_name_char);
    return lex_operator();
  }

  template <typename Predicate>
  TemplateToken lex_while(TemplateToken::Kind kind, Predicate belongs) {
    size_t end = pos_;
    while (end < source_.size() && belongs(source_[end])) ++end;
    TemplateToken token{kind, std::string(source_.substr(pos_, end - pos_))};
    advance_to(end);
    return token;
  }

  TemplateToken lex_string(char quote) {
    const size_t begin_line = line_;
    TemplateToken token{TemplateToken::Kind::kString, ""};
    size_t i = pos_ + 1;
    for (; i < source_.size() && source_[i] != quote; ++i) {
      if (source_[i] != '\\') {
        token.text += source_[i];
      } else if (++i < source_.size()) {
        // Only what recognition looks at needs its value; other escapes keep their letter.
        token.text += source_[i] == 'n' ? '\n' : source_[i] == 't' ? '\t' : source_[i] == 'r' ? '\r' : source_[i];
      }
    }
    if (i >= source_.size()) fail("template_syntax", begin_line, "a string is not closed");
    advance_to(i + 1);
    return token;
  }

  TemplateToken lex_operator() {
    static constexpr std::array<std::string_view, 26> kOperators = {"**", "//", "==", "!=", "<=", ">=", "+", "-", "*",
                                                                    "/",  "%",  "~",  "<",  ">",  "=",  "(", ")", "[",
                                                                    "]",  "{",  "}",  ",",  ".",  ":",  "|", ";"};
    for (const std::string_view op : kOperators) {
      if (!starts_with(op)) continue;
      track_brackets(op[0]);
      advance_to(pos_ + op.size());
      return {TemplateToken::Kind::kOperator, std::string(op)};
    }
    fail("template_syntax", line_,
         fmt::format("expected an expression, found \"{}\"", printable(source_.substr(pos_, 1))));
  }

  void track_brackets(char c) {
    static constexpr std::string_view kOpen = "([{", kClose = ")]}";
    if (kOpen.find(c) != std::string_view::npos) {
      brackets_.push_back(c);
      if (brackets_.size() > kMaxTemplateDepth) {
        fail("template_depth", line_, fmt::format("brackets are nested more than {} deep", kMaxTemplateDepth));
      }
    } else if (const size_t kind = kClose.find(c); kind != std::string_view::npos) {
      if (brackets_.empty() || brackets_.back() != kOpen[kind]) {
        fail("template_syntax", line_, fmt::format("a bracket {} closes nothing", c));
      }
      brackets_.pop_back();
    }
  }

  std::string_view source_;
  const std::string& name_;
  size_t pos_ = 0;
  size_t line_ = 1;
  std::string brackets_;  // those open in this statement or expression
  std::vector<TemplatePiece> pieces_;
};

}  // namespace

std::vector<TemplatePiece> lex_template(std::string_view source, const std::string& name) {
  return Lexer(source, name).lex();
}

}  // namespace qvl
