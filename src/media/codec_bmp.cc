// BMP, read here: no library of Debian's does only this. 1, 4, 8, 16, 24 and 32 bits, RLE4 and RLE8, bit fields,
// top-down, OS/2 headers. Strict: every byte that a picture needs must be there.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include "media/codec.h"

namespace qvl::media {
namespace {

enum Compression : uint32_t { kRgb = 0, kRle8 = 1, kRle4 = 2, kBitFields = 3, kAlphaBitFields = 6 };

struct Channel {
  uint32_t mask = 0, shift = 0, max = 0;

  // 8 bits of the channel; 0 for a channel that is not there. Rounds down, as Pillow does.
  uint8_t of(uint32_t pixel) const {
    return max == 0 ? uint8_t{0} : static_cast<uint8_t>(uint64_t{(pixel & mask) >> shift} * 255 / max);
  }
};

struct Header {
  int64_t width = 0, height = 0;
  bool top_down = false;
  uint32_t bits = 0, compression = kRgb;
  size_t pixels_at = 0;               // offset of the pixels in the file
  std::array<Channel, 4> channels{};  // red, green, blue, alpha of 16 and 32 bits
  std::array<std::array<uint8_t, 3>, 256> palette{};
};

[[noreturn]] void fail(std::string_view reason) { decode_failed("BMP", reason); }

constexpr size_t kFileHeader = 14, kCoreHeader = 12, kInfoHeader = 40;

Channel channel_of(uint32_t mask, uint32_t bits) {
  if (mask == 0) return {};
  const uint32_t shift = static_cast<uint32_t>(std::countr_zero(mask));
  const uint32_t max = mask >> shift;
  if ((uint64_t{max} & (uint64_t{max} + 1)) != 0 || (bits < 32 && mask >> bits != 0)) fail("a bit mask is invalid");
  return {mask, shift, max};
}

void set_masks(Header& h, const std::array<uint32_t, 4>& masks) {
  uint32_t seen = 0;
  for (size_t i = 0; i < 4; ++i) {
    if ((seen & masks[i]) != 0) fail("its bit masks overlap");
    seen |= masks[i];
    h.channels[i] = channel_of(masks[i], h.bits);
  }
}

// Masks stand inside the headers of 52 bytes and more, and behind the one of 40; returns the bytes they take there.
size_t read_masks(Bytes b, size_t header_bytes, Header& h) {
  if (h.compression != kBitFields && h.compression != kAlphaBitFields) {
    if (h.bits == 16) set_masks(h, {0x7c00, 0x03e0, 0x001f, 0});
    if (h.bits == 32) set_masks(h, {0xff0000, 0x00ff00, 0x0000ff, 0});
    return 0;
  }
  const bool inside = header_bytes >= 52;
  const bool alpha = inside ? header_bytes >= 56 : h.compression == kAlphaBitFields;
  const size_t size = alpha ? 16 : 12, at = kFileHeader + kInfoHeader;
  if (b.size() < at + size) fail("the file is cut short");
  set_masks(h, {le32_at(b, at), le32_at(b, at + 4), le32_at(b, at + 8), alpha ? le32_at(b, at + 12) : 0});
  return inside ? 0 : size;
}

void read_palette(Bytes b, size_t at, size_t entry_bytes, uint32_t declared, Header& h) {
  if (h.bits > 8) return;
  const size_t full = size_t{1} << h.bits;
  if (declared > 256) fail("its palette has more than 256 colours");
  const size_t wanted = declared == 0 ? full : declared;
  // Writers that leave the count at 0 sometimes store fewer colours: what stands before the pixels is the palette.
  const size_t room = h.pixels_at > at ? (h.pixels_at - at) / entry_bytes : 0;
  const size_t count = std::min({wanted, room, size_t{256}});
  if (count == 0 || b.size() < at + count * entry_bytes) fail("its palette is missing or cut short");
  for (size_t i = 0; i < count; ++i) {
    const size_t e = at + i * entry_bytes;
    h.palette[i] = {static_cast<uint8_t>(u8_at(b, e + 2)), static_cast<uint8_t>(u8_at(b, e + 1)),
                    static_cast<uint8_t>(u8_at(b, e))};
  }
}

void check_coding(const Header& h) {
  const uint32_t c = h.compression, bits = h.bits;
  if (c == 4 || c == 5) variety_unsupported("BMP", "an embedded JPEG or PNG picture");
  if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32)
    variety_unsupported("BMP", "this number of bits per pixel");
  const bool fits = c == kRgb || (c == kRle8 && bits == 8) || (c == kRle4 && bits == 4) ||
                    ((c == kBitFields || c == kAlphaBitFields) && (bits == 16 || bits == 32));
  if (!fits) variety_unsupported("BMP", "this compression");
  if (h.top_down && (c == kRle8 || c == kRle4)) fail("run-length coding cannot be top-down");
}

Header read_header(Bytes b, const ImageLimits& limits) {
  if (b.size() < kFileHeader + kCoreHeader) fail("the file is cut short");
  Header h;
  h.pixels_at = le32_at(b, 10);
  const size_t header_bytes = le32_at(b, 14);
  if (header_bytes > b.size() - kFileHeader) fail("the file is cut short");
  const bool core = header_bytes == kCoreHeader;
  if (!core && header_bytes < kInfoHeader) variety_unsupported("BMP", "a short OS/2 header");
  uint32_t colors = 0;
  if (core) {
    h.width = le16_at(b, 18), h.height = le16_at(b, 20), h.bits = le16_at(b, 24);
  } else {
    h.width = std::bit_cast<int32_t>(le32_at(b, 18));
    h.height = std::bit_cast<int32_t>(le32_at(b, 22));
    h.bits = le16_at(b, 28), h.compression = le32_at(b, 30), colors = le32_at(b, 46);
  }
  h.top_down = h.height < 0;
  h.height = h.top_down ? -h.height : h.height;
  check_dimensions(h.width, h.height, limits);
  check_coding(h);
  const size_t after_header = kFileHeader + header_bytes;
  if (h.pixels_at < after_header || h.pixels_at > b.size()) fail("its pixels are not where its header says");
  const size_t mask_bytes = read_masks(b, header_bytes, h);
  read_palette(b, after_header + mask_bytes, core ? 3 : 4, colors, h);
  return h;
}

// One row of palette indices; data holds (width * bits + 7) / 8 bytes.
void read_indexed_row(const Header& h, Bytes data, uint8_t* rgb) {
  const uint32_t bits = h.bits, mask = (1u << bits) - 1, per_byte = 8 / bits;
  for (size_t x = 0; x < static_cast<size_t>(h.width); ++x) {
    const uint32_t shift = 8 - bits * static_cast<uint32_t>(x % per_byte + 1);
    std::memcpy(rgb + 3 * x, h.palette[u8_at(data, x / per_byte) >> shift & mask].data(), 3);
  }
}

void read_masked_row(const Header& h, Bytes data, bool blend, uint8_t* rgb) {
  for (size_t x = 0; x < static_cast<size_t>(h.width); ++x) {
    const uint32_t pixel = h.bits == 16 ? le16_at(data, 2 * x) : le32_at(data, 4 * x);
    for (size_t c = 0; c < 3; ++c) {
      const uint8_t value = h.channels[c].of(pixel);
      rgb[3 * x + c] = blend ? over_white(value, h.channels[3].of(pixel)) : value;
    }
  }
}

void read_bgr_row(const Header& h, Bytes data, uint8_t* rgb) {
  for (size_t x = 0; x < static_cast<size_t>(h.width); ++x)
    for (size_t c = 0; c < 3; ++c) rgb[3 * x + c] = static_cast<uint8_t>(u8_at(data, 3 * x + 2 - c));
}

// Many writers declare an alpha mask and leave the alpha bits 0 everywhere: such a picture is opaque.
bool alpha_is_used(const Header& h, Bytes data) {
  if (h.channels[3].mask == 0) return false;
  const size_t step = h.bits / 8;
  for (size_t i = 0; i + step <= data.size(); i += step)
    if (((step == 2 ? le16_at(data, i) : le32_at(data, i)) & h.channels[3].mask) != 0) return true;
  return false;
}

void read_plain(const Header& h, Bytes data, const DecodeOptions& options, uint8_t* rgb) {
  // The limits keep width * bits far below 2^63.
  const uint64_t width = static_cast<uint64_t>(h.width), height = static_cast<uint64_t>(h.height);
  const uint64_t stride = (width * h.bits + 31) / 32 * 4, used = (width * h.bits + 7) / 8;
  if (data.size() < stride * (height - 1) + used) fail("the file is cut short");
  const bool blend = options.alpha == AlphaMode::kWhite && alpha_is_used(h, data.first(stride * (height - 1) + used));
  for (uint64_t y = 0; y < height; ++y) {
    const Bytes row = data.subspan(stride * (h.top_down ? y : height - 1 - y), used);
    uint8_t* to = rgb + 3 * width * y;
    if (h.bits <= 8)
      read_indexed_row(h, row, to);
    else if (h.bits == 24)
      read_bgr_row(h, row, to);
    else
      read_masked_row(h, row, blend, to);
  }
}

// RLE4 and RLE8. x and y stay inside the picture, pos inside the data; y counts from the bottom.
class RunLengthReader {
 public:
  RunLengthReader(const Header& h, Bytes data, uint8_t* rgb) : h_(h), data_(data), rgb_(rgb) {}

  void read() {
    for (;;) {
      const uint32_t count = next(), value = next();
      if (count > 0) {
        put_run(count, value);
      } else if (value == 0) {  // end of line
        x_ = 0;
        ++y_;
      } else if (value == 1) {  // end of picture
        return;
      } else if (value == 2) {
        x_ += next();
        y_ += next();
      } else {
        put_literals(value);
      }
      if (x_ > h_.width || y_ > h_.height) fail("its runs leave the picture");
    }
  }

 private:
  uint32_t next() {
    if (pos_ >= data_.size()) fail("its runs are cut short");
    return u8_at(data_, pos_++);
  }
  void put(uint32_t index) {
    if (x_ >= h_.width || y_ >= h_.height) fail("its runs leave the picture");
    std::memcpy(rgb_ + 3 * ((h_.height - 1 - y_) * h_.width + x_), h_.palette[index].data(), 3);
    ++x_;
  }
  void put_run(uint32_t count, uint32_t value) {
    const bool nibbles = h_.bits == 4;
    for (uint32_t i = 0; i < count; ++i) put(!nibbles ? value : i % 2 == 0 ? value >> 4 : value & 15);
  }
  void put_literals(uint32_t count) {
    const size_t begin = pos_;
    uint32_t byte = 0;
    for (uint32_t i = 0; i < count; ++i) {
      if (h_.bits == 8) {
        put(next());
        continue;
      }
      if (i % 2 == 0) byte = next();
      put(i % 2 == 0 ? byte >> 4 : byte & 15);
    }
    if ((pos_ - begin) % 2 != 0) next();  // padded to 16 bits
  }

  const Header& h_;
  Bytes data_;
  uint8_t* rgb_;
  size_t pos_ = 0;
  int64_t x_ = 0, y_ = 0;
};

}  // namespace

Raster read_bmp(Bytes bytes, const DecodeOptions& options, Depth depth) {
  const Header h = read_header(bytes, options.limits);
  Raster out;
  out.width = static_cast<int>(h.width);
  out.height = static_cast<int>(h.height);
  if (depth == Depth::kHeader) return out;
  const Bytes data = bytes.subspan(h.pixels_at);
  const size_t pixels = static_cast<size_t>(h.width * h.height);
  if (h.compression != kRle8 && h.compression != kRle4) {
    // Before the allocation: bytes that are not there need no room.
    if (data.size() < (static_cast<uint64_t>(h.width) * h.bits + 7) / 8 * static_cast<uint64_t>(h.height))
      fail("the file is cut short");
    out.rgb.resize(3 * pixels);
    read_plain(h, data, options, out.rgb.data());
    return out;
  }
  out.rgb.resize(3 * pixels);
  // What no run covers shows colour 0.
  for (size_t i = 0; i < pixels; ++i) std::memcpy(out.rgb.data() + 3 * i, h.palette[0].data(), 3);
  RunLengthReader(h, data, out.rgb.data()).read();
  return out;
}

}  // namespace qvl::media
