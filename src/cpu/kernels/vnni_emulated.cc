// The loops of avx512_bf16.cc for every processor: vectors of 16 lanes, which the compiler splits, and plain loops in place of
// the dot products. For tests; slow.
#define QVL_LANES 16
#define QVL_ROWS 12
#define QVL_QUADS
#define QVL_BF16_DOTS
#define QVL_EMULATE
#define QVL_NAME "vnni-emulated"
#define QVL_TABLE vnni_emulated_kernels
#include "cpu/kernels/kernels.inc"
