#include <algorithm>
#include <vector>

#include "app/commands.h"
#include "app/engine_factory.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "serve/http_server.h"

namespace qvl {
namespace {

std::optional<std::string> api_key(const ServeFlags& flags) {
  std::string key = flags.api_key;
  if (!flags.api_key_file.empty()) {
    key = read_file(flags.api_key_file, ErrorKind::kBadFlag, "bad_flag", 1 << 16);
    key = key.substr(0, key.find_first_of("\r\n"));
  } else if (key.empty()) {
    return std::nullopt;
  }
  constexpr size_t kLeast = 16;
  const bool plain = std::all_of(key.begin(), key.end(), [](char c) { return c > 32 && c < 127; });
  if (key.size() < kLeast || !plain) {
    throw_error(ErrorKind::kBadFlag, "bad_flag", "--api-key: expected at least {} printable ASCII characters without spaces", kLeast);
  }
  return key;
}

}  // namespace

int run_serve(const ServeFlags& flags) {
  ServerOptions options;
  options.host = flags.listen ? "0.0.0.0" : flags.host;
  options.port = flags.port;
  options.api_key = api_key(flags);
  options.allow_hosts = flags.allow_hosts;
  find_model(flags.model.model);  // a wrong name is told before anything else

  ModelRegistry registry;
  HttpServer server(options, registry);
  server.bind();  // a port in use is told before the model loads
  std::vector<RunningModel> models;
  models.push_back(start_model(flags.model));
  if (!flags.thinking_model.empty()) {
    ModelFlags second = flags.model;
    second.model = flags.thinking_model;
    models.push_back(start_model(second));
  }
  for (const auto& model : models) model.add_to(registry);
  const bool loopback = options.host == "127.0.0.1" || options.host == "::1" || options.host == "localhost";
  if (!loopback && !options.api_key) log_warn("listening on {} without an --api-key: anybody who reaches this machine may ask", options.host);
  log_info("ready: open http://{}:{}", flags.listen ? "127.0.0.1" : options.host, server.port());
  server.run();
  return 0;
}

}  // namespace qvl
