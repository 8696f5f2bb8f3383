// Features of pictures seen before, by content hash, least recently used out first. Thread-safe.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "base/hash.h"
#include "model/vision_tower.h"

namespace qvl {

class ImageCache {
 public:
  explicit ImageCache(size_t max_bytes) : max_bytes_(max_bytes) {}

  // Null where they are not known. pinned: they leave last from now on.
  std::shared_ptr<const VisionFeatures> find(const Sha256& hash, bool pinned = false);
  bool contains(const Sha256& hash) const;
  // Pinned features may hold half of the cache; the least recently used beyond that are pinned no more.
  void insert(const Sha256& hash, std::shared_ptr<const VisionFeatures> features, bool pinned = false);

  size_t bytes() const;
  size_t size() const;

 private:
  struct Entry {
    Sha256 hash;
    std::shared_ptr<const VisionFeatures> features;
  };
  struct Shelf {
    std::list<Entry> entries;  // most recently used first
    size_t bytes = 0;
  };
  struct Place {
    Shelf* shelf;
    std::list<Entry>::iterator entry;
  };
  void move(Place& place, Shelf& to);
  void drop_last(Shelf& shelf);
  void pin(Place& place);

  const size_t max_bytes_;
  mutable std::mutex mutex_;  // guards all below
  Shelf pinned_, others_;
  std::map<Sha256, Place> index_;
};

}  // namespace qvl
