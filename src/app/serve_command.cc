#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <vector>

#include "app/commands.h"
#include "app/engine_factory.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "serve/http_server.h"
#include "serve/media_fetch.h"
#include "serve/upstream_pool.h"
#include "weights/packed_file.h"

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

// Raises the soft limit on descriptors as far as the connections need, or takes fewer connections.
void fit_descriptors(ServerLimits& limits) {
  constexpr rlim_t kOwn = 64;  // model files while loading, event loop, listener, the second that accept() holds
  constexpr rlim_t kLeastConnections = 32;
  rlimit found{};
  if (::getrlimit(RLIMIT_NOFILE, &found) != 0) return;
  const rlim_t wanted = static_cast<rlim_t>(limits.max_connections) + kOwn;
  if (found.rlim_cur >= wanted) return;
  found.rlim_cur = std::min(wanted, found.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &found);
  ::getrlimit(RLIMIT_NOFILE, &found);
  if (found.rlim_cur < kOwn + kLeastConnections) {
    throw_error(ErrorKind::kListen, "too_few_fds",
                "this process may open {} files and sockets, expected at least {}: raise the limit, ulimit -n {}", found.rlim_cur,
                kOwn + kLeastConnections, wanted);
  }
  if (found.rlim_cur >= wanted) return;
  limits.max_connections = static_cast<int>(found.rlim_cur - kOwn);
  log_warn("this process may open {} files and sockets: at most {} connections at once", found.rlim_cur, limits.max_connections);
}

std::unique_ptr<MediaFetcher> make_media(const ServeFlags& flags, ServerOptions& options) {
  if (!flags.media_hosts && flags.media_path.empty()) return nullptr;
  MediaFetchOptions media;
  media.urls = flags.media_hosts.has_value();
  if (media.urls) {
    media.hosts = *flags.media_hosts;
    options.worker_threads += media.max_at_once;  // a fetch waits on its worker: the others' pictures must not
  }
  media.folder = flags.media_path;
  return std::make_unique<MediaFetcher>(std::move(media));
}

std::unique_ptr<UpstreamPool> make_upstreams(const ServeFlags& flags) {
  if (flags.upstreams.empty()) return nullptr;
  UpstreamOptions options;
  options.urls = flags.upstreams;
  if (!flags.upstream_api_key.empty()) options.api_key = flags.upstream_api_key;
  options.answer_timeout = std::chrono::seconds(flags.upstream_timeout);
  return std::make_unique<UpstreamPool>(std::move(options));
}

std::vector<RunningModel> start_models(const ServeFlags& flags) {
  std::vector<RunningModel> models;
  if (!flags.load_model) return models;
  models.push_back(start_model(flags.model));
  if (!flags.thinking_model.empty()) {
    ModelFlags second = flags.model;
    second.model = flags.thinking_model;
    models.push_back(start_model(second));
  }
  return models;
}

void end_at_once(int) {
  PackedFileWriter::remove_unfinished();
  std::_Exit(0);
}

// Until the server runs there are no answers to wait for: a signal ends the process as a stop does, with 0 and no file half
// written. HttpServer::run() puts its own in their place.
void end_on_signals() {
  for (const int signal : {SIGINT, SIGTERM, SIGQUIT, SIGHUP}) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN && signal == SIGHUP) continue;
    action = {};
    action.sa_handler = end_at_once;
    ::sigaction(signal, &action, nullptr);
  }
}

}  // namespace

int run_serve(const ServeFlags& flags) {
  if (flags.log_format == "json") log_init(LogFormat::kJson);
  spdlog::set_level(spdlog::level::from_str(flags.log_level));
  ServerOptions options;
  options.host = flags.listen ? "0.0.0.0" : flags.host;
  options.port = flags.port;
  options.version = kVersion;
  options.api_key = api_key(flags);
  options.allow_hosts = flags.allow_hosts;
  options.limits.drain_timeout = std::chrono::milliseconds(std::llround(flags.drain_timeout * 1000));
  if (flags.metrics_compat == "vllm") options.metric_names = MetricNames::kVllm;
  if (flags.metrics_compat == "llamacpp") options.metric_names = MetricNames::kLlamaCpp;
  fit_descriptors(options.limits);
  if (flags.load_model) find_model(flags.model.model);  // a wrong name is told before anything else
  const auto media = make_media(flags, options);
  const auto upstreams = make_upstreams(flags);
  options.upstreams = upstreams.get();

  ModelRegistry registry;
  registry.set_media(media.get());
  HttpServer server(options, registry);
  end_on_signals();
  server.bind();  // a port in use is told before the model loads
  const std::vector<RunningModel> models = start_models(flags);
  if (upstreams) upstreams->start();
  for (const auto& model : models) model.add_to(registry);
  const bool loopback = options.host == "127.0.0.1" || options.host == "::1" || options.host == "localhost";
  if (!loopback && !options.api_key) log_warn("listening on {} without an --api-key: anybody who reaches this machine may ask", options.host);
  log_info("ready: open http://{}:{}", flags.listen ? "127.0.0.1" : options.host, server.port());
  server.run();
  return 0;
}

}  // namespace qvl
