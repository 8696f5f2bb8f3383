// qwen3vl: the program. Composes the objects that serve, chat and trace need; the only place that reads flags.
#include <csignal>
#include <cstdio>

#include "app/commands.h"
#include "base/error.h"
#include "base/log.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that left is an error of that write, not of the process
  std::signal(SIGXFSZ, SIG_IGN);
  qvl::log_init();
  try {
    return qvl::run_command_line(argc, argv);
  } catch (const qvl::Error& e) {
    std::fprintf(stderr, "qwen3vl: %s (%s)\n", e.what(), e.code.c_str());
    return qvl::exit_code(e.kind);
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "qwen3vl: not enough memory (memory_budget)\n");
    return qvl::exit_code(qvl::ErrorKind::kMemory);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "qwen3vl: internal error: %s\n", e.what());
    return 1;
  }
}
