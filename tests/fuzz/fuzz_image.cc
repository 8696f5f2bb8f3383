// libFuzzer target of the picture decoder: any bytes decode within their limits or are refused with an Error.
// Not part of the default build; from the repository's root, with clang:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -I/usr/include/libpng16 -DSPDLOG_FMT_EXTERNAL
//     tests/fuzz/fuzz_image.cc src/media/image.cc src/media/sniff.cc src/media/exif.cc src/media/codec_*.cc
//     src/base/error.cc src/base/utf8.cc -ljpeg -lpng -lwebp -lwebpdemux -lgif -ltiff -lheif -lfmt -o fuzz_image
//   ./fuzz_image -max_len=100000 -timeout=10 -rss_limit_mb=2048 CORPUS tests/data/media
#include <cstdlib>

#include "base/error.h"
#include "media/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  qvl::DecodeOptions options;
  options.limits.max_pixels = 1'000'000;
  options.alpha = size % 2 == 0 ? qvl::AlphaMode::kWhite : qvl::AlphaMode::kDrop;
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    const qvl::Image image = qvl::decode_image(bytes, options);
    const int64_t pixels = int64_t{image.width} * image.height;
    if (pixels < 1 || pixels > options.limits.max_pixels || image.rgb.size() != static_cast<size_t>(3 * pixels))
      std::abort();
    const qvl::ImageInfo info = qvl::probe_image(bytes, options.limits);
    if (info.width < 1 || info.height < 1) std::abort();
  } catch (const qvl::Error&) {
  }
  return 0;
}
