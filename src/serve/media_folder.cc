#include "serve/media_folder.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <optional>

#include "base/descriptor.h"
#include "base/error.h"

namespace qvl {
namespace {

constexpr size_t kMaxPathBytes = 4096;

[[noreturn]] void not_allowed() {
  throw Error(ErrorKind::kInvalidRequest, "media_path_not_allowed", "expected the path of a file below this server's --media-path");
}
[[noreturn]] void not_found() {
  throw Error(ErrorKind::kInvalidRequest, "media_not_found", "there is no such file below this server's --media-path");
}

int hex_value(char c) {
  const int lower = std::tolower(static_cast<unsigned char>(c));
  return lower >= '0' && lower <= '9' ? lower - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The path of a file URL, decoded once. An escape that means something to a path is none of an honest file's name.
std::string decode_file_url(std::string_view text) {
  text.remove_prefix(std::string_view("file:").size());
  for (const std::string_view host : {"//localhost/", "///"}) {
    if (!text.starts_with(host)) continue;
    text.remove_prefix(host.size() - 1);
    break;
  }
  if (!text.starts_with('/') || text.starts_with("//")) not_allowed();
  if (text.find_first_of("?#") != text.npos) not_allowed();
  std::string path;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      path += text[i];
      continue;
    }
    const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1, low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) not_allowed();
    const char c = static_cast<char>(high * 16 + low);
    if (c == '/' || c == '\\' || c == '.' || c == '%') not_allowed();
    path += c;
    i += 2;
  }
  return path;
}

bool is_file_url(std::string_view text) {
  constexpr std::string_view kScheme = "file:";
  return text.size() >= kScheme.size() && std::equal(kScheme.begin(), kScheme.end(), text.begin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

void check_components(std::string_view path) {
  for (const char c : path) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f' || c == '\\') not_allowed();
  }
  while (true) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") not_allowed();
    if (slash == path.npos) return;
    path.remove_prefix(slash + 1);
  }
}

constexpr int kOpenFlags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

// Without openat2 (Linux before 5.6): no links at all.
int open_by_parts(int folder, std::string path) {
  std::optional<Descriptor> parent;
  int at = folder;
  for (size_t slash = path.find('/'); slash != path.npos; slash = path.find('/')) {
    const int next = ::openat(at, path.substr(0, slash).c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0) return -1;
    parent.emplace(next);
    at = next;
    path.erase(0, slash + 1);
  }
  return ::openat(at, path.c_str(), kOpenFlags | O_NOFOLLOW);
}

int open_beneath(int folder, const std::string& path) {
  open_how how{};
  how.flags = kOpenFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int tries = 0; tries < 8; ++tries) {
    const int fd = static_cast<int>(::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how));
    if (fd >= 0 || errno != EAGAIN) {  // EAGAIN: something was renamed meanwhile
      return fd < 0 && (errno == ENOSYS || errno == EPERM) ? open_by_parts(folder, path) : fd;
    }
  }
  return -1;
}

}  // namespace

MediaFolder::MediaFolder(const std::string& folder) {
  std::error_code error;
  canonical_ = std::filesystem::canonical(folder, error).string();
  folder_ = ::open(canonical_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (error || folder_ < 0) {
    throw Error(ErrorKind::kBadFlag, "bad_flag", fmt::format("--media-path: expected a folder, found \"{}\"", printable(folder)));
  }
  given_ = std::filesystem::absolute(folder, error).lexically_normal().string();
  for (std::string* name : {&given_, &canonical_}) {
    while (name->ends_with('/')) name->pop_back();
  }
}

MediaFolder::~MediaFolder() { ::close(folder_); }

std::vector<std::byte> MediaFolder::read(std::string_view text, size_t max_bytes) const {
  if (text.size() > kMaxPathBytes) not_allowed();
  std::string path = is_file_url(text) ? decode_file_url(text) : std::string(text);
  if (path.starts_with('/')) {
    const auto below = [&](const std::string& root) { return path.starts_with(root + "/"); };
    if (!below(canonical_) && !below(given_)) not_allowed();
    path.erase(0, (below(canonical_) ? canonical_ : given_).size() + 1);
  }
  check_components(path);
  const Descriptor file(open_beneath(folder_, path));
  if (file.get() < 0 && (errno == EXDEV || errno == ELOOP)) not_allowed();
  struct stat info {};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) not_found();
  if (!S_ISREG(info.st_mode)) not_allowed();
  const auto too_large = [&] {
    throw Error(ErrorKind::kInvalidRequest, "image_too_large", fmt::format("the file has more than {} bytes", max_bytes));
  };
  if (static_cast<uint64_t>(info.st_size) > max_bytes) too_large();
  std::vector<std::byte> bytes(static_cast<size_t>(info.st_size));
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;  // it has become shorter
    have += static_cast<size_t>(got);
  }
  bytes.resize(have);
  return bytes;
}

}  // namespace qvl
