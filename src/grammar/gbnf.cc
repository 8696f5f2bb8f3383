#include "grammar/gbnf.h"

#include <cctype>
#include <unordered_map>

#include "base/utf8.h"

namespace qvl {
namespace {

constexpr int kMaxDepth = 100;
const std::string kCode = "invalid_grammar";

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; }

class GbnfParser {
 public:
  explicit GbnfParser(std::string_view text) : text_(text), builder_(kCode) {}

  Grammar parse() {
    skip(true);
    while (!at_end()) rule();
    const auto root = rules_.find("root");
    if (root == rules_.end()) throw Error(ErrorKind::kInvalidRequest, kCode, "expected a rule named root");
    return builder_.compile(root->second);
  }

 private:
  bool at_end() const { return pos_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[pos_]; }
  bool looking_at(std::string_view word) const { return text_.substr(pos_, word.size()) == word; }

  [[noreturn]] void fail(const std::string& message) const {
    size_t line = 1, column = 1;
    for (size_t i = 0; i < pos_ && i < text_.size(); ++i) {
      text_[i] == '\n' ? (++line, column = 1) : ++column;
    }
    throw Error(ErrorKind::kInvalidRequest, kCode, fmt::format("line {}, column {}: {}", line, column, message));
  }
  [[noreturn]] void expected(std::string_view what) const {
    fail(at_end() ? fmt::format("expected {}, found the end", what)
                  : fmt::format("expected {}, found \"{}\"", what, printable(text_.substr(pos_, 12))));
  }

  void skip(bool newlines) {
    while (!at_end()) {
      const char c = peek();
      if (c == '#') {
        while (!at_end() && peek() != '\n' && peek() != '\r') ++pos_;
      } else if (c == ' ' || c == '\t' || (newlines && (c == '\n' || c == '\r'))) {
        ++pos_;
      } else {
        return;
      }
    }
  }

  std::string name() {
    const size_t begin = pos_;
    while (!at_end() && is_word(peek())) ++pos_;
    if (pos_ == begin) expected("a name");
    return std::string(text_.substr(begin, pos_ - begin));
  }

  int rule_id(const std::string& rule_name) {
    const auto [entry, is_new] = rules_.try_emplace(rule_name, 0);
    if (is_new) entry->second = builder_.add_rule(fmt::format("the rule \"{}\"", printable(rule_name)));
    return entry->second;
  }

  void rule() {
    const std::string rule_name = name();
    const int id = rule_id(rule_name);
    if (builder_.defined(id)) fail(fmt::format("the rule \"{}\" stands twice", printable(rule_name)));
    skip(false);
    if (!looking_at("::=")) expected("::=");
    pos_ += 3;
    skip(true);
    builder_.define(id, choice(false));
    if (!at_end() && peek() != '\n' && peek() != '\r') expected("the end of the rule");
    skip(true);
  }

  GrammarExpr choice(bool nested) {
    std::vector<GrammarExpr> parts;
    parts.push_back(sequence(nested));
    while (peek() == '|') {
      ++pos_;
      skip(true);
      parts.push_back(sequence(nested));
    }
    return expr_choice(std::move(parts));
  }

  GrammarExpr sequence(bool nested) {
    std::vector<GrammarExpr> parts;
    while (!at_end()) {
      const char c = peek();
      if (c == '"') {
        parts.push_back(literal());
      } else if (c == '[') {
        parts.push_back(char_class());
      } else if (c == '.') {
        ++pos_;
        parts.push_back(expr_class({{0, 0x10FFFF}}));
      } else if (c == '(') {
        parts.push_back(group());
      } else if (is_word(c)) {
        parts.push_back(expr_rule(rule_id(name())));
      } else {
        break;
      }
      skip(nested);
      repetitions(parts.back(), nested);
    }
    return expr_sequence(std::move(parts));
  }

  GrammarExpr group() {
    if (++depth_ > kMaxDepth) fail(fmt::format("expected groups at most {} deep", kMaxDepth));
    ++pos_;
    skip(true);
    GrammarExpr inner = choice(true);
    if (peek() != ')') expected("\")\"");
    ++pos_;
    --depth_;
    return inner;
  }

  void repetitions(GrammarExpr& item, bool nested) {
    for (int count = 0;; ++count) {
      int64_t min = 0, max = -1;
      const char c = peek();
      if (c == '+') {
        min = 1;
      } else if (c == '?') {
        max = 1;
      } else if (c == '{') {
        bounds(min, max);
      } else if (c != '*') {
        return;
      }
      if (count == 4) fail("expected at most 4 repetitions of one item");
      ++pos_;
      item = expr_repeat(std::move(item), min, max);
      skip(nested);
    }
  }

  // Leaves the position on the closing brace.
  void bounds(int64_t& min, int64_t& max) {
    ++pos_;
    skip(true);
    min = number();
    max = min;
    skip(true);
    if (peek() == ',') {
      ++pos_;
      skip(true);
      max = std::isdigit(static_cast<unsigned char>(peek())) != 0 ? number() : -1;
      skip(true);
    }
    if (peek() != '}') expected("\"}\"");
    if (max >= 0 && max < min) fail(fmt::format("expected a range that ascends, found {{{},{}}}", min, max));
  }

  int64_t number() {
    if (std::isdigit(static_cast<unsigned char>(peek())) == 0) expected("a number");
    int64_t value = 0;
    for (; std::isdigit(static_cast<unsigned char>(peek())) != 0; ++pos_) {
      value = value * 10 + (peek() - '0');
      if (value > kMaxRepetition) fail(fmt::format("expected at most {} repetitions", kMaxRepetition));
    }
    return value;
  }

  char32_t code_point(std::string_view where) {
    if (at_end()) expected(fmt::format("the end of the {}", where));
    if (peek() != '\\') {
      if (peek() == '\n' || peek() == '\r') expected(fmt::format("the end of the {}", where));
      const Utf8Step step = utf8_next(text_, pos_);
      if (!step.valid) fail("expected UTF-8");
      pos_ += step.length;
      return step.code_point;
    }
    ++pos_;
    const char c = peek();
    switch (c) {
      case 'x': return hex(2);
      case 'u': return hex(4);
      case 'U': return hex(8);
      case 't': ++pos_; return '\t';
      case 'r': ++pos_; return '\r';
      case 'n': ++pos_; return '\n';
      case '\\': case '"': case '[': case ']': case '-': case '^': ++pos_; return static_cast<char32_t>(c);
      default: expected("an escape such as \\n, \\\" or \\u00E9");
    }
  }

  char32_t hex(int digits) {
    ++pos_;
    char32_t value = 0;
    for (int i = 0; i < digits; ++i, ++pos_) {
      const char c = peek();
      if (std::isxdigit(static_cast<unsigned char>(c)) == 0) expected(fmt::format("{} hexadecimal digits", digits));
      const int digit = c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
      value = (value << 4 | static_cast<char32_t>(digit)) & 0xFFFFFFFF;
    }
    if (value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) fail("expected a character of Unicode");
    return value;
  }

  GrammarExpr literal() {
    ++pos_;
    std::string bytes;
    while (peek() != '"' || at_end()) utf8_append(bytes, code_point("literal"));
    ++pos_;
    return expr_text(std::move(bytes));
  }

  GrammarExpr char_class() {
    ++pos_;
    const bool negated = peek() == '^';
    if (negated) ++pos_;
    std::vector<CodePointRange> ranges;
    while (peek() != ']' || at_end()) {
      const char32_t low = code_point("class");
      char32_t high = low;
      if (peek() == '-' && pos_ + 1 < text_.size() && text_[pos_ + 1] != ']') {
        ++pos_;
        high = code_point("class");
        if (high < low) fail("expected a range that ascends");
      }
      ranges.push_back({low, high});
    }
    ++pos_;
    if (negated) ranges = complement(std::move(ranges));
    GrammarExpr e = expr_class(std::move(ranges));
    if (e.ranges.empty()) fail("the class before this has no characters");
    return e;
  }

  std::string_view text_;
  size_t pos_ = 0;
  int depth_ = 0;
  GrammarBuilder builder_;
  std::unordered_map<std::string, int> rules_;
};

}  // namespace

Grammar parse_gbnf(std::string_view text) {
  if (text.size() > kMaxGrammarBytes) {
    throw_error(ErrorKind::kInvalidRequest, kCode, "expected at most {} bytes, found {}", kMaxGrammarBytes, text.size());
  }
  return GbnfParser(text).parse();
}

}  // namespace qvl
