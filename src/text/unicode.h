// What the tokenizer needs of Unicode: the classes of its split pattern and normal form C. No state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace qvl {

// The classes that Qwen2's split pattern tells apart. kNewline is \r or \n, kSpace the rest of White_Space, kLetter
// \p{L}, kNumber \p{N}.
enum class CharClass : uint8_t { kOther, kLetter, kNumber, kSpace, kNewline };

CharClass char_class(char32_t code_point);

// Normalisation form C of valid UTF-8; returns the text itself where every character is below U+0300 (all such text is
// normalised). Linear but for a sort of each run of combining marks.
std::string to_nfc(std::string_view text);
// False only for text that to_nfc surely leaves as it is.
bool may_change_in_nfc(std::string_view text);

}  // namespace qvl
