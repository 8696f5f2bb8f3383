// qwen3vl: the program. Composes the objects that serve, chat and trace need; the only place that reads flags.
#include <fcntl.h>
#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <system_error>

#include "app/commands.h"
#include "base/error.h"
#include "base/log.h"

namespace {

// Started with closed standard streams, the first files and sockets would take their numbers, and what is printed would go
// into them.
void fill_standard_streams() {
  for (int fd = ::open("/dev/null", O_RDWR); fd >= 0; fd = ::open("/dev/null", O_RDWR)) {
    if (fd <= STDERR_FILENO) continue;
    ::close(fd);
    return;
  }
}

// Bodies, pictures and activations go back to the system when they are freed. Left alone, glibc raises its threshold with
// every large block, and each thread's arena keeps the largest it has seen: a few hundred MB after some large pictures.
void give_memory_back() {
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 8 << 20);
}

// An answer that could not be written is an error, unless the reader of a pipe has seen enough, as `head` does.
int flush_output(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  struct stat info {};
  if (::fstat(STDOUT_FILENO, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode))) return code;
  std::fprintf(stderr, "qwen3vl: the output cannot be written: is the disk full? (output_failed)\n");
  return code != 0 ? code : 1;
}

int out_of_resources(const std::system_error& e) {
  const bool descriptors = e.code() == std::errc::too_many_files_open || e.code() == std::errc::too_many_files_open_in_system;
  if (descriptors) {
    std::fprintf(stderr, "qwen3vl: not enough file descriptors: raise the limit, ulimit -n 1024 (too_few_fds)\n");
    return qvl::exit_code(qvl::ErrorKind::kListen);
  }
  if (e.code() == std::errc::resource_unavailable_try_again || e.code() == std::errc::not_enough_memory) {
    std::fprintf(stderr, "qwen3vl: not enough memory, or too many threads for the limits of this user (memory_budget)\n");
    return qvl::exit_code(qvl::ErrorKind::kMemory);
  }
  std::fprintf(stderr, "qwen3vl: the system refused: %s (internal_error)\n", e.code().message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_streams();
  give_memory_back();
  std::signal(SIGPIPE, SIG_IGN);  // a reader that left is an error of that write, not of the process
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGUSR1, SIG_IGN);  // they mean nothing here, and their default is the process's end
  std::signal(SIGUSR2, SIG_IGN);
  qvl::log_init();
  try {
    return flush_output(qvl::run_command_line(argc, argv));
  } catch (const qvl::Error& e) {
    std::fprintf(stderr, "qwen3vl: %s (%s)\n", e.what(), e.code.c_str());
    return qvl::exit_code(e.kind);
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "qwen3vl: not enough memory (memory_budget)\n");
    return qvl::exit_code(qvl::ErrorKind::kMemory);
  } catch (const std::system_error& e) {
    return out_of_resources(e);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "qwen3vl: internal error: %s (internal_error)\n", e.what());
    return 1;
  }
}
