#include "cpu/self_test.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/kernels/int_attention.h"
#include "cpu/packing.h"
#include "tensor/dtype.h"
#include "tensor/tensor.h"

namespace qvl::cpu {
namespace {

// Odd in every direction: tails of rows, inputs, outputs and tokens, two row tiles and a third begun.
constexpr int64_t kRows = 35, kIn = 77, kOut = 75, kDim = 72, kPage = 32, kTokens = 149, kQueries = 19, kWidth = 101;

// Values in -1..1 that bfloat16 holds exactly, so that a set that rounds its inputs must agree too.
struct Values {
  float next() {
    state = state * 1664525u + 1013904223u;
    return static_cast<float>(static_cast<int>(state >> 24) - 128) / 128;
  }
  std::vector<float> many(int64_t count) {
    std::vector<float> out(static_cast<size_t>(count));
    for (auto& x : out) x = next();
    return out;
  }
  uint32_t state = 1;
};

void put(Buffer& panels, int64_t output, int64_t input, int64_t in, bool bf16, float value) {
  const size_t index = panel_index(output, input, in, bf16);
  if (bf16) {
    panels.as<BF16>()[index] = to_bf16(value);
  } else {
    panels.as<float>()[index] = value;
  }
}

Buffer panels_of(int64_t out, int64_t in, bool bf16, Values& values) {
  Buffer panels(static_cast<size_t>(panel_count(out)) * panel_bytes(in, bf16), true);
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t i = 0; i < in; ++i) put(panels, o, i, in, bf16, values.next());
  }
  return panels;
}

bool near(const std::vector<float>& a, const std::vector<float>& b, float tolerance) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (!(std::fabs(a[i] - b[i]) <= tolerance * (1 + std::fabs(b[i])))) return false;
  }
  return true;
}

std::vector<float> product(const KernelTable& table, bool bf16, int64_t rows, Finish finish, bool rounded) {
  Values values;
  const Buffer panels = panels_of(kOut, kIn, bf16, values);
  const auto a = values.many(rows * kIn), bias = values.many(kOut);
  auto c = values.many(rows * kOut);
  Buffer packed;
  if (rounded) {
    packed = Buffer(static_cast<size_t>(packed_bytes(rows, kIn)));
    table.pack_bf16(a.data(), kIn, rows, kIn, packed.data());
  }
  (rounded ? table.product_bf16 : table.product)(
      {.a = a.data(), .lda = kIn, .rows = rows, .panels = panels.data(), .bf16 = bf16, .in = kIn, .panel_begin = 0,
       .panel_end = panel_count(kOut), .c = c.data(), .ldc = kOut, .out = kOut, .bias = bias.data(), .finish = finish,
       .packed = packed.data()});
  return c;
}

std::vector<float> attention(const KernelTable& table, bool bf16, bool rounded) {
  Values values;
  std::vector<Buffer> pages;
  std::vector<const void*> k_pages, v_pages;
  for (int64_t t = 0; t < kTokens; t += kPage) {
    pages.push_back(panels_of(kPage, kDim, bf16, values));
    k_pages.push_back(pages.back().data());
    pages.push_back(panels_of(kDim, kPage, bf16, values));
    v_pages.push_back(pages.back().data());
  }
  const auto q = values.many(kQueries * kDim);
  std::vector<int64_t> visible;
  for (int64_t i = 0; i < kQueries; ++i) visible.push_back(kTokens - kQueries + 1 + i);
  std::vector<float> out(static_cast<size_t>(kMaxAttentionRows) * kMaxHeadDim);
  (rounded ? table.attention_bf16 : table.attention)(
      {.q = q.data(), .rows = kQueries, .dim = kDim, .k_pages = k_pages.data(), .v_pages = v_pages.data(), .page_tokens = kPage,
       .bf16 = bf16, .visible = visible.data(), .out = out.data()});
  out.resize(static_cast<size_t>(kQueries * panel_count(kDim) * kPanel));
  return out;
}

// Pages of integers: of pairs one whole block and most of the next, of quads most of one.
std::vector<float> int_attention(const KernelTable& table, IntForm form) {
  Values values;
  constexpr int64_t kCount = 2 * block_tokens(IntForm::kInt16) - 5;
  const int page = block_tokens(form) / 2;
  const IntPageShape shape = int_page_shape(kDim, page, form);
  std::vector<Buffer> buffers;
  std::vector<const void*> pages;
  const auto k = values.many(kCount * kDim), v = values.many(kCount * kDim);
  for (int64_t t = 0; t < kCount; t += page) {
    const int64_t count = std::min<int64_t>(page, kCount - t);
    buffers.emplace_back(static_cast<size_t>(shape.bytes), true);
    table.put_tokens({.k = k.data() + t * kDim, .v = v.data() + t * kDim, .row_stride = kDim, .tokens = count, .first_slot = 0, .shape = &shape,
                      .page = buffers.back().data()});
    pages.push_back(buffers.back().data());
  }
  const auto q = values.many(kQueries * kDim);
  std::vector<int64_t> visible;
  for (int64_t i = 0; i < kQueries; ++i) visible.push_back(kCount - kQueries + 1 + i);
  const int64_t width = panel_count(kDim) * kPanel;
  std::vector<float> out(static_cast<size_t>(kQueries * (width + 2)));
  float* const top = out.data() + kQueries * width;
  float* const total = top + kQueries;
  table.attention_int({.q = q.data(), .rows = kQueries, .heads = 1, .shape = &shape, .pages = pages.data(), .begin = 0, .end = kCount,
                       .visible = visible.data(), .out = out.data(), .top = top, .total = total});
  for (int64_t i = 0; i < kQueries * width; ++i) out[static_cast<size_t>(i)] /= total[i / width];
  for (int64_t r = kQueries - 1; r >= 0; --r) {  // their unit is the form's
    top[r] -= top[0];
    total[r] = 0;
  }
  return out;
}

// Sums are exact: what differs is the rounding of inputs, to 8 or 15 bits by the set.
std::vector<float> quantised(const KernelTable& table, QuantFormat format, int64_t rows) {
  Values values;
  constexpr int64_t kLong = 3 * kIn + kBlockInputs;
  Buffer panels(static_cast<size_t>(panel_count(kOut)) * quant_panel_bytes(kLong, format));
  for (size_t i = 0; i < panels.size(); ++i) panels.data()[i] = static_cast<std::byte>(static_cast<int>(values.next() * 128) + 128);
  for (int64_t i = 0; i < panel_count(kOut) * block_count(kLong); ++i) {
    for (int lane = 0; lane < kPanel; ++lane) {
      if (format == QuantFormat::kInt4) {
        auto& block = panels.as<Int4Block>()[i];
        block.d[lane] = block.dm[lane] = to_bf16(0x1p-10f).bits;
      } else {
        panels.as<Int8Block>()[i].d[lane] = 0x1p-10f;
      }
    }
  }
  const auto a = values.many(rows * kLong);
  std::vector<float> c(static_cast<size_t>(rows * kOut));
  const int64_t inputs = rows * block_count(kLong) + kInputSlack;
  Buffer packed(static_cast<size_t>(inputs * table.input_block_bytes[static_cast<int>(format)]));
  table.quantize(a.data(), kLong, rows, kLong, format, packed.data(), rows);
  table.product_quant({.inputs = packed.data(), .rows = rows, .stride = rows, .panels = panels.data(), .format = format, .in = kLong,
                       .panel_begin = 0, .panel_end = panel_count(kOut), .c = c.data(), .ldc = kOut, .out = kOut,
                       .bias = nullptr, .finish = Finish::kStore});
  return c;
}

// The upper halves' part and its reach, then with the lower halves' part of every output added.
std::vector<float> halves(const KernelTable& table, int64_t rows) {
  Values values;
  constexpr int64_t kLong = kIn + kBlockInputs, kBlocks = (kLong + kBlockInputs - 1) / kBlockInputs;
  std::vector<HighBlock> upper(static_cast<size_t>(panel_count(kOut) * kBlocks));
  for (HighBlock& block : upper) {
    for (auto& line : block.nibbles) {
      for (uint8_t& byte : line) byte = static_cast<uint8_t>(static_cast<int>(values.next() * 128) + 128);
    }
    std::fill_n(block.d, kPanel, 0x1p-10f);
    std::fill_n(block.noise, kPanel, 0x1p-8f);
  }
  Buffer lower(static_cast<size_t>(kOut * low_row_bytes(kLong)));
  std::vector<int32_t> outputs;
  for (int32_t o = 0; o < kOut; ++o) {
    std::byte* const row = lower.data() + o * low_row_bytes(kLong);
    for (int64_t i = 0; i < kBlocks * kLowBlockBytes; ++i) row[i] = static_cast<std::byte>(static_cast<int>(values.next() * 128) + 128);
    std::fill_n(reinterpret_cast<float*>(row + kBlocks * kLowBlockBytes), kBlocks, 0x1p-10f);
    outputs.push_back(o);
  }
  const auto a = values.many(rows * kLong), energy = std::vector<float>(static_cast<size_t>(kBlocks * rows), 2.0f);
  Buffer packed(static_cast<size_t>(rows * kBlocks + kInputSlack) * sizeof(InputBlock));
  table.quantize(a.data(), kLong, rows, kLong, QuantFormat::kInt4, packed.data(), rows);
  const auto size = static_cast<size_t>(rows * kOut);
  std::vector<float> out(3 * size);
  table.product_high({.inputs = packed.data(), .rows = rows, .stride = rows, .energy = energy.data(), .panels = upper.data(), .in = kLong,
                      .panel_begin = 0, .panel_end = panel_count(kOut), .y = out.data(), .reach = out.data() + size, .ldy = kOut, .out = kOut});
  std::copy_n(out.begin(), size, out.begin() + static_cast<std::ptrdiff_t>(2 * size));
  for (int64_t r = 0; r < rows; ++r) {
    table.product_low({.inputs = packed.as<InputBlock>() + r, .stride = rows, .rows = lower.data(), .in = kLong, .outputs = outputs.data(),
                       .count = kOut, .y = out.data() + 2 * size + static_cast<size_t>(r * kOut)});
  }
  return out;
}

std::vector<float> norms(const KernelTable& table) {
  Values values;
  auto x = values.many(3 * kWidth), w = values.many(2 * kWidth);
  std::vector<float> y(static_cast<size_t>(10 * kWidth));
  table.rms_norm(x.data(), 3, kWidth, w.data(), 1e-6f, y.data());
  table.layer_norm(x.data(), 3, kWidth, w.data(), w.data() + kWidth, 1e-6f, y.data() + 3 * kWidth);
  table.swiglu(x.data(), 1, kWidth, y.data() + 6 * kWidth);
  table.add(x.data(), 3 * kWidth, 0.5f, y.data() + 7 * kWidth);
  table.rope(y.data() + 7 * kWidth, 3, kWidth - 1, w.data(), w.data() + kWidth);
  return y;
}

}  // namespace

std::string self_test(const KernelTable& table) {
  const KernelTable& generic = generic_kernels();
  for (const bool bf16 : {false, true}) {
    for (const int64_t rows : {int64_t{1}, int64_t{5}, kRows}) {
      for (const auto finish : {Finish::kStore, Finish::kGeluTanh, Finish::kGeluErf, Finish::kAdd}) {
        const auto want = product(generic, bf16, rows, finish, false);
        if (!near(product(table, bf16, rows, finish, false), want, 1e-4f)) return "products";
        if (bf16 && table.product_bf16 != nullptr && !near(product(table, bf16, rows, finish, true), want, 1e-4f)) {
          return "bfloat16 products";
        }
      }
    }
    const auto want = attention(generic, bf16, false);
    if (!near(attention(table, bf16, false), want, 1e-4f)) return "attention";
    // Probabilities are rounded too.
    if (bf16 && table.attention_bf16 != nullptr && !near(attention(table, bf16, true), want, 0.02f)) return "bfloat16 attention";
  }
  for (const auto form : {IntForm::kInt16, IntForm::kInt8, IntForm::kQuads}) {
    if (form == IntForm::kQuads && !table.attention_quads) continue;
    // A key half-way between two integers may become either. Of quads, queries and probabilities have eight bits too.
    const auto want = int_attention(generic, form == IntForm::kInt8 ? form : IntForm::kInt16);
    if (!near(int_attention(table, form), want, form == IntForm::kInt16 ? 1e-3f : form == IntForm::kInt8 ? 0.02f : 0.05f)) return "attention in integers";
  }
  for (const auto format : {QuantFormat::kInt4, QuantFormat::kInt8}) {
    for (const int64_t rows : {int64_t{1}, int64_t{5}, kRows}) {
      if (!near(quantised(table, format, rows), quantised(generic, format, rows), 0.05f)) return "quantised products";
    }
  }
  for (const int64_t rows : {int64_t{1}, int64_t{5}, kRows}) {
    if (!near(halves(table, rows), halves(generic, rows), 0.05f)) return "products in halves";
  }
  if (!near(norms(table), norms(generic), 1e-4f)) return "norms";
  return "";
}

}  // namespace qvl::cpu
