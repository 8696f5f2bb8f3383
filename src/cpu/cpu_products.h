// Products of rows with packed matrices: rounds and packs the inputs as the matrix's format and the instruction set ask for,
// and splits the panels between the pool's threads. One caller at a time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/cpu_linear.h"

namespace qvl::cpu {

// Rows of so many values that are worth waking a thread for.
inline int64_t row_grain(int64_t width) { return std::max<int64_t>(1, 16384 / std::max<int64_t>(1, width)); }

class CpuProducts {
 public:
  // rounds: bfloat16 products may round their inputs where the table multiplies in bfloat16.
  CpuProducts(const KernelTable& table, ThreadPool& pool, bool rounds)
      : table_(table), pool_(pool), rounds_(rounds && table.product_bf16 != nullptr) {}

  // Rows first..first+rows-1 of x go through this matrix.
  struct Group {
    const CpuLinear* matrix;
    int64_t first, rows;
  };
  // y[r] = finish(x[r] W^T + bias) for the rows of every group; there is one at least, they cover rows 0.. without gaps, and their
  // matrices have one shape and one format. x: [rows, in], y: rows of `out` that are ldy floats apart.
  void run(std::span<const Group> groups, const float* x, float* y, int64_t ldy, Finish finish);
  // The same of int4 or int8 matrices and rows that round() made.
  void run_rounded(std::span<const Group> groups, const std::byte* inputs, float* y, int64_t ldy, Finish finish);
  // Rows as matrices of that format take them: table.input_block_bytes for each 256 inputs, all rows' first ones, then their second ones.
  const std::byte* round(const float* x, int64_t rows, int64_t in, QuantFormat format, Buffer& to);
  // Ops::linear_best with a matrix of int8 in halves; without `best` all values are exact.
  void run_halves(const CpuLinear& w, const float* x, int64_t rows, float* y, int64_t ldy, std::span<const BestOf> best);

 private:
  // What is below, all reach included, is not wanted.
  float bound_of(const float* y, const float* reach, int64_t out, const BestOf& best);
  const std::byte* pack(std::span<const Group> groups, const float* x, int64_t in);
  void run_groups(std::span<const Group> groups, const std::byte* inputs, const float* x, float* y, int64_t ldy, Finish finish);
  void run_panels(const Group& group, const std::byte* inputs, int64_t total, const float* x, float* y, int64_t ldy,
                  Finish finish, int64_t begin, int64_t end) const;

  const KernelTable& table_;
  ThreadPool& pool_;
  const bool rounds_;
  Buffer inputs_;
  Scratch reach_, energy_, maxima_;
};

}  // namespace qvl::cpu
