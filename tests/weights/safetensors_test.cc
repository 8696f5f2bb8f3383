#include <gmock/gmock.h>
#include <sys/stat.h>

#include <numeric>
#include <random>

#include "base/file.h"
#include "base/json.h"
#include "tests/weights/test_files.h"
#include "weights/fp8.h"
#include "weights/safetensors_header.h"
#include "weights/safetensors_writer.h"
#include "weights/tensor_names.h"
#include "weights/weight_store.h"

namespace qvl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;
namespace fs = std::filesystem;

// Tensors of a file to be written, with the values that they own.
class Tensors {
 public:
  Tensors& add(const std::string& name, const Shape& shape, float first, DType dtype = DType::kF32) {
    ConstTensorView view{nullptr, dtype, shape};
    Buffer& buffer = buffers_.emplace_back(view.bytes());
    for (int64_t i = 0; i < view.elements(); ++i) {
      const float value = first + static_cast<float>(i);
      if (dtype == DType::kF32) buffer.as<float>()[i] = value;
      if (dtype == DType::kBF16) buffer.as<BF16>()[i] = to_bf16(value);
      if (dtype == DType::kF8E4M3) buffer.as<uint8_t>()[i] = static_cast<uint8_t>(i * 7 % 127);
      if (dtype == DType::kI32) buffer.as<int32_t>()[i] = static_cast<int32_t>(value);
    }
    view.data = buffer.data();
    list.push_back({name, view});
    return *this;
  }

  std::vector<NamedTensor> list;

 private:
  std::vector<Buffer> buffers_;
};

std::string index_of(const std::vector<std::pair<std::string, std::string>>& places) {
  Json json;
  for (const auto& [tensor, file] : places) json["weight_map"][tensor] = file;
  return json.dump();
}

TEST(Safetensors, WriterAndReaderAgree) {
  const TempFolder folder;
  Tensors tensors;
  tensors.add("u", {3}, 5, DType::kBF16)
      .add("a", {2, 3}, 1)
      .add("i", {1, 1}, 9, DType::kI32)
      .add("none", {0, 4}, 0)
      .add("scalar", {}, 4);
  const fs::path path = folder.path / "out.safetensors";
  write_safetensors(path, tensors.list, {{"format", "pt"}});
  EXPECT_FALSE(fs::exists(folder.path / "out.safetensors.part"));
  const std::string bytes = read_file(path, ErrorKind::kModel, "x");
  const auto header = parse_safetensors_header(std::as_bytes(std::span(bytes)), "out");
  EXPECT_EQ(header.data_begin % 8, 0u);
  EXPECT_EQ(header.metadata.at("format"), "pt");
  for (const auto& t : header.tensors) EXPECT_EQ(t.begin % dtype_bytes(t.dtype), 0u) << t.name;
  const auto store = open_safetensors(path);
  EXPECT_THAT(store->names(), UnorderedElementsAre("a", "i", "none", "scalar", "u"));
  EXPECT_THAT(store->take_floats("a", {2, 3}), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(store->take_floats("u", {3}), ElementsAre(5, 6, 7));
  EXPECT_THAT(store->take_floats("scalar", {}), ElementsAre(4));
  EXPECT_TRUE(store->take_floats("none", {0, 4}).empty());
  EXPECT_EQ(store->view("i").as<int32_t>()[0], 9);
  EXPECT_THAT(store->not_taken(), ElementsAre("i"));
  try {
    write_safetensors(folder.path / "no" / "such" / "folder", tensors.list);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code, "write_failed");
  }
}

TEST(Safetensors, TakeNamesWhatIsWrong) {
  const TempFolder folder;
  Tensors tensors;
  tensors.add("lm_head.weight", {2, 3}, 0).add("ids", {2}, 0, DType::kI32);
  write_safetensors(folder.path / "model.safetensors", tensors.list);
  const auto store = open_safetensors(folder.path);
  std::string message;
  EXPECT_EQ(error_code_of([&] { store->take("lm_head.weight", {3, 2}); }, &message), "model_shape");
  EXPECT_THAT(message, HasSubstr("lm_head.weight: expected shape [3, 2], found [2, 3]"));
  EXPECT_EQ(error_code_of([&] { store->take("absent", {1}); }, &message), "model_tensor_missing");
  EXPECT_THAT(message, HasSubstr("absent"));
  EXPECT_EQ(error_code_of([&] { store->take_floats("ids", {2}); }), "model_dtype");
  store->take("lm_head.weight", {2, 3});
  EXPECT_THROW(store->take("lm_head.weight", {2, 3}), std::logic_error);
  EXPECT_TRUE(store->not_taken().empty());
}

TEST(Safetensors, NormalisesOlderNames) {
  const std::vector<std::pair<std::string, std::string>> names = {
      {"model.language_model.layers.0.mlp.up_proj.weight", "model.language_model.layers.0.mlp.up_proj.weight"},
      {"model.visual.merger.norm.bias", "model.visual.merger.norm.bias"},
      {"visual.blocks.3.norm1.weight", "model.visual.blocks.3.norm1.weight"},
      {"model.layers.0.mlp.up_proj.weight", "model.language_model.layers.0.mlp.up_proj.weight"},
      {"model.model.layers.11.mlp.up_proj.weight", "model.language_model.layers.11.mlp.up_proj.weight"},
      {"model.embed_tokens.weight", "model.language_model.embed_tokens.weight"},
      {"model.model.embed_tokens.weight", "model.language_model.embed_tokens.weight"},
      {"model.norm.weight", "model.language_model.norm.weight"},
      {"language_model.model.norm.weight", "model.language_model.norm.weight"},
      {"language_model.lm_head.weight", "lm_head.weight"},
      {"model.lm_head.weight", "lm_head.weight"},
      {"lm_head.weight", "lm_head.weight"},
      {"optimizer.state", "optimizer.state"},
  };
  for (const auto& [from, to] : names) EXPECT_EQ(normalise_tensor_name(from), to);

  const TempFolder folder;
  Tensors tensors;
  tensors.add("model.norm.weight", {2}, 0).add("language_model.model.norm.weight", {2}, 0);
  write_safetensors(folder.path / "model.safetensors", tensors.list);
  EXPECT_EQ(error_code_of([&] { open_safetensors(folder.path); }), "model_header");
}

TEST(Safetensors, JoinsSeparateVisionProjections) {
  const TempFolder folder;
  Tensors tensors;
  for (const std::string kind : {"attn.q.weight", "attn.k.weight", "attn.v.weight"}) {
    tensors.add("visual.blocks.0." + kind, {2, 3}, kind[5] == 'q' ? 100.0f : kind[5] == 'k' ? 200.0f : 300.0f);
  }
  tensors.add("visual.blocks.0.attn.q_proj.bias", {2}, 1).add("visual.blocks.0.attn.k_proj.bias", {2}, 3);
  tensors.add("visual.blocks.0.attn.v_proj.bias", {2}, 5).add("visual.blocks.1.attn.q.bias", {2}, 5);
  tensors.add("model.layers.0.self_attn.q_proj.weight", {2, 2}, 0);
  write_safetensors(folder.path / "model.safetensors", tensors.list);
  const auto store = open_safetensors(folder.path);
  EXPECT_THAT(store->names(),
              UnorderedElementsAre("model.visual.blocks.0.attn.qkv.weight", "model.visual.blocks.0.attn.qkv.bias",
                                   "model.visual.blocks.1.attn.q.bias",
                                   "model.language_model.layers.0.self_attn.q_proj.weight"));
  const std::string weight = "model.visual.blocks.0.attn.qkv.weight";
  EXPECT_EQ(store->info(weight).shape, (Shape{6, 3}));
  for (int round = 0; round < 2; ++round) {  // once more after a release
    const auto values = to_float_vector(store->view(weight), weight);
    EXPECT_THAT(values,
                ElementsAre(100, 101, 102, 103, 104, 105, 200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 304, 305));
    store->release(weight);
  }
  EXPECT_THAT(store->take_floats("model.visual.blocks.0.attn.qkv.bias", {6}), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_FALSE(store->has("model.visual.blocks.0.attn.q.weight"));

  tensors.add("visual.blocks.0.attn.qkv.weight", {6, 3}, 0);
  write_safetensors(folder.path / "model.safetensors", tensors.list);
  EXPECT_EQ(error_code_of([&] { open_safetensors(folder.path); }), "model_header");
}

TEST(Safetensors, JoinedProjectionsMustMatch) {
  const TempFolder folder;
  Tensors tensors;
  tensors.add("visual.blocks.0.attn.q.weight", {2, 3}, 0).add("visual.blocks.0.attn.k.weight", {2, 4}, 0);
  tensors.add("visual.blocks.0.attn.v.weight", {2, 3}, 0);
  write_safetensors(folder.path / "model.safetensors", tensors.list);
  EXPECT_EQ(error_code_of([&] { open_safetensors(folder.path); }), "model_shape");
}

TEST(Safetensors, DequantisesFp8Blocks) {
  const TempFolder folder;
  for (const DType scale_type : {DType::kF32, DType::kBF16}) {
    Tensors tensors;
    const int64_t rows = 130, columns = 257;  // partial blocks on both sides
    tensors.add("x.weight", {rows, columns}, 0, DType::kF8E4M3).add("x.weight_scale_inv", {2, 3}, 1, scale_type);
    write_safetensors(folder.path / "model.safetensors", tensors.list);
    const auto store = open_safetensors(folder.path);
    EXPECT_THAT(store->names(), ElementsAre("x.weight"));
    EXPECT_EQ(store->info("x.weight").dtype, DType::kF32);
    const auto values = store->take_floats("x.weight", {rows, columns});
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        const float scale = 1 + static_cast<float>(i / 128 * 3 + j / 128);
        const float expected = f8e4m3_to_float(static_cast<uint8_t>((i * columns + j) * 7 % 127)) * scale;
        ASSERT_EQ(values[static_cast<size_t>(i * columns + j)], expected) << i << " " << j;
      }
    }
  }
  Tensors wrong;
  wrong.add("x.weight", {130, 257}, 0, DType::kF8E4M3).add("x.weight_scale_inv", {3, 2}, 1);
  write_safetensors(folder.path / "model.safetensors", wrong.list);
  EXPECT_EQ(error_code_of([&] { open_safetensors(folder.path); }), "model_shape");
  Tensors whole_scales;
  whole_scales.add("x.weight", {2, 2}, 0, DType::kF8E4M3).add("x.weight_scale_inv", {1, 1}, 1, DType::kI32);
  write_safetensors(folder.path / "model.safetensors", whole_scales.list);
  EXPECT_EQ(error_code_of([&] { open_safetensors(folder.path); }), "model_dtype");
}

// Nothing in the format aligns tensors: an odd header, and a byte before a float.
TEST(Safetensors, UnalignedTensorsComeAligned) {
  const TempFolder folder;
  const float value = 1.5f;
  std::string data = "x" + std::string(4, '\0');
  std::memcpy(data.data() + 1, &value, 4);
  for (const std::string padding : {"", " ", "  ", "   "}) {
    const std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                               R"("b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})" +
                               padding;
    const auto store = open_safetensors(folder.write("model.safetensors", raw_file(header, data)));
    const ConstTensorView b = store->view("b");
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b.data) % 4, 0u);
    EXPECT_EQ(b.as<float>()[0], 1.5f);
  }
}

class Shards : public testing::Test {
 protected:
  void SetUp() override {
    Tensors one, two;
    one.add("lm_head.weight", {2, 2}, 1).add("x", {3}, 1);
    two.add("y", {3}, 7);
    write_safetensors(folder_.path / "one.safetensors", one.list);
    write_safetensors(folder_.path / "two.safetensors", two.list);
    write_index({{"lm_head.weight", "one.safetensors"}, {"x", "one.safetensors"}, {"y", "two.safetensors"}});
  }

  void write_index(const std::vector<std::pair<std::string, std::string>>& places) {
    folder_.write("model.safetensors.index.json", index_of(places));
  }

  std::string code() {
    return error_code_of([&] { open_safetensors(folder_.path); }, &message_);
  }

  TempFolder folder_;
  std::string message_;
};

TEST_F(Shards, AreOneStore) {
  const auto store = open_safetensors(folder_.path);
  EXPECT_THAT(store->names(), UnorderedElementsAre("lm_head.weight", "x", "y"));
  EXPECT_THAT(store->take_floats("y", {3}), ElementsAre(7, 8, 9));
}

TEST_F(Shards, PathsStayInTheFolder) {  // MOD-032
  for (const std::string bad :
       {"/etc/passwd", "../one.safetensors", "a/one.safetensors", "a\\one.safetensors", "..", ".", ""}) {
    write_index({{"lm_head.weight", bad}});
    EXPECT_EQ(code(), "model_path") << bad;
  }
  write_index({{"lm_head.weight", std::string("one\0two", 7)}});
  EXPECT_EQ(code(), "model_path");
}

TEST_F(Shards, EachMustExist) {  // MOD-033
  fs::remove(folder_.path / "two.safetensors");
  EXPECT_EQ(code(), "model_file_missing");
  EXPECT_THAT(message_, HasSubstr("two.safetensors"));
}

TEST_F(Shards, ATensorStandsInOne) {  // MOD-034
  Tensors two;
  two.add("y", {3}, 7).add("x", {3}, 7);
  write_safetensors(folder_.path / "two.safetensors", two.list);
  EXPECT_EQ(code(), "model_header");
  EXPECT_THAT(message_, HasSubstr("two shards"));
}

TEST_F(Shards, TheIndexMustAgree) {
  write_index({{"lm_head.weight", "one.safetensors"}, {"x", "two.safetensors"}, {"y", "two.safetensors"}});
  EXPECT_EQ(code(), "model_header");
  write_index({{"lm_head.weight", "one.safetensors"}, {"y", "two.safetensors"}});
  EXPECT_EQ(code(), "model_header");
  EXPECT_THAT(message_, HasSubstr("does not list"));
  write_index({{"lm_head.weight", "one.safetensors"},
               {"x", "one.safetensors"},
               {"y", "two.safetensors"},
               {"z", "two.safetensors"}});
  EXPECT_EQ(code(), "model_header");
  EXPECT_THAT(message_, HasSubstr("tensor z"));
}

TEST_F(Shards, TheIndexMustBeOne) {
  for (const std::string bad :
       {"", "[]", "{}", R"({"weight_map":[]})", R"({"weight_map":{}})", R"({"weight_map":{"x":1}})",
        "{\"weight_map\":{\"\xff\":\"a\"}}", R"({"weight_map":{"x":"one.safetensors","x":"two.safetensors"}})",
        R"({"weight_map":)"}) {
    folder_.write("model.safetensors.index.json", bad);
    EXPECT_EQ(code(), "model_header") << bad;
  }
  folder_.write("model.safetensors.index.json", std::string(1000, '['));
  EXPECT_EQ(code(), "model_header");
}

TEST_F(Shards, TheIndexMustBeAFile) {  // MOD-035
  fs::remove(folder_.path / "model.safetensors.index.json");
  fs::create_directory(folder_.path / "model.safetensors.index.json");
  EXPECT_EQ(code(), "model_file_missing");
}

TEST_F(Shards, ACutShardIsNoticed) {  // MOD-024
  fs::resize_file(folder_.path / "two.safetensors", fs::file_size(folder_.path / "two.safetensors") - 5);
  EXPECT_EQ(code(), "model_truncated");
  EXPECT_THAT(message_, HasSubstr("two.safetensors"));
}

TEST_F(Shards, AWholeFileBesideThemIsAmbiguous) {
  fs::copy_file(folder_.path / "one.safetensors", folder_.path / "model.safetensors");
  EXPECT_EQ(code(), "model_header");
}

TEST(Safetensors, OnlyRegularFiles) {
  const TempFolder folder;
  EXPECT_EQ(error_code_of([&] { open_safetensors(folder.path); }), "model_file_missing");
  EXPECT_EQ(error_code_of([&] { open_safetensors(folder.path / "absent"); }), "model_file_missing");
  ASSERT_EQ(::mkfifo((folder.path / "model.safetensors").c_str(), 0600), 0);
  EXPECT_EQ(error_code_of([&] { open_safetensors(folder.path); }),
            "model_file_missing");  // and does not wait for a writer
  EXPECT_EQ(error_code_of([&] { open_safetensors("/dev/zero"); }), "model_file_missing");
  EXPECT_EQ(error_code_of([&] { open_safetensors(folder.write("empty", "")); }), "model_truncated");
}

TEST(Safetensors, LoadsTheReferenceCheckpoints) {
  const fs::path golden = golden_folder();
  if (golden.empty()) GTEST_SKIP() << "the full reference data is not here";
  const std::vector<std::pair<std::string, size_t>> checkpoints = {
      {"tiny-dense", 0}, {"tiny-moe", 147 - 1}, {"tiny-untied", 0}};
  for (const auto& [name, tensors] : checkpoints) {
    SCOPED_TRACE(name);
    const auto store = open_safetensors(golden / "checkpoints" / name);
    if (tensors != 0) {
      EXPECT_EQ(store->names().size(), tensors);
    }
    EXPECT_EQ(store->has("lm_head.weight"), name != "tiny-dense");
    double sum = 0;
    for (const std::string& tensor : store->names()) {
      for (const float value : to_float_vector(store->view(tensor), tensor)) sum += std::abs(value);
      store->release(tensor);
    }
    EXPECT_TRUE(std::isfinite(sum));
    EXPECT_GT(sum, 1000);
  }
}

}  // namespace
}  // namespace qvl
