#include "cache/block_pool.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <stdexcept>

namespace qvl {
namespace {

TEST(BlockPool, AllOrNothing) {
  BlockPool pool(5);
  std::vector<int32_t> a, b;
  EXPECT_TRUE(pool.take(3, a));
  EXPECT_EQ(pool.free(), 2);
  EXPECT_FALSE(pool.take(3, b));
  EXPECT_TRUE(b.empty());
  EXPECT_EQ(pool.free(), 2);
  EXPECT_TRUE(pool.take(2, b));
  EXPECT_TRUE(pool.take(0, b));
  EXPECT_FALSE(pool.take(1, b));
  pool.give_back(a);
  EXPECT_TRUE(a.empty());
  EXPECT_EQ(pool.free(), 3);
  EXPECT_EQ(pool.total(), 5);
}

TEST(BlockPool, APageHasOneOwner) {
  BlockPool pool(40);
  std::mt19937 rng(1);
  std::vector<std::vector<int32_t>> owners(7);
  for (int round = 0; round < 2000; ++round) {
    auto& owner = owners[rng() % owners.size()];
    if (rng() % 3 == 0) {
      pool.give_back(owner);
    } else {
      pool.take(rng() % 9, owner);
    }
    std::set<int32_t> seen;
    size_t held = 0;
    for (const auto& pages : owners) {
      held += pages.size();
      for (const int32_t page : pages) {
        EXPECT_TRUE(page >= 0 && page < 40);
        seen.insert(page);
      }
    }
    ASSERT_EQ(seen.size(), held);
    ASSERT_EQ(pool.free(), 40 - static_cast<int64_t>(held));
  }
}

TEST(BlockPool, APageReturnedTwiceIsNoticed) {
  BlockPool pool(3);
  std::vector<int32_t> a;
  pool.take(2, a);
  auto copy = a;
  pool.give_back(a);
  EXPECT_THROW(pool.give_back(copy), std::logic_error);
}

}  // namespace
}  // namespace qvl
