#include "weights/safetensors_header.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <random>

#include "tests/weights/test_files.h"

namespace qvl {
namespace {

__extension__ using Wide = unsigned __int128;

SafetensorsHeader parse(const std::string& file) {
  return parse_safetensors_header(std::as_bytes(std::span(file)), "model.safetensors");
}

std::string code_of(const std::string& file, std::string* message = nullptr) {
  return error_code_of([&] { parse(file); }, message);
}

std::string tensor(const std::string& name, const std::string& dtype, const std::string& shape,
                   const std::string& offsets) {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, dtype, shape, offsets);
}

TEST(SafetensorsHeader, ReadsWhatTheReferenceReads) {
  const std::string data(24, 'x');
  // Not in the order of offsets, a scalar, an empty tensor that shares an offset, an unknown field, trailing spaces.
  const auto header =
      parse(raw_file("{" + tensor("b", "F32", "[2,2]", "[8,24]") + "," + tensor("scalar", "F32", "[]", "[4,8]") + "," +
                         tensor("a", "BF16", "[2]", "[0,4]") + "," + tensor("empty", "U8", "[3,0]", "[4,4]") +
                         R"(,"__metadata__":{"format":"pt"}}      )",
                     data));
  ASSERT_EQ(header.tensors.size(), 4u);
  EXPECT_EQ(header.tensors[0].name, "a");
  EXPECT_EQ(header.tensors[1].name, "empty");
  EXPECT_EQ(header.tensors[2].name, "scalar");
  EXPECT_EQ(header.tensors[3].name, "b");
  EXPECT_EQ(header.tensors[3].shape, (Shape{2, 2}));
  EXPECT_EQ(header.tensors[3].dtype, DType::kF32);
  EXPECT_EQ(header.tensors[3].begin, 8u);
  EXPECT_EQ(header.metadata.at("format"), "pt");
  EXPECT_EQ(code_of(raw_file("{}", "")), "");
  EXPECT_EQ(code_of(raw_file(R"({"__metadata__":null})", "")), "");
  EXPECT_EQ(
      code_of(raw_file(
          R"({"a":{"new":{"x":[1,{"y":null}],"z":"s"},"dtype":"U8","flag":true,"shape":[1],"data_offsets":[0,1]}})",
          "x")),
      "");
}

TEST(SafetensorsHeader, RefusesBadFiles) {
  const std::string four(4, 'x'), eight(8, 'x');
  const std::string good = tensor("a", "U8", "[4]", "[0,4]");
  std::string dims = "[1";
  for (int i = 1; i < 70000; ++i) dims += ",1";
  dims += "]";
  std::string deep = R"({"a":{"later":)" + std::string(100000, '[') + std::string(100000, ']') + "}}";

  struct Row {
    const char* id;
    std::string file;
    const char* code;
    const char* in_message;
  };
  const std::vector<Row> rows = {
      {"MOD-001 empty", "", "model_truncated", "0 bytes"},
      {"MOD-001 7 bytes", std::string(7, '\0'), "model_truncated", "7 bytes"},
      {"MOD-001 8 bytes", little_endian(100), "model_truncated", "8 bytes"},
      {"MOD-003 length 2^64-1", little_endian(~uint64_t{0}) + "{}", "model_header", "18446744073709551615"},
      {"header past the limit", little_endian(100'000'001) + "{}", "model_header", "100000000"},
      {"MOD-005 length = size - 7", little_endian(3) + "{}", "model_header", "does not fit"},
      {"length 0", little_endian(0) + "{}", "model_header", "{"},
      {"MOD-007 not JSON", raw_file("{not json}", ""), "model_header", "byte"},
      {"not UTF-8", raw_file("{\"\xff\":1}", ""), "model_header", "byte"},
      {"rest after the object", raw_file("{}x", ""), "model_header", "byte"},
      {"zero bytes as padding", raw_file(std::string("{}\0\0", 4), ""), "model_header", "byte"},
      {"MOD-008 space first", raw_file(" {}", ""), "model_header", "starts with"},
      {"a list", raw_file("[]", ""), "model_header", "starts with"},
      {"MOD-010 name twice", raw_file("{" + good + "," + good + "}", four), "model_header", "twice"},
      {"MOD-010 escaped name twice", raw_file("{" + good + "," + tensor("\\u0061", "U8", "[4]", "[0,4]") + "}", four),
       "model_header", "twice"},
      {"metadata twice", raw_file(R"({"__metadata__":{},"__metadata__":{}})", ""), "model_header", "twice"},
      {"metadata key twice", raw_file(R"({"__metadata__":{"a":"1","a":"2"}})", ""), "model_header", "twice"},
      {"metadata of a number", raw_file(R"({"__metadata__":{"a":1}})", ""), "model_header", "strings"},
      {"metadata a list", raw_file(R"({"__metadata__":[]})", ""), "model_header", "object of strings"},
      {"field twice", raw_file(R"({"a":{"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]}})", four),
       "model_header", "twice"},
      {"MOD-011 product wraps",
       raw_file("{" + tensor("a", "U8", "[4194305,4194305,211106198978564]", "[0,4]") + "}", four), "model_shape",
       "too large"},
      {"bytes wrap, elements do not", raw_file("{" + tensor("a", "F64", "[2305843009213693952,1]", "[0,0]") + "}", ""),
       "model_shape", "too large"},
      {"wraps before it meets a zero",
       raw_file("{" + tensor("a", "U8", "[4611686018427387904,4,0]", "[0,0]") + "}", ""), "model_shape", "too large"},
      {"MOD-012 negative", raw_file("{" + tensor("a", "U8", "[-1]", "[0,4]") + "}", four), "model_shape", "-1"},
      {"fraction", raw_file("{" + tensor("a", "U8", "[4.0]", "[0,4]") + "}", four), "model_shape", "4.0"},
      {"2^64", raw_file("{" + tensor("a", "U8", "[18446744073709551616]", "[0,4]") + "}", four), "model_shape", "1844"},
      {"2^63", raw_file("{" + tensor("a", "U8", "[9223372036854775808]", "[0,4]") + "}", four), "model_shape", "9223"},
      {"MOD-014 70,000 dimensions", raw_file("{" + tensor("a", "U8", dims, "[0,1]") + "}", "x"), "model_shape",
       "at most"},
      {"MOD-015 type", raw_file("{" + tensor("a", "F13", "[4]", "[0,4]") + "}", four), "model_dtype", "F13"},
      {"type a number", raw_file(R"({"a":{"dtype":1,"shape":[4],"data_offsets":[0,4]}})", four), "model_header",
       "string"},
      {"MOD-016 size mismatch", raw_file("{" + tensor("a", "F32", "[4]", "[0,4]") + "}", four), "model_shape",
       "16 bytes"},
      {"MOD-017 offsets [8,4]", raw_file("{" + tensor("a", "U8", "[4]", "[8,4]") + "}", eight), "model_offsets",
       "8..4"},
      {"MOD-018 past the end", raw_file("{" + tensor("a", "U8", "[4]", "[0,400]") + "}", four), "model_offsets", "400"},
      {"MOD-018 past 2^64", raw_file("{" + tensor("a", "U8", "[4]", "[0,18446744073709551615]") + "}", four),
       "model_offsets", "1844"},
      {"negative offset", raw_file("{" + tensor("a", "U8", "[4]", "[-4,0]") + "}", four), "model_offsets", "-4"},
      {"one offset", raw_file("{" + tensor("a", "U8", "[4]", "[4]") + "}", four), "model_header", "two data_offsets"},
      {"three offsets", raw_file("{" + tensor("a", "U8", "[4]", "[0,4,4]") + "}", four), "model_header",
       "two data_offsets"},
      {"MOD-020 hole",
       raw_file("{" + tensor("a", "U8", "[2]", "[0,2]") + "," + tensor("b", "U8", "[2]", "[4,6]") + "}", "xxxxxx"),
       "model_offsets", "offset 2"},
      {"hole at the start", raw_file("{" + tensor("a", "U8", "[2]", "[2,4]") + "}", four), "model_offsets", "offset 0"},
      {"overlap",
       raw_file("{" + tensor("a", "U8", "[4]", "[0,4]") + "," + tensor("b", "U8", "[4]", "[2,6]") + "}", "xxxxxx"),
       "model_offsets", "offset 4"},
      {"MOD-022 trailing bytes", raw_file("{" + good + "}", "xxxxx"), "model_offsets", "1 bytes"},
      {"MOD-024 cut", raw_file("{" + good + "}", "xxx"), "model_truncated", "cut short"},
      {"no shape", raw_file(R"({"a":{"dtype":"U8","data_offsets":[0,4]}})", four), "model_header", "shape"},
      {"shape a string", raw_file(R"({"a":{"dtype":"U8","shape":"4","data_offsets":[0,4]}})", four), "model_header",
       "shape"},
      {"shape in shape", raw_file(R"({"a":{"dtype":"U8","shape":[[4]],"data_offsets":[0,4]}})", four), "model_header",
       "shape"},
      {"tensor a number", raw_file(R"({"a":1})", four), "model_header", "object"},
      {"100,000 levels", raw_file(deep, ""), "model_header", "levels"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.id);
    std::string message;
    EXPECT_EQ(code_of(row.file, &message), row.code) << message;
    EXPECT_NE(message.find(row.in_message), std::string::npos) << message;
    EXPECT_TRUE(message.starts_with("model.safetensors: ")) << message;
    EXPECT_LT(message.size(), 500u);
  }
}

TEST(SafetensorsHeader, RefusesTooManyTensorsAtOnce) {  // MOD-025
  std::string header = "{";
  for (int i = 0; header.size() < 60'000'000; ++i) {
    header += fmt::format(R"("{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}},)", i);
  }
  header.back() = '}';
  const std::string file = raw_file(header, "");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(code_of(file), "model_header");
  // A quarter of the header is read before the limit; generous for sanitizers and a busy machine.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

// The loader's size of a tensor is the one of 128-bit arithmetic, or there is none.
TEST(SafetensorsHeader, SizesAgreeWith128BitArithmetic) {
  std::mt19937_64 random(7);
  constexpr Wide kOne = 1;
  int accepted = 0, refused = 0;
  for (int round = 0; round < 200000; ++round) {
    Shape shape(random() % 5);
    for (int64_t& dim : shape) dim = static_cast<int64_t>(random() >> (1 + random() % 63));
    const DType dtype = std::array{DType::kU8, DType::kBF16, DType::kF32, DType::kI64}[random() % 4];
    Wide elements = 1;
    bool fits = true;
    for (const int64_t dim : shape) {
      elements *= static_cast<Wide>(dim);
      fits &= elements < kOne << 63;
      if (!fits) break;
    }
    const Wide bytes = elements * dtype_bytes(dtype);
    fits = fits && bytes < kOne << 64;
    const auto found = tensor_bytes(shape, dtype);
    ASSERT_EQ(found.has_value(), fits) << to_string(shape);
    if (fits) {
      ASSERT_EQ(*found, static_cast<uint64_t>(bytes)) << to_string(shape);
    }
    ++(fits ? accepted : refused);
  }
  EXPECT_GT(accepted, 10000);
  EXPECT_GT(refused, 10000);
}

// The reference's rules in another shape, over 128-bit numbers and with an explicit picture of the covered bytes.
bool reference_accepts(const std::vector<SafetensorsEntry>& tensors, size_t data_bytes) {
  std::vector<int> covered(data_bytes, 0);
  for (const SafetensorsEntry& t : tensors) {
    Wide bytes = dtype_bytes(t.dtype);
    for (const int64_t dim : t.shape) bytes *= static_cast<Wide>(dim);
    if (t.end < t.begin || t.end > data_bytes || bytes != t.end - t.begin) return false;
    for (uint64_t i = t.begin; i < t.end; ++i) ++covered[i];
  }
  return std::all_of(covered.begin(), covered.end(), [](int n) { return n == 1; });
}

TEST(SafetensorsHeader, AcceptsExactlyWhatTheRulesAccept) {
  std::mt19937 random(11);
  int accepted = 0;
  for (int round = 0; round < 20000; ++round) {
    std::vector<SafetensorsEntry> tensors(1 + random() % 4);
    uint64_t offset = 0;
    for (size_t i = 0; i < tensors.size(); ++i) {
      SafetensorsEntry& t = tensors[i];
      t.name = std::string(1, static_cast<char>('a' + i));
      t.dtype = std::array{DType::kU8, DType::kBF16, DType::kF32}[random() % 3];
      t.shape.resize(random() % 3);
      for (int64_t& dim : t.shape) dim = 1 + static_cast<int64_t>(random() % 3);
      t.begin = offset;
      t.end = offset += *tensor_bytes(t.shape, t.dtype);
      if (random() % 8 == 0) t.begin += random() % 3;
      if (random() % 8 == 0) t.end -= std::min<uint64_t>(t.end, random() % 3);
      if (random() % 8 == 0) t.shape.push_back(1 + static_cast<int64_t>(random() % 2));
    }
    std::shuffle(tensors.begin(), tensors.end(), random);
    if (random() % 8 == 0) offset += random() % 3;
    std::string header = "{";
    for (const auto& t : tensors) {
      header +=
          tensor(t.name, std::string(dtype_name(t.dtype)), to_string(t.shape), fmt::format("[{},{}]", t.begin, t.end)) +
          ",";
    }
    header.back() = '}';
    const bool expected = reference_accepts(tensors, offset);
    ASSERT_EQ(code_of(raw_file(header, std::string(offset, 'x'))).empty(), expected) << header << " " << offset;
    accepted += expected;
  }
  EXPECT_GT(accepted, 2000);
  EXPECT_LT(accepted, 18000);
}

TEST(SafetensorsHeader, SurvivesMutations) {
  const std::string valid = raw_file("{" + tensor("model.visual.a", "F32", "[2,3]", "[0,24]") + "," +
                                         tensor("b", "BF16", "[4]", "[24,32]") + R"(,"__metadata__":{"format":"pt"}})",
                                     std::string(32, 'x'));
  ASSERT_EQ(code_of(valid), "");
  std::mt19937 random(3);
  const std::string interesting = "{}[]\",:0123456789-.eE\\u\xff";
  int refused = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string file = valid;
    const int edits = 1 + static_cast<int>(random() % 3);
    for (int i = 0; i < edits && !file.empty(); ++i) {
      const size_t at = random() % file.size();
      switch (random() % 5) {
        case 0:
          file[at] = static_cast<char>(random());
          break;
        case 1:
          file[at] = interesting[random() % interesting.size()];
          break;
        case 2:
          file.erase(at, 1 + random() % 8);
          break;
        case 3:
          file.insert(at, 1 + random() % 3, interesting[random() % interesting.size()]);
          break;
        default:
          file.resize(at);
      }
      // Half of the time the length still fits the header, so that the parser proper is reached.
      if (random() % 2 == 0 && file.size() > 40) file.replace(0, 8, little_endian(file.size() - 8 - 32));
    }
    try {
      const auto header = parse(file);
      uint64_t sum = 0;
      for (const auto& t : header.tensors) sum += *tensor_bytes(t.shape, t.dtype);
      ASSERT_EQ(header.data_begin + sum, file.size());
    } catch (const Error& e) {
      ASSERT_TRUE(e.code.starts_with("model_")) << e.code;
      ++refused;
    }
  }
  EXPECT_GT(refused, 10000);
}

}  // namespace
}  // namespace qvl
