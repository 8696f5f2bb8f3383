# One source, kernels.inc, compiled once for every instruction set; cpu_ops.cc chooses the table at start.
file(GLOB cpu_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/cpu/*.cc ${CMAKE_CURRENT_SOURCE_DIR}/cpu/kernels/*.cc)
if(cpu_sources)
  add_library(qvl_cpu STATIC ${cpu_sources})
  target_link_libraries(qvl_cpu PUBLIC qvl_flags qvl_ops)
endif()
