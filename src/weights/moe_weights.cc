#include "weights/moe_weights.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace qvl {
namespace {

constexpr const char* kProjections[] = {"gate_proj", "up_proj", "down_proj"};

std::string own_name(const std::string& prefix, int expert, const char* projection) {
  return fmt::format("{}.{}.{}.weight", prefix, expert, projection);
}

bool is_fused(const WeightStore& store, const std::string& prefix) {
  return store.has(prefix + ".gate_up_proj") || store.has(prefix + ".down_proj");
}

void check_float(const std::string& name, DType dtype) {
  const bool ok = dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kF16 || dtype == DType::kF64 ||
                  dtype == DType::kF8E4M3;
  if (!ok) {
    throw_error(ErrorKind::kModel, "model_dtype", "tensor {}: expected floating-point numbers such as BF16, found {}",
                name, dtype_name(dtype));
  }
}

// True where the fused tensors have their outputs before their inputs. Each shape allows both readings only if
// H == 2I or H == I, and those cannot hold together: the other tensor then decides.
bool find_orientation(WeightStore& store, const std::string& prefix, int64_t experts, int64_t hidden, int64_t inner) {
  const Shape gate_up = store.info(prefix + ".gate_up_proj").shape, down = store.info(prefix + ".down_proj").shape;
  const bool input_major = gate_up == Shape{experts, hidden, 2 * inner} && down == Shape{experts, inner, hidden};
  const bool output_major = gate_up == Shape{experts, 2 * inner, hidden} && down == Shape{experts, hidden, inner};
  if (!input_major && !output_major) {
    throw_error(ErrorKind::kModel, "model_shape",
                "tensors {}.gate_up_proj and down_proj: expected shapes [{}, {}, {}] and [{}, {}, {}], found {} and {}",
                prefix, experts, hidden, 2 * inner, experts, inner, hidden, to_string(gate_up), to_string(down));
  }
  return output_major;
}

// out[column, row] = in[row, column]: by squares that stay in the first-level cache.
template <typename T>
void transpose(const T* in, int64_t rows, int64_t columns, T* out) {
  constexpr int64_t kSide = 32;
  for (int64_t row0 = 0; row0 < rows; row0 += kSide) {
    const int64_t row1 = std::min(rows, row0 + kSide);
    for (int64_t column0 = 0; column0 < columns; column0 += kSide) {
      const int64_t column1 = std::min(columns, column0 + kSide);
      for (int64_t column = column0; column < column1; ++column) {
        for (int64_t row = row0; row < row1; ++row) out[column * rows + row] = in[row * columns + column];
      }
    }
  }
}

ConstTensorView transposed(const ConstTensorView& in, Buffer& buffer) {
  const int64_t rows = in.shape[0], columns = in.shape[1];
  if (buffer.size() != in.bytes()) buffer = Buffer(in.bytes());
  switch (dtype_bytes(in.dtype)) {
    case 1:
      transpose(in.as<uint8_t>(), rows, columns, buffer.as<uint8_t>());
      break;
    case 2:
      transpose(in.as<uint16_t>(), rows, columns, buffer.as<uint16_t>());
      break;
    case 4:
      transpose(in.as<uint32_t>(), rows, columns, buffer.as<uint32_t>());
      break;
    default:
      transpose(in.as<uint64_t>(), rows, columns, buffer.as<uint64_t>());
      break;
  }
  return {buffer.data(), in.dtype, {columns, rows}};
}

// Part `index` of a tensor's first dimension.
ConstTensorView slice(const ConstTensorView& tensor, int64_t index) {
  ConstTensorView part{tensor.data, tensor.dtype, {tensor.shape.begin() + 1, tensor.shape.end()}};
  part.data += static_cast<size_t>(index) * part.bytes();
  return part;
}

ConstTensorView rows_of(const ConstTensorView& matrix, int64_t first, int64_t count) {
  ConstTensorView part{matrix.data, matrix.dtype, {count, matrix.shape[1]}};
  part.data += static_cast<size_t>(first * matrix.shape[1]) * dtype_bytes(matrix.dtype);
  return part;
}

}  // namespace

MoeExperts::MoeExperts(WeightStore& store, std::string prefix, int num_experts, int64_t hidden, int64_t inner)
    : store_(store), prefix_(std::move(prefix)), num_experts_(num_experts), hidden_(hidden), inner_(inner) {
  fused_ = is_fused(store_, prefix_);
  if (fused_) {
    output_major_ = find_orientation(store_, prefix_, num_experts, hidden, inner);
    store_.mark_taken(prefix_ + ".gate_up_proj");
    store_.mark_taken(prefix_ + ".down_proj");
    return;
  }
  const std::vector<std::string> missing = missing_expert_tensors(store_, prefix_, num_experts);
  if (!missing.empty()) {
    throw_error(ErrorKind::kModel, "model_tensor_missing", "{} expert tensors are missing: {}", missing.size(),
                name_list(missing));
  }
  check_expert_tensors(store_, prefix_, num_experts, hidden, inner);
  for (int e = 0; e < num_experts; ++e) {
    for (const char* projection : kProjections) store_.mark_taken(own_name(prefix_, e, projection));
  }
}

MoeExperts::~MoeExperts() {
  release_current();
  if (!fused_) return;
  store_.release(prefix_ + ".gate_up_proj");
  store_.release(prefix_ + ".down_proj");
}

void MoeExperts::release_current() {
  if (current_ < 0 || fused_) return;
  for (const char* projection : kProjections) store_.release(own_name(prefix_, current_, projection));
  current_ = -1;
}

ExpertWeights MoeExperts::expert(int e) {
  QVL_CHECK(e >= 0 && e < num_experts_, "expert {} of {}", e, num_experts_);
  if (!fused_) {
    release_current();
    current_ = e;
    return {store_.view(own_name(prefix_, e, "gate_proj")), store_.view(own_name(prefix_, e, "up_proj")),
            store_.view(own_name(prefix_, e, "down_proj"))};
  }
  const std::string gate_up_name = prefix_ + ".gate_up_proj", down_name = prefix_ + ".down_proj";
  ConstTensorView gate_up = slice(store_.view(gate_up_name), e);
  ConstTensorView down = slice(store_.view(down_name), e);
  if (current_ >= 0 && current_ != e) {
    store_.release_part(gate_up_name, static_cast<size_t>(current_) * gate_up.bytes(), gate_up.bytes());
    store_.release_part(down_name, static_cast<size_t>(current_) * down.bytes(), down.bytes());
  }
  current_ = e;
  if (!output_major_) {
    gate_up = transposed(gate_up, gate_up_);
    down = transposed(down, down_);
  }
  return {rows_of(gate_up, 0, inner_), rows_of(gate_up, inner_, inner_), std::move(down)};
}

std::vector<std::string> missing_expert_tensors(const WeightStore& store, const std::string& prefix, int num_experts) {
  std::vector<std::string> missing;
  const auto look = [&](std::string name) {
    if (!store.has(name)) missing.push_back(std::move(name));
  };
  bool any_own = false;
  if (!is_fused(store, prefix)) {
    for (const char* projection : kProjections) any_own |= store.has(own_name(prefix, 0, projection));
  }
  if (!any_own) {
    look(prefix + ".gate_up_proj");
    look(prefix + ".down_proj");
    return missing;
  }
  for (int e = 0; e < num_experts; ++e) {
    for (const char* projection : kProjections) look(own_name(prefix, e, projection));
  }
  return missing;
}

void check_expert_tensors(WeightStore& store, const std::string& prefix, int num_experts, int64_t hidden,
                          int64_t inner) {
  if (is_fused(store, prefix)) {
    find_orientation(store, prefix, num_experts, hidden, inner);
    for (const char* name : {".gate_up_proj", ".down_proj"})
      check_float(prefix + name, store.info(prefix + name).dtype);
    return;
  }
  for (int e = 0; e < num_experts; ++e) {
    for (const char* projection : kProjections) {
      const std::string name = own_name(prefix, e, projection);
      const Shape expected = projection == kProjections[2] ? Shape{hidden, inner} : Shape{inner, hidden};
      const TensorInfo found = store.info(name);
      if (found.shape != expected) {
        throw_error(ErrorKind::kModel, "model_shape", "tensor {}: expected shape {}, found {}", name,
                    to_string(expected), to_string(found.shape));
      }
      check_float(name, found.dtype);
    }
  }
}

}  // namespace qvl
