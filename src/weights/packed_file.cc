#include "weights/packed_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <thread>

#include "base/descriptor.h"
#include "base/error.h"
#include "base/json.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kAlignment = 64, kMaxTableBytes = uint64_t{256} << 20;
constexpr uint32_t kVersion = 1;
static_assert(std::endian::native == std::endian::little);

struct Header {
  char magic[8] = {'Q', 'V', 'L', 'P', 'A', 'C', 'K', 0};
  uint32_t version = kVersion, zero = 0;
  uint64_t table_offset = 0, table_bytes = 0, file_bytes = 0;
  Checksum::Value table_sum{}, header_sum{};
};
static_assert(sizeof(Header) == 72);

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

Checksum::Value sum_of(const Header& header) {
  return checksum(std::as_bytes(std::span(&header, 1)).first(sizeof(Header) - sizeof(Checksum::Value)));
}

// The path of the unfinished file, for a signal handler; one is written at a time in a process.
std::atomic<const char*> unfinished_path{nullptr};
static_assert(std::atomic<const char*>::is_always_lock_free);

uint64_t round_up(uint64_t x) { return (x + kAlignment - 1) / kAlignment * kAlignment; }

bool read_all(int descriptor, uint64_t offset, std::byte* to, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t n = ::pread(descriptor, to + done, bytes - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  return true;
}

}  // namespace

PackedFileWriter::PackedFileWriter(fs::path file, std::string identity)
    : file_(std::move(file)), part_(file_.string() + ".part"), identity_(std::move(identity)) {
  open();
}

PackedFileWriter::~PackedFileWriter() {
  if (descriptor_ >= 0) fail("not finished");
}

void PackedFileWriter::open() {
  std::error_code error;
  fs::create_directories(file_.parent_path(), error);
  descriptor_ = ::open(part_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor_ < 0) {
    failure_ = fmt::format("{}: {}", part_.string(), std::strerror(errno));
    return;
  }
  // The lock goes with the process: what a crash left is taken over, what another process writes now is left alone.
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    failure_ = fmt::format("{}: another process is writing it", part_.string());
    close();
    return;
  }
  // Opened just before that process gave the file its name: then it is no longer the part.
  struct stat ours {
  }, named{};
  if (::fstat(descriptor_, &ours) != 0 || ::lstat(part_.c_str(), &named) != 0 || ours.st_ino != named.st_ino) {
    failure_ = fmt::format("{}: another process has just written it", part_.string());
    close();
    return;
  }
  unfinished_path = part_.c_str();
  if (::ftruncate(descriptor_, 0) != 0) return fail(std::strerror(errno));
  position_ = PackedFile::kDataBegin;
}

void PackedFileWriter::remove_unfinished() noexcept {
  if (const char* path = unfinished_path.load()) ::unlink(path);
}

void PackedFileWriter::close() {
  const char* own = part_.c_str();
  unfinished_path.compare_exchange_strong(own, nullptr);
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void PackedFileWriter::fail(const std::string& what) {
  failure_ = fmt::format("{}: {}", part_.string(), what);
  if (descriptor_ >= 0) ::unlink(part_.c_str());  // under the lock, so it is ours
  close();
}

bool PackedFileWriter::write(std::span<const std::byte> bytes) {
  if (descriptor_ < 0) return false;
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n =
        ::pwrite(descriptor_, bytes.data() + done, bytes.size() - done, static_cast<off_t>(position_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      fail(n == 0 ? "nothing written" : std::strerror(errno));
      return false;
    }
    done += static_cast<size_t>(n);
  }
  position_ += bytes.size();
  return true;
}

void PackedFileWriter::add(const std::string& name, uint32_t layout, const Shape& shape,
                           std::span<const std::byte> bytes) {
  if (descriptor_ < 0) return;
  position_ = round_up(position_);
  PackedEntry entry{name, layout, shape, position_, bytes.size(), ""};
  if (!write(bytes)) return;
  entry.sum = hex(checksum(bytes));
  entries_.push_back(std::move(entry));
}

bool PackedFileWriter::finish() {
  if (descriptor_ < 0) return false;
  Json rows = Json::array();
  for (const PackedEntry& e : entries_) rows.push_back({e.name, e.layout, e.shape, e.offset, e.bytes, e.sum});
  const std::string table = dump_json({{"identity", identity_}, {"entries", std::move(rows)}});
  Header header;
  header.table_offset = position_ = round_up(position_);
  header.table_bytes = table.size();
  header.file_bytes = position_ + table.size();
  header.table_sum = checksum(bytes_of(table));
  header.header_sum = sum_of(header);
  if (!write(bytes_of(table))) return false;
  position_ = 0;
  if (!write(std::as_bytes(std::span(&header, 1)))) return false;
  // Before the name: after a loss of power there must not be a whole file's name on half a file's bytes.
  if (::fdatasync(descriptor_) != 0 || ::rename(part_.c_str(), file_.c_str()) != 0) {
    fail(std::strerror(errno));
    return false;
  }
  close();
  return true;
}

// The steps of PackedFile::load(); each says what is wrong, or nothing.
struct PackedFileReader {
  using Outcome = PackedFile::Outcome;

  bool bad(Outcome why, const std::string& what) {
    outcome = why;
    problem = what;
    return false;
  }

  bool read_header(const std::string& identity) {
    struct stat status {};
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode))
      return bad(Outcome::kDamaged, "not a regular file");
    Header expected;
    if (!read_all(descriptor, 0, reinterpret_cast<std::byte*>(&header), sizeof header) ||
        std::memcmp(header.magic, expected.magic, sizeof header.magic) != 0) {
      return bad(Outcome::kDamaged, "expected the header of a file of packed weights");
    }
    if (header.version != kVersion) {
      return bad(Outcome::kStale, fmt::format("expected version {}, found {}", kVersion, header.version));
    }
    if (header.header_sum != sum_of(header)) return bad(Outcome::kDamaged, "the header's checksum differs");
    const auto size = static_cast<uint64_t>(status.st_size);
    if (header.file_bytes != size) {
      return bad(Outcome::kDamaged, fmt::format("expected {} bytes, found {}", header.file_bytes, size));
    }
    if (header.table_offset < PackedFile::kDataBegin || header.table_offset > size ||
        header.table_bytes != size - header.table_offset || header.table_bytes > kMaxTableBytes) {
      return bad(Outcome::kDamaged, "the table lies outside the file");
    }
    return read_table(identity);
  }

  bool read_table(const std::string& identity) {
    std::string text(header.table_bytes, '\0');
    if (!read_all(descriptor, header.table_offset, reinterpret_cast<std::byte*>(text.data()), text.size())) {
      return bad(Outcome::kDamaged, "the table cannot be read");
    }
    if (checksum(bytes_of(text)) != header.table_sum) return bad(Outcome::kDamaged, "the table's checksum differs");
    try {
      const Json table = parse_json(text, "the table", ErrorKind::kModel, "packed_file");
      if (table.at("identity").get<std::string>() != identity) {
        return bad(Outcome::kStale, "it was made of other files, or by other rules");
      }
      for (const Json& row : table.at("entries")) {
        if (!read_entry(row)) return bad(Outcome::kDamaged, "an entry lies outside the file");
      }
    } catch (const std::exception&) {
      return bad(Outcome::kDamaged, "the table cannot be understood");
    }
    return true;
  }

  bool read_entry(const Json& row) {
    PackedEntry entry;
    entry.name = row.at(0).get<std::string>();
    entry.layout = row.at(1).get<uint32_t>();
    entry.shape = row.at(2).get<Shape>();
    entry.offset = row.at(3).get<uint64_t>();
    entry.bytes = row.at(4).get<uint64_t>();
    entry.sum = row.at(5).get<std::string>();
    if (entry.offset < PackedFile::kDataBegin || entry.offset % kAlignment != 0 || entry.offset > header.table_offset ||
        entry.bytes > header.table_offset - entry.offset) {
      return false;
    }
    if (!file->by_name_.emplace(entry.name, file->entries_.size()).second) return false;
    file->entries_.push_back(std::move(entry));
    return true;
  }

  // Pieces that are still in the cache of the core that read them when their checksum is taken.
  bool read_blob(size_t index) const {
    constexpr size_t kPiece = size_t{256} << 10;
    const PackedEntry& entry = file->entries_[index];
    std::byte* const to = file->data_->data() + (entry.offset - PackedFile::kDataBegin);
    Checksum sum;
    for (size_t done = 0; done < entry.bytes; done += kPiece) {
      const size_t count = std::min<size_t>(kPiece, entry.bytes - done);
      if (!read_all(descriptor, entry.offset + done, to + done, count)) return false;
      sum.update({to + done, count});
    }
    return hex(sum.finish()) == entry.sum;
  }

  bool read_blobs(int threads) {
    file->data_ = std::make_shared<Buffer>(header.table_offset - PackedFile::kDataBegin);
    std::vector<size_t> order(file->entries_.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    // The largest first, so that no thread ends with it alone.
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return file->entries_[a].bytes > file->entries_[b].bytes; });
    std::atomic<size_t> next{0};
    std::atomic<bool> sound{true};
    const auto work = [&] {
      for (size_t i = next++; i < order.size() && sound; i = next++) {
        if (!read_blob(order[i])) sound = false;
      }
    };
    {
      std::vector<std::jthread> helpers;
      for (int i = 1; i < threads; ++i) helpers.emplace_back(work);
      work();
    }
    return sound || bad(Outcome::kDamaged, "the weights' checksums differ");
  }

  int descriptor = -1;
  Header header;
  std::unique_ptr<PackedFile> file = std::make_unique<PackedFile>();
  Outcome outcome = Outcome::kLoaded;
  std::string problem;
};

PackedFile::Loaded PackedFile::load(const fs::path& file, const std::string& identity, int threads) {
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW));
  if (descriptor.get() < 0) {
    if (errno == ENOENT || errno == ENOTDIR) return {Outcome::kAbsent, "no such file", nullptr};
    return {Outcome::kDamaged, std::strerror(errno), nullptr};
  }
  PackedFileReader reader;
  reader.descriptor = descriptor.get();
  if (!reader.read_header(identity) || !reader.read_blobs(threads)) return {reader.outcome, reader.problem, nullptr};
  return {Outcome::kLoaded, "", std::move(reader.file)};
}

const PackedEntry* PackedFile::find(const std::string& name) const {
  const auto it = by_name_.find(name);
  return it != by_name_.end() ? &entries_[it->second] : nullptr;
}

}  // namespace qvl
