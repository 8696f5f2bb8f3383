// Three-axis position ids of a prompt (spec 6.4).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace qvl {

// The merged cells of one run of pad tokens: a picture, or one temporal group of a video.
struct VisualRun {
  int64_t token_begin;
  int rows, columns;  // grid.h / merge, grid.w / merge
};

struct RopePositions {
  std::vector<int32_t> ids;  // [3, tokens]: t, h, w
  int32_t rope_delta = 0;    // a generated token at index i has position i + rope_delta on all axes
};

// runs: ascending, not overlapping, inside [0, tokens); all other tokens are text.
RopePositions rope_positions(int64_t tokens, std::span<const VisualRun> runs);

}  // namespace qvl
