// QVL_CHECK(condition, "message {}", value): a broken invariant of ours, on in every build. Nothing that a user sends may reach one.
#pragma once

#include <fmt/format.h>

#include <string>

namespace qvl {
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& message);
}

#define QVL_CHECK(condition, ...)                                                          \
  do {                                                                                     \
    if (!(condition)) [[unlikely]]                                                         \
      ::qvl::check_failed(__FILE__, __LINE__, #condition, ::fmt::format("" __VA_ARGS__)); \
  } while (false)
