// Hands out the pages of a KV cache and remembers what full pages hold, so that the next request with the same beginning
// uses them instead of computing them again. One thread.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

namespace qvl {

class PagePool {
 public:
  // All that decides the keys and values of a full page: the page before it, which stands for everything up to there, and
  // this page's own tokens, positions and pictures. Contents are compared, never only their hashes.
  struct Content {
    uint64_t before = 0;  // serial() of the page before; 0: this is the first
    std::vector<int32_t> values;
    bool operator==(const Content&) const = default;
  };

  // hash_bits: of a content's hash, which are used; fewer only make the pool slower.
  explicit PagePool(int32_t pages, uint64_t hash_bits = ~uint64_t{0});

  int64_t total() const { return static_cast<int64_t>(pages_.size()); }
  int64_t free() const { return std::ssize(empty_) + cached(); }  // used by nobody
  int64_t cached() const { return std::ssize(idle_); }            // of them, those that hold something known

  // Appends `count` pages to `pages`, or nothing where fewer are free. Known pages that nobody uses are forgotten only when
  // no empty one is left, the least recently used first.
  bool take(int64_t count, std::vector<int32_t>& pages);
  // The page that holds this, with one more user.
  std::optional<int32_t> find(const Content& content);
  // `page`, which its only user has filled, holds this from now on. Returns the page to use in its place: itself, or the one
  // that held the same before, whose user the caller is then instead.
  int32_t publish(int32_t page, Content content);
  // Names what a published page holds, never anything else; 0 for pages that were not published.
  uint64_t serial(int32_t page) const { return at(page).serial; }
  // One user less for each. What is known of them stays known; of a sequence's pages the last is forgotten first.
  void give_back(std::vector<int32_t>& pages);
  // The same, but what nobody else uses is forgotten at once.
  void forget(std::vector<int32_t>& pages);

 private:
  struct Page {
    int users = 0;
    uint64_t serial = 0, hash = 0;
    Content content;
    std::list<int32_t>::iterator idle;  // in idle_, where serial != 0 and users == 0
  };

  Page& at(int32_t page) { return pages_[static_cast<size_t>(page)]; }
  const Page& at(int32_t page) const { return pages_[static_cast<size_t>(page)]; }
  uint64_t hash_of(const Content& content) const;
  std::optional<int32_t> holder(const Content& content, uint64_t hash) const;
  void add_user(int32_t page);
  void drop_user(int32_t page);
  void unpublish(int32_t page);

  const uint64_t seed_, hash_bits_;
  uint64_t next_serial_ = 1;
  std::vector<Page> pages_;
  std::vector<int32_t> empty_;
  std::list<int32_t> idle_;  // known and used by nobody, least recently used first
  std::unordered_multimap<uint64_t, int32_t> by_hash_;
};

}  // namespace qvl
