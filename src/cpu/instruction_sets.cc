#include "cpu/instruction_sets.h"

#include <cstdlib>

#include "base/error.h"
#include "cpu/cpu_backend.h"

namespace qvl::cpu {

std::vector<InstructionSet> native_instruction_sets() {
  std::vector<InstructionSet> sets = {{"generic", &generic_kernels()}};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.push_back({"avx2", &avx2_kernels()});
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq")) {
    sets.push_back({"avx512", &avx512_kernels()});
  }
#endif
  return sets;
}

std::vector<InstructionSet> runnable_instruction_sets() { return native_instruction_sets(); }

InstructionSet choose_instruction_set(const std::string& name) {
  const char* const forced = std::getenv("QVL_ISA");
  const std::string wanted = !name.empty() ? name : forced != nullptr ? forced : "";
  if (wanted.empty()) return native_instruction_sets().back();
  std::string known;
  for (const auto& set : runnable_instruction_sets()) {
    if (set.name == wanted) return set;
    known += known.empty() ? set.name : ", " + set.name;
  }
  throw_error(ErrorKind::kBadFlag, "bad_flag", "instruction set \"{}\": this processor runs {}", printable(wanted), known);
}

}  // namespace qvl::cpu

namespace qvl {

std::vector<std::string> cpu_instruction_sets() {
  std::vector<std::string> names;
  for (const auto& set : cpu::runnable_instruction_sets()) names.push_back(set.name);
  return names;
}

}  // namespace qvl
