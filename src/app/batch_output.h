// A file of answers that grows by whole records, so that a run that was cut off can go on: JSON lines, or CSV (RFC 4180).
#pragma once

#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace qvl {

enum class BatchFormat { kJsonLines, kCsv };

// Of a file that no run of this kind wrote.
[[noreturn]] void foreign_output();
// One record with its line's end.
std::string csv_record(const std::vector<std::string>& fields);

class BatchOutput {
 public:
  // A record of the file: a JSON line as its only entry, or CSV's fields.
  using OldRecord = std::function<void(const std::vector<std::string>& fields)>;

  // Opens or creates the file, tells `old` every whole record that it has, then cuts off a torn one at its end. A file that
  // does not begin with `begin`, or that `old` throws at, stays as it was. Errors: kBadFlag "output_failed", "output_busy"
  // where another run writes to it.
  BatchOutput(const std::filesystem::path& path, BatchFormat format, std::string_view begin, const OldRecord& old);
  ~BatchOutput();
  BatchOutput(const BatchOutput&) = delete;
  BatchOutput& operator=(const BatchOutput&) = delete;

  bool empty() const { return size_ == 0; }
  // Whole records; from any thread. Errors: kBadFlag "output_failed", and nothing of them is in the file.
  void append(std::string_view records);

 private:
  std::filesystem::path path_;
  int fd_ = -1;
  std::mutex mutex_;  // guards size_ and the file's end
  int64_t size_ = 0;
};

}  // namespace qvl
