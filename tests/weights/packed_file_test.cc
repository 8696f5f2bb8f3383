// The file of packed weights: what is written comes back, and whatever is wrong with a file is noticed before its bytes
// are used.
#include "weights/packed_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <random>

#include "tests/weights/test_files.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;
using Outcome = PackedFile::Outcome;

class PackedFileTest : public testing::Test {
 protected:
  fs::path path() const { return folder_.path / "sub/model.qvlpack"; }

  static std::vector<std::byte> noise(size_t bytes, uint32_t seed) {
    std::mt19937 rng(seed);
    std::vector<std::byte> out(bytes);
    for (auto& b : out) b = static_cast<std::byte>(rng());
    return out;
  }

  bool write(const std::string& identity = "made of this") {
    PackedFileWriter writer(path(), identity);
    for (size_t i = 0; i < kBlobs.size(); ++i)
      writer.add(name(i), static_cast<uint32_t>(i), {1, 2}, noise(kBlobs[i], seed(i)));
    return writer.finish();
  }

  static std::string name(size_t i) { return fmt::format("matrix.{}", i); }
  static uint32_t seed(size_t i) { return static_cast<uint32_t>(100 + i); }

  void expect_whole(const PackedFile::Loaded& found) const {
    ASSERT_EQ(found.outcome, Outcome::kLoaded) << found.problem;
    for (size_t i = 0; i < kBlobs.size(); ++i) {
      const PackedEntry* const entry = found.file->find(name(i));
      ASSERT_NE(entry, nullptr);
      EXPECT_EQ(entry->layout, i);
      EXPECT_EQ(entry->shape, (Shape{1, 2}));
      const Buffer bytes = found.file->bytes(*entry);
      const auto want = noise(kBlobs[i], seed(i));
      ASSERT_EQ(bytes.size(), want.size());
      EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes.data()) % 64, 0u);
      EXPECT_TRUE(std::equal(want.begin(), want.end(), bytes.data()));
    }
    EXPECT_EQ(found.file->find("another"), nullptr);
  }

  PackedFile::Loaded load(const std::string& identity = "made of this", int threads = 2) const {
    return PackedFile::load(path(), identity, threads);
  }

  std::string content() const {
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void replace(const std::string& bytes) const { std::ofstream(path(), std::ios::binary | std::ios::trunc) << bytes; }

  const std::vector<size_t> kBlobs = {1, 64, 100, 300'000, 4096, 0, 777};
  const TempFolder folder_;
};

TEST_F(PackedFileTest, ComesBackOnAnyNumberOfThreads) {
  ASSERT_TRUE(write());
  for (const int threads : {1, 2, 5}) expect_whole(load("made of this", threads));
  EXPECT_FALSE(fs::exists(path().string() + ".part"));
}

TEST_F(PackedFileTest, PartsOutliveTheFile) {
  ASSERT_TRUE(write());
  Buffer bytes;
  {
    const auto found = load();
    bytes = found.file->bytes(*found.file->find(name(3)));
  }
  const auto want = noise(kBlobs[3], seed(3));
  EXPECT_TRUE(std::equal(want.begin(), want.end(), bytes.data()));
}

TEST_F(PackedFileTest, AbsentOrMadeOfSomethingElse) {
  EXPECT_EQ(load().outcome, Outcome::kAbsent);
  ASSERT_TRUE(write());
  EXPECT_EQ(load("made of that").outcome, Outcome::kStale);
  ASSERT_TRUE(write("made of that"));  // takes the old one's place
  expect_whole(load("made of that"));
  EXPECT_EQ(load().outcome, Outcome::kStale);
}

TEST_F(PackedFileTest, WhatIsUnfinishedCanBeRemovedByASignalHandler) {
  PackedFileWriter::remove_unfinished();  // nothing was begun
  {
    PackedFileWriter writer(path(), "made of this");
    ASSERT_TRUE(fs::exists(path().string() + ".part"));
    PackedFileWriter::remove_unfinished();
    EXPECT_TRUE(fs::is_empty(path().parent_path()));
    EXPECT_FALSE(writer.finish());
  }
  ASSERT_TRUE(write());
  PackedFileWriter::remove_unfinished();  // what is finished stays
  expect_whole(load());
}

TEST_F(PackedFileTest, EveryTruncationIsNoticed) {
  ASSERT_TRUE(write());
  const std::string whole = content();
  for (size_t size : {size_t{0}, size_t{1}, size_t{71}, size_t{72}, size_t{4096}, whole.size() / 2, whole.size() - 1}) {
    replace(whole.substr(0, size));
    const auto found = load();
    EXPECT_EQ(found.outcome, Outcome::kDamaged) << size;
    EXPECT_FALSE(found.problem.empty());
    EXPECT_EQ(found.file, nullptr);
  }
  replace(whole + "x");
  EXPECT_EQ(load().outcome, Outcome::kDamaged);
}

// One flipped bit anywhere that counts: the header, the table, each blob.
TEST_F(PackedFileTest, EveryFlippedBitIsNoticed) {
  ASSERT_TRUE(write());
  const std::string whole = content();
  uint64_t table = 0;
  std::memcpy(&table, whole.data() + 16, sizeof table);
  std::vector<size_t> places;
  for (size_t i = 0; i < 72; ++i) places.push_back(i);
  for (size_t i = table; i < whole.size(); i += 7) places.push_back(i);
  const auto sound = load();
  for (size_t i = 0; i < kBlobs.size(); ++i) {
    const PackedEntry& entry = *sound.file->find(name(i));
    for (size_t k = 0; k < 3 && entry.bytes > 0; ++k) places.push_back(entry.offset + k * (entry.bytes - 1) / 2);
  }
  for (const size_t place : places) {
    std::string bytes = whole;
    bytes[place] = static_cast<char>(bytes[place] ^ (1 << place % 8));
    replace(bytes);
    const auto found = load();
    // The version stands in the header: another one is not damage.
    EXPECT_THAT(found.outcome, place >= 8 && place < 12 ? Outcome::kStale : Outcome::kDamaged) << place;
    EXPECT_EQ(found.file, nullptr);
  }
  replace(whole);
  expect_whole(load());
}

TEST_F(PackedFileTest, ADirectoryInItsPlace) {
  fs::create_directories(path());
  EXPECT_EQ(load().outcome, Outcome::kDamaged);
  EXPECT_FALSE(write());
}

TEST_F(PackedFileTest, AFolderThatCannotBeMade) {
  std::ofstream(folder_.path / "sub") << "a file";
  PackedFileWriter writer(path(), "made of this");
  writer.add("a", 0, {1}, noise(10, 1));
  EXPECT_FALSE(writer.finish());
  EXPECT_THAT(writer.failure(), testing::HasSubstr("model.qvlpack"));
}

// The limit on file sizes stands for a disk that is full.
TEST_F(PackedFileTest, AFullDiskLeavesNothingBehind) {
  ASSERT_TRUE(write());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100'000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  PackedFileWriter writer(path(), "a newer one");
  for (size_t i = 0; i < kBlobs.size(); ++i) writer.add(name(i), 0, {1}, noise(kBlobs[i], seed(i)));
  EXPECT_FALSE(writer.finish());
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_FALSE(writer.failure().empty());
  EXPECT_FALSE(fs::exists(path().string() + ".part"));
  expect_whole(load());  // the earlier file stands
}

TEST_F(PackedFileTest, WhatACrashLeftIsTakenOver) {
  fs::create_directories(path().parent_path());
  std::ofstream(path().string() + ".part") << std::string(1'000'000, 'x');
  EXPECT_EQ(load().outcome, Outcome::kAbsent);
  ASSERT_TRUE(write());
  expect_whole(load());
}

TEST_F(PackedFileTest, TwoWritersAtOnce) {
  PackedFileWriter first(path(), "made of this");
  PackedFileWriter second(path(), "made of this");
  second.add(name(0), 0, {1}, noise(kBlobs[0], 9));
  EXPECT_FALSE(second.finish());
  EXPECT_THAT(second.failure(), testing::HasSubstr("another process"));
  for (size_t i = 0; i < kBlobs.size(); ++i)
    first.add(name(i), static_cast<uint32_t>(i), {1, 2}, noise(kBlobs[i], seed(i)));
  EXPECT_TRUE(first.finish());
  expect_whole(load());
}

TEST_F(PackedFileTest, AWriterThatIsGivenUpLeavesNothing) {
  { PackedFileWriter(path(), "made of this").add(name(0), 0, {1}, noise(1000, 1)); }
  EXPECT_EQ(load().outcome, Outcome::kAbsent);
  EXPECT_FALSE(fs::exists(path().string() + ".part"));
}

}  // namespace
}  // namespace qvl
