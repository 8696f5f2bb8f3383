#include "cache/image_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>

#include "cache/image_cache.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;

Sha256 hash_of(int n) {
  Sha256 hash{};
  hash[31] = static_cast<uint8_t>(n);
  return hash;
}

std::shared_ptr<const VisionFeatures> features_of(int64_t tokens, float first) {
  VisionFeatures f;
  f.tokens = tokens;
  f.encode_ms = 12.5;
  for (int64_t i = 0; i < tokens * 8; ++i) f.embeds.push_back(first + static_cast<float>(i));
  f.deepstack = {f.embeds, std::vector<float>(f.embeds.size(), first)};
  return std::make_shared<const VisionFeatures>(std::move(f));
}

class ImageStoreTest : public ::testing::Test {
 protected:
  ImageStoreTest() {
    std::string name = (fs::temp_directory_path() / "qvl_image_store_XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  ~ImageStoreTest() override { fs::remove_all(root_); }

  ImageStoreOptions options(const std::string& identity = "a model") const {
    return {.folder = root_ / "images", .max_bytes = 1 << 20, .identity = identity, .width = 8, .deepstack = 2};
  }
  std::vector<fs::path> files() const {
    std::vector<fs::path> out;
    for (const auto& entry : fs::recursive_directory_iterator(root_)) {
      if (entry.is_regular_file()) out.push_back(entry.path());
    }
    return out;
  }
  static mode_t mode(const fs::path& path) {
    struct stat status {};
    ::stat(path.c_str(), &status);
    return status.st_mode & 0777;
  }

  fs::path root_;
};

TEST_F(ImageStoreTest, SurvivesARestart) {
  const auto f = features_of(6, 3);
  {
    ImageStore store(options());
    EXPECT_FALSE(store.contains(hash_of(1)));
    EXPECT_EQ(store.read(hash_of(1), 6), nullptr);
    store.write(hash_of(1), f);
    store.wait_until_written();
  }
  ImageStore store(options());
  EXPECT_TRUE(store.contains(hash_of(1)));
  const auto found = store.read(hash_of(1), 6);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->tokens, 6);
  EXPECT_EQ(found->embeds, f->embeds);
  EXPECT_EQ(found->deepstack, f->deepstack);
  EXPECT_EQ(found->encode_ms, 12.5);
  EXPECT_EQ(store.read(hash_of(2), 6), nullptr);
  EXPECT_EQ(ImageStore(options("another")).read(hash_of(1), 6), nullptr);
}

TEST_F(ImageStoreTest, OnlyTheUserMayLook) {
  ImageStore store(options());
  store.write(hash_of(1), features_of(6, 3));
  store.wait_until_written();
  ASSERT_EQ(files().size(), 1u);
  EXPECT_EQ(mode(files()[0]), 0600u);
  EXPECT_EQ(mode(files()[0].parent_path()), 0700u);
  EXPECT_EQ(mode(root_ / "images"), 0700u);
}

// Whatever is wrong with a file: it is not used, and gone.
TEST_F(ImageStoreTest, UnsoundFilesAreDeleted) {
  ImageStore store(options());
  const auto with = [&](const std::function<void(std::string&)>& change, int64_t tokens = 6) {
    store.write(hash_of(1), features_of(6, 3));
    store.wait_until_written();
    const fs::path file = files().at(0);
    std::ifstream in(file, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    change(bytes);
    std::ofstream(file, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    const bool used = store.read(hash_of(1), tokens) != nullptr;
    const bool there = store.contains(hash_of(1));
    EXPECT_EQ(used, there);
    return used;
  };
  EXPECT_TRUE(with([](std::string&) {}));
  for (const size_t place : {0u, 9u, 41u, 73u, 81u, 89u, 97u, 105u, 120u, 500u, 600u}) {
    EXPECT_FALSE(with([&](std::string& bytes) { bytes[place] = static_cast<char>(bytes[place] ^ 1); })) << place;
  }
  EXPECT_FALSE(with([](std::string& bytes) { bytes.pop_back(); }));
  EXPECT_FALSE(with([](std::string& bytes) { bytes += 'x'; }));
  EXPECT_FALSE(with([](std::string& bytes) { bytes.clear(); }));
  EXPECT_FALSE(with([](std::string&) {}, 5));
  EXPECT_TRUE(with([](std::string&) {}));
  // A link is not followed, and neither read nor replaced by what it names.
  const fs::path file = files().at(0);
  fs::rename(file, root_ / "elsewhere");
  fs::create_symlink(root_ / "elsewhere", file);
  EXPECT_FALSE(store.contains(hash_of(1)));
  EXPECT_EQ(store.read(hash_of(1), 6), nullptr);
}

TEST_F(ImageStoreTest, TheLeastRecentlyUsedMakeRoom) {
  ImageStoreOptions o = options();
  const size_t one = 120 + 3 * 6 * 8 * 4;
  o.max_bytes = 3 * one;
  ImageStore store(o);
  const auto age = [&](int n, int hours) {
    for (const auto& file : files()) {
      if (file.filename().string().find(hex(hash_of(n))) == 0) {
        fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(hours));
      }
    }
  };
  for (int n = 1; n <= 3; ++n) {
    store.write(hash_of(n), features_of(6, 0));
    store.wait_until_written();
    age(n, 10 - n);
  }
  EXPECT_NE(store.read(hash_of(1), 6), nullptr);
  store.write(hash_of(4), features_of(6, 0));
  store.wait_until_written();
  EXPECT_TRUE(store.contains(hash_of(1)));
  EXPECT_FALSE(store.contains(hash_of(2)));
  EXPECT_TRUE(store.contains(hash_of(3)));
  store.write(hash_of(5), features_of(60, 0));  // more than all
  store.wait_until_written();
  EXPECT_EQ(files().size(), 3u);
}

TEST_F(ImageStoreTest, WhereNothingCanBeWrittenNothingBreaks) {
  std::ofstream(root_ / "images") << "a file, not a folder";
  ImageStore store(options());
  for (int n = 1; n <= 3; ++n) store.write(hash_of(n), features_of(6, 0));
  store.wait_until_written();
  EXPECT_EQ(store.read(hash_of(1), 6), nullptr);
}

TEST_F(ImageStoreTest, BehindTheCacheInMemory) {
  const auto f = features_of(6, 3);
  ImageStore store(options());
  {
    ImageCache cache(1 << 20, &store);
    EXPECT_EQ(cache.load(hash_of(1), 6), nullptr);
    cache.insert(hash_of(1), f);
    EXPECT_EQ(cache.load(hash_of(1), 6), f);
    store.wait_until_written();
  }
  ImageCache cache(1 << 20, &store);
  EXPECT_EQ(cache.find(hash_of(1)), nullptr);
  EXPECT_TRUE(cache.contains(hash_of(1)));
  const auto found = cache.load(hash_of(1), 6);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->embeds, f->embeds);
  EXPECT_EQ(cache.find(hash_of(1)), found);
}

}  // namespace
}  // namespace qvl
