// HEIC and AVIF by libheif (HEVC by libde265, AV1 by dav1d or aom): the primary picture. libheif applies the file's own
// rotation and mirroring (irot, imir); EXIF repeats it and is therefore ignored.
#include <libheif/heif.h>

#include <cstring>
#include <memory>

#include "media/codec.h"

namespace qvl::media {
namespace {

template <auto free>
struct Release {
  template <typename T>
  void operator()(T* p) const {
    free(p);
  }
};
using Context = std::unique_ptr<heif_context, Release<&heif_context_free>>;
using Handle = std::unique_ptr<heif_image_handle, Release<&heif_image_handle_release>>;
using Picture = std::unique_ptr<heif_image, Release<&heif_image_release>>;
using Options = std::unique_ptr<heif_decoding_options, Release<&heif_decoding_options_free>>;

constexpr int kMaxSidePx = 32768;

void check(const heif_error& error) {
  if (error.code == heif_error_Ok) return;
  if (error.code == heif_error_Memory_allocation_error && error.subcode == heif_suberror_Security_limit_exceeded)
    throw_error(ErrorKind::kInvalidRequest, "image_too_large", "the HEIF picture is larger than {0}x{0} pixels",
                kMaxSidePx);
  if (error.code == heif_error_Unsupported_filetype || error.code == heif_error_Unsupported_feature)
    variety_unsupported("HEIF", "this coding");
  decode_failed("HEIF", "it is damaged or cut short");
}

void copy_rows(const heif_image* picture, bool alpha, bool premultiplied, AlphaMode mode, Raster& out) {
  int stride = 0;
  const uint8_t* plane = heif_image_get_plane_readonly(picture, heif_channel_interleaved, &stride);
  const size_t width = static_cast<size_t>(out.width), channels = alpha ? 4 : 3;
  if (!plane || stride < 0 || static_cast<size_t>(stride) < width * channels) decode_failed("HEIF", "it has no pixels");
  out.rgb.resize(3 * width * static_cast<size_t>(out.height));
  for (size_t y = 0; y < static_cast<size_t>(out.height); ++y) {
    const uint8_t* from = plane + y * static_cast<size_t>(stride);
    uint8_t* to = out.rgb.data() + 3 * width * y;
    if (!alpha) {
      std::memcpy(to, from, 3 * width);
    } else if (premultiplied && mode == AlphaMode::kWhite) {
      for (size_t i = 0; i < width; ++i)
        for (size_t c = 0; c < 3; ++c)
          to[3 * i + c] = static_cast<uint8_t>(std::min(255, from[4 * i + c] + 255 - from[4 * i + 3]));
    } else {
      flatten_rgba(from, to, width, mode);
    }
  }
}

void read_pixels(const heif_image_handle* handle, const DecodeOptions& options, Raster& out) {
  const bool alpha = heif_image_handle_has_alpha_channel(handle) != 0;
  const Options decoding(heif_decoding_options_alloc());
  if (!decoding) decode_failed("HEIF", "out of memory");
  decoding->strict_decoding = 1;
  decoding->convert_hdr_to_8bit = 1;
  // Preferred for AV1, as dav1d writes its complaints to standard error; HEVC, which aom does not read, is not
  // affected.
  decoding->decoder_id = "aom";
  heif_image* raw = nullptr;
  check(heif_decode_image(handle, &raw, heif_colorspace_RGB,
                          alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, decoding.get()));
  const Picture picture(raw);
  // The coded stream may disagree with the header that was checked.
  out.width = heif_image_get_width(picture.get(), heif_channel_interleaved);
  out.height = heif_image_get_height(picture.get(), heif_channel_interleaved);
  check_dimensions(out.width, out.height, options.limits);
  copy_rows(picture.get(), alpha, heif_image_handle_is_premultiplied_alpha(handle) != 0, options.alpha, out);
}

}  // namespace

Raster read_heif(Bytes bytes, const DecodeOptions& options, Depth depth) {
  const Context context(heif_context_alloc());
  if (!context) decode_failed("HEIF", "out of memory");
  heif_context_set_maximum_image_size_limit(context.get(), kMaxSidePx);
  heif_context_set_max_decoding_threads(context.get(), 0);  // tiles one after another: requests share the cores already
  check(heif_context_read_from_memory_without_copy(context.get(), bytes.data(), bytes.size(), nullptr));
  heif_image_handle* raw = nullptr;
  check(heif_context_get_primary_image_handle(context.get(), &raw));
  const Handle handle(raw);
  Raster out;
  out.width = heif_image_handle_get_width(handle.get());
  out.height = heif_image_handle_get_height(handle.get());
  check_dimensions(out.width, out.height, options.limits);
  if (depth == Depth::kPixels) read_pixels(handle.get(), options, out);
  return out;
}

}  // namespace qvl::media
