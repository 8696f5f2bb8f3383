// Which format bytes are, by their first bytes alone: declared types are never trusted.
#pragma once

#include <optional>
#include <string_view>

#include "media/codec.h"

namespace qvl::media {

struct Sniffed {
  std::optional<ImageFormat> format;  // one of those that we read
  std::string_view known_as;          // else the name of a format that we know and do not read; empty where unknown
};

Sniffed sniff(Bytes bytes);

}  // namespace qvl::media
