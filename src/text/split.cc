#include "text/split.h"

#include "base/utf8.h"
#include "text/unicode.h"

namespace qvl {
namespace {

struct Char {
  char32_t code_point = 0;
  CharClass kind = CharClass::kOther;
  size_t end = 0;  // 0: the text ended before it
};

Char char_at(std::string_view text, size_t pos) {
  if (pos >= text.size()) return {};
  const auto byte = static_cast<unsigned char>(text[pos]);
  if (byte < 0x80) return {byte, char_class(byte), pos + 1};
  const Utf8Step step = utf8_next(text, pos);
  return {step.code_point, char_class(step.code_point), pos + step.length};
}

bool is_space(CharClass kind) { return kind == CharClass::kSpace || kind == CharClass::kNewline; }

// The end of the longest run of `kind` from pos.
size_t skip(std::string_view text, size_t pos, CharClass kind) {
  for (Char c = char_at(text, pos); c.end != 0 && c.kind == kind; c = char_at(text, pos)) pos = c.end;
  return pos;
}

char32_t fold(char32_t c) {
  if (c >= 'A' && c <= 'Z') return c + 0x20;
  // U+017F, the long s, is the one character outside of ASCII that case folding brings to a letter of these words.
  return c == 0x17f ? U's' : c;
}

// (?i:'s|'t|'re|'ve|'m|'ll|'d) at an apostrophe that ends at pos; 0 where it does not match.
size_t contraction_end(std::string_view text, size_t pos) {
  const Char first = char_at(text, pos);
  if (first.end == 0) return 0;
  const char32_t a = fold(first.code_point);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return first.end;
  const Char second = char_at(text, first.end);
  if (second.end == 0) return 0;
  const char32_t b = fold(second.code_point);
  if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return second.end;
  return 0;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ at white space. Greedy matching with backtracking comes to: up to the last newline of the
// run, else all of a run that ends the text, else all but the run's last character, which goes with what follows.
size_t white_space_end(std::string_view text, size_t begin) {
  size_t end = begin, last_begin = begin, after_newline = 0;
  for (Char c = char_at(text, begin); c.end != 0 && is_space(c.kind); c = char_at(text, end)) {
    last_begin = end;
    end = c.end;
    if (c.kind == CharClass::kNewline) after_newline = end;
  }
  if (after_newline != 0) return after_newline;
  if (end == text.size() || last_begin == begin) return end;
  return last_begin;
}

}  // namespace

size_t next_piece(std::string_view text, size_t begin) {
  const Char first = char_at(text, begin);
  if (first.code_point == '\'') {
    if (const size_t end = contraction_end(text, first.end)) return end;
  }
  if (first.kind == CharClass::kLetter) return skip(text, first.end, CharClass::kLetter);
  if (first.kind == CharClass::kNumber) return first.end;
  const Char second = char_at(text, first.end);
  const bool has_second = second.end != 0;
  // [^\r\n\p{L}\p{N}]?\p{L}+ with its first character there
  if (first.kind != CharClass::kNewline && has_second && second.kind == CharClass::kLetter) {
    return skip(text, second.end, CharClass::kLetter);
  }
  //  ?[^\s\p{L}\p{N}]+[\r\n]*
  const bool space_before = first.code_point == ' ' && has_second && second.kind == CharClass::kOther;
  if (first.kind == CharClass::kOther || space_before) {
    return skip(text, skip(text, first.end, CharClass::kOther), CharClass::kNewline);
  }
  return white_space_end(text, begin);
}

}  // namespace qvl
