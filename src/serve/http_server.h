// The HTTP/1.1 server: sockets, limits, deadlines, access rules, routes; event streams as coroutines on few threads.
// What a route answers is made elsewhere: quick ones on the connection's thread, the others on a pool of workers, so
// that /health and running streams never wait for a picture that is being decoded.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chat/served_model.h"
#include "serve/http_metrics.h"
#include "serve/http_types.h"
#include "serve/request_head.h"

namespace qvl {

class UpstreamPool;

struct ServerLimits {
  HeadLimits head;
  size_t max_body_bytes = size_t{64} << 20;
  size_t max_bodies_bytes = size_t{512} << 20;  // of all requests at once
  int max_connections = 4096;
  int max_pending_requests = 256;  // that wait for a worker or run on one
  std::chrono::milliseconds header_timeout{5000};
  std::chrono::milliseconds keep_alive_timeout{10000};
  // A body may take body_grace and one second more for every body_min_rate bytes.
  std::chrono::milliseconds body_grace{10000};
  size_t body_min_rate_bytes = 8 * 1024;
  std::chrono::milliseconds write_timeout{30000};  // for a client that does not read
  std::chrono::milliseconds ping_interval{15000};  // of an event stream without news
  std::chrono::milliseconds drain_timeout{5000};  // a stop lets running answers finish so long, then ends them
  std::chrono::milliseconds stop_grace{2000};     // after that for their last events
};

struct ServerOptions {
  std::string host = "127.0.0.1";  // an IP address, or "localhost"
  int port = 7860;                 // 0: any free one
  std::optional<std::string> api_key;
  std::vector<std::string> allow_hosts;  // names beyond loopback's and the machine's own; "*": any
  UpstreamPool* upstreams = nullptr;     // engines behind this server; outlives it
  std::string version = "dev";
  int io_threads = 2;
  int worker_threads = 2;
  MetricNames metric_names = MetricNames::kOwn;
  bool handle_signals = true;  // SIGINT, SIGTERM, SIGQUIT and SIGHUP stop run(), a second one ends the process at once
  ServerLimits limits;
};

// Everything that is served: one list, so that a test can hold all of it to the access rules. models and options.upstreams outlive the routes.
std::vector<Route> served_routes(const ModelRegistry& models, const ServerOptions& options,
                                 std::shared_ptr<HttpMetrics> metrics = std::make_shared<HttpMetrics>());

struct ServerCore;

class HttpServer {
 public:
  // models outlives the server; it is read from the first request on, so it may be filled after bind().
  HttpServer(ServerOptions options, const ModelRegistry& models);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Takes the port without accepting yet: call it before slow work. Errors: kListen "port_in_use", "port_denied",
  // "listen_failed"; kBadFlag "bad_flag" for a host that is not an address.
  void bind();
  int port() const;  // after bind()
  // Serves until stop() or a signal; binds where bind() was not called. Running streams end with an error event.
  void run();
  void stop();  // from any thread

 private:
  std::unique_ptr<ServerCore> core_;
};

}  // namespace qvl
