// kernels.inc for one instruction set; its compiler flags are in cpu/kernels.cmake.
#define QVL_LANES 16
#define QVL_ROWS 12
#define QVL_QUADS
#define QVL_NAME "avx512-vnni"
#define QVL_TABLE avx512_vnni_kernels
#include "cpu/kernels/kernels.inc"
