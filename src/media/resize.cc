// torchvision's antialiased bicubic resize of uint8 pictures, bit for bit: int16 weights, the horizontal pass first,
// each pass rounded to uint8 (spec 3.3; the order of every floating-point operation below matters and is PyTorch's).
#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "media/preprocess.h"

namespace qvl {
namespace {

struct Axis {
  struct Window {
    int begin;      // first source sample
    int count;      // samples
    size_t weight;  // index of the first weight
  };
  std::vector<Window> windows;  // one for every output sample
  std::vector<int16_t> weights;
  int bits = 0;  // fraction bits of the weights
};

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

// The largest precision at which no weight leaves int16.
int fraction_bits(double largest_weight) {
  int bits = 0;
  while (bits < 22 && static_cast<int>(0.5 + largest_weight * (1 << (bits + 1))) < (1 << 15)) ++bits;
  return bits;
}

Axis make_axis(int in, int out) {
  const double scale = static_cast<double>(in) / out;
  const double filter_scale = std::max(scale, 1.0), inverse = 1.0 / filter_scale, support = 2.0 * filter_scale;
  Axis axis;
  axis.windows.reserve(static_cast<size_t>(out));
  std::vector<double> exact;
  double largest = 0.0;
  for (int i = 0; i < out; ++i) {
    const double center = scale * (i + 0.5);
    const int begin = std::max(static_cast<int>(center - support + 0.5), 0);
    const int end = std::min(static_cast<int>(center + support + 0.5), in);
    const size_t first = exact.size();
    double sum = 0.0;
    for (int j = begin; j < end; ++j) {
      exact.push_back(cubic((j - center + 0.5) * inverse));
      sum += exact.back();
    }
    for (size_t k = first; k < exact.size(); ++k) {
      if (sum != 0.0) exact[k] /= sum;
      largest = std::max(largest, exact[k]);
    }
    axis.windows.push_back({begin, end - begin, first});
  }
  axis.bits = fraction_bits(largest);
  axis.weights.reserve(exact.size());
  for (const double w : exact) {
    const double scaled = w * (1 << axis.bits);
    axis.weights.push_back(static_cast<int16_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
  }
  return axis;
}

uint8_t to_u8(int32_t sum, int bits) { return static_cast<uint8_t>(std::clamp(sum >> bits, 0, 255)); }

// Rows that the horizontal pass handles at once. They are transposed, so that the innermost loops run over neighbouring
// samples of equal weight and vectorise.
constexpr int kRows = 16;
constexpr int kLanes = 3 * kRows;

void gather_rows(const Image& image, int y0, int rows, std::vector<int16_t>& tile) {
  for (int r = 0; r < kRows; ++r) {
    const int y = y0 + std::min(r, rows - 1);  // a last, incomplete tile repeats its last row
    const uint8_t* from = image.rgb.data() + size_t{3} * static_cast<size_t>(image.width) * static_cast<size_t>(y);
    for (size_t x = 0; x < static_cast<size_t>(image.width); ++x)
      for (size_t c = 0; c < 3; ++c) tile[x * kLanes + c * kRows + static_cast<size_t>(r)] = from[3 * x + c];
  }
}

Image resize_width(const Image& image, int width) {
  const Axis axis = make_axis(image.width, width);
  Image out{width, image.height,
            std::vector<uint8_t>(size_t{3} * static_cast<size_t>(width) * static_cast<size_t>(image.height))};
  std::vector<int16_t> tile(static_cast<size_t>(image.width) * kLanes);
  for (int y0 = 0; y0 < image.height; y0 += kRows) {
    const int rows = std::min(kRows, image.height - y0);
    gather_rows(image, y0, rows, tile);
    for (int x = 0; x < width; ++x) {
      const Axis::Window& window = axis.windows[static_cast<size_t>(x)];
      int32_t sums[kLanes];
      std::fill(sums, sums + kLanes, axis.bits > 0 ? 1 << (axis.bits - 1) : 0);
      const int16_t* samples = tile.data() + static_cast<size_t>(window.begin) * kLanes;
      const int16_t* weights = axis.weights.data() + window.weight;
      for (int j = 0; j < window.count; ++j, samples += kLanes)
        for (int l = 0; l < kLanes; ++l) sums[l] += int32_t{weights[j]} * samples[l];
      uint8_t packed[kLanes];
      for (int l = 0; l < kLanes; ++l) packed[l] = to_u8(sums[l], axis.bits);
      for (int r = 0; r < rows; ++r) {
        uint8_t* to =
            out.rgb.data() + 3 * (static_cast<size_t>(y0 + r) * static_cast<size_t>(width) + static_cast<size_t>(x));
        for (int c = 0; c < 3; ++c) to[c] = packed[c * kRows + r];
      }
    }
  }
  return out;
}

Image resize_height(const Image& image, int height) {
  const Axis axis = make_axis(image.height, height);
  const size_t row_bytes = size_t{3} * static_cast<size_t>(image.width);
  Image out{image.width, height, std::vector<uint8_t>(row_bytes * static_cast<size_t>(height))};
  constexpr size_t kBlock = 1024;  // samples whose sums stay in the first-level cache
  int32_t sums[kBlock];
  for (int y = 0; y < height; ++y) {
    const Axis::Window& window = axis.windows[static_cast<size_t>(y)];
    const int16_t* weights = axis.weights.data() + window.weight;
    for (size_t x0 = 0; x0 < row_bytes; x0 += kBlock) {
      const size_t n = std::min(kBlock, row_bytes - x0);
      std::fill(sums, sums + n, axis.bits > 0 ? 1 << (axis.bits - 1) : 0);
      const uint8_t* from = image.rgb.data() + static_cast<size_t>(window.begin) * row_bytes + x0;
      for (int j = 0; j < window.count; ++j, from += row_bytes) {
        const int16_t weight = weights[j];
        for (size_t i = 0; i < n; ++i) sums[i] += int32_t{weight} * static_cast<int16_t>(from[i]);
      }
      uint8_t* to = out.rgb.data() + static_cast<size_t>(y) * row_bytes + x0;
      for (size_t i = 0; i < n; ++i) to[i] = to_u8(sums[i], axis.bits);
    }
  }
  return out;
}

}  // namespace

Image resize_bicubic(const Image& image, Size size) {
  QVL_CHECK(image.width > 0 && image.height > 0 && size.width > 0 && size.height > 0, "resize {}x{} to {}x{}",
            image.width, image.height, size.width, size.height);
  // A pass that keeps its size is skipped, as in the reference: it is the identity only up to rounding.
  if (image.width == size.width && image.height == size.height) return image;
  if (image.width == size.width) return resize_height(image, size.height);
  Image wide = resize_width(image, size.width);
  if (image.height == size.height) return wide;
  return resize_height(wide, size.height);
}

}  // namespace qvl
