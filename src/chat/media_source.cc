#include "chat/media_source.h"

#include <algorithm>
#include <cctype>

#include "base/error.h"
#include "media/data_uri.h"

namespace qvl {
namespace {

// "ftp" of "ftp://..." in lower case; empty where the text does not begin with a scheme.
std::string url_scheme(std::string_view text) {
  const size_t colon = text.substr(0, 40).find(':');
  if (colon == text.npos) return {};
  std::string scheme(text.substr(0, colon));
  for (char& c : scheme) {
    const auto byte = static_cast<unsigned char>(c);
    if (!std::isalnum(byte) && c != '+' && c != '-' && c != '.') return {};
    c = static_cast<char>(std::tolower(byte));
  }
  return scheme;
}

}  // namespace

std::vector<std::byte> decode_media_source(std::string_view source, size_t max_bytes, const std::string& param,
                                           const MediaAccess* access, const std::atomic<bool>* abandoned) {
  if (is_data_uri(source)) return decode_data_uri(source, max_bytes);
  const std::string scheme = url_scheme(source);
  const bool files = access && access->allows_files();
  if (scheme == "http" || scheme == "https") {
    if (access && access->allows_urls()) return access->fetch(source, max_bytes, abandoned);
    throw Error(ErrorKind::kInvalidRequest, "remote_media_disabled",
                "this server fetches no URLs (--allow-media-urls allows it); send the picture as a data URI or as base64",
                param);
  }
  if (scheme == "file" && files) return access->read_file(source, max_bytes);
  if (!scheme.empty()) {
    throw Error(ErrorKind::kInvalidRequest, "url_scheme_not_allowed",
                fmt::format("expected a data URI or base64, found a URL with the scheme \"{}\"{}", printable(scheme),
                            scheme == "file" ? " (--media-path allows files below a folder)" : ""),
                param);
  }
  if (source.substr(0, 4096).find_first_of(".\\") != source.npos) {
    if (files) return access->read_file(source, max_bytes);
    throw Error(ErrorKind::kInvalidRequest, "invalid_base64",
                "expected a data URI or base64; paths of files on the server are not read (--media-path allows them)", param);
  }
  return decode_data_uri(source, max_bytes);
}

}  // namespace qvl
