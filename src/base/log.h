// The program's log, on standard error, a line an entry, as text or as JSON. Prompts, answers, keys, pictures and names of
// files are never logged.
#pragma once

#include <spdlog/spdlog.h>

#include <initializer_list>
#include <string_view>
#include <utility>
#include <variant>

namespace qvl {

template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::debug(format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::info(format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_warn(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::warn(format, std::forward<Args>(args)...);
}
template <typename... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::error(format, std::forward<Args>(args)...);
}

// An event with named values: members of the line's JSON object, or "event name=value ..." as text, where zeros are left out.
struct LogField {
  const char* name;
  std::variant<std::string_view, int64_t, double> value;
};
void log_event(spdlog::level::level_enum level, std::string_view event, std::initializer_list<LogField> fields);

enum class LogFormat { kText, kJson };
// Sends the log to standard error; call once from main, and again where the format is another. Before any thread starts.
void log_init(LogFormat format = LogFormat::kText);

}  // namespace qvl
