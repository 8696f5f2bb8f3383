#include "serve/static_files.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/hash.h"

namespace qvl {
namespace {

constexpr const char* kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

constexpr std::string_view kNoPage =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Qwen3-VL WebUI</title>"
    "<h1>Qwen3-VL WebUI</h1><p>The server runs, but this program was built without its page (web/dist). "
    "The interface for programs is at <code>/v1/chat/completions</code>.</p></html>";

std::string content_type(std::string_view path) {
  static constexpr std::pair<std::string_view, const char*> kTypes[] = {{".html", "text/html; charset=utf-8"},
                                                                        {".js", "text/javascript; charset=utf-8"},
                                                                        {".mjs", "text/javascript; charset=utf-8"},
                                                                        {".css", "text/css; charset=utf-8"},
                                                                        {".json", "application/json"},
                                                                        {".webmanifest", "application/manifest+json"},
                                                                        {".svg", "image/svg+xml"},
                                                                        {".png", "image/png"},
                                                                        {".jpg", "image/jpeg"},
                                                                        {".jpeg", "image/jpeg"},
                                                                        {".webp", "image/webp"},
                                                                        {".gif", "image/gif"},
                                                                        {".ico", "image/x-icon"},
                                                                        {".woff2", "font/woff2"},
                                                                        {".woff", "font/woff"},
                                                                        {".ttf", "font/ttf"},
                                                                        {".mp4", "video/mp4"},
                                                                        {".webm", "video/webm"},
                                                                        {".txt", "text/plain; charset=utf-8"},
                                                                        {".md", "text/plain; charset=utf-8"},
                                                                        {".wasm", "application/wasm"}};
  for (const auto& [ending, type] : kTypes) {
    if (path.ends_with(ending)) return type;
  }
  return "application/octet-stream";
}

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || result.ec != std::errc() || result.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

// "bytes=a-b", "bytes=a-" and "bytes=-n" of a file. Other forms give nothing: the whole file answers them.
// Errors: kRange "range_not_satisfiable".
std::optional<std::pair<size_t, size_t>> parse_range(std::string_view range, size_t size) {
  const auto not_satisfiable = [&] {
    throw Error(ErrorKind::kRange, "range_not_satisfiable", fmt::format("the file has {} bytes", size));
  };
  if (!range.starts_with("bytes=") || range.find(',') != range.npos) return std::nullopt;
  range.remove_prefix(6);
  const size_t dash = range.find('-');
  if (dash == range.npos || range.find_first_not_of("0123456789-") != range.npos) return std::nullopt;
  const auto first = parse_number(range.substr(0, dash)), last = parse_number(range.substr(dash + 1));
  if (dash == 0) {
    if (!last || *last == 0) not_satisfiable();
    const size_t length = static_cast<size_t>(std::min<uint64_t>(*last, size));
    return std::pair{size - length, length};
  }
  if (!first || *first >= size) not_satisfiable();
  const uint64_t end = last ? std::min<uint64_t>(*last, size - 1) : size - 1;
  if (end < *first) return std::nullopt;
  return std::pair{static_cast<size_t>(*first), static_cast<size_t>(end - *first + 1)};
}

void add_page_headers(HttpResponse& response) {
  response.headers.emplace_back("Content-Security-Policy", kContentSecurityPolicy);
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  response.headers.emplace_back("Cross-Origin-Opener-Policy", "same-origin");
}

Handler serve_file(const EmbeddedFile& file) {
  const std::string tag = fmt::format("\"{:.32}\"", hex(sha256(std::as_bytes(std::span(file.bytes)))));
  // The build puts a hash of the contents into the names of these.
  const char* caching = file.path.starts_with("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
  return [file, tag, caching](HttpRequest& request) -> HandlerResult {
    HttpResponse response;
    response.content_type = content_type(file.path);
    response.headers = {{"ETag", tag}, {"Cache-Control", caching}, {"Accept-Ranges", "bytes"}};
    add_page_headers(response);
    if (request.header("If-None-Match") == tag) {
      response.status = 304;
      return response;
    }
    const auto range = parse_range(request.header("Range"), file.bytes.size());
    if (range) {
      response.status = 206;
      response.headers.emplace_back("Content-Range", fmt::format("bytes {}-{}/{}", range->first,
                                                                 range->first + range->second - 1, file.bytes.size()));
    }
    response.body = range ? file.bytes.substr(range->first, range->second) : file.bytes;
    return response;
  };
}

}  // namespace

std::vector<Route> static_routes(std::span<const EmbeddedFile> files) {
  std::vector<Route> routes;
  bool has_index = false;
  for (const EmbeddedFile& file : files) {
    Handler handler = serve_file(file);
    if (file.path == "/index.html") {
      has_index = true;
      routes.push_back({"GET", "/", true, handler, true});
    }
    routes.push_back({"GET", std::string(file.path), true, std::move(handler), true});
  }
  if (!has_index) {
    routes.push_back({"GET", "/", true, [](HttpRequest&) -> HandlerResult {
                        HttpResponse response;
                        response.content_type = "text/html; charset=utf-8";
                        response.body = kNoPage;
                        add_page_headers(response);
                        return response;
                      },
                      true});
  }
  return routes;
}

}  // namespace qvl
