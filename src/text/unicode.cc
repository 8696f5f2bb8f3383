#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/utf8.h"

namespace qvl {
namespace {

constexpr std::array<CharClass, 128> make_ascii_classes() {
  std::array<CharClass, 128> classes{};
  for (size_t c = 0; c < 128; ++c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) classes[c] = CharClass::kLetter;
    if (c >= '0' && c <= '9') classes[c] = CharClass::kNumber;
    if (c == ' ' || c == '\t' || c == 0x0b || c == 0x0c) classes[c] = CharClass::kSpace;
    if (c == '\r' || c == '\n') classes[c] = CharClass::kNewline;
  }
  return classes;
}
constexpr std::array<CharClass, 128> kAsciiClasses = make_ascii_classes();

// The White_Space property above ASCII.
bool is_white_space(char32_t c) {
  return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 ||
         c == 0x202f || c == 0x205f || c == 0x3000;
}

int combining_class(utf8proc_int32_t c) { return utf8proc_get_property(c)->combining_class; }

// utf8proc's own ordering is an exchange sort, quadratic in a run of marks, and a run can be as long as the text.
void sort_combining_marks(std::vector<utf8proc_int32_t>& code_points) {
  const auto is_starter = [](utf8proc_int32_t c) { return combining_class(c) == 0; };
  for (auto begin = code_points.begin(); begin != code_points.end();) {
    begin = std::find_if_not(begin, code_points.end(), is_starter);
    const auto end = std::find_if(begin, code_points.end(), is_starter);
    std::stable_sort(begin, end, [](auto a, auto b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

// Composes code_points[begin, end) and appends it. The range is in canonical order.
void append_composed(std::vector<utf8proc_int32_t>& code_points, size_t begin, size_t end, std::string& out) {
  const auto length = utf8proc_normalize_utf32(code_points.data() + begin, static_cast<utf8proc_ssize_t>(end - begin),
                                               static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  for (utf8proc_ssize_t i = 0; i < length; ++i) {
    utf8_append(out, static_cast<char32_t>(code_points[begin + static_cast<size_t>(i)]));
  }
}

// utf8proc drops a U+11A7 after a Hangul syllable, as if it were an empty final consonant. It is a vowel that composes
// with nothing, so what stands before and after it can be composed alone.
constexpr utf8proc_int32_t kNotAFinalConsonant = 0x11a7;

}  // namespace

CharClass char_class(char32_t c) {
  if (c < 128) return kAsciiClasses[c];
  if (is_white_space(c)) return CharClass::kSpace;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return CharClass::kLetter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return CharClass::kNumber;
    default:
      return CharClass::kOther;
  }
}

bool may_change_in_nfc(std::string_view text) {
  // 0xcc is the lead byte of U+0300, the first character that normalisation looks at.
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0xcc; });
}

std::string to_nfc(std::string_view text) {
  if (!may_change_in_nfc(text)) return std::string(text);
  std::vector<utf8proc_int32_t> code_points;
  code_points.reserve(text.size());
  for (size_t pos = 0; pos < text.size();) {
    const Utf8Step step = utf8_next(text, pos);
    pos += step.length;
    if (step.code_point < 0xc0) {
      code_points.push_back(static_cast<utf8proc_int32_t>(step.code_point));
      continue;
    }
    std::array<utf8proc_int32_t, 32> parts;
    int last_boundclass = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(step.code_point), parts.data(),
                                               parts.size(), UTF8PROC_DECOMPOSE, &last_boundclass);
    // No canonical decomposition is longer than 4, so only text that is not valid UTF-8 could fail here.
    if (count < 0 || count > static_cast<utf8proc_ssize_t>(parts.size())) {
      code_points.push_back(0xfffd);
    } else {
      code_points.insert(code_points.end(), parts.begin(), parts.begin() + count);
    }
  }
  sort_combining_marks(code_points);
  std::string out;
  out.reserve(text.size());
  for (size_t begin = 0; begin < code_points.size();) {
    const auto found =
        std::find(code_points.begin() + static_cast<ptrdiff_t>(begin), code_points.end(), kNotAFinalConsonant);
    const auto end = static_cast<size_t>(found - code_points.begin());
    append_composed(code_points, begin, end, out);
    if (end < code_points.size()) utf8_append(out, static_cast<char32_t>(kNotAFinalConsonant));
    begin = end + 1;
  }
  return out;
}

}  // namespace qvl
