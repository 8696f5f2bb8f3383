#include "cache/page_pool.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <stdexcept>

namespace qvl {
namespace {

PagePool::Content content(uint64_t before, int32_t value) { return {before, {value, value + 1}}; }

TEST(PagePool, AllOrNothing) {
  PagePool pool(5);
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
  EXPECT_EQ(pool.cached(), 0);
  EXPECT_EQ(pool.total(), 5);
}

TEST(PagePool, APageReturnedTwiceIsNoticed) {
  PagePool pool(3);
  std::vector<int32_t> a;
  pool.take(2, a);
  auto copy = a;
  pool.give_back(a);
  EXPECT_THROW(pool.give_back(copy), std::logic_error);
}

TEST(PagePool, WhatIsKnownIsShared) {
  PagePool pool(3);
  std::vector<int32_t> a, b;
  pool.take(1, a);
  EXPECT_EQ(pool.serial(a[0]), 0u);
  EXPECT_EQ(pool.find(content(0, 7)), std::nullopt);
  EXPECT_EQ(pool.publish(a[0], content(0, 7)), a[0]);
  EXPECT_NE(pool.serial(a[0]), 0u);
  EXPECT_EQ(pool.find(content(0, 8)), std::nullopt);
  EXPECT_EQ(pool.find(content(1, 7)), std::nullopt);  // after other text
  b.push_back(pool.find(content(0, 7)).value());
  EXPECT_EQ(b, a);
  pool.give_back(a);
  EXPECT_EQ(pool.free(), 2);  // b uses it
  pool.give_back(b);
  EXPECT_EQ(pool.free(), 3);
  EXPECT_EQ(pool.cached(), 1);
  b.push_back(pool.find(content(0, 7)).value());
  EXPECT_EQ(pool.free(), 2);
  EXPECT_EQ(pool.cached(), 0);
}

TEST(PagePool, TheSameComputedTwiceIsKeptOnce) {
  PagePool pool(4);
  std::vector<int32_t> a, b;
  pool.take(1, a);
  pool.take(1, b);
  a[0] = pool.publish(a[0], content(0, 7));
  b[0] = pool.publish(b[0], content(0, 7));
  EXPECT_EQ(a, b);
  EXPECT_EQ(pool.free(), 3);
  pool.give_back(a);
  pool.give_back(b);
  EXPECT_EQ(pool.free(), 4);
  EXPECT_EQ(pool.cached(), 1);
}

TEST(PagePool, TheLeastRecentlyUsedIsForgottenAndItsEndFirst) {
  PagePool pool(4);
  std::vector<int32_t> a, b, c;
  pool.take(2, a);
  pool.publish(a[0], content(0, 1));
  const uint64_t first = pool.serial(a[0]);
  pool.publish(a[1], content(first, 2));
  pool.take(2, b);
  pool.publish(b[0], content(0, 3));
  pool.give_back(a);
  pool.give_back(b);
  EXPECT_EQ(pool.cached(), 3);
  pool.take(1, c);  // the empty one
  EXPECT_EQ(pool.cached(), 3);
  pool.take(1, c);
  EXPECT_EQ(pool.find(content(first, 2)), std::nullopt);
  a.push_back(pool.find(content(0, 1)).value());
  pool.give_back(a);  // used again: now the other one is the older
  pool.take(1, c);
  EXPECT_EQ(pool.find(content(0, 3)), std::nullopt);
  EXPECT_NE(pool.find(content(0, 1)), std::nullopt);
}

// What stands behind a page that was forgotten and filled again is not taken for what stands behind the new one.
TEST(PagePool, ASerialNeverComesBack) {
  PagePool pool(2);
  std::vector<int32_t> a;
  pool.take(2, a);
  pool.publish(a[0], content(0, 1));
  const uint64_t old = pool.serial(a[0]);
  pool.publish(a[1], content(old, 2));
  pool.forget(a);
  EXPECT_EQ(pool.cached(), 0);
  EXPECT_EQ(pool.free(), 2);
  pool.take(1, a);
  pool.publish(a[0], content(0, 9));
  EXPECT_NE(pool.serial(a[0]), old);
  EXPECT_EQ(pool.find(content(0, 1)), std::nullopt);
}

TEST(PagePool, ForgettingLeavesOthersWhatTheyUse) {
  PagePool pool(2);
  std::vector<int32_t> a, b;
  pool.take(2, a);
  pool.publish(a[0], content(0, 1));
  b.push_back(pool.find(content(0, 1)).value());
  pool.forget(a);
  EXPECT_EQ(pool.free(), 1);
  EXPECT_NE(pool.find(content(0, 1)), std::nullopt);
}

// Owners with pages of their own and shared ones, in any order: the books are level, a page that is written has one user,
// and a page found under a content holds it. Once with hashes that all collide.
void random_owners(uint64_t hash_bits) {
  constexpr int32_t kPages = 40;
  PagePool pool(kPages, hash_bits);
  std::mt19937 rng(1);
  std::map<int32_t, PagePool::Content> written;  // by page, as its last owner wrote it
  struct Owner {
    std::vector<int32_t> pages;
    size_t published = 0;
  };
  std::vector<Owner> owners(7);
  int hits = 0;
  const auto before = [&](const Owner& o) { return o.published == 0 ? 0 : pool.serial(o.pages[o.published - 1]); };
  for (int round = 0; round < 4000; ++round) {
    Owner& owner = owners[rng() % owners.size()];
    const auto value = static_cast<int32_t>(rng() % 3);
    switch (rng() % 4) {
      case 0:
        rng() % 4 == 0 ? pool.forget(owner.pages) : pool.give_back(owner.pages);
        owner.published = 0;
        break;
      case 1:
        if (owner.published == owner.pages.size()) {
          if (const auto page = pool.find(content(before(owner), value))) {
            EXPECT_EQ(written.at(*page), content(before(owner), value));
            owner.pages.push_back(*page);
            ++owner.published;
            ++hits;
          }
        }
        break;
      case 2:
        pool.take(rng() % 4, owner.pages);
        break;
      default:
        if (owner.published < owner.pages.size()) {
          int32_t& page = owner.pages[owner.published];
          const int32_t own = page;
          page = pool.publish(own, content(before(owner), value));
          if (page == own) written[page] = content(before(owner), value);
          ++owner.published;
        }
    }
    std::set<int32_t> used, unshared;
    for (const Owner& o : owners) {
      for (size_t i = 0; i < o.pages.size(); ++i) {
        used.insert(o.pages[i]);
        if (i >= o.published) {
          EXPECT_TRUE(unshared.insert(o.pages[i]).second);
        } else {
          EXPECT_NE(pool.serial(o.pages[i]), 0u);
        }
      }
    }
    ASSERT_EQ(pool.free(), kPages - std::ssize(used));
    ASSERT_LE(pool.cached(), pool.free());
  }
  EXPECT_GT(hits, 100);
  for (Owner& owner : owners) pool.give_back(owner.pages);
  EXPECT_EQ(pool.free(), kPages);
}

TEST(PagePool, AnyOrderOfOwners) { random_owners(~uint64_t{0}); }
TEST(PagePool, HashesThatAllCollide) { random_owners(0); }

}  // namespace
}  // namespace qvl
