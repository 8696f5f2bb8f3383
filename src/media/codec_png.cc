// PNG by libpng: every colour type, depth and interlacing; of an APNG the default picture. Errors come by longjmp, so
// code inside run() owns nothing with a destructor.
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "media/codec.h"
#include "media/exif.h"

namespace qvl::media {
namespace {

class PngReader {
 public:
  explicit PngReader(Bytes bytes) : bytes_(bytes) {
    png = png_create_read_struct(
        PNG_LIBPNG_VER_STRING, this,
        [](png_structp p, png_const_charp) { std::longjmp(static_cast<PngReader*>(png_get_error_ptr(p))->jump_, 1); },
        [](png_structp, png_const_charp) {});
    info = png ? png_create_info_struct(png) : nullptr;
    if (!info) {
      png_destroy_read_struct(&png, nullptr, nullptr);
      decode_failed("PNG", "out of memory");
    }
  }
  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  template <typename Body>
  bool run(const Body& body) {
    if (setjmp(jump_) != 0) return false;
    body();
    return true;
  }

  void start() {
    png_set_read_fn(png, this, [](png_structp p, png_bytep to, size_t count) {
      auto* self = static_cast<PngReader*>(png_get_io_ptr(p));
      if (count > self->bytes_.size() - self->pos_) {
        self->cut_short = true;
        png_error(p, "end");
      }
      std::memcpy(to, self->bytes_.data() + self->pos_, count);
      self->pos_ += count;
    });
    // Our own limit was checked on the header; libpng's default of a million a side is neither needed nor enough.
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    // Text, colour profiles and the like are skipped unread: they may inflate to gigabytes and do not matter here.
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  }

  png_structp png = nullptr;
  png_infop info = nullptr;
  bool cut_short = false;

 private:
  Bytes bytes_;
  size_t pos_ = 0;
  std::jmp_buf jump_;
};

[[noreturn]] void fail(const PngReader& reader) {
  decode_failed("PNG", reader.cut_short ? "the file is cut short" : "its data is damaged");
}

// IHDR is the first chunk of every PNG. Read by hand, so that a giant gives "too large" and not whatever libpng meets
// first.
void check_header(Bytes bytes, const ImageLimits& limits) {
  if (bytes.size() < 33) decode_failed("PNG", "the file is cut short");
  if (be32_at(bytes, 8) != 13 || std::memcmp(bytes.data() + 12, "IHDR", 4) != 0)
    decode_failed("PNG", "it does not begin with IHDR");
  check_dimensions(be32_at(bytes, 16), be32_at(bytes, 20), limits);
}

}  // namespace

Raster read_png(Bytes bytes, const DecodeOptions& options, Depth depth) {
  check_header(bytes, options.limits);
  PngReader reader(bytes);
  png_structp png = reader.png;
  png_infop info = reader.info;
  if (!reader.run([&] {
        reader.start();
        png_read_info(png, info);
      }))
    fail(reader);
  Raster out;
  out.width = static_cast<int>(png_get_image_width(png, info));
  out.height = static_cast<int>(png_get_image_height(png, info));
  out.orientation = png_orientation(bytes);
  if (depth == Depth::kHeader) return out;

  int passes = 1;
  size_t channels = 0;
  if (!reader.run([&] {
        png_set_expand(png);  // palette, 1/2/4 bits and tRNS -> 8-bit samples with alpha
        png_set_gray_to_rgb(png);
        png_set_strip_16(png);  // the high byte, as Pillow takes it
        if (options.alpha == AlphaMode::kDrop) png_set_strip_alpha(png);
        passes = png_set_interlace_handling(png);
        png_read_update_info(png, info);
        channels = png_get_channels(png, info);
      }))
    fail(reader);
  const size_t width = static_cast<size_t>(out.width), height = static_cast<size_t>(out.height);
  if ((channels != 3 && channels != 4) || png_get_rowbytes(png, info) != width * channels)
    decode_failed("PNG", "its data is damaged");

  out.rgb.resize(3 * width * height);
  const bool alpha = channels == 4;
  // Interlaced passes come back to every row, so its alpha has to be kept for the whole picture.
  std::vector<uint8_t> rgba(alpha ? 4 * width * (passes > 1 ? height : 1) : 0);
  const bool done = reader.run([&] {
    for (int pass = 0; pass < passes; ++pass) {
      for (size_t y = 0; y < height; ++y) {
        uint8_t* rgb = out.rgb.data() + 3 * width * y;
        uint8_t* row = alpha ? rgba.data() + (passes > 1 ? 4 * width * y : 0) : rgb;
        png_read_row(png, row, nullptr);
        if (alpha && pass == passes - 1) flatten_rgba(row, rgb, width, options.alpha);
      }
    }
    png_read_end(png, nullptr);  // up to IEND: the checksums of the pixels stand behind them
  });
  if (!done) fail(reader);
  return out;
}

}  // namespace qvl::media
