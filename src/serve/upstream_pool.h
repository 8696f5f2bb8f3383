// The engines behind this server that speak OpenAI's API: which are alive, what they serve, who is least busy.
// Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "serve/http_client.h"

namespace qvl {

struct UpstreamOptions {
  std::vector<std::string> urls;       // "http://host:8000", with or without a final "/v1"
  std::optional<std::string> api_key;  // sent to all of them as a bearer token
  std::chrono::milliseconds health_interval{5000}, health_timeout{3000}, connect_timeout{3000};
  std::chrono::milliseconds answer_timeout{600000};  // to an answer's head, and between two pieces of it
};

class UpstreamPool {
 public:
  // Errors: kBadFlag "bad_flag" for a URL.
  explicit UpstreamPool(UpstreamOptions options);
  ~UpstreamPool();
  UpstreamPool(const UpstreamPool&) = delete;
  UpstreamPool& operator=(const UpstreamPool&) = delete;

  // Begins the checks, which go on until the end; returns when each upstream has been asked once.
  void start();

  struct Counts {
    int total = 0, alive = 0;
  };
  Counts counts() const;
  // What /v1/models lists: the objects of the upstreams that are alive, each id once.
  std::vector<Json> models() const;
  // True where an upstream names the model, alive or not.
  bool knows(std::string_view model) const;

  // One request's place at an upstream, counted as busy while it lives.
  class Lease {
   public:
    Lease(UpstreamPool& pool, size_t index) : pool_(&pool), index_(index) {}
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    size_t index() const { return index_; }

   private:
    UpstreamPool* pool_;
    size_t index_;
  };
  // The least busy upstream that is alive, serves the model and is not in `tried`; nullptr where there is none.
  std::unique_ptr<Lease> choose(std::string_view model, const std::vector<size_t>& tried);
  // Why choose() found none with nothing tried: kNotFound "model_not_found", kOverloaded "upstream_down".
  Error nobody_serves(std::string_view model) const;
  int in_flight() const;  // of all upstreams

  std::unique_ptr<HttpCall> post(const Lease& lease, const std::string& path, std::shared_ptr<const std::string> body,
                                 const std::string& request_id);
  // A request found it unreachable: it gets no further ones until a check finds it alive again.
  void report_unreachable(size_t index, const std::string& reason);

 private:
  struct Upstream {
    HttpUrl base;  // target: the path before "/v1", without a final "/"
    bool alive = false, checked = false;
    int timeouts = 0, in_flight = 0, checks = 0;
    std::vector<Json> models;  // kept when it dies: a request for one of them is told that it is down, not unknown
    bool serves(std::string_view model) const;
  };

  ClientRequest request(const Upstream& upstream, const std::string& path) const;
  void check(size_t index);
  void check_models(size_t index);
  void end_check(size_t index, const FetchResult& result, const std::string& problem);
  void set_alive(Upstream& upstream, bool alive, const std::string& reason);  // with the mutex held

  const UpstreamOptions options_;
  mutable std::mutex mutex_;  // guards upstreams_ and next_
  std::condition_variable checked_;
  std::vector<Upstream> upstreams_;
  size_t next_ = 0;    // where the search among equally busy ones begins
  HttpClient client_;  // last: its callbacks use what is above
};

}  // namespace qvl
