// JPEG by libjpeg-turbo: baseline and progressive, grey, YCbCr, RGB, CMYK and YCCK. Accurate integer DCT and smooth
// chroma upsampling, which is what the reference (Pillow) uses, so pixels agree bit for bit.
//
// libjpeg reports errors by longjmp here. Rule of this file: code inside run() owns nothing with a destructor;
// everything that must be freed lives in JpegReader or in the caller.
#include <csetjmp>
#include <cstdio>
// libjpeg's header needs size_t and FILE first.
#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>

#include "media/codec.h"
#include "media/exif.h"

namespace qvl::media {
namespace {

constexpr int kTooManyScans = JMSG_LASTMSGCODE;  // an error of ours, beside libjpeg's
constexpr JOCTET kFakeEoi[2] = {0xff, JPEG_EOI};

class JpegReader {
 public:
  explicit JpegReader(Bytes bytes) {
    cinfo.err = jpeg_std_error(&errors_);
    cinfo.client_data = this;
    errors_.error_exit = [](j_common_ptr c) {
      auto* self = static_cast<JpegReader*>(c->client_data);
      self->message = c->err->msg_code;
      std::longjmp(self->jump_, 1);
    };
    errors_.output_message = [](j_common_ptr) {};
    errors_.emit_message = [](j_common_ptr c, int level) {
      // Of the damage that libjpeg can paper over, these mean missing or wrong pixels; a grey lower half is worse
      // than an error. Stray bytes, restarts that had to be searched and the like are let pass, as viewers do.
      const int code = c->err->msg_code;
      if (level == -1 && (code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE)) c->err->error_exit(c);
    };
    if (!run([&] { jpeg_create_decompress(&cinfo); })) decode_failed("JPEG", "out of memory");
    source_.init_source = [](j_decompress_ptr) {};
    source_.term_source = [](j_decompress_ptr) {};
    source_.resync_to_restart = jpeg_resync_to_restart;
    source_.fill_input_buffer = [](j_decompress_ptr c) -> boolean {
      auto* self = static_cast<JpegReader*>(c->client_data);
      self->ran_out = true;
      self->source_.next_input_byte = kFakeEoi;
      self->source_.bytes_in_buffer = sizeof(kFakeEoi);
      return TRUE;
    };
    source_.skip_input_data = [](j_decompress_ptr c, long count) {
      auto* self = static_cast<JpegReader*>(c->client_data);
      if (count <= 0) return;
      if (static_cast<size_t>(count) > self->source_.bytes_in_buffer) {
        self->source_.fill_input_buffer(c);
        return;
      }
      self->source_.next_input_byte += count;
      self->source_.bytes_in_buffer -= static_cast<size_t>(count);
    };
    source_.next_input_byte = reinterpret_cast<const JOCTET*>(bytes.data());
    source_.bytes_in_buffer = bytes.size();
    cinfo.src = &source_;
    progress_.progress_monitor = [](j_common_ptr c) {
      auto* self = static_cast<JpegReader*>(c->client_data);
      if (self->cinfo.input_scan_number > self->max_scans) ERREXIT(c, kTooManyScans);
    };
  }
  ~JpegReader() { jpeg_destroy_decompress(&cinfo); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  // Runs libjpeg calls; false where one failed, and then `message` says why.
  template <typename Body>
  bool run(const Body& body) {
    if (setjmp(jump_) != 0) return false;
    body();
    return true;
  }
  // Every scan of a progressive file walks the whole picture: a small file must not buy unbounded time.
  void limit_scans(int64_t pixels) {
    max_scans = static_cast<int>(std::clamp<int64_t>(int64_t{2'000'000'000} / pixels, 50, 500));
    cinfo.progress = &progress_;
  }

  jpeg_decompress_struct cinfo{};
  int message = 0;
  int max_scans = 500;
  bool ran_out = false;  // the data ended before EOI did

 private:
  jpeg_error_mgr errors_{};
  jpeg_source_mgr source_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_;
};

[[noreturn]] void fail(const JpegReader& reader) {
  switch (reader.message) {
    case JERR_BAD_PRECISION:
      variety_unsupported("JPEG", "a sample size other than 8 bits");
    case JERR_SOF_UNSUPPORTED:
      variety_unsupported("JPEG", "lossless or hierarchical coding");
    case JERR_ARITH_NOTIMPL:
      variety_unsupported("JPEG", "arithmetic coding");
    case JERR_IMAGE_TOO_BIG:
      throw_error(ErrorKind::kInvalidRequest, "image_too_large", "the JPEG picture has a side of more than {} pixels",
                  JPEG_MAX_DIMENSION);
    case JERR_EMPTY_IMAGE:
      decode_failed("JPEG", "its header gives no height or no width");
    case JERR_BAD_HUFF_TABLE:
    case JERR_NO_HUFF_TABLE:
      decode_failed("JPEG", "a Huffman table is bad or missing");
    case kTooManyScans:
      decode_failed("JPEG", "it has too many scans");
    case JWRN_HIT_MARKER:
      decode_failed("JPEG", "its data ends too early");
    case JERR_OUT_OF_MEMORY:
      decode_failed("JPEG", "out of memory");
    default:
      decode_failed("JPEG", reader.ran_out ? "the file is cut short" : "its data is damaged");
  }
}

// Adobe's files store CMYK inverted, and all others in circulation follow; Pillow assumes the same for every file.
void cmyk_to_rgb(const uint8_t* cmyk, uint8_t* rgb, size_t pixels) {
  for (size_t i = 0; i < pixels; ++i) {
    const uint32_t light = cmyk[4 * i + 3];
    for (size_t c = 0; c < 3; ++c) {
      const uint32_t ink = 255u - cmyk[4 * i + c];
      rgb[3 * i + c] = static_cast<uint8_t>(light - mul_div_255(ink, light));
    }
  }
}

void set_output(jpeg_decompress_struct& c) {
  const bool four = c.num_components == 4;
  c.out_color_space = four ? JCS_CMYK : JCS_RGB;
  c.dct_method = JDCT_ISLOW;
  c.do_fancy_upsampling = TRUE;
}

}  // namespace

Raster read_jpeg(Bytes bytes, const DecodeOptions& options, Depth depth) {
  JpegReader reader(bytes);
  auto& c = reader.cinfo;
  if (!reader.run([&] { jpeg_read_header(&c, TRUE); })) fail(reader);
  if (c.data_precision != 8) variety_unsupported("JPEG", "a sample size other than 8 bits");
  if (c.arith_code) variety_unsupported("JPEG", "arithmetic coding");
  if (c.num_components != 1 && c.num_components != 3 && c.num_components != 4)
    variety_unsupported("JPEG", "a number of colours other than 1, 3 or 4");
  check_dimensions(c.image_width, c.image_height, options.limits);
  Raster out;
  out.width = static_cast<int>(c.image_width);
  out.height = static_cast<int>(c.image_height);
  out.orientation = jpeg_orientation(bytes);
  if (depth == Depth::kHeader) return out;

  reader.limit_scans(int64_t{out.width} * out.height);
  set_output(c);
  const bool cmyk = c.out_color_space == JCS_CMYK;
  if (!reader.run([&] { jpeg_start_decompress(&c); })) fail(reader);
  const size_t row_bytes = size_t{3} * c.output_width;
  out.rgb.resize(row_bytes * c.output_height);
  std::vector<uint8_t> cmyk_row(cmyk ? size_t{4} * c.output_width : 0);
  const bool done = reader.run([&] {
    while (c.output_scanline < c.output_height) {
      uint8_t* rgb = out.rgb.data() + row_bytes * c.output_scanline;
      JSAMPROW row = cmyk ? cmyk_row.data() : rgb;
      if (jpeg_read_scanlines(&c, &row, 1) != 1) ERREXIT(&c, JERR_CANT_SUSPEND);
      if (cmyk) cmyk_to_rgb(row, rgb, c.output_width);
    }
  });
  if (!done) fail(reader);
  // One scan that gave every pixel is complete even without its end marker; of several scans some may be missing.
  if (reader.ran_out && jpeg_has_multiple_scans(&c)) decode_failed("JPEG", "the file is cut short");
  return out;
}

}  // namespace qvl::media
