#include "serve/upload_store.h"

#include <sys/random.h>

#include <array>
#include <cctype>

#include "base/error.h"

namespace qvl {
namespace {

constexpr size_t kMaxNameBytes = 100;

// Names end up in addresses and headers: letters, digits and ._- stay.
std::string safe_name(std::string_view name) {
  const size_t slash = name.find_last_of("/\\");
  if (slash != name.npos) name.remove_prefix(slash + 1);
  if (name.size() > kMaxNameBytes) name.remove_prefix(name.size() - kMaxNameBytes);
  std::string safe;
  for (const char c : name) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_';
    if (plain && !(safe.empty() && c == '.')) safe += c;
  }
  return safe.empty() ? "file" : safe;
}

}  // namespace

std::string secret_name() {
  std::array<unsigned char, 16> bytes;
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw Error(ErrorKind::kInternal, "no_random_numbers", "the system gave no random numbers");
  }
  std::string name;
  for (const unsigned char byte : bytes) name += fmt::format("{:02x}", byte);
  return name;
}

std::string UploadStore::add(std::string_view name, std::string_view bytes) {
  if (bytes.size() > limits_.max_bytes) {
    throw Error(ErrorKind::kTooLarge, "body_too_large",
                fmt::format("expected a file of at most {} bytes", limits_.max_bytes), "files");
  }
  File file{fmt::format("/uploads/{}/{}", secret_name(), safe_name(name)), std::make_shared<const std::string>(bytes)};
  const std::lock_guard lock(mutex_);
  while (!files_.empty() && (bytes_ + bytes.size() > limits_.max_bytes || files_.size() >= limits_.max_files)) {
    bytes_ -= files_.back().bytes->size();
    by_path_.erase(files_.back().path);
    files_.pop_back();
  }
  bytes_ += bytes.size();
  files_.push_front(std::move(file));
  by_path_[files_.front().path] = files_.begin();
  return files_.front().path;
}

std::shared_ptr<const std::string> UploadStore::find(std::string_view path) {
  const std::lock_guard lock(mutex_);
  const auto found = by_path_.find(path);
  if (found == by_path_.end()) return nullptr;
  files_.splice(files_.begin(), files_, found->second);
  return files_.front().bytes;
}

}  // namespace qvl
