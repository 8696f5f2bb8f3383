// kernels.inc for one instruction set; its compiler flags are in cpu/kernels.cmake.
#define QVL_LANES 8
#define QVL_ROWS 6
#define QVL_NAME "avx2"
#define QVL_TABLE avx2_kernels
#include "cpu/kernels/kernels.inc"
