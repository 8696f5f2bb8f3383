// Qwen2's split pattern as a hand-written scanner: the pieces inside which BPE merges. No state.
#pragma once

#include <cstddef>
#include <string_view>

namespace qvl {

// The only pattern that next_piece implements; a tokenizer with another one must be refused.
inline constexpr std::string_view kSplitPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// The end of the piece that begins at text[begin]; text is valid UTF-8, begin < text.size(). Every byte of a text
// belongs to a piece, since the pattern's alternatives cover all characters.
size_t next_piece(std::string_view text, size_t begin);

}  // namespace qvl
