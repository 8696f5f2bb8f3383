#include "cpu/instruction_sets.h"

#include <cstdlib>
#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "base/error.h"
#include "base/log.h"
#include "cpu/cpu_backend.h"
#include "cpu/self_test.h"

namespace qvl::cpu {
namespace {

#if defined(__x86_64__)
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq");
}

// GCC 12's __builtin_cpu_supports know VNNI in AVX's encoding.
bool has_avx_vnni() {
  constexpr unsigned kAvxVnni = 1u << 4;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & kAvxVnni) != 0;
}

bool has_avx512_bf16() {
  constexpr unsigned kAvx512Bf16 = 1u << 5;
  unsigned a = 0, b = 0, c = 0, d = 0;
  return has_avx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & kAvx512Bf16) != 0;
}

// GCC 12's __builtin_cpu_supports does not know the tiles.
bool has_amx() {
#if defined(__linux__)
  constexpr unsigned kBf16 = 1u << 22, kInt8 = 1u << 25, kTile = 1u << 24, kOsXsave = 1u << 27, kTileState = 3u << 17;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kOsXsave) == 0) return false;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kBf16) == 0 || (d & kInt8) == 0 || (d & kTile) == 0) return false;
  asm volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  return (a & kTileState) == kTileState;
#else
  return false;
#endif
}

// The operating system hands out the 8 KB of tile registers to processes that ask, once for all threads.
bool amx_granted() {
#if defined(__linux__)
  static const bool granted = [] {
    constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    if (syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0) return true;
    log_warn("the processor has AMX, but the system does not grant its use (Linux 5.16 or later does): using AVX-512");
    return false;
  }();
  return granted;
#else
  return false;
#endif
}
#endif

}  // namespace

std::vector<InstructionSet> native_instruction_sets() {
  std::vector<InstructionSet> sets = {{"generic", &generic_kernels()}};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) sets.push_back({"avx2", &avx2_kernels()});
  if (has_avx_vnni() && __builtin_cpu_supports("fma")) sets.push_back({"avx-vnni", &avx_vnni_kernels()});
  if (has_avx512()) {
    sets.push_back({"avx512", &avx512_kernels()});
    const bool vnni = __builtin_cpu_supports("avx512vnni");
    if (vnni) sets.push_back({"avx512-vnni", &avx512_vnni_kernels()});
    if (vnni && has_avx512_bf16()) sets.push_back({"avx512-bf16", &avx512_bf16_kernels()});
    if (vnni && has_amx() && amx_granted()) sets.push_back({"amx", &amx_kernels()});
  }
#endif
  return sets;
}

std::vector<InstructionSet> runnable_instruction_sets() {
  auto sets = native_instruction_sets();
  sets.insert(sets.begin(), {"amx-emulated", &amx_emulated_kernels()});
  sets.insert(sets.begin(), {"vnni-emulated", &vnni_emulated_kernels()});
  return sets;
}

InstructionSet best_tested(const std::vector<InstructionSet>& sets) {
  for (size_t i = sets.size(); i-- > 1;) {
    const std::string fault = self_test(*sets[i].table);
    if (fault.empty()) return sets[i];
    log_warn("CPU kernels \"{}\" compute {} wrongly on this processor; using \"{}\"", sets[i].name, fault, sets[i - 1].name);
  }
  return sets.front();
}

InstructionSet choose_instruction_set(const std::string& name) {
  const char* const forced = std::getenv("QVL_ISA");
  const std::string wanted = !name.empty() ? name : forced != nullptr ? forced : "";
  if (wanted.empty()) return best_tested(native_instruction_sets());
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
