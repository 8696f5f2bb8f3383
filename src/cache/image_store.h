// Features of pictures in files, so that they survive a restart. Files are written by a thread of its own, aside and then
// renamed, readable by the user only; one that is not exactly what it should be is deleted and never used. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/hash.h"
#include "model/vision_tower.h"

namespace qvl {

struct ImageStoreOptions {
  std::filesystem::path folder;
  size_t max_bytes = 0;    // of all files in it; the least recently used are deleted first
  std::string identity;    // of what makes features: weights, configuration, precision
  int64_t width = 0;       // floats of a token in each output of the tower
  size_t deepstack = 0;    // outputs besides the embeddings
};

class ImageStore {
 public:
  explicit ImageStore(ImageStoreOptions options);
  ~ImageStore();  // finishes what is being written; what is queued is dropped

  bool contains(const Sha256& content_hash) const;
  // Null where they are not there, or not sound. tokens: what the picture's grid gives.
  std::shared_ptr<const VisionFeatures> read(const Sha256& content_hash, int64_t tokens);
  // Queues them. Where the disk does not keep up, they are not kept.
  void write(const Sha256& content_hash, std::shared_ptr<const VisionFeatures> features);
  void wait_until_written();

 private:
  struct Job {
    Sha256 hash;
    std::shared_ptr<const VisionFeatures> features;
  };
  std::filesystem::path file_of(const Sha256& content_hash) const;
  size_t payload_bytes(int64_t tokens) const;
  void run();
  void write_file(const Job& job);
  void make_room(size_t bytes) const;

  const ImageStoreOptions options_;
  const Sha256 identity_;
  const std::filesystem::path place_;  // below the folder: the files of this identity
  std::mutex mutex_;                   // guards all below
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  size_t queued_bytes_ = 0;
  bool writing_ = false, stopping_ = false, failed_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace qvl
