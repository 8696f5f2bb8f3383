#include "cache/image_cache.h"

#include <gtest/gtest.h>

namespace qvl {
namespace {

Sha256 hash_of(int n) {
  Sha256 hash{};
  hash[31] = static_cast<uint8_t>(n);
  return hash;
}

std::shared_ptr<const VisionFeatures> features_of(size_t floats) {
  VisionFeatures f;
  f.embeds.resize(floats / 2);
  f.deepstack.emplace_back(floats - floats / 2);
  return std::make_shared<const VisionFeatures>(std::move(f));
}

TEST(ImageCache, FindsWhatItHolds) {
  ImageCache cache(1000);
  EXPECT_EQ(cache.find(hash_of(1)), nullptr);
  const auto f = features_of(100);
  EXPECT_EQ(f->bytes(), 400u);
  cache.insert(hash_of(1), f);
  EXPECT_EQ(cache.find(hash_of(1)), f);
  EXPECT_EQ(cache.find(hash_of(2)), nullptr);
  EXPECT_EQ(cache.bytes(), 400u);
}

TEST(ImageCache, TheLeastRecentlyUsedGoes) {
  ImageCache cache(1200);
  for (int i = 1; i <= 3; ++i) cache.insert(hash_of(i), features_of(100));
  EXPECT_EQ(cache.bytes(), 1200u);  // exactly full
  EXPECT_NE(cache.find(hash_of(1)), nullptr);
  cache.insert(hash_of(4), features_of(100));
  EXPECT_EQ(cache.find(hash_of(2)), nullptr);
  for (const int i : {1, 3, 4}) EXPECT_NE(cache.find(hash_of(i)), nullptr) << i;
  cache.insert(hash_of(5), features_of(250));  // needs the room of several
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(cache.bytes(), 1000u);
  EXPECT_NE(cache.find(hash_of(5)), nullptr);
}

TEST(ImageCache, TheTooLargeOneDoesNotEmptyIt) {
  ImageCache cache(1000);
  cache.insert(hash_of(1), features_of(100));
  cache.insert(hash_of(2), features_of(251));
  EXPECT_EQ(cache.find(hash_of(2)), nullptr);
  EXPECT_NE(cache.find(hash_of(1)), nullptr);
  ImageCache none(0);
  none.insert(hash_of(1), features_of(1));
  EXPECT_EQ(none.size(), 0u);
}

TEST(ImageCache, TheSameTwiceCountsOnce) {
  ImageCache cache(1000);
  const auto f = features_of(100);
  cache.insert(hash_of(1), f);
  cache.insert(hash_of(1), features_of(100));
  EXPECT_EQ(cache.bytes(), 400u);
  EXPECT_EQ(cache.find(hash_of(1)), f);
}

// What a client names again goes last; but not more of it than half of the cache.
TEST(ImageCache, PinnedFeaturesLeaveLast) {
  ImageCache cache(2000);
  cache.insert(hash_of(1), features_of(100), true);
  for (int i = 2; i <= 9; ++i) cache.insert(hash_of(i), features_of(100));
  EXPECT_TRUE(cache.contains(hash_of(1)));
  EXPECT_EQ(cache.size(), 5u);
  EXPECT_NE(cache.find(hash_of(8), true), nullptr);  // pinned later
  EXPECT_NE(cache.find(hash_of(9), true), nullptr);  // 1 is pinned no more
  for (int i = 10; i <= 12; ++i) cache.insert(hash_of(i), features_of(100));
  EXPECT_FALSE(cache.contains(hash_of(1)));
  EXPECT_TRUE(cache.contains(hash_of(8)));
  EXPECT_TRUE(cache.contains(hash_of(9)));
  EXPECT_EQ(cache.bytes(), 2000u);
  cache.insert(hash_of(13), features_of(500));  // all of it
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(cache.bytes(), 2000u);
}

// A request goes on with features that the cache has dropped.
TEST(ImageCache, FeaturesInUseStay) {
  ImageCache cache(400);
  cache.insert(hash_of(1), features_of(100));
  const auto held = cache.find(hash_of(1));
  cache.insert(hash_of(2), features_of(100));
  EXPECT_EQ(cache.find(hash_of(1)), nullptr);
  EXPECT_EQ(held->embeds.size(), 50u);
}

}  // namespace
}  // namespace qvl
