// Pictures that clients gave a name, as they were sent: a later request may name one instead of sending it again.
// The names are shared by all clients of the server. Thread-safe.
#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace qvl {

using PictureBytes = std::shared_ptr<const std::vector<std::byte>>;

class PictureMemory {
 public:
  explicit PictureMemory(size_t max_bytes = size_t{128} << 20, size_t max_pictures = 1024)
      : max_bytes_(max_bytes), max_pictures_(max_pictures) {}

  // nullptr where it is unknown or was forgotten.
  PictureBytes find(const std::string& uuid) {
    const std::lock_guard lock(mutex_);
    const auto found = index_.find(uuid);
    if (found == index_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->bytes;
  }

  // Least recently used ones are forgotten to make room.
  void remember(const std::string& uuid, PictureBytes bytes) {
    const std::lock_guard lock(mutex_);
    if (const auto found = index_.find(uuid); found != index_.end()) forget(found->second);
    if (bytes->size() > max_bytes_) return;
    bytes_ += bytes->size();
    entries_.push_front({uuid, std::move(bytes)});
    index_[uuid] = entries_.begin();
    while (bytes_ > max_bytes_ || entries_.size() > max_pictures_) forget(std::prev(entries_.end()));
  }

 private:
  struct Entry {
    std::string uuid;
    PictureBytes bytes;
  };
  void forget(std::list<Entry>::iterator entry) {
    bytes_ -= entry->bytes->size();
    index_.erase(entry->uuid);
    entries_.erase(entry);
  }

  std::mutex mutex_;  // guards all below
  size_t max_bytes_, max_pictures_, bytes_ = 0;
  std::list<Entry> entries_;  // most recently used first
  std::map<std::string, std::list<Entry>::iterator> index_;
};

}  // namespace qvl
