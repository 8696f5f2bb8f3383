// kernels.inc for one instruction set; its compiler flags are in cpu/kernels.cmake.
#define QVL_LANES 4
#define QVL_ROWS 3
#define QVL_NAME "generic"
#define QVL_TABLE generic_kernels
#include "cpu/kernels/kernels.inc"
