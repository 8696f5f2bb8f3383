// GIF: giflib takes the file apart, the pixels' LZW codes are read here. The first frame on its canvas. Later frames
// are not looked at, however many there are.
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "media/codec.h"

namespace qvl::media {
namespace {

struct Source {
  Bytes bytes;
  size_t pos = 0;
};

int read_source(GifFileType* gif, GifByteType* to, int count) {
  auto* source = static_cast<Source*>(gif->UserData);
  if (count <= 0) return 0;
  const size_t n = std::min(static_cast<size_t>(count), source->bytes.size() - source->pos);
  std::memcpy(to, source->bytes.data() + source->pos, n);
  source->pos += n;
  return static_cast<int>(n);
}

struct CloseGif {
  void operator()(GifFileType* gif) const { DGifCloseFile(gif, nullptr); }
};
using Gif = std::unique_ptr<GifFileType, CloseGif>;

[[noreturn]] void fail(std::string_view reason) { decode_failed("GIF", reason); }

// Reads an extension; of a graphics control block keeps which index is transparent.
void read_extension(GifFileType* gif, std::optional<int>& transparent) {
  int code = 0;
  GifByteType* block = nullptr;
  if (DGifGetExtension(gif, &code, &block) == GIF_ERROR) fail("an extension is damaged or cut short");
  while (block != nullptr) {
    if (code == GRAPHICS_EXT_FUNC_CODE && block[0] >= 4) {
      transparent.reset();
      if (block[1] & 1) transparent = block[4];
    }
    if (DGifGetExtensionNext(gif, &block) == GIF_ERROR) fail("an extension is damaged or cut short");
  }
}

// Up to the descriptor of the first frame; returns the transparent index that applies to it.
std::optional<int> find_first_frame(GifFileType* gif) {
  std::optional<int> transparent;
  for (;;) {
    GifRecordType type = UNDEFINED_RECORD_TYPE;
    if (DGifGetRecordType(gif, &type) == GIF_ERROR) fail("it is damaged or cut short before its first frame");
    if (type == TERMINATE_RECORD_TYPE) fail("it has no frame");
    if (type == EXTENSION_RECORD_TYPE) read_extension(gif, transparent);
    if (type != IMAGE_DESC_RECORD_TYPE) continue;
    if (DGifGetImageDesc(gif) == GIF_ERROR) fail("the header of its first frame is damaged");
    return transparent;
  }
}

// Index -> colour. Without a palette the indices are grey levels, as in Pillow.
struct Palette {
  uint8_t rgb[256][3] = {};

  explicit Palette(const ColorMapObject* map) {
    for (int i = 0; i < 256; ++i) {
      if (!map) {
        std::memset(rgb[i], i, 3);
      } else if (i < map->ColorCount) {
        const GifColorType& color = map->Colors[i];
        rgb[i][0] = color.Red, rgb[i][1] = color.Green, rgb[i][2] = color.Blue;
      }
    }
  }
};

// The pixels' LZW codes. giflib's own decoder lets invalid codes pass as if they meant something; this one does not.
class LzwReader {
 public:
  LzwReader(GifFileType* gif, size_t pixels) : gif_(gif) {
    int bits = 0;
    if (DGifGetCode(gif_, &bits, &block_) == GIF_ERROR || bits < 1 || bits > 8) fail_pixels();
    clear_ = 1u << bits;
    start_table();
    indices_.reserve(pixels + kMaxCodes);
    while (indices_.size() < pixels) {
      const uint32_t code = next_code();
      if (code == clear_) {
        start_table();
        continue;
      }
      if (code == clear_ + 1 || !put(code, pixels)) fail_pixels();
    }
  }
  std::vector<uint8_t> take() { return std::move(indices_); }

 private:
  static constexpr uint32_t kMaxCodes = 4096, kNone = kMaxCodes;

  [[noreturn]] static void fail_pixels() { fail("the pixels of its first frame are damaged or cut short"); }

  void start_table() {
    next_ = clear_ + 2;
    width_ = static_cast<uint32_t>(std::bit_width(clear_));
    previous_ = kNone;
  }

  uint32_t next_code() {
    while (held_bits_ < width_) {
      if (block_ == nullptr) fail_pixels();
      if (pos_ == block_[0]) {
        if (DGifGetCodeNext(gif_, &block_) == GIF_ERROR) fail_pixels();
        pos_ = 0;
        continue;
      }
      held_ |= uint32_t{block_[++pos_]} << held_bits_;
      held_bits_ += 8;
    }
    const uint32_t code = held_ & ((1u << width_) - 1);
    held_ >>= width_;
    held_bits_ -= width_;
    return code;
  }

  // Appends the string of a code and learns the next one; false for a code that means nothing yet.
  bool put(uint32_t code, size_t pixels) {
    const bool known = code < next_;
    if (!known && (code > next_ || previous_ == kNone || next_ == kMaxCodes)) return false;
    size_t depth = 0;
    uint32_t walk = known ? code : previous_;
    for (; walk >= clear_; walk = prefix_[walk]) stack_[depth++] = suffix_[walk];
    const uint8_t first = static_cast<uint8_t>(walk);
    const size_t room = pixels - indices_.size();  // a last string may be longer than what is missing
    const size_t begin = indices_.size();
    indices_.push_back(first);
    while (depth > 0) indices_.push_back(stack_[--depth]);
    if (!known) indices_.push_back(first);
    if (indices_.size() - begin > room) indices_.resize(begin + room);
    if (previous_ != kNone && next_ < kMaxCodes) {
      prefix_[next_] = static_cast<uint16_t>(previous_);
      suffix_[next_] = first;
      if (++next_ == 1u << width_ && width_ < 12) ++width_;
    }
    previous_ = code;
    return true;
  }

  GifFileType* gif_;
  GifByteType* block_ = nullptr;  // its first byte is its length; null behind the last
  uint32_t pos_ = 0;
  uint32_t held_ = 0, held_bits_ = 0;
  uint32_t clear_ = 0, next_ = 0, width_ = 0, previous_ = kNone;
  std::array<uint16_t, kMaxCodes> prefix_{};  // always a smaller code, so walks end
  std::array<uint8_t, kMaxCodes> suffix_{};
  std::array<uint8_t, kMaxCodes> stack_{};
  std::vector<uint8_t> indices_;
};

void read_rows(GifFileType* gif, const Palette& palette, Raster& out) {
  const GifImageDesc& frame = gif->Image;
  const size_t width = static_cast<size_t>(frame.Width);
  const std::vector<uint8_t> indices = LzwReader(gif, width * static_cast<size_t>(frame.Height)).take();
  const uint8_t* from = indices.data();
  const auto put_row = [&](int y) {
    uint8_t* to = out.rgb.data() + 3 * (int64_t{frame.Top + y} * out.width + frame.Left);
    for (size_t x = 0; x < width; ++x) std::memcpy(to + 3 * x, palette.rgb[*from++], 3);
  };
  if (!frame.Interlace) {
    for (int y = 0; y < frame.Height; ++y) put_row(y);
    return;
  }
  constexpr int kStart[] = {0, 4, 2, 1}, kStep[] = {8, 8, 4, 2};
  for (int pass = 0; pass < 4; ++pass)
    for (int y = kStart[pass]; y < frame.Height; y += kStep[pass]) put_row(y);
}

}  // namespace

Raster read_gif(Bytes bytes, const DecodeOptions& options, Depth depth) {
  Source source{bytes};
  int error = 0;
  const Gif gif(DGifOpen(&source, read_source, &error));
  if (!gif) fail("its header is damaged or cut short");
  const std::optional<int> transparent = find_first_frame(gif.get());
  const GifImageDesc& frame = gif->Image;
  if (frame.Width <= 0 || frame.Height <= 0) fail("its first frame has no pixels");
  // A frame that leaves the logical screen enlarges it, as in viewers.
  const int64_t width = std::max<int64_t>(gif->SWidth, int64_t{frame.Left} + frame.Width);
  const int64_t height = std::max<int64_t>(gif->SHeight, int64_t{frame.Top} + frame.Height);
  check_dimensions(width, height, options.limits);
  Raster out;
  out.width = static_cast<int>(width);
  out.height = static_cast<int>(height);
  if (depth == Depth::kHeader) return out;

  const bool white = options.alpha == AlphaMode::kWhite;
  Palette palette(frame.ColorMap ? frame.ColorMap : gif->SColorMap);
  if (white && transparent) std::memset(palette.rgb[*transparent], 255, 3);
  out.rgb.resize(static_cast<size_t>(3 * width * height));
  // What the frame leaves free is transparent; without alpha it shows the transparent index, else index 0.
  const uint8_t kWhite[3] = {255, 255, 255};
  const uint8_t* background = white ? kWhite : palette.rgb[transparent.value_or(0)];
  for (size_t i = 0; i < out.rgb.size(); i += 3) std::memcpy(out.rgb.data() + i, background, 3);
  read_rows(gif.get(), palette, out);
  return out;
}

}  // namespace qvl::media
