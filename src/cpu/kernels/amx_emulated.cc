// amx.cc for every processor: the generic kernels with tiles that are arrays. For tests; slow.
#include <cstdint>

namespace qvl::cpu {
namespace {

// The arithmetic of tdpbf16ps: the products of even and of odd inputs are summed apart, then together, then to C. (The
// instruction also takes denormal numbers as zeros.)
struct EmulatedTiles {
  uint32_t tiles[8][16][16];

  template <int T>
  void zero() {
    __builtin_memset(tiles[T], 0, sizeof tiles[T]);
  }
  template <int T>
  void load(const void* from, int64_t row_bytes) {
    for (int r = 0; r < 16; ++r) __builtin_memcpy(tiles[T][r], static_cast<const char*>(from) + r * row_bytes, 64);
  }
  template <int T>
  void store(void* to, int64_t row_bytes) {
    for (int r = 0; r < 16; ++r) __builtin_memcpy(static_cast<char*>(to) + r * row_bytes, tiles[T][r], 64);
  }
  template <int C, int A, int B>
  void dot() {
    for (int r = 0; r < 16; ++r) {
      float even[16] = {}, odd[16] = {};
      for (int k = 0; k < 16; ++k) {
        const uint32_t a = tiles[A][r][k];
        for (int n = 0; n < 16; ++n) {
          even[n] += to_float(a << 16) * to_float(tiles[B][k][n] << 16);
          odd[n] += to_float(a & 0xffff0000u) * to_float(tiles[B][k][n] & 0xffff0000u);
        }
      }
      for (int n = 0; n < 16; ++n) {
        const float sum = to_float(tiles[C][r][n]) + (even[n] + odd[n]);
        __builtin_memcpy(&tiles[C][r][n], &sum, sizeof sum);
      }
    }
  }
  // tdpbsud: sums of four products of signed bytes of A and unsigned ones of B.
  template <int C, int A, int B>
  void dot_bytes() {
    for (int r = 0; r < 16; ++r) {
      for (int k = 0; k < 16; ++k) {
        for (int n = 0; n < 16; ++n) {
          for (int i = 0; i < 32; i += 8) {
            tiles[C][r][n] += static_cast<uint32_t>(static_cast<int8_t>(tiles[A][r][k] >> i)) * (tiles[B][k][n] >> i & 255u);
          }
        }
      }
    }
  }
  static float to_float(uint32_t bits) {
    float x;
    __builtin_memcpy(&x, &bits, sizeof x);
    return x;
  }
};

}  // namespace
}  // namespace qvl::cpu

#define QVL_LANES 4
#define QVL_ROWS 3
#define QVL_NAME "amx-emulated"
#define QVL_TABLE amx_emulated_kernels
#define QVL_TILES EmulatedTiles
#define QVL_QUADS
#include "cpu/kernels/kernels.inc"
