#include <utility>

#include "base/utf8.h"
#include "text/tokenizer.h"

namespace qvl {

std::string StreamDecoder::push(int32_t id) {
  if (skip_special_ && tokenizer_.is_special(id)) return "";
  const auto token = tokenizer_.token_bytes(id);
  if (!token) return "";
  const std::string bytes = std::exchange(held_, "") + std::string(*token);
  std::string out;
  for (size_t pos = 0; pos < bytes.size();) {
    const Utf8Step step = utf8_next(bytes, pos);
    if (step.incomplete) {
      // The sequence ends with the text, so these are its last bytes.
      held_ = bytes.substr(pos);
      break;
    }
    utf8_append(out, step.code_point);
    pos += step.length;
  }
  return out;
}

std::string StreamDecoder::flush() { return utf8_repair(std::exchange(held_, "")); }

}  // namespace qvl
