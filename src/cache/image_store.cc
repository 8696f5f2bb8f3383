#include "cache/image_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include "base/descriptor.h"
#include "base/log.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSuffix = ".qvlimg";
constexpr const char* kPart = ".part";
constexpr size_t kMostQueuedBytes = size_t{128} << 20;

// Followed by the embeddings and each DeepStack output, [tokens, width] in float32.
struct Header {
  char magic[8];
  Sha256 identity, content_hash;
  int64_t tokens, width, deepstack;
  double encode_ms;
  Checksum::Value checksum;  // of all before it and of what follows
};
static_assert(sizeof(Header) == 120);
constexpr char kMagic[9] = "QVLIMG1\n";

bool read_all(int descriptor, void* to, size_t bytes) {
  auto* at = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t got = ::read(descriptor, at, bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

bool write_all(int descriptor, const void* from, size_t bytes) {
  const auto* at = static_cast<const char*>(from);
  while (bytes > 0) {
    const ssize_t put = ::write(descriptor, at, bytes);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return false;
    at += put;
    bytes -= static_cast<size_t>(put);
  }
  return true;
}

Checksum::Value checksum_of(const Header& header, const VisionFeatures& features) {
  Checksum sum;
  sum.update(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, checksum)));
  sum.update(std::as_bytes(std::span(features.embeds)));
  for (const auto& output : features.deepstack) sum.update(std::as_bytes(std::span(output)));
  return sum.finish();
}

Sha256 hash_of(const std::string& text) { return sha256(std::as_bytes(std::span(text))); }

bool is_ours(const fs::path& file) {
  const std::string name = file.filename().string();
  return name.ends_with(kSuffix) || name.ends_with(kPart);
}

}  // namespace

ImageStore::ImageStore(ImageStoreOptions options)
    : options_(std::move(options)), identity_(hash_of(options_.identity)), place_(options_.folder / hex(identity_).substr(0, 16)) {
  thread_ = std::thread([this] { run(); });
}

ImageStore::~ImageStore() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

fs::path ImageStore::file_of(const Sha256& content_hash) const { return place_ / (hex(content_hash) + kSuffix); }

size_t ImageStore::payload_bytes(int64_t tokens) const {
  return static_cast<size_t>(tokens * options_.width) * (1 + options_.deepstack) * sizeof(float);
}

bool ImageStore::contains(const Sha256& content_hash) const {
  struct stat status {};
  return ::lstat(file_of(content_hash).c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

std::shared_ptr<const VisionFeatures> ImageStore::read(const Sha256& content_hash, int64_t tokens) {
  const fs::path file = file_of(content_hash);
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (descriptor.get() < 0) return nullptr;
  const auto unsound = [&](const char* what) {
    log_warn("{}: {}: deleted, the picture is encoded again", file.string(), what);
    ::unlink(file.c_str());
    return nullptr;
  };
  struct stat status {};
  if (::fstat(descriptor.get(), &status) != 0 || !S_ISREG(status.st_mode)) return unsound("no regular file");
  if (static_cast<size_t>(status.st_size) != sizeof(Header) + payload_bytes(tokens)) return unsound("not of its picture's size");
  Header header;
  if (!read_all(descriptor.get(), &header, sizeof header)) return unsound("not readable");
  if (std::memcmp(header.magic, kMagic, sizeof header.magic) != 0 || header.identity != identity_ ||
      header.content_hash != content_hash || header.tokens != tokens || header.width != options_.width ||
      header.deepstack != static_cast<int64_t>(options_.deepstack)) {
    return unsound("of another picture or model");
  }
  auto features = std::make_shared<VisionFeatures>();
  features->tokens = tokens;
  features->encode_ms = header.encode_ms;
  features->deepstack.resize(options_.deepstack);
  const auto floats = static_cast<size_t>(tokens * options_.width);
  const auto take = [&](std::vector<float>& output) {
    output.resize(floats);
    return read_all(descriptor.get(), output.data(), floats * sizeof(float));
  };
  bool whole = take(features->embeds);
  for (auto& output : features->deepstack) whole = whole && take(output);
  if (!whole || checksum_of(header, *features) != header.checksum) return unsound("damaged");
  ::futimens(descriptor.get(), nullptr);  // used now
  return features;
}

void ImageStore::write(const Sha256& content_hash, std::shared_ptr<const VisionFeatures> features) {
  if (sizeof(Header) + features->bytes() > options_.max_bytes) return;
  {
    const std::lock_guard lock(mutex_);
    if (queued_bytes_ + features->bytes() > std::max(kMostQueuedBytes, features->bytes())) return;
    queued_bytes_ += features->bytes();
    jobs_.push_back({content_hash, std::move(features)});
  }
  changed_.notify_all();
}

void ImageStore::wait_until_written() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return jobs_.empty() && !writing_; });
}

void ImageStore::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    writing_ = true;
    lock.unlock();
    write_file(job);
    lock.lock();
    queued_bytes_ -= job.features->bytes();
    writing_ = false;
    changed_.notify_all();
  }
}

void ImageStore::write_file(const Job& job) {
  const VisionFeatures& features = *job.features;
  const fs::path file = file_of(job.hash);
  if (features.bytes() != payload_bytes(features.tokens) || contains(job.hash)) return;
  std::error_code ignored;
  fs::create_directories(options_.folder.parent_path(), ignored);
  ::mkdir(options_.folder.c_str(), 0700);
  ::mkdir(place_.c_str(), 0700);
  make_room(sizeof(Header) + features.bytes());
  Header header{.identity = identity_, .content_hash = job.hash, .tokens = features.tokens, .width = options_.width,
                .deepstack = static_cast<int64_t>(features.deepstack.size()), .encode_ms = features.encode_ms, .checksum = {}};
  std::memcpy(header.magic, kMagic, sizeof header.magic);
  header.checksum = checksum_of(header, features);
  const fs::path part = file.string() + "." + std::to_string(::getpid()) + kPart;
  bool written = false;
  {
    const Descriptor descriptor(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    written = descriptor.get() >= 0 && write_all(descriptor.get(), &header, sizeof header) &&
              write_all(descriptor.get(), features.embeds.data(), features.embeds.size() * sizeof(float));
    for (const auto& output : features.deepstack) {
      written = written && write_all(descriptor.get(), output.data(), output.size() * sizeof(float));
    }
    written = written && ::fdatasync(descriptor.get()) == 0;
  }
  written = written && ::rename(part.c_str(), file.c_str()) == 0;
  if (written) return;
  if (!failed_) log_warn("{}: {}: encoded pictures are not kept for the next start", file.string(), std::strerror(errno));
  failed_ = true;  // told once; only this thread looks
  ::unlink(part.c_str());
}

// Deletes the least recently used until so many bytes fit; and parts that a crash left.
void ImageStore::make_room(size_t bytes) const {
  struct File {
    fs::path path;
    fs::file_time_type used;
    size_t bytes;
  };
  std::vector<File> files;
  size_t total = bytes;
  std::error_code error;
  for (fs::recursive_directory_iterator it(options_.folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (it.depth() > 1 || !is_ours(it->path()) || !it->is_regular_file(gone) || it->is_symlink(gone)) continue;
    files.push_back({it->path(), it->last_write_time(gone), static_cast<size_t>(it->file_size(gone))});
    if (gone) {
      files.pop_back();
    } else {
      total += files.back().bytes;
    }
  }
  std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.used < b.used; });
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (const File& file : files) {
    const bool left = file.path.extension() == kPart && file.used < old;
    if (total <= options_.max_bytes && !left) continue;
    if (fs::remove(file.path, error)) total -= file.bytes;
  }
}

}  // namespace qvl
