// Answers by route and class of status, and the text of /metrics. Thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "chat/served_model.h"
#include "serve/http_types.h"

namespace qvl {

// Which names /metrics uses for existing dashboards.
enum class MetricNames {
  kOwn,       // qwenvl_ with vLLM's suffixes
  kVllm,      // vllm: for what vLLM has, qwenvl_ for the rest
  kLlamaCpp,  // kOwn, and llama-server's own beside them
};

// Counted by the route's pattern: what clients send never becomes a label.
class HttpMetrics {
 public:
  HttpMetrics();
  // Before the first request: gives each route its counters.
  void watch(std::vector<Route>& routes);
  RouteAnswers& unknown() { return *entries_.front(); }  // of requests that reached no route
  const std::vector<std::shared_ptr<RouteAnswers>>& entries() const { return entries_; }

 private:
  std::vector<std::shared_ptr<RouteAnswers>> entries_;
};

// Prometheus' text format 0.0.4.
std::string metrics_text(const ModelRegistry& models, const HttpMetrics& http, MetricNames names);
Route metrics_route(const ModelRegistry& models, std::shared_ptr<const HttpMetrics> http, MetricNames names);

}  // namespace qvl
