#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace qvl {

void log_init() {
  spdlog::set_default_logger(spdlog::stderr_color_mt("qwen3vl"));
  spdlog::set_pattern("%H:%M:%S.%e %^%l%$ %v");
}

}  // namespace qvl
