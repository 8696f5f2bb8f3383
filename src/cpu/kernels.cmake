# One source, kernels/kernels.inc, compiled once for every instruction set; cpu_backend.cc chooses the table at start.
# Contraction to fused multiply-adds is on, no other liberty of floating point: masks need infinities.
set(cpu_kernels ${CMAKE_CURRENT_SOURCE_DIR}/cpu/kernels)
file(GLOB cpu_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cpu/*.cc)
list(APPEND cpu_sources ${cpu_kernels}/generic.cc ${cpu_kernels}/amx_emulated.cc ${cpu_kernels}/vnni_emulated.cc)
# Without forwarding of single-use temporaries (ter): it computes all products of an unrolled loop before their sums, and what
# does not fit the registers goes through memory.
set(kernel_flags -O3 -fno-tree-ter -ffp-contract=fast -fno-math-errno -Wno-psabi -Wno-ignored-attributes -Wno-shadow)
# Their memory is watched; checks of every vector's every operation would take the compiler hours.
if(QVL_SANITIZE)
  list(APPEND kernel_flags -O1 -fno-sanitize=undefined)
endif()
set_source_files_properties(${cpu_kernels}/generic.cc ${cpu_kernels}/amx_emulated.cc ${cpu_kernels}/vnni_emulated.cc PROPERTIES
  COMPILE_OPTIONS "${kernel_flags}")
# Its search is plain loops over vectors; contraction stays off there, so that every machine gives the same blocks.
set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/cpu/quantise.cc PROPERTIES
  COMPILE_OPTIONS "-O3;-ffp-contract=off;-fno-math-errno;-Wno-psabi")
set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/cpu/moments.cc PROPERTIES COMPILE_OPTIONS "-O3;-fno-math-errno;-Wno-psabi")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(avx512_flags -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512)
  set_source_files_properties(${cpu_kernels}/avx2.cc PROPERTIES COMPILE_OPTIONS "${kernel_flags};-mavx2;-mfma")
  set_source_files_properties(${cpu_kernels}/avx_vnni.cc PROPERTIES
    COMPILE_OPTIONS "${kernel_flags};-mavx2;-mfma;-mavxvnni")
  set_source_files_properties(${cpu_kernels}/avx512_vnni.cc PROPERTIES
    COMPILE_OPTIONS "${kernel_flags};${avx512_flags};-mavx512vnni")
  set_source_files_properties(${cpu_kernels}/avx512_bf16.cc PROPERTIES
    COMPILE_OPTIONS "${kernel_flags};${avx512_flags};-mavx512vnni;-mavx512bf16")
  set_source_files_properties(${cpu_kernels}/avx512.cc PROPERTIES COMPILE_OPTIONS "${kernel_flags};${avx512_flags}")
  set_source_files_properties(${cpu_kernels}/amx.cc PROPERTIES
    COMPILE_OPTIONS "${kernel_flags};${avx512_flags};-mavx512vnni;-mamx-tile;-mamx-bf16;-mamx-int8")
  list(APPEND cpu_sources ${cpu_kernels}/avx2.cc ${cpu_kernels}/avx_vnni.cc ${cpu_kernels}/avx512.cc
       ${cpu_kernels}/avx512_vnni.cc ${cpu_kernels}/avx512_bf16.cc ${cpu_kernels}/amx.cc)
endif()
add_library(qvl_cpu STATIC ${cpu_sources})
target_link_libraries(qvl_cpu PUBLIC qvl_flags qvl_ops)
