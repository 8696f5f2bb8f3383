#include "media/exif.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace qvl::media {
namespace {

bool starts_with(Bytes bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

constexpr uint32_t kOrientationTag = 0x0112, kShort = 3;

}  // namespace

int exif_orientation(Bytes tiff) {
  if (starts_with(tiff, std::string_view("Exif\0\0", 6))) tiff = tiff.subspan(6);
  const bool little = starts_with(tiff, std::string_view("II*\0", 4));
  if (!little && !starts_with(tiff, std::string_view("MM\0*", 4))) return 1;
  if (tiff.size() < 8) return 1;
  const auto u16 = [&](size_t i) { return little ? le16_at(tiff, i) : u8_at(tiff, i) << 8 | u8_at(tiff, i + 1); };
  const uint64_t directory = little ? le32_at(tiff, 4) : be32_at(tiff, 4);
  if (directory + 2 > tiff.size()) return 1;
  const size_t fits = (tiff.size() - directory - 2) / 12;
  const size_t count = std::min<size_t>(u16(directory), fits);
  for (size_t i = 0; i < count; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    if (u16(entry) != kOrientationTag) continue;
    const uint32_t value = u16(entry + 2) == kShort ? u16(entry + 8) : 0;
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

int jpeg_orientation(Bytes file) {
  size_t pos = 2;  // after SOI
  while (pos + 4 <= file.size() && u8_at(file, pos) == 0xff) {
    const uint32_t marker = u8_at(file, pos + 1);
    if (marker == 0xff) {  // fill byte
      ++pos;
      continue;
    }
    if (marker == 0xda || marker == 0xd9) return 1;  // pixels begin: EXIF comes before
    const size_t length = u8_at(file, pos + 2) << 8 | u8_at(file, pos + 3);
    if (length < 2 || file.size() - pos - 2 < length) return 1;
    const Bytes body = file.subspan(pos + 4, length - 2);
    if (marker == 0xe1 && starts_with(body, std::string_view("Exif\0\0", 6))) return exif_orientation(body);
    pos += 2 + length;
  }
  return 1;
}

int png_orientation(Bytes file) {
  size_t pos = 8;
  while (pos + 12 <= file.size()) {
    const uint64_t length = be32_at(file, pos);
    if (length > file.size() - pos - 12) return 1;
    const Bytes type = file.subspan(pos + 4, 4);
    if (starts_with(type, "eXIf")) return exif_orientation(file.subspan(pos + 8, length));
    pos += 12 + length;
  }
  return 1;
}

Image upright(Raster raster) {
  const int w = raster.width, h = raster.height;
  if (raster.orientation == 1) return {w, h, std::move(raster.rgb)};
  const bool swap = raster.orientation >= 5;
  // Where the shown pixel (x, y) is stored: origin + x * step_x + y * step_y, in pixels.
  const int64_t right = w - 1, bottom = int64_t{h - 1} * w;
  int64_t origin = 0, step_x = 1, step_y = w;
  switch (raster.orientation) {
    case 2:
      origin = right, step_x = -1, step_y = w;
      break;
    case 3:
      origin = bottom + right, step_x = -1, step_y = -w;
      break;
    case 4:
      origin = bottom, step_x = 1, step_y = -w;
      break;
    case 5:
      origin = 0, step_x = w, step_y = 1;
      break;
    case 6:
      origin = bottom, step_x = -w, step_y = 1;
      break;
    case 7:
      origin = bottom + right, step_x = -w, step_y = -1;
      break;
    case 8:
      origin = right, step_x = w, step_y = -1;
      break;
    default:
      break;
  }
  Image out{swap ? h : w, swap ? w : h, std::vector<uint8_t>(raster.rgb.size())};
  // Tiles, so that walking down columns of a large picture stays in the cache.
  constexpr int kTile = 64;
  for (int y0 = 0; y0 < out.height; y0 += kTile) {
    for (int x0 = 0; x0 < out.width; x0 += kTile) {
      const int y1 = std::min(y0 + kTile, out.height), x1 = std::min(x0 + kTile, out.width);
      for (int y = y0; y < y1; ++y) {
        uint8_t* to = out.rgb.data() + 3 * (int64_t{y} * out.width + x0);
        const uint8_t* from = raster.rgb.data() + 3 * (origin + y * step_y + x0 * step_x);
        for (int x = x0; x < x1; ++x, to += 3, from += 3 * step_x) std::memcpy(to, from, 3);
      }
    }
  }
  return out;
}

}  // namespace qvl::media
