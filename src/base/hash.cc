#include "base/hash.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/check.h"

namespace qvl {

Sha256 sha256(std::span<const std::byte> bytes) {
  Sha256 digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return digest;
}

std::string hex(std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const uint8_t b : bytes) {
    out += kDigits[b >> 4];
    out += kDigits[b & 15];
  }
  return out;
}

struct Checksum::State {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "POLY1305", nullptr);
  EVP_MAC_CTX* context = mac != nullptr ? EVP_MAC_CTX_new(mac) : nullptr;
  ~State() {
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
  }
};

Checksum::Checksum() : state_(std::make_unique<State>()) {
  static constexpr unsigned char kKey[] = "qwen3vl: checksum, no secret key";
  static_assert(sizeof(kKey) == 32 + 1);
  const bool ready = state_->context != nullptr && EVP_MAC_init(state_->context, kKey, 32, nullptr) == 1;
  QVL_CHECK(ready, "OpenSSL has no {}", "Poly1305");
}

Checksum::~Checksum() = default;

void Checksum::update(std::span<const std::byte> bytes) {
  EVP_MAC_update(state_->context, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

Checksum::Value Checksum::finish() {
  Value value{};
  size_t size = 0;
  const bool done = EVP_MAC_final(state_->context, value.data(), &size, value.size()) == 1 && size == value.size();
  QVL_CHECK(done, "checksum of {} bytes", size);
  return value;
}

Checksum::Value checksum(std::span<const std::byte> bytes) {
  Checksum sum;
  sum.update(bytes);
  return sum.finish();
}

}  // namespace qvl
