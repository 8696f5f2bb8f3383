// Files that clients have uploaded, in memory and for a while: the oldest go when room is needed, all with the process.
// Thread-safe.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace qvl {

class UploadStore {
 public:
  struct Limits {
    size_t max_bytes = size_t{64} << 20, max_files = 256;
  };

  UploadStore() : UploadStore(Limits()) {}
  explicit UploadStore(Limits limits) : limits_(limits) {}

  // The path under which find() knows the file: nobody can guess it, and it means nothing to the file system.
  // Errors: kTooLarge "body_too_large" for a file that would not fit at all.
  std::string add(std::string_view name, std::string_view bytes);
  // nullptr where there is none (any more). The file counts as used.
  std::shared_ptr<const std::string> find(std::string_view path);

 private:
  struct File {
    std::string path;
    std::shared_ptr<const std::string> bytes;
  };

  const Limits limits_;
  std::mutex mutex_;       // guards the three below
  std::list<File> files_;  // the last used first
  std::map<std::string, std::list<File>::iterator, std::less<>> by_path_;
  size_t bytes_ = 0;
};

// 32 hexadecimal digits from the system's generator: a name that nobody can guess.
std::string secret_name();

}  // namespace qvl
