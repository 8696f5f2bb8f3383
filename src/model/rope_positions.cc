#include "model/rope_positions.h"

#include <algorithm>

#include "base/check.h"

namespace qvl {

RopePositions rope_positions(int64_t tokens, std::span<const VisualRun> runs) {
  RopePositions out;
  const auto n = static_cast<size_t>(tokens);
  out.ids.resize(3 * n);
  int32_t* const t = out.ids.data();
  int32_t* const h = t + n;
  int32_t* const w = h + n;
  size_t index = 0;
  int32_t p = 0;
  const auto text_until = [&](size_t end) {
    for (; index < end; ++index, ++p) t[index] = h[index] = w[index] = p;
  };
  for (const VisualRun& run : runs) {
    const auto begin = static_cast<size_t>(run.token_begin);
    const size_t end = begin + static_cast<size_t>(run.rows) * static_cast<size_t>(run.columns);
    QVL_CHECK(begin >= index && end <= n, "visual run at {} of {}x{} in {} tokens", begin, run.rows, run.columns, n);
    text_until(begin);
    for (int r = 0; r < run.rows; ++r) {
      for (int c = 0; c < run.columns; ++c, ++index) {
        t[index] = p;
        h[index] = p + r;
        w[index] = p + c;
      }
    }
    p += std::max(run.rows, run.columns);
  }
  text_until(n);
  out.rope_delta = p - static_cast<int32_t>(tokens);
  return out;
}

}  // namespace qvl
