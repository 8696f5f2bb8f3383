// Features of pictures seen before, by content hash, least recently used out first. One thread.
#pragma once

#include <list>
#include <map>
#include <memory>

#include "base/hash.h"
#include "model/vision_tower.h"

namespace qvl {

class ImageCache {
 public:
  explicit ImageCache(size_t max_bytes) : max_bytes_(max_bytes) {}

  std::shared_ptr<const VisionFeatures> find(const Sha256& hash) {
    const auto it = index_.find(hash);
    if (it == index_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, it->second);
    return it->second->features;
  }

  void insert(const Sha256& hash, std::shared_ptr<const VisionFeatures> features) {
    if (features->bytes() > max_bytes_ || index_.contains(hash)) return;
    bytes_ += features->bytes();
    entries_.push_front({hash, std::move(features)});
    index_[hash] = entries_.begin();
    while (bytes_ > max_bytes_) {
      bytes_ -= entries_.back().features->bytes();
      index_.erase(entries_.back().hash);
      entries_.pop_back();
    }
  }

  size_t bytes() const { return bytes_; }
  size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Sha256 hash;
    std::shared_ptr<const VisionFeatures> features;
  };
  size_t max_bytes_, bytes_ = 0;
  std::list<Entry> entries_;  // most recently used first
  std::map<Sha256, std::list<Entry>::iterator> index_;
};

}  // namespace qvl
