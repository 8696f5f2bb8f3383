// kernels.inc for one instruction set; its compiler flags are in cpu/kernels.cmake. avx512_vnni.cc and products in bfloat16.
#include <immintrin.h>

#define QVL_LANES 16
#define QVL_ROWS 12
#define QVL_QUADS
#define QVL_BF16_DOTS
#define QVL_NAME "avx512-bf16"
#define QVL_TABLE avx512_bf16_kernels
#include "cpu/kernels/kernels.inc"
