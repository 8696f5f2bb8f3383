#include "cache/page_pool.h"

#include <algorithm>
#include <random>

#include "base/check.h"

namespace qvl {
namespace {

// Clients choose what is hashed: without a secret they could make all of it fall together and the pool slow.
uint64_t random_seed() {
  std::random_device device;
  return uint64_t{device()} << 32 | device();
}

uint64_t mix(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a ^ 0x9e3779b97f4a7c15) * (b ^ 0xe7037ed1a0b428db);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

PagePool::PagePool(int32_t pages, uint64_t hash_bits)
    : seed_(random_seed()), hash_bits_(hash_bits), pages_(static_cast<size_t>(pages)) {
  for (int32_t i = pages; i > 0; --i) empty_.push_back(i - 1);
}

bool PagePool::take(int64_t count, std::vector<int32_t>& pages) {
  if (count > free()) return false;
  for (; count > 0; --count) {
    if (empty_.empty()) unpublish(idle_.front());
    at(empty_.back()).users = 1;
    pages.push_back(empty_.back());
    empty_.pop_back();
  }
  return true;
}

std::optional<int32_t> PagePool::find(const Content& content) {
  const auto page = holder(content, hash_of(content));
  if (page) add_user(*page);
  return page;
}

int32_t PagePool::publish(int32_t page, Content content) {
  Page& mine = at(page);
  QVL_CHECK(mine.users == 1 && mine.serial == 0, "page {} has {} users and serial {}", page, mine.users, mine.serial);
  const uint64_t hash = hash_of(content);
  if (const auto same = holder(content, hash)) {
    add_user(*same);
    drop_user(page);
    return *same;
  }
  mine.serial = next_serial_++;
  mine.hash = hash;
  mine.content = std::move(content);
  by_hash_.emplace(hash, page);
  return page;
}

void PagePool::give_back(std::vector<int32_t>& pages) {
  for (auto page = pages.rbegin(); page != pages.rend(); ++page) drop_user(*page);
  pages.clear();
}

void PagePool::forget(std::vector<int32_t>& pages) {
  for (const int32_t page : pages) {
    drop_user(page);
    if (at(page).users == 0 && at(page).serial != 0) unpublish(page);
  }
  pages.clear();
}

uint64_t PagePool::hash_of(const Content& content) const {
  uint64_t hash = mix(seed_, content.before);
  for (const int32_t value : content.values) hash = mix(hash, seed_ ^ static_cast<uint32_t>(value));
  return hash & hash_bits_;
}

std::optional<int32_t> PagePool::holder(const Content& content, uint64_t hash) const {
  const auto [begin, end] = by_hash_.equal_range(hash);
  const auto it = std::find_if(begin, end, [&](const auto& entry) { return at(entry.second).content == content; });
  return it == end ? std::nullopt : std::optional(it->second);
}

void PagePool::add_user(int32_t page) {
  Page& p = at(page);
  if (p.users++ == 0) idle_.erase(p.idle);
}

void PagePool::drop_user(int32_t page) {
  Page& p = at(page);
  QVL_CHECK(p.users > 0, "page returned twice");
  if (--p.users > 0) return;
  if (p.serial != 0) {
    p.idle = idle_.insert(idle_.end(), page);
  } else {
    empty_.push_back(page);
  }
}

void PagePool::unpublish(int32_t page) {
  Page& p = at(page);
  const auto [begin, end] = by_hash_.equal_range(p.hash);
  by_hash_.erase(std::find_if(begin, end, [&](const auto& entry) { return entry.second == page; }));
  idle_.erase(p.idle);
  p = {};
  empty_.push_back(page);
}

}  // namespace qvl
