#include "grammar/schema_pattern.h"

#include <cctype>

#include "base/utf8.h"

namespace qvl {
namespace {

constexpr int kMaxDepth = 32;
constexpr size_t kMaxPatternBytes = 8 * 1024;

const std::vector<CodePointRange> kDigit{{'0', '9'}}, kWord{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}},
    kSpace{{'\t', '\r'}, {' ', ' '}, {0xA0, 0xA0}, {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
           {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}},
    kLineEnds{{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}};

class PatternParser {
 public:
  PatternParser(std::string_view text, const JsonText& json, const std::string& path) : text_(text), json_(json), path_(path) {}

  GrammarExpr parse() {
    GrammarExpr all = choice();
    if (pos_ < text_.size()) invalid(")", "without the group that it ends");
    return all;
  }

 private:
  bool at_end() const { return pos_ >= text_.size(); }
  char peek(size_t ahead = 0) const { return pos_ + ahead < text_.size() ? text_[pos_ + ahead] : '\0'; }
  bool eat(char c) {
    if (at_end() || text_[pos_] != c) return false;
    ++pos_;
    return true;
  }

  [[noreturn]] void fail(const char* code, const std::string& message) const {
    throw Error(ErrorKind::kInvalidRequest, code, fmt::format("{}: {} at byte {} of \"{}\"", path_, message, pos_, printable(text_, 60)), path_);
  }
  [[noreturn]] void invalid(std::string_view what, std::string_view why) const { fail("invalid_schema", fmt::format("found \"{}\" {}", what, why)); }
  [[noreturn]] void unsupported(std::string_view what) const { fail("unsupported_schema", fmt::format("{} is not supported in patterns", what)); }

  // At the top, each alternative has anchors of its own.
  GrammarExpr choice() {
    std::vector<GrammarExpr> parts;
    do {
      std::vector<GrammarExpr> sequence;
      const bool top = depth_ == 0;
      if (top && !eat('^')) sequence.push_back(expr_repeat(json_.string_char(), 0, -1));
      while (!at_end() && peek() != '|' && peek() != ')' && !(top && at_final_dollar())) sequence.push_back(item());
      if (top && !eat('$')) sequence.push_back(expr_repeat(json_.string_char(), 0, -1));
      parts.push_back(expr_sequence(std::move(sequence)));
    } while (eat('|'));
    return expr_choice(std::move(parts));
  }

  bool at_final_dollar() const { return peek() == '$' && (pos_ + 1 == text_.size() || peek(1) == '|'); }

  GrammarExpr item() {
    GrammarExpr out = atom();
    for (int count = 0;; ++count) {
      int64_t min = 0, max = -1;
      if (eat('+')) {
        min = 1;
      } else if (eat('?')) {
        max = 1;
      } else if (peek() == '{') {
        bounds(min, max);
      } else if (!eat('*')) {
        return out;
      }
      if (count > 0) invalid("a repetition", "of a repetition");
      eat('?');  // lazy: the same texts
      out = expr_repeat(std::move(out), min, max);
    }
  }

  void bounds(int64_t& min, int64_t& max) {
    ++pos_;
    min = max = number();
    if (eat(',')) max = peek() == '}' ? -1 : number();
    if (!eat('}')) invalid(std::string(1, peek()), "where \"}\" was expected");
    if (max >= 0 && max < min) invalid(fmt::format("{{{},{}}}", min, max), "which does not ascend");
  }

  int64_t number() {
    if (std::isdigit(static_cast<unsigned char>(peek())) == 0) invalid(std::string(1, peek()), "where a number was expected");
    int64_t value = 0;
    for (; std::isdigit(static_cast<unsigned char>(peek())) != 0; ++pos_) {
      value = value * 10 + (peek() - '0');
      if (value > kMaxRepetition) fail("invalid_schema", fmt::format("expected at most {} repetitions", kMaxRepetition));
    }
    return value;
  }

  GrammarExpr atom() {
    switch (peek()) {
      case '(': return group();
      case '[': return char_class();
      case '.':
        ++pos_;
        return json_class(complement(kLineEnds), false);
      case '\\': {
        std::vector<CodePointRange> ranges;
        const bool exact = escape(ranges, false);
        return json_class(ranges, exact);
      }
      case '*': case '+': case '?': invalid(std::string(1, peek()), "with nothing before it to repeat");
      case '{': case '}': case ']': invalid(std::string(1, peek()), "without a backslash before it");
      case '^': case '$': unsupported("an anchor inside of a pattern");
      default: {
        const char32_t c = code_point();
        return json_class({{c, c}}, true);
      }
    }
  }

  GrammarExpr group() {
    ++pos_;
    if (++depth_ > kMaxDepth) fail("invalid_schema", fmt::format("expected groups at most {} deep", kMaxDepth));
    if (eat('?')) {
      if (eat('<')) {
        if (peek() == '=' || peek() == '!') unsupported("looking behind");
        while (std::isalnum(static_cast<unsigned char>(peek())) != 0 || peek() == '_') ++pos_;
        if (!eat('>')) invalid("(?<", "without the name's end");
      } else if (!eat(':')) {
        unsupported("looking ahead, or a group's mode,");
      }
    }
    GrammarExpr inner = choice();
    if (!eat(')')) invalid("(", "without its end");
    --depth_;
    return inner;
  }

  char32_t code_point() {
    const Utf8Step step = utf8_next(text_, pos_);
    pos_ += step.length;
    return step.code_point;
  }

  // After it: the escape's characters. False where they are a large class.
  bool escape(std::vector<CodePointRange>& out, bool in_class) {
    ++pos_;
    const char c = peek();
    const auto add = [&](const std::vector<CodePointRange>& ranges) { out.insert(out.end(), ranges.begin(), ranges.end()); };
    const auto one = [&](char32_t value) { out.push_back({value, value}); };
    ++pos_;
    switch (c) {
      case 'd': add(kDigit); return true;
      case 'w': add(kWord); return true;
      case 's': add(kSpace); return true;
      case 'D': add(complement(kDigit)); return false;
      case 'W': add(complement(kWord)); return false;
      case 'S': add(complement(kSpace)); return false;
      case 'n': one('\n'); return true;
      case 't': one('\t'); return true;
      case 'r': one('\r'); return true;
      case 'f': one('\f'); return true;
      case 'v': one('\v'); return true;
      case 'x': one(hex(2)); return true;
      case 'u':
        if (eat('{')) {
          one(hex(0));
          if (!eat('}')) invalid("\\u{", "without its end");
        } else {
          one(hex(4));
        }
        return true;
      case 'b':
        if (!in_class) unsupported("\\b");
        one('\b');
        return true;
      default: break;
    }
    if (static_cast<unsigned char>(c) >= 0x80 || std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '\0') {
      --pos_;
      if (at_end()) invalid("\\", "at the end");
      unsupported(fmt::format("\\{}", std::isalnum(static_cast<unsigned char>(c)) != 0 ? std::string(1, c) : "?"));
    }
    one(static_cast<char32_t>(c));
    return true;
  }

  char32_t hex(int digits) {  // 0: as many as there are
    char32_t value = 0;
    int count = 0;
    for (; std::isxdigit(static_cast<unsigned char>(peek())) != 0 && count < (digits == 0 ? 6 : digits); ++count, ++pos_) {
      const char c = peek();
      value = value << 4 | static_cast<char32_t>(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    if (count == 0 || (digits > 0 && count < digits)) invalid(std::string(1, peek()), "where a hexadecimal digit was expected");
    if (value > 0x10FFFF) invalid("\\u", "past the last character of Unicode");
    if (value >= 0xD800 && value <= 0xDFFF) unsupported("half of a surrogate pair");
    return value;
  }

  GrammarExpr char_class() {
    ++pos_;
    const bool negated = eat('^');
    std::vector<CodePointRange> ranges;
    bool exact = !negated;
    while (!at_end() && peek() != ']') {
      const size_t count = ranges.size();
      if (peek() == '\\') {
        exact = escape(ranges, true) && exact;
      } else {
        const char32_t c = code_point();
        ranges.push_back({c, c});
      }
      if (peek() != '-' || peek(1) == ']' || pos_ + 1 >= text_.size()) continue;
      if (ranges.size() != count + 1 || ranges.back().low != ranges.back().high) invalid("-", "after a class");
      ++pos_;
      std::vector<CodePointRange> high;
      if (peek() == '\\') {
        escape(high, true);
      } else {
        const char32_t c = code_point();
        high.push_back({c, c});
      }
      if (high.size() != 1 || high[0].low != high[0].high) invalid("-", "before a class");
      if (high[0].low < ranges.back().low) invalid("a range", "that does not ascend");
      ranges.back().high = high[0].low;
    }
    if (!eat(']')) invalid("[", "without its end");
    GrammarExpr e = json_class(negated ? complement(std::move(ranges)) : ranges, exact);
    if (e.kind == GrammarExpr::Kind::kChoice && e.parts.empty()) invalid("a class", "without characters");
    return e;
  }

  std::string_view text_;
  size_t pos_ = 0;
  int depth_ = 0;
  const JsonText& json_;
  const std::string& path_;
};

#define QVL_MONTH_DAY "((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
#define QVL_DATE "[1-9][0-9]{3}-" QVL_MONTH_DAY
#define QVL_TIME "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
#define QVL_LABEL "[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?"
#define QVL_BYTE "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
#define QVL_HEX "[0-9a-f]"

constexpr std::pair<std::string_view, std::string_view> kFormats[] = {
    {"date", "^" QVL_DATE "$"},
    {"time", "^" QVL_TIME "$"},
    {"date-time", "^" QVL_DATE "T" QVL_TIME "$"},
    {"uuid", "^" QVL_HEX "{8}-" QVL_HEX "{4}-" QVL_HEX "{4}-" QVL_HEX "{4}-" QVL_HEX "{12}$"},
    {"email", "^[A-Za-z0-9_+-]{1,20}(\\.[A-Za-z0-9_+-]{1,20}){0,2}@(" QVL_LABEL "\\.){1,4}[A-Za-z]{2,12}$"},
    {"hostname", "^(" QVL_LABEL "\\.){0,6}[A-Za-z]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$"},
    {"ipv4", "^" QVL_BYTE "(\\." QVL_BYTE "){3}$"},
    {"uri", "^[a-z][a-z0-9+.-]{1,15}://(" QVL_LABEL "\\.){0,6}" QVL_LABEL "(:[1-9][0-9]{0,3})?(/[A-Za-z0-9._~!$&'()*+,;=:@-]*)*"
            "(\\?[A-Za-z0-9._~!$&'()*+,;=:@/?-]*)?(#[A-Za-z0-9._~!$&'()*+,;=:@/?-]*)?$"},
};

}  // namespace

GrammarExpr pattern_in_json(std::string_view pattern, const JsonText& json, const std::string& path) {
  if (pattern.size() > kMaxPatternBytes) {
    throw Error(ErrorKind::kInvalidRequest, "invalid_schema",
                fmt::format("{}: expected at most {} bytes, found {}", path, kMaxPatternBytes, pattern.size()), path);
  }
  return PatternParser(pattern, json, path).parse();
}

std::optional<std::string_view> pattern_of_format(std::string_view format) {
  for (const auto& [name, pattern] : kFormats) {
    if (name == format) return pattern;
  }
  return std::nullopt;
}

}  // namespace qvl
