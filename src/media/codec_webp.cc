// WebP by libwebp: lossy, lossless, alpha; of an animation the first frame on its canvas.
#include <webp/decode.h>
#include <webp/demux.h>

#include <memory>

#include "media/codec.h"
#include "media/exif.h"

namespace qvl::media {
namespace {

using Demuxer = std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)>;

const uint8_t* data_of(Bytes bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

int webp_orientation(const WebPDemuxer* demuxer) {
  WebPChunkIterator chunk{};
  int orientation = 1;
  if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk))
    orientation = exif_orientation(std::as_bytes(std::span(chunk.chunk.bytes, chunk.chunk.size)));
  WebPDemuxReleaseChunkIterator(&chunk);
  return orientation;
}

struct Frame : WebPIterator {
  explicit Frame(const WebPDemuxer* demuxer) : WebPIterator{} { found = WebPDemuxGetFrame(demuxer, 1, this) != 0; }
  ~Frame() { WebPDemuxReleaseIterator(this); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  bool found = false;
};

// Puts the frame onto its canvas; what it leaves free is transparent: white, or black where alpha is dropped (libwebp's
// and so Pillow's canvas begins as zeros).
void decode_frame(const Frame& frame, const DecodeOptions& options, Raster& out) {
  const size_t w = static_cast<size_t>(frame.width), h = static_cast<size_t>(frame.height);
  const size_t canvas_w = static_cast<size_t>(out.width), canvas_h = static_cast<size_t>(out.height);
  const size_t x0 = static_cast<size_t>(frame.x_offset), y0 = static_cast<size_t>(frame.y_offset);
  if (frame.x_offset < 0 || frame.y_offset < 0 || frame.width <= 0 || frame.height <= 0 || x0 + w > canvas_w ||
      y0 + h > canvas_h)
    decode_failed("WebP", "its first frame does not fit its canvas");
  out.rgb.assign(3 * canvas_w * canvas_h, options.alpha == AlphaMode::kWhite ? 255 : 0);
  uint8_t* corner = out.rgb.data() + 3 * (y0 * canvas_w + x0);
  const WebPData& data = frame.fragment;
  if (!frame.has_alpha || options.alpha == AlphaMode::kDrop) {
    const size_t reach = 3 * ((h - 1) * canvas_w + w);
    if (!WebPDecodeRGBInto(data.bytes, data.size, corner, reach, static_cast<int>(3 * canvas_w)))
      decode_failed("WebP", "its data is damaged");
    return;
  }
  std::vector<uint8_t> rgba(4 * w * h);
  if (!WebPDecodeRGBAInto(data.bytes, data.size, rgba.data(), rgba.size(), static_cast<int>(4 * w)))
    decode_failed("WebP", "its data is damaged");
  for (size_t y = 0; y < h; ++y) flatten_rgba(rgba.data() + 4 * w * y, corner + 3 * canvas_w * y, w, options.alpha);
}

}  // namespace

Raster read_webp(Bytes bytes, const DecodeOptions& options, Depth depth) {
  WebPBitstreamFeatures features{};
  if (WebPGetFeatures(data_of(bytes), bytes.size(), &features) != VP8_STATUS_OK)
    decode_failed("WebP", "its header is damaged or cut short");
  check_dimensions(features.width, features.height, options.limits);
  const WebPData data{data_of(bytes), bytes.size()};
  const Demuxer demuxer(WebPDemux(&data), &WebPDemuxDelete);
  if (!demuxer) decode_failed("WebP", "it is damaged or cut short");
  Raster out;
  out.width = static_cast<int>(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH));
  out.height = static_cast<int>(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT));
  check_dimensions(out.width, out.height, options.limits);
  out.orientation = webp_orientation(demuxer.get());
  if (depth == Depth::kHeader) return out;
  const Frame frame(demuxer.get());
  if (!frame.found) decode_failed("WebP", "it has no frame");
  decode_frame(frame, options, out);
  return out;
}

}  // namespace qvl::media
