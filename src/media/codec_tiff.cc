// TIFF by libtiff's RGBA reader: the first page. Codecs are allow-listed, single allocations capped, handlers silenced.
#include <tiffio.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "media/codec.h"

namespace qvl::media {
namespace {

struct Source {
  Bytes bytes;
  uint64_t pos = 0;
};

tmsize_t read_source(thandle_t handle, void* to, tmsize_t count) {
  auto* source = static_cast<Source*>(handle);
  if (count <= 0 || source->pos >= source->bytes.size()) return 0;
  const size_t n = std::min(static_cast<size_t>(count), source->bytes.size() - static_cast<size_t>(source->pos));
  std::memcpy(to, source->bytes.data() + source->pos, n);
  source->pos += n;
  return static_cast<tmsize_t>(n);
}

toff_t seek_source(thandle_t handle, toff_t offset, int whence) {
  auto* source = static_cast<Source*>(handle);
  if (whence == SEEK_CUR) offset += source->pos;
  if (whence == SEEK_END) offset += source->bytes.size();
  return source->pos = offset;
}

// The bytes themselves serve as the memory map, which libtiff only reads. (Without a map, libtiff 4.5.0 refuses
// uncompressed tiles whose size is no multiple of 1024.)
int map_source(thandle_t handle, void** base, toff_t* size) {
  const Bytes bytes = static_cast<Source*>(handle)->bytes;
  *base = const_cast<std::byte*>(bytes.data());
  *size = bytes.size();
  return 1;
}

int ignore_message(TIFF*, void*, const char*, const char*, va_list) { return 1; }  // 1: no other handler is asked

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Tiff = std::unique_ptr<TIFF, CloseTiff>;

Tiff open_tiff(Source& source) {
  // For the few messages that libtiff gives without a handle.
  [[maybe_unused]] static const bool silenced = [] {
    TIFFSetErrorHandler(nullptr);
    TIFFSetWarningHandler(nullptr);
    return true;
  }();
  struct FreeOptions {
    void operator()(TIFFOpenOptions* o) const { TIFFOpenOptionsFree(o); }
  };
  const std::unique_ptr<TIFFOpenOptions, FreeOptions> options(TIFFOpenOptionsAlloc());
  if (!options) decode_failed("TIFF", "out of memory");
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), tmsize_t{384} << 20);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), ignore_message, nullptr);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore_message, nullptr);
  return Tiff(TIFFClientOpenExt(
      "picture", "r", &source, read_source, [](thandle_t, void*, tmsize_t) -> tmsize_t { return 0; }, seek_source,
      [](thandle_t) { return 0; },
      [](thandle_t handle) -> toff_t { return static_cast<Source*>(handle)->bytes.size(); }, map_source,
      [](thandle_t, void*, toff_t) {}, options.get()));
}

// The codecs that cameras, scanners and editors use. Old-style JPEG and the exotic ones stay out: rare, and their
// decoders are where libtiff's holes were.
bool codec_allowed(uint16_t compression) {
  constexpr uint16_t kAllowed[] = {COMPRESSION_NONE,      COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3,
                                   COMPRESSION_CCITTFAX4, COMPRESSION_LZW,      COMPRESSION_JPEG,
                                   COMPRESSION_PACKBITS,  COMPRESSION_DEFLATE,  COMPRESSION_ADOBE_DEFLATE};
  return std::find(std::begin(kAllowed), std::end(kAllowed), compression) != std::end(kAllowed);
}

void check_layout(TIFF* tiff, int64_t pixels) {
  uint16_t compression = COMPRESSION_NONE, samples = 1;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_COMPRESSION, &compression);
  TIFFGetFieldDefaulted(tiff, TIFFTAG_SAMPLESPERPIXEL, &samples);
  if (!codec_allowed(compression)) variety_unsupported("TIFF", "this compression");
  if (samples == 0 || samples > 8) variety_unsupported("TIFF", "this number of samples per pixel");
  // libtiff decodes whole tiles and strips: neither may be much larger than the picture that it is part of.
  const uint64_t unit = TIFFIsTiled(tiff) ? TIFFTileSize64(tiff) : TIFFStripSize64(tiff);
  const uint64_t most = std::max<uint64_t>(static_cast<uint64_t>(pixels) * samples * 4, uint64_t{16} << 20);
  if (unit == 0 || unit > most) decode_failed("TIFF", "its tiles or strips do not fit the picture");
  char reason[1024] = {};
  if (!TIFFRGBAImageOK(tiff, reason)) variety_unsupported("TIFF", "this kind of samples");
}

// libtiff gives colours premultiplied by alpha, for both kinds of alpha that TIFF knows.
void flatten_premultiplied(const uint32_t* raster, uint8_t* rgb, size_t pixels, AlphaMode mode) {
  for (size_t i = 0; i < pixels; ++i) {
    const uint32_t p = raster[i], alpha = TIFFGetA(p);
    const uint32_t samples[3] = {TIFFGetR(p), TIFFGetG(p), TIFFGetB(p)};
    for (size_t c = 0; c < 3; ++c) {
      const uint32_t straight = alpha == 0 ? 0 : (samples[c] * 255 + alpha / 2) / alpha;
      const uint32_t value = mode == AlphaMode::kWhite ? samples[c] + 255 - alpha : straight;
      rgb[3 * i + c] = static_cast<uint8_t>(std::min(value, 255u));
    }
  }
}

void read_pixels(TIFF* tiff, AlphaMode mode, Raster& out) {
  TIFFRGBAImage image;
  char reason[1024] = {};
  if (!TIFFRGBAImageBegin(&image, tiff, 1 /* stop at the first error */, reason))
    decode_failed("TIFF", "its data is damaged");
  const std::unique_ptr<TIFFRGBAImage, decltype(&TIFFRGBAImageEnd)> end(&image, &TIFFRGBAImageEnd);
  // Rows as stored: libtiff knows only the flips, upright() does all eight.
  image.orientation = ORIENTATION_TOPLEFT;
  image.req_orientation = ORIENTATION_TOPLEFT;
  const size_t pixels = static_cast<size_t>(out.width) * static_cast<size_t>(out.height);
  std::vector<uint32_t> raster(pixels);
  if (!TIFFRGBAImageGet(&image, raster.data(), static_cast<uint32_t>(out.width), static_cast<uint32_t>(out.height)))
    decode_failed("TIFF", "its data is damaged or cut short");
  out.rgb.resize(3 * pixels);
  flatten_premultiplied(raster.data(), out.rgb.data(), pixels, mode);
}

}  // namespace

Raster read_tiff(Bytes bytes, const DecodeOptions& options, Depth depth) {
  Source source{bytes};
  const Tiff tiff = open_tiff(source);
  if (!tiff) decode_failed("TIFF", "its header is damaged or cut short");
  uint32_t width = 0, height = 0;
  uint16_t orientation = ORIENTATION_TOPLEFT;
  if (!TIFFGetField(tiff.get(), TIFFTAG_IMAGEWIDTH, &width) || !TIFFGetField(tiff.get(), TIFFTAG_IMAGELENGTH, &height))
    decode_failed("TIFF", "it does not say its width and height");
  check_dimensions(width, height, options.limits);
  TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_ORIENTATION, &orientation);
  Raster out;
  out.width = static_cast<int>(width);
  out.height = static_cast<int>(height);
  out.orientation = orientation >= 1 && orientation <= 8 ? orientation : 1;
  if (depth == Depth::kHeader) return out;
  check_layout(tiff.get(), int64_t{width} * height);
  read_pixels(tiff.get(), options.alpha, out);
  return out;
}

}  // namespace qvl::media
