// A file of packed matrices and vectors: what quantising a checkpoint gave, kept for the next start. Blobs with a name,
// a layout number and a checksum each, and a text that says what they were made of. Little-endian. One thread, except
// that load() reads with several.
//
//   0      header, 72 bytes: magic "QVLPACK\0", u32 version, u32 zero, u64 table's offset, u64 table's bytes, u64
//   file's
//          bytes, checksum of the table [16], checksum of the header so far [16]
//   4096   blobs, each on a cache line
//   ...    the table, JSON: {"identity": "...", "entries": [[name, layout, [shape], offset, bytes, checksum], ...]}
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/hash.h"
#include "tensor/tensor.h"

namespace qvl {

struct PackedEntry {
  std::string name;
  uint32_t layout = 0;
  Shape shape;
  uint64_t offset = 0, bytes = 0;  // in the file
  std::string sum;                 // Checksum, in hex
};

// Writes FILE.part and renames it when all is there: under its name there is a whole file or none. Whatever fails, a
// full disk among it, ends the writing and no more: nothing throws.
class PackedFileWriter {
 public:
  PackedFileWriter(std::filesystem::path file, std::string identity);
  ~PackedFileWriter();
  PackedFileWriter(const PackedFileWriter&) = delete;
  PackedFileWriter& operator=(const PackedFileWriter&) = delete;

  void add(const std::string& name, uint32_t layout, const Shape& shape, std::span<const std::byte> bytes);
  bool finish();                                           // false: failure() says why, and nothing is left behind
  // Deletes the file that this process has begun and not finished, if any. For signal handlers: calls nothing else.
  static void remove_unfinished() noexcept;
  const std::string& failure() const { return failure_; }  // one line; empty: none so far

 private:
  void open();
  bool write(std::span<const std::byte> bytes);  // at position_
  void fail(const std::string& what);
  void close();

  const std::filesystem::path file_, part_;
  const std::string identity_;
  std::vector<PackedEntry> entries_;
  uint64_t position_ = 0;
  int descriptor_ = -1;
  std::string failure_;
};

class PackedFile {
 public:
  enum class Outcome {
    kLoaded,
    kAbsent,   // no such file
    kStale,    // sound, but made of something else or by another version
    kDamaged,  // cut short, or bits differ from what was written
  };
  struct Loaded {
    Outcome outcome = Outcome::kAbsent;
    std::string problem;               // one line, unless loaded
    std::unique_ptr<PackedFile> file;  // where loaded
  };
  // Reads all of it into memory (huge pages where they can be had) and checks every byte. Throws nothing but kMemory.
  static Loaded load(const std::filesystem::path& file, const std::string& identity, int threads);

  const PackedEntry* find(const std::string& name) const;
  Buffer bytes(const PackedEntry& entry) const { return Buffer::part(data_, entry.offset - kDataBegin, entry.bytes); }
  uint64_t size() const { return data_->size(); }

  static constexpr uint64_t kDataBegin = 4096;

 private:
  friend struct PackedFileReader;
  std::vector<PackedEntry> entries_;
  std::unordered_map<std::string, size_t> by_name_;
  std::shared_ptr<Buffer> data_;
};

}  // namespace qvl
