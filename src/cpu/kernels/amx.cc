// kernels.inc on AVX-512 with the products and attention of amx.inc on the processor's tiles. Run only where the operating
// system has granted the tiles to this process (instruction_sets.cc). Compiler flags: cpu/kernels.cmake.
#include <cstdint>

namespace qvl::cpu {
namespace {

// Inline assembly rather than the intrinsics: those of GCC 12 do not tell the compiler that loads and the configuration
// read memory, and it may drop or move the stores before them.
struct AmxTiles {
  struct Config {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  };
  static_assert(sizeof(Config) == 64);

  AmxTiles() {
    alignas(64) const Config config;
    asm volatile("ldtilecfg %0" ::"m"(config));
  }
  ~AmxTiles() { asm volatile("tilerelease" ::); }  // a context switch need not save them then

  template <int T>
  void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(T));
  }
  template <int T>
  void load(const void* from, int64_t row_bytes) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(row_bytes), "i"(T) : "memory");
  }
  template <int T>
  void store(void* to, int64_t row_bytes) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(row_bytes), "i"(T) : "memory");
  }
  // C += A B
  template <int C, int A, int B>
  void dot() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
  }
  // The same of int32 sums, signed bytes of A and unsigned ones of B.
  template <int C, int A, int B>
  void dot_bytes() {
    asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(C), "i"(A), "i"(B));
  }
};

}  // namespace
}  // namespace qvl::cpu

#define QVL_LANES 16
#define QVL_ROWS 12
#define QVL_NAME "amx"
#define QVL_TABLE amx_kernels
#define QVL_TILES AmxTiles
#define QVL_QUADS
#include "cpu/kernels/kernels.inc"
