// Features of pictures seen before, by content hash, least recently used out first; where there is a store of files behind
// it, what leaves the memory is still there. Thread-safe.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "base/hash.h"
#include "cache/image_store.h"
#include "model/vision_tower.h"

namespace qvl {

class ImageCache {
 public:
  // store, where given, must outlive the cache.
  explicit ImageCache(size_t max_bytes, ImageStore* store = nullptr) : max_bytes_(max_bytes), store_(store) {}

  // From the memory only. Null where they are not known. pinned: they leave last from now on.
  std::shared_ptr<const VisionFeatures> find(const Sha256& hash, bool pinned = false);
  // From the files as well, which takes some milliseconds. tokens: what the picture's grid gives.
  std::shared_ptr<const VisionFeatures> load(const Sha256& hash, int64_t tokens, bool pinned = false);
  bool contains(const Sha256& hash) const;  // in memory or in the files
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
  void keep(const Sha256& hash, std::shared_ptr<const VisionFeatures> features, bool pinned);
  void move(Place& place, Shelf& to);
  void drop_last(Shelf& shelf);
  void pin(Place& place);

  const size_t max_bytes_;
  ImageStore* const store_;
  mutable std::mutex mutex_;  // guards all below
  Shelf pinned_, others_;
  std::map<Sha256, Place> index_;
};

}  // namespace qvl
