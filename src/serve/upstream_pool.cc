#include "serve/upstream_pool.h"

#include <algorithm>
#include <set>

#include "base/log.h"

namespace qvl {
namespace {

constexpr size_t kMaxUpstreams = 64, kMaxModels = 256, kMaxModelsBytes = size_t{1} << 20, kMaxIdBytes = 256;
constexpr int kModelsEvery = 6;        // checks between two looks at the models of one that is alive
constexpr int kTimeoutsUntilDown = 3;  // a busy Python server may miss a check or two

HttpUrl parse_base(const std::string& text) {
  try {
    HttpUrl url = parse_http_url(text);
    if (url.target.find('?') != url.target.npos) throw Error(ErrorKind::kInvalidRequest, "", "the URL has a query");
    while (url.target.ends_with('/')) url.target.pop_back();
    if (url.target.ends_with("/v1")) url.target.erase(url.target.size() - 3);
    return url;
  } catch (const Error& error) {
    throw Error(ErrorKind::kBadFlag, "bad_flag", fmt::format("--upstream {}: {}", printable(text), error.what()));
  }
}

// The "data" of /v1/models; nullopt where it is not what it should be.
std::optional<std::vector<Json>> parse_models(const std::string& body) {
  try {
    Json json = parse_json(body, "models", ErrorKind::kBadGateway, "upstream_failed");
    if (!json.is_object() || !json.contains("data") || !json["data"].is_array()) return std::nullopt;
    std::vector<Json> models;
    for (Json& model : json["data"]) {
      const bool named = model.is_object() && model.contains("id") && model["id"].is_string();
      if (!named || model["id"].get_ref<const std::string&>().size() > kMaxIdBytes || models.size() == kMaxModels) continue;
      models.push_back(std::move(model));
    }
    return models;
  } catch (const Error&) {
    return std::nullopt;
  }
}

const std::string& id_of(const Json& model) { return model["id"].get_ref<const std::string&>(); }

}  // namespace

// One that lists nothing may load whatever it is asked for.
bool UpstreamPool::Upstream::serves(std::string_view model) const {
  return models.empty() || std::any_of(models.begin(), models.end(), [&](const Json& one) { return id_of(one) == model; });
}

UpstreamPool::Lease::~Lease() {
  const std::lock_guard lock(pool_->mutex_);
  --pool_->upstreams_[index_].in_flight;
}

UpstreamPool::UpstreamPool(UpstreamOptions options) : options_(std::move(options)) {
  if (options_.urls.size() > kMaxUpstreams) {
    throw_error(ErrorKind::kBadFlag, "bad_flag", "--upstream: expected at most {}, found {}", kMaxUpstreams, options_.urls.size());
  }
  for (const std::string& url : options_.urls) upstreams_.emplace_back().base = parse_base(url);
}

UpstreamPool::~UpstreamPool() = default;

void UpstreamPool::start() {
  for (size_t i = 0; i < upstreams_.size(); ++i) check(i);
  std::unique_lock lock(mutex_);
  const auto all_checked = [&] {
    return std::all_of(upstreams_.begin(), upstreams_.end(), [](const Upstream& one) { return one.checked; });
  };
  checked_.wait_for(lock, 2 * (options_.health_timeout + options_.connect_timeout), all_checked);
}

UpstreamPool::Counts UpstreamPool::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts;
  counts.total = static_cast<int>(upstreams_.size());
  for (const Upstream& one : upstreams_) counts.alive += one.alive ? 1 : 0;
  return counts;
}

std::vector<Json> UpstreamPool::models() const {
  const std::lock_guard lock(mutex_);
  std::vector<Json> models;
  std::set<std::string> seen;
  for (const Upstream& one : upstreams_) {
    if (!one.alive) continue;
    for (const Json& model : one.models) {
      if (seen.insert(id_of(model)).second) models.push_back(model);
    }
  }
  return models;
}

bool UpstreamPool::knows(std::string_view model) const {
  const std::lock_guard lock(mutex_);
  return std::any_of(upstreams_.begin(), upstreams_.end(), [&](const Upstream& one) {
    return (one.alive || !one.models.empty()) && one.serves(model);
  });
}

std::unique_ptr<UpstreamPool::Lease> UpstreamPool::choose(std::string_view model, const std::vector<size_t>& tried) {
  const std::lock_guard lock(mutex_);
  std::optional<size_t> best;
  for (size_t step = 0; step < upstreams_.size(); ++step) {
    const size_t i = (next_ + step) % upstreams_.size();
    const Upstream& one = upstreams_[i];
    if (!one.alive || !one.serves(model) || std::find(tried.begin(), tried.end(), i) != tried.end()) continue;
    if (!best || one.in_flight < upstreams_[*best].in_flight) best = i;
  }
  if (!best) return nullptr;
  next_ = *best + 1;
  ++upstreams_[*best].in_flight;
  return std::make_unique<Lease>(*this, *best);
}

Error UpstreamPool::nobody_serves(std::string_view model) const {
  if (counts().alive == 0 || knows(model)) {
    return {ErrorKind::kOverloaded, "upstream_down", "no engine that serves this model is reachable; try again"};
  }
  std::string ids;
  for (const Json& one : models()) ids += (ids.empty() ? "" : ", ") + id_of(one);
  return {ErrorKind::kNotFound, "model_not_found",
          fmt::format("the model \"{}\" is not served; the engines behind this server serve: {}", printable(model),
                      ids.empty() ? "none" : printable(ids, 1000)),
          "model"};
}

int UpstreamPool::in_flight() const {
  const std::lock_guard lock(mutex_);
  int sum = 0;
  for (const Upstream& one : upstreams_) sum += one.in_flight;
  return sum;
}

ClientRequest UpstreamPool::request(const Upstream& upstream, const std::string& path) const {
  ClientRequest request;
  request.url = upstream.base;
  request.url.target += path;
  request.connect_timeout = options_.connect_timeout;
  request.head_timeout = request.idle_timeout = options_.answer_timeout;
  if (options_.api_key) request.headers.emplace_back("Authorization", "Bearer " + *options_.api_key);
  return request;
}

std::unique_ptr<HttpCall> UpstreamPool::post(const Lease& lease, const std::string& path,
                                             std::shared_ptr<const std::string> body, const std::string& request_id) {
  ClientRequest out = request(upstreams_[lease.index()], path);  // base never changes
  out.method = "POST";
  out.headers.emplace_back("Content-Type", "application/json");
  out.headers.emplace_back("Accept", "application/json, text/event-stream");
  out.headers.emplace_back("X-Request-Id", request_id);
  out.body = std::move(body);
  return client_.start(std::move(out));
}

void UpstreamPool::report_unreachable(size_t index, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  set_alive(upstreams_[index], false, reason);
}

void UpstreamPool::set_alive(Upstream& upstream, bool alive, const std::string& reason) {
  if (upstream.alive != alive || !upstream.checked) {
    if (alive) {
      log_info("upstream {} is up, {} models", upstream.base.authority(), upstream.models.size());
    } else {
      log_warn("upstream {} is down: {}", upstream.base.authority(), reason);
    }
  }
  upstream.alive = alive;
}

// GET /health, where there is one; and the models now and then.
void UpstreamPool::check(size_t index) {
  ClientRequest health;
  bool models = false;
  {
    const std::lock_guard lock(mutex_);
    Upstream& one = upstreams_[index];
    models = one.checks++ % kModelsEvery == 0 || !one.alive;
    health = request(one, "/health");
    health.head_timeout = health.idle_timeout = options_.health_timeout;
  }
  client_.fetch(std::move(health), kMaxModelsBytes, [this, index, models](const FetchResult& result) {
    const bool has_none = result.status == 404 || result.status == 405 || result.status == 501;
    const bool well = result.status >= 200 && result.status < 300;
    if (has_none || (well && models)) return check_models(index);
    end_check(index, result, well ? "" : fmt::format("/health answers {}", result.status));
  });
}

void UpstreamPool::check_models(size_t index) {
  ClientRequest list;
  {
    const std::lock_guard lock(mutex_);
    list = request(upstreams_[index], "/v1/models");
    list.head_timeout = list.idle_timeout = options_.health_timeout;
  }
  client_.fetch(std::move(list), kMaxModelsBytes, [this, index](const FetchResult& result) {
    if (result.status == 401 || result.status == 403) {
      return end_check(index, result, "it refuses the key: see --upstream-api-key");
    }
    if (result.status != 200) return end_check(index, result, fmt::format("/v1/models answers {}", result.status));
    auto models = parse_models(result.body);
    if (!models) return end_check(index, result, "/v1/models answers no list of models");
    {
      const std::lock_guard lock(mutex_);
      upstreams_[index].models = std::move(*models);
    }
    end_check(index, result, "");
  });
}

// problem: empty where the check went well; result's own reason counts where it has no status.
void UpstreamPool::end_check(size_t index, const FetchResult& result, const std::string& problem) {
  {
    const std::lock_guard lock(mutex_);
    Upstream& one = upstreams_[index];
    one.timeouts = result.timed_out ? one.timeouts + 1 : 0;
    const bool patient = one.alive && result.timed_out && one.timeouts < kTimeoutsUntilDown;
    if (!patient) set_alive(one, problem.empty() && result.status != 0, result.status == 0 ? result.reason : problem);
    one.checked = true;
  }
  checked_.notify_all();
  client_.after(options_.health_interval, [this, index] { check(index); });
}

}  // namespace qvl
