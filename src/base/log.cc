#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include "base/json.h"

namespace qvl {
namespace {

LogFormat current_format = LogFormat::kText;  // written before any thread starts

constexpr const char* kJsonHead = R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",)";

// The text of an entry as a JSON string.
class JsonText final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    const std::string text = dump_json(Json(std::string(message.payload.data(), message.payload.size())));
    out.append(text.data(), text.data() + text.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<JsonText>(); }
};

std::shared_ptr<spdlog::logger> make_logger(const char* name, const std::string& pattern, spdlog::pattern_time_type time) {
  auto logger = std::make_shared<spdlog::logger>(name, std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>(time);
  formatter->add_flag<JsonText>('*').set_pattern(pattern);
  logger->set_formatter(std::move(formatter));
  logger->set_level(spdlog::get_level());
  return logger;
}

Json json_value(const LogField& field) {
  return std::visit([](const auto& value) { return Json(value); }, field.value);
}

bool is_zero(const LogField& field) {
  const auto* const text = std::get_if<std::string_view>(&field.value);
  return text ? text->empty() : std::visit([](const auto& value) { return value == std::decay_t<decltype(value)>(); }, field.value);
}

std::string text_value(const LogField& field) {
  if (const auto* number = std::get_if<double>(&field.value)) return fmt::format("{:.1f}", *number);
  if (const auto* whole = std::get_if<int64_t>(&field.value)) return fmt::format("{}", *whole);
  const auto text = std::get<std::string_view>(field.value);
  return text.find(' ') == text.npos ? std::string(text) : fmt::format("\"{}\"", text);
}

}  // namespace

void log_event(spdlog::level::level_enum level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!spdlog::default_logger_raw()->should_log(level)) return;
  if (current_format == LogFormat::kJson) {
    Json json = {{"event", event}};
    for (const LogField& field : fields) json[field.name] = json_value(field);
    if (const auto logger = spdlog::get("events")) logger->log(level, "{}", dump_json(json).substr(1));
    return;
  }
  std::string line(event);
  for (const LogField& field : fields) {
    if (!is_zero(field)) line += fmt::format(" {}={}", field.name, text_value(field));
  }
  spdlog::log(level, "{}", line);
}

void log_init(LogFormat format) {
  current_format = format;
  spdlog::drop("events");  // never the default logger: it is asked for its level below
  if (format == LogFormat::kText) {
    spdlog::set_default_logger(make_logger("qwen3vl", "%H:%M:%S.%e %^%l%$ %v", spdlog::pattern_time_type::local));
    return;
  }
  // The payload of events is the rest of their object.
  spdlog::register_logger(make_logger("events", std::string(kJsonHead) + "%v", spdlog::pattern_time_type::utc));
  spdlog::set_default_logger(make_logger("qwen3vl", std::string(kJsonHead) + R"("message":%*})", spdlog::pattern_time_type::utc));
}

}  // namespace qvl
