#include "cache/image_cache.h"

namespace qvl {

std::shared_ptr<const VisionFeatures> ImageCache::find(const Sha256& hash, bool pinned) {
  const std::lock_guard lock(mutex_);
  const auto it = index_.find(hash);
  if (it == index_.end()) return nullptr;
  auto features = it->second.entry->features;
  move(it->second, *it->second.shelf);
  if (pinned) pin(it->second);
  return features;
}

bool ImageCache::contains(const Sha256& hash) const {
  {
    const std::lock_guard lock(mutex_);
    if (index_.contains(hash)) return true;
  }
  return store_ != nullptr && store_->contains(hash);
}

std::shared_ptr<const VisionFeatures> ImageCache::load(const Sha256& hash, int64_t tokens, bool pinned) {
  auto features = find(hash, pinned);
  if (features != nullptr || store_ == nullptr) return features;
  features = store_->read(hash, tokens);
  if (features != nullptr) keep(hash, features, pinned);
  return features;
}

void ImageCache::insert(const Sha256& hash, std::shared_ptr<const VisionFeatures> features, bool pinned) {
  if (store_ != nullptr) store_->write(hash, features);
  keep(hash, std::move(features), pinned);
}

void ImageCache::keep(const Sha256& hash, std::shared_ptr<const VisionFeatures> features, bool pinned) {
  const std::lock_guard lock(mutex_);
  if (features->bytes() > max_bytes_ || index_.contains(hash)) return;
  const size_t room = max_bytes_ - features->bytes();
  while (others_.bytes + pinned_.bytes > room) drop_last(others_.entries.empty() ? pinned_ : others_);
  others_.bytes += features->bytes();
  others_.entries.push_front({hash, std::move(features)});
  Place& place = index_[hash] = {&others_, others_.entries.begin()};
  if (pinned) pin(place);
}

void ImageCache::move(Place& place, Shelf& to) {
  const size_t bytes = place.entry->features->bytes();
  place.shelf->bytes -= bytes;
  to.bytes += bytes;
  to.entries.splice(to.entries.begin(), place.shelf->entries, place.entry);
  place.shelf = &to;
}

void ImageCache::pin(Place& place) {
  move(place, pinned_);
  while (pinned_.bytes > max_bytes_ / 2) move(index_.at(pinned_.entries.back().hash), others_);
}

void ImageCache::drop_last(Shelf& shelf) {
  shelf.bytes -= shelf.entries.back().features->bytes();
  index_.erase(shelf.entries.back().hash);
  shelf.entries.pop_back();
}

size_t ImageCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return pinned_.bytes + others_.bytes;
}

size_t ImageCache::size() const {
  const std::lock_guard lock(mutex_);
  return index_.size();
}

}  // namespace qvl
