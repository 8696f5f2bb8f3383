// SHA-256, for content addresses of pictures and for comparing keys without a timing leak.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace qvl {

using Sha256 = std::array<uint8_t, 32>;

Sha256 sha256(std::span<const std::byte> bytes);
std::string hex(const Sha256& digest);

}  // namespace qvl
