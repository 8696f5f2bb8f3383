#include "weights/moe_weights.h"

#include <gmock/gmock.h>

#include <functional>

#include "tests/weights/test_files.h"
#include "weights/made_weights.h"
#include "weights/safetensors_writer.h"

namespace qvl {
namespace {

const std::string kPrefix = "model.language_model.layers.0.mlp.experts";

// A different number for each weight, exact in BF16 up to 256 and in F32.
using Weight = std::function<float(int64_t e, int64_t row, int64_t column)>;

class ExpertFile {
 public:
  ExpertFile(DType dtype, int64_t experts, int64_t hidden, int64_t inner)
      : dtype_(dtype), experts_(experts), hidden_(hidden), inner_(inner) {}

  float gate(int64_t e, int64_t i, int64_t h) const { return static_cast<float>((e * 31 + i * 7 + h * 3) % 251); }
  float up(int64_t e, int64_t i, int64_t h) const { return -static_cast<float>((e * 17 + i * 5 + h * 11) % 241); }
  float down(int64_t e, int64_t h, int64_t i) const { return static_cast<float>((e * 13 + i * 19 + h * 2) % 239) / 2; }

  void published() {
    fill("gate_up_proj", {experts_, hidden_, 2 * inner_},
         [&](int64_t e, int64_t h, int64_t c) { return c < inner_ ? gate(e, c, h) : up(e, c - inner_, h); });
    fill("down_proj", {experts_, inner_, hidden_}, [&](int64_t e, int64_t i, int64_t h) { return down(e, h, i); });
  }
  void saved_again() {
    fill("gate_up_proj", {experts_, 2 * inner_, hidden_},
         [&](int64_t e, int64_t c, int64_t h) { return c < inner_ ? gate(e, c, h) : up(e, c - inner_, h); });
    fill("down_proj", {experts_, hidden_, inner_}, [&](int64_t e, int64_t h, int64_t i) { return down(e, h, i); });
  }
  void one_each() {
    for (int64_t e = 0; e < experts_; ++e) {
      fill(fmt::format("{}.gate_proj.weight", e), {inner_, hidden_},
           [&](int64_t, int64_t i, int64_t h) { return gate(e, i, h); });
      fill(fmt::format("{}.up_proj.weight", e), {inner_, hidden_},
           [&](int64_t, int64_t i, int64_t h) { return up(e, i, h); });
      fill(fmt::format("{}.down_proj.weight", e), {hidden_, inner_},
           [&](int64_t, int64_t h, int64_t i) { return down(e, h, i); });
    }
  }

  std::unique_ptr<WeightStore> open(const TempFolder& folder) {
    write_safetensors(folder.path / "model.safetensors", list_);
    return open_safetensors(folder.path);
  }

 private:
  void fill(const std::string& name, const Shape& shape, const Weight& weight) {
    ConstTensorView view{nullptr, dtype_, shape};
    Buffer& buffer = buffers_.emplace_back(view.bytes());
    const int64_t columns = shape.back(), rows = shape[shape.size() - 2];
    for (int64_t n = 0; n < view.elements(); ++n) {
      const float value = weight(n / columns / rows, n / columns % rows, n % columns);
      if (dtype_ == DType::kF32) buffer.as<float>()[n] = value;
      if (dtype_ == DType::kBF16) buffer.as<BF16>()[n] = to_bf16(value);
    }
    view.data = buffer.data();
    list_.push_back({kPrefix + "." + name, view});
  }

  DType dtype_;
  int64_t experts_, hidden_, inner_;
  std::vector<Buffer> buffers_;
  std::vector<NamedTensor> list_;
};

struct Layout {
  const char* name;
  void (ExpertFile::*make)();
};
constexpr Layout kLayouts[] = {{"published", &ExpertFile::published},
                               {"saved again", &ExpertFile::saved_again},
                               {"one each", &ExpertFile::one_each}};

TEST(MoeExperts, EveryLayoutGivesTheSameWeights) {
  struct Size {
    int experts;
    int64_t hidden, inner;
  };
  // Odd ones, more than a square of the transposition, and those where one of the two fused shapes reads both ways.
  for (const Size size : {Size{3, 35, 5}, Size{2, 70, 33}, Size{2, 8, 4}, Size{2, 6, 6}, Size{1, 1, 1}}) {
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      for (const Layout& layout : kLayouts) {
        SCOPED_TRACE(
            fmt::format("{} {} {} {} {}", layout.name, dtype_name(dtype), size.experts, size.hidden, size.inner));
        const TempFolder folder;
        ExpertFile file(dtype, size.experts, size.hidden, size.inner);
        (file.*layout.make)();
        const auto store = file.open(folder);
        check_expert_tensors(*store, kPrefix, size.experts, size.hidden, size.inner);
        EXPECT_TRUE(missing_expert_tensors(*store, kPrefix, size.experts).empty());
        MoeExperts experts(*store, kPrefix, size.experts, size.hidden, size.inner);
        EXPECT_TRUE(store->not_taken().empty());
        for (int e = size.experts - 1; e >= 0; --e) {
          const ExpertWeights weights = experts.expert(e);
          ASSERT_EQ(weights.gate.shape, (Shape{size.inner, size.hidden}));
          ASSERT_EQ(weights.up.shape, (Shape{size.inner, size.hidden}));
          ASSERT_EQ(weights.down.shape, (Shape{size.hidden, size.inner}));
          ASSERT_EQ(weights.gate.dtype, dtype);
          const auto gate = to_float_vector(weights.gate, ""), up = to_float_vector(weights.up, "");
          const auto down = to_float_vector(weights.down, "");
          for (int64_t i = 0; i < size.inner; ++i) {
            for (int64_t h = 0; h < size.hidden; ++h) {
              ASSERT_EQ(gate[static_cast<size_t>(i * size.hidden + h)], file.gate(e, i, h))
                  << e << " " << i << " " << h;
              ASSERT_EQ(up[static_cast<size_t>(i * size.hidden + h)], file.up(e, i, h)) << e << " " << i << " " << h;
              ASSERT_EQ(down[static_cast<size_t>(h * size.inner + i)], file.down(e, h, i)) << e << " " << i << " " << h;
            }
          }
        }
      }
    }
  }
}

TEST(MoeExperts, AreTakenOnce) {
  for (const Layout& layout : kLayouts) {
    const TempFolder folder;
    ExpertFile file(DType::kF32, 2, 6, 4);
    (file.*layout.make)();
    const auto store = file.open(folder);
    { MoeExperts experts(*store, kPrefix, 2, 6, 4); }
    EXPECT_THROW(MoeExperts(*store, kPrefix, 2, 6, 4), std::logic_error);
  }
}

TEST(MoeExperts, WrongShapesAndMissingOnesAreNamed) {
  for (const Layout& layout : kLayouts) {
    SCOPED_TRACE(layout.name);
    const TempFolder folder;
    ExpertFile file(DType::kF32, 2, 6, 4);
    (file.*layout.make)();
    const auto store = file.open(folder);
    EXPECT_EQ(error_code_of([&] { MoeExperts experts(*store, kPrefix, 2, 6, 5); }), "model_shape");
    EXPECT_EQ(error_code_of([&] { check_expert_tensors(*store, kPrefix, 2, 5, 4); }), "model_shape");
    if (layout.make == &ExpertFile::one_each) {
      EXPECT_THAT(missing_expert_tensors(*store, kPrefix, 3), testing::SizeIs(3));
      EXPECT_EQ(error_code_of([&] { MoeExperts experts(*store, kPrefix, 3, 6, 4); }), "model_tensor_missing");
    }
  }
  const auto none = made_weights({{"x", {1}}}, 1);
  EXPECT_THAT(missing_expert_tensors(*none, kPrefix, 3),
              testing::ElementsAre(kPrefix + ".gate_up_proj", kPrefix + ".down_proj"));
  EXPECT_EQ(error_code_of([&] { MoeExperts experts(*none, kPrefix, 3, 6, 4); }), "model_tensor_missing");
}

}  // namespace
}  // namespace qvl
