// Ops on the CPU: packs weights into panels (kernels/kernels.h), splits each verb between the threads of a pool and runs the
// best instruction set's table. Used by one thread, the engine's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ops/ops.h"

namespace qvl {

struct CpuOptions {
  int threads = 0;                               // 0: the cores this process may run on
  Precision precision = Precision::kBFloat16;
  std::string instruction_set;                   // empty: QVL_ISA of the environment, else the best; see cpu_instruction_sets()
};

// The sets this processor has, best last: "generic", "avx2", "avx512", "amx"; and "amx-emulated", whose tiles are plain loops.
// QVL_ISA=all-of-these forces one. Errors of make_cpu_backend: kBadFlag "bad_flag" where the set named is not there.
std::vector<std::string> cpu_instruction_sets();
std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options);

}  // namespace qvl
