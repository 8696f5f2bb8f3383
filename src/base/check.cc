#include "base/check.h"

#include <stdexcept>

#include "base/log.h"

namespace qvl {

// Throws instead of aborting: the three places that catch errors turn it into a 500 for one request or an exit code.
void check_failed(const char* file, int line, const char* condition, const std::string& message) {
  const std::string text = fmt::format("{}:{}: check failed: {} {}", file, line, condition, message);
  log_error("{}", text);
  throw std::logic_error(text);
}

}  // namespace qvl
