// GIF by giflib: the first frame on its canvas. Later frames are not looked at, however many there are.
#include <gif_lib.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

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

void read_rows(GifFileType* gif, const Palette& palette, Raster& out) {
  const GifImageDesc& frame = gif->Image;
  std::vector<GifPixelType> line(static_cast<size_t>(frame.Width));
  const auto read_row = [&](int y) {
    if (DGifGetLine(gif, line.data(), frame.Width) == GIF_ERROR) fail("the pixels of its first frame are damaged or cut short");
    uint8_t* to = out.rgb.data() + 3 * (int64_t{frame.Top + y} * out.width + frame.Left);
    for (const GifPixelType index : line) {
      std::memcpy(to, palette.rgb[index], 3);
      to += 3;
    }
  };
  if (!frame.Interlace) {
    for (int y = 0; y < frame.Height; ++y) read_row(y);
    return;
  }
  constexpr int kStart[] = {0, 4, 2, 1}, kStep[] = {8, 8, 4, 2};
  for (int pass = 0; pass < 4; ++pass)
    for (int y = kStart[pass]; y < frame.Height; y += kStep[pass]) read_row(y);
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
