#include "serve/process_stats.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace qvl {
namespace {

// The fields of /proc/self/stat behind the program's name, which may hold spaces: [0] is field 3 of proc(5).
std::vector<std::string> stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  std::istringstream rest(line.substr(std::min(line.size(), line.rfind(')') + 1)));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

double start_time(double ticks_after_boot) {
  std::ifstream file("/proc/uptime");
  double uptime = 0;
  file >> uptime;
  const double now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return now - uptime + ticks_after_boot / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

int64_t open_descriptors() {
  std::error_code error;
  int64_t count = 0;
  for (auto it = std::filesystem::directory_iterator("/proc/self/fd", error); !error && it != std::filesystem::end(it);
       it.increment(error)) {
    ++count;
  }
  return std::max<int64_t>(count - 1, 0);  // without the listing's own
}

}  // namespace

ProcessStats process_stats() {
  constexpr size_t kThreads = 17, kStartTicks = 19, kResidentPages = 21;  // fields 20, 22 and 24 of proc(5)
  ProcessStats stats;
  const auto fields = stat_fields();
  if (fields.size() > kResidentPages) {
    stats.threads = std::stoll(fields[kThreads]);
    stats.start_time = start_time(std::stod(fields[kStartTicks]));
    stats.resident_bytes = std::stoll(fields[kResidentPages]) * ::sysconf(_SC_PAGESIZE);
  }
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  stats.cpu_seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  stats.open_fds = open_descriptors();
  return stats;
}

}  // namespace qvl
