// Sums of x^T x over the rows that went into a matrix, in blocks of 256 inputs: which of its inputs are large and which move together, and so
// which errors of its weights an output notices. Half of each symmetric block is kept. Not thread-safe; blocks are independent of each other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace qvl {

class InputMoments {
 public:
  static constexpr int64_t kBlock = 256;  // the blocks of packed weights: errors are spread no farther

  explicit InputMoments(int64_t inputs);
  int64_t inputs() const { return inputs_; }
  int64_t blocks() const { return static_cast<int64_t>(sums_.size()); }
  int64_t block_inputs(int64_t block) const { return std::min(kBlock, inputs_ - block * kBlock); }
  size_t bytes() const;

  // Row i of a block holds its sums with inputs 0..i of the block and begins at i (i + 1) / 2.
  float* block(int64_t block) { return sums_[static_cast<size_t>(block)].data(); }
  const float* block(int64_t block) const { return sums_[static_cast<size_t>(block)].data(); }
  static constexpr int64_t row_begin(int64_t i) { return i * (i + 1) / 2; }
  float sum(int64_t block, int64_t i, int64_t j) const {
    return sums_[static_cast<size_t>(block)][static_cast<size_t>(i >= j ? row_begin(i) + j : row_begin(j) + i)];
  }

  // Adds x[rows, inputs], in plain loops.
  void add(const float* x, int64_t rows);

 private:
  int64_t inputs_;
  std::vector<std::vector<float>> sums_;
};

}  // namespace qvl
