// SHA-256, for content addresses of pictures and for comparing keys without a timing leak; and a fast checksum for files.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace qvl {

using Sha256 = std::array<uint8_t, 32>;

Sha256 sha256(std::span<const std::byte> bytes);

// 128 bits over many bytes, against accidents and not against attackers: Poly1305 under a fixed key, which OpenSSL has in
// vector code for every processor. One thread each.
class Checksum {
 public:
  using Value = std::array<uint8_t, 16>;
  Checksum();
  ~Checksum();
  Checksum(const Checksum&) = delete;
  Checksum& operator=(const Checksum&) = delete;
  void update(std::span<const std::byte> bytes);
  Value finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};
Checksum::Value checksum(std::span<const std::byte> bytes);
std::string hex(std::span<const uint8_t> bytes);

}  // namespace qvl
