#include "weights/safetensors_header.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <tuple>
#include <unordered_set>

#include "base/checked.h"
#include "base/error.h"
#include "base/json.h"

namespace qvl {
namespace {

constexpr DType kAllTypes[] = {DType::kF64,    DType::kF32, DType::kF16, DType::kBF16, DType::kF8E4M3,
                               DType::kF8E5M2, DType::kI64, DType::kI32, DType::kI16,  DType::kI8,
                               DType::kU64,    DType::kU32, DType::kU16, DType::kU8,   DType::kBool};

// Reads the header's JSON as a stream of events, so that a hostile one costs no more than the tensors it names: nothing
// is kept but those, and the first surprise ends the parse.
class HeaderReader final : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::string& what) : what_(what) {}

  SafetensorsHeader header;

  // The reason why a parse returned false.
  [[noreturn]] void raise() const { throw Error(ErrorKind::kModel, code_, fmt::format("{}: {}", what_, message_)); }

  bool key(std::string& text) override {
    switch (state_) {
      case State::kTop:
        if (!keys_.insert(text).second)
          return fail("model_header", "\"{}\" stands twice in the header", printable(text));
        if (text == "__metadata__") return to(State::kMetadataValue);
        if (header.tensors.size() == kMaxTensors) {
          return fail("model_header", "expected at most {} tensors, found more", kMaxTensors);
        }
        header.tensors.emplace_back().name = text;
        seen_ = {};
        return to(State::kTensorValue);
      case State::kMetadata:
        if (!header.metadata.emplace(text, "").second) {
          return fail("model_header", "__metadata__: \"{}\" stands twice", printable(text));
        }
        metadata_key_ = text;
        return true;
      case State::kTensor:
        if (text == "dtype") return field(seen_.dtype, text, State::kDType);
        if (text == "shape") return field(seen_.shape, text, State::kShapeValue);
        if (text == "data_offsets") return field(seen_.offsets, text, State::kOffsetsValue);
        return to(State::kSkip);  // later versions of the format may add fields
      default:
        return true;  // a key inside of a skipped value
    }
  }

  bool start_object(size_t) override {
    switch (state_) {
      case State::kStart:
        return to(State::kTop);
      case State::kTensorValue:
        return to(State::kTensor);
      case State::kMetadataValue:
        return to(State::kMetadata);
      case State::kSkip:
        return skip_deeper();
      default:
        return unexpected("an object");
    }
  }

  bool end_object() override {
    switch (state_) {
      case State::kTop:
        return to(State::kStart);
      case State::kMetadata:
        return to(State::kTop);
      case State::kTensor:
        if (!seen_.dtype || !seen_.shape || seen_.offsets != 1 || offsets_ != 2) {
          return fail("model_header", "tensor {}: expected dtype, shape and two data_offsets", tensor_name());
        }
        return to(State::kTop);
      default:
        return skip_shallower();
    }
  }

  bool start_array(size_t) override {
    switch (state_) {
      case State::kShapeValue:
        return to(State::kShape);
      case State::kOffsetsValue:
        offsets_ = 0;
        return to(State::kOffsets);
      case State::kSkip:
        return skip_deeper();
      default:
        return unexpected("a list");
    }
  }

  bool end_array() override {
    if (state_ == State::kShape || state_ == State::kOffsets) return to(State::kTensor);
    return skip_shallower();
  }

  bool string(std::string& text) override {
    switch (state_) {
      case State::kDType: {
        const auto dtype = parse_dtype(text);
        if (!dtype) {
          return fail("model_dtype", "tensor {}: expected a known element type such as BF16 or F32, found \"{}\"",
                      tensor_name(), printable(text));
        }
        header.tensors.back().dtype = *dtype;
        return to(State::kTensor);
      }
      case State::kMetadata:
        header.metadata[metadata_key_] = text;
        return true;
      default:
        return scalar("a string");
    }
  }

  bool number_unsigned(uint64_t value) override {
    if (state_ == State::kShape) {
      auto& shape = header.tensors.back().shape;
      if (shape.size() == kMaxDims) {
        return fail("model_shape", "tensor {}: expected at most {} dimensions, found more", tensor_name(), kMaxDims);
      }
      if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return bad_number(fmt::to_string(value));
      shape.push_back(static_cast<int64_t>(value));
      return true;
    }
    if (state_ == State::kOffsets) {
      if (++offsets_ > 2)
        return fail("model_header", "tensor {}: expected two data_offsets, found more", tensor_name());
      (offsets_ == 1 ? header.tensors.back().begin : header.tensors.back().end) = value;
      return true;
    }
    return scalar("a number");
  }

  bool number_integer(int64_t value) override { return bad_number(fmt::to_string(value)); }
  bool number_float(double, const std::string& text) override { return bad_number(printable(text, 30)); }
  bool boolean(bool) override { return scalar("true or false"); }
  bool null() override {
    if (state_ == State::kMetadataValue) return to(State::kTop);
    return scalar("null");
  }
  bool binary(Json::binary_t&) override { return unexpected("binary data"); }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return fail("model_header", "expected a JSON header in UTF-8, found an error at its byte {}", position);
  }

 private:
  // kXValue: the next event is the value of X; kX: inside of it.
  enum class State {
    kStart,
    kTop,
    kTensorValue,
    kTensor,
    kDType,
    kShapeValue,
    kShape,
    kOffsetsValue,
    kOffsets,
    kMetadataValue,
    kMetadata,
    kSkip,
  };
  struct Seen {
    int dtype = 0, shape = 0, offsets = 0;
  };

  template <typename... Args>
  bool fail(const char* code, fmt::format_string<Args...> format, Args&&... args) {
    code_ = code;
    message_ = fmt::format(format, std::forward<Args>(args)...);
    return false;
  }

  bool to(State state) {
    state_ = state;
    return true;
  }

  std::string tensor_name() const { return printable(header.tensors.back().name); }

  bool field(int& seen, const std::string& name, State next) {
    if (++seen > 1) return fail("model_header", "tensor {}: \"{}\" stands twice", tensor_name(), name);
    return to(next);
  }

  bool unexpected(const char* found) {
    if (state_ == State::kStart || state_ == State::kTop) {
      return fail("model_header", "expected the header to be an object of tensors, found {}", found);
    }
    if (state_ == State::kMetadata || state_ == State::kMetadataValue) {
      return fail("model_header", "__metadata__: expected an object of strings, found {}", found);
    }
    const char* expected = state_ == State::kTensorValue ? "an object with dtype, shape and data_offsets"
                           : state_ == State::kDType     ? "dtype to be a string"
                           : state_ == State::kShapeValue || state_ == State::kShape
                               ? "shape to be a list of whole numbers"
                               : "data_offsets to be two whole numbers";
    return fail("model_header", "tensor {}: expected {}, found {}", tensor_name(), expected, found);
  }

  // A value that nothing but a skipped field may hold.
  bool scalar(const char* found) {
    if (state_ != State::kSkip) return unexpected(found);
    if (skip_depth_ == 0) return to(State::kTensor);
    return true;
  }

  bool bad_number(const std::string& text) {
    if (state_ == State::kShape) {
      return fail("model_shape", "tensor {}: expected dimensions of 0..2^63-1, found {}", tensor_name(), text);
    }
    if (state_ == State::kOffsets) {
      return fail("model_offsets", "tensor {}: expected whole, positive data_offsets, found {}", tensor_name(), text);
    }
    return scalar("a number");
  }

  bool skip_deeper() {
    if (++skip_depth_ > 64) return fail("model_header", "the header is nested more than 64 levels deep");
    return true;
  }

  bool skip_shallower() {
    if (--skip_depth_ == 0) state_ = State::kTensor;
    return true;
  }

  const std::string& what_;
  State state_ = State::kStart;
  Seen seen_;
  int offsets_ = 0;
  int skip_depth_ = 0;
  std::string metadata_key_;
  std::unordered_set<std::string> keys_;
  std::string code_ = "model_header", message_;
};

[[noreturn]] void fail_tensor(const std::string& what, const SafetensorsEntry& tensor, const char* code,
                              const std::string& message) {
  throw Error(ErrorKind::kModel, code, fmt::format("{}: tensor {}: {}", what, printable(tensor.name), message));
}

// The reference's validate(): by offset, the tensors follow each other from 0 without hole or overlap, each as long as
// its shape and type say, and the last ends where the file ends.
void check_layout(SafetensorsHeader& header, uint64_t data_bytes, const std::string& what) {
  std::stable_sort(header.tensors.begin(), header.tensors.end(),
                   [](const auto& a, const auto& b) { return std::tie(a.begin, a.end) < std::tie(b.begin, b.end); });
  uint64_t next = 0;
  for (const SafetensorsEntry& tensor : header.tensors) {
    if (tensor.begin != next || tensor.end < tensor.begin) {
      fail_tensor(
          what, tensor, "model_offsets",
          fmt::format("expected data that starts at offset {}, found offsets {}..{}", next, tensor.begin, tensor.end));
    }
    const auto bytes = tensor_bytes(tensor.shape, tensor.dtype);
    if (!bytes) fail_tensor(what, tensor, "model_shape", fmt::format("shape {} is too large", to_string(tensor.shape)));
    if (*bytes != tensor.end - tensor.begin) {
      const bool past_end = tensor.end > data_bytes;
      fail_tensor(what, tensor, past_end ? "model_offsets" : "model_shape",
                  fmt::format("expected {} bytes for {} {}, found offsets {}..{}", *bytes, dtype_name(tensor.dtype),
                              to_string(tensor.shape), tensor.begin, tensor.end));
    }
    next = tensor.end;
  }
  if (next > data_bytes) {
    throw_error(ErrorKind::kModel, "model_truncated",
                "{}: expected {} bytes of tensors, found {}: the file is cut short", what, next, data_bytes);
  }
  if (next < data_bytes) {
    throw_error(ErrorKind::kModel, "model_offsets", "{}: {} bytes follow the last tensor", what, data_bytes - next);
  }
}

}  // namespace

std::optional<uint64_t> tensor_bytes(const Shape& shape, DType dtype) {
  uint64_t elements = 1;
  for (const int64_t dim : shape) {
    if (dim < 0) return std::nullopt;
    const auto product = checked_mul(elements, static_cast<uint64_t>(dim));
    if (!product || *product > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
    elements = *product;
  }
  return checked_mul(elements, dtype_bytes(dtype));
}

std::optional<DType> parse_dtype(std::string_view name) {
  for (const DType dtype : kAllTypes) {
    if (dtype_name(dtype) == name) return dtype;
  }
  return std::nullopt;
}

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file, const std::string& what) {
  if (file.size() <= 8) {
    throw_error(ErrorKind::kModel, "model_truncated", "{}: expected a safetensors file, found {} bytes", what,
                file.size());
  }
  uint64_t length = 0;
  for (size_t i = 0; i < 8; ++i) length |= static_cast<uint64_t>(file[i]) << (8 * i);
  if (length > kMaxHeaderBytes) {
    throw_error(ErrorKind::kModel, "model_header", "{}: expected a header of at most {} bytes, found {}", what,
                kMaxHeaderBytes, length);
  }
  if (length > file.size() - 8) {
    throw_error(ErrorKind::kModel, "model_header", "{}: its header of {} bytes does not fit the file's {} bytes", what,
                length, file.size());
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + 8, length);
  if (!text.starts_with('{')) {
    throw_error(ErrorKind::kModel, "model_header", "{}: expected a safetensors header that starts with '{{'", what);
  }
  // The parser takes a zero byte for the end of the text and would not look at what follows.
  if (const size_t zero = text.find('\0'); zero != text.npos) {
    throw_error(ErrorKind::kModel, "model_header",
                "{}: expected a JSON header in UTF-8, found a zero byte at its byte {}", what, zero + 1);
  }
  HeaderReader reader(what);
  if (!Json::sax_parse(text.begin(), text.end(), &reader)) reader.raise();
  SafetensorsHeader header = std::move(reader.header);
  header.data_begin = 8 + length;
  check_layout(header, file.size() - header.data_begin, what);
  return header;
}

}  // namespace qvl
