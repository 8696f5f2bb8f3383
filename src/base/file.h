// Whole files in, and files as read-only memory maps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "base/error.h"

namespace qvl {

// The whole of a regular file. Errors: `kind`, `code` where it is missing, not a regular file, unreadable or longer than max_bytes.
std::string read_file(const std::filesystem::path& path, ErrorKind kind, const std::string& code,
                      uint64_t max_bytes = uint64_t{1} << 30);

// A read-only shared map of a whole regular file. Movable.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(const std::filesystem::path& path, ErrorKind kind, const std::string& code);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Tells the system that these bytes are not needed soon (their pages can be read again).
  void drop_pages(const std::byte* begin, size_t size) const;

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace qvl
