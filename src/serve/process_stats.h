// What the system says about this process.
#pragma once

#include <cstdint>

namespace qvl {

struct ProcessStats {
  int64_t resident_bytes = 0, open_fds = 0, threads = 0;
  double cpu_seconds = 0;
  double start_time = 0;  // seconds since 1970
};
ProcessStats process_stats();

}  // namespace qvl
