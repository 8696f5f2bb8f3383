// Pictures by URL and by path, as far as --allow-media-urls and --media-path allow. Every URL and every redirect is
// parsed by http_url.h, its name resolved once, all its addresses checked, and the connection made to a checked one.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "chat/media_source.h"
#include "serve/http_client.h"
#include "serve/media_folder.h"

namespace qvl {

struct MediaFetchOptions {
  bool urls = false;
  // Which hosts may be asked; none: any. "host" stands for its ports 80 and 443 and must have global addresses only;
  // "host:port" stands for that port and any address.
  std::vector<std::string> hosts;
  std::string folder;  // empty: no files
  std::chrono::milliseconds total{10000}, grace{2000};
  size_t min_rate_bytes = 1024;  // a second, once the grace is over
  int max_redirects = 3, max_at_once = 8;
  std::function<std::vector<std::string>(const std::string& host)> resolve = resolve_host;
};

class MediaFetcher final : public MediaAccess {
 public:
  // Errors: kBadFlag "bad_flag" for a host or the folder.
  explicit MediaFetcher(MediaFetchOptions options);

  bool allows_urls() const override { return options_.urls; }
  bool allows_files() const override { return folder_.has_value(); }
  // Errors (kInvalidRequest): those of parse_http_url(), "url_host_not_allowed", "too_many_redirects", "fetch_timeout",
  // "fetch_too_large", "fetch_failed"; kOverloaded "overloaded" where too many run.
  std::vector<std::byte> fetch(std::string_view url, size_t max_bytes, const std::atomic<bool>* abandoned) const override;
  std::vector<std::byte> read_file(std::string_view path, size_t max_bytes) const override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Limits {
    Clock::time_point until;
    size_t max_bytes;
    const std::atomic<bool>* abandoned;
  };
  struct Entry {
    std::string host;
    int port = 0;  // 0: 80 and 443
  };

  std::vector<std::string> checked_addresses(const HttpUrl& url, const Limits& limits) const;
  std::vector<std::string> resolve(const std::string& host, const Limits& limits) const;
  std::optional<HttpUrl> ask(const HttpUrl& url, const Limits& limits, std::vector<std::byte>& bytes) const;
  void read_body(HttpCall& call, const Limits& limits, std::vector<std::byte>& bytes) const;
  HttpCall::Poll next(HttpCall& call, const Limits& limits) const;

  const MediaFetchOptions options_;
  std::vector<Entry> entries_;
  std::optional<MediaFolder> folder_;
  std::unique_ptr<HttpClient> client_;  // where URLs are allowed
  mutable std::atomic<int> running_{0};
};

}  // namespace qvl
