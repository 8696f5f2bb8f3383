// A layer's mixture of experts: rows are gathered by expert, so that an expert's weights are read once for all of its rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/cpu_products.h"

namespace qvl::cpu {

class CpuExperts {
 public:
  CpuExperts(const KernelTable& table, ThreadPool& pool, CpuProducts& products) : table_(table), pool_(pool), products_(products) {}

  // Ops::experts_add. A row's experts are added in ascending order, whatever else is in the batch.
  void add(const PackedExperts& experts, const float* x, int64_t rows, const int32_t* indices, const float* weights, int per_token, float* y);

 private:
  struct Job;
  void gather(const Job& job, int64_t first, int64_t count);
  void add_results(const Job& job, int64_t first, int64_t count);

  const KernelTable& table_;
  ThreadPool& pool_;
  CpuProducts& products_;
  Buffer rounded_, gathered_;
  Scratch wide_, narrow_, result_;
};

}  // namespace qvl::cpu
