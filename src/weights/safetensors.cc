// WeightStore over memory-mapped safetensors files.
#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <unordered_map>

#include "base/file.h"
#include "weights/fp8.h"
#include "weights/safetensors_header.h"
#include "weights/safetensors_index.h"
#include "weights/tensor_names.h"
#include "weights/weight_store.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;

struct StoredTensor {
  std::string name;  // normalised
  ConstTensorView view;
  size_t file = 0;
};

// A tensor as the model sees it: one stored tensor, or several put together when they are asked for.
struct OfferedTensor {
  enum class Kind { kPlain, kJoined, kFp8 };
  Kind kind = Kind::kPlain;
  std::string name;
  TensorInfo info;
  std::vector<size_t> parts;  // of the stored ones: the tensor; q, k, v; weight and its scales
  Buffer assembled;           // empty until asked for, and for what the map gives as it is
};

class SafetensorsStore final : public WeightStore {
 public:
  // Maps the file and checks it; returns the names as the file spells them.
  std::vector<std::string> add_file(const fs::path& path) {
    files_.emplace_back(path, ErrorKind::kModel, "model_file_missing");
    const auto bytes = files_.back().bytes();
    SafetensorsHeader header = parse_safetensors_header(bytes, path.string());
    std::vector<std::string> raw_names;
    for (SafetensorsEntry& entry : header.tensors) {
      const std::byte* data = bytes.data() + header.data_begin + entry.begin;
      stored_.push_back(
          {normalise_tensor_name(entry.name), {data, entry.dtype, std::move(entry.shape)}, files_.size() - 1});
      raw_names.push_back(std::move(entry.name));
    }
    return raw_names;
  }

  // After the last file: decides what is offered under which name.
  void finish() {
    for (size_t i = 0; i < stored_.size(); ++i) {
      if (!stored_by_name_.emplace(stored_[i].name, i).second) two_of(stored_[i].name);
    }
    std::vector<bool> hidden(stored_.size(), false);
    for (size_t i = 0; i < stored_.size(); ++i) {
      if (const auto scales = scales_of(i)) hidden[*scales] = true;
    }
    offer_separate_qkv(hidden);
    for (size_t i = 0; i < stored_.size(); ++i) {
      if (hidden[i]) continue;
      const StoredTensor& tensor = stored_[i];
      if (const auto scales = scales_of(i)) {
        offer(Kind::kFp8, tensor.name, DType::kF32, tensor.view.shape, {i, *scales});
      } else {
        offer(Kind::kPlain, tensor.name, tensor.view.dtype, tensor.view.shape, {i});
      }
    }
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> out;
    out.reserve(offered_.size());
    for (const OfferedTensor& tensor : offered_) out.push_back(tensor.name);
    return out;
  }

  bool has(const std::string& name) const override { return offered_by_name_.contains(name); }

  TensorInfo info(const std::string& name) override { return find(name).info; }

  ConstTensorView view(const std::string& name) override {
    OfferedTensor& tensor = find(name);
    const ConstTensorView first = stored_[tensor.parts[0]].view;
    const bool aligned = reinterpret_cast<uintptr_t>(first.data) % dtype_bytes(first.dtype) == 0;
    if (tensor.kind == OfferedTensor::Kind::kPlain && aligned) return first;
    const ConstTensorView shape_only{nullptr, tensor.info.dtype, tensor.info.shape};
    if (tensor.assembled.size() == 0) {
      tensor.assembled = Buffer(shape_only.bytes());
      if (tensor.kind == OfferedTensor::Kind::kFp8) {
        dequantise_fp8(first, aligned_copy(stored_[tensor.parts[1]].view), tensor.assembled.as<float>());
      } else {
        join(tensor);
      }
    }
    return {tensor.assembled.data(), tensor.info.dtype, tensor.info.shape};
  }

  void release(const std::string& name) override {
    OfferedTensor& tensor = find(name);
    tensor.assembled = Buffer();
    for (const size_t part : tensor.parts) {
      files_[stored_[part].file].drop_pages(stored_[part].view.data, stored_[part].view.bytes());
    }
  }

  void release_part(const std::string& name, size_t offset, size_t bytes) override {
    const OfferedTensor& tensor = find(name);
    if (tensor.assembled.size() != 0 || tensor.parts.size() != 1) return;
    const StoredTensor& stored = stored_[tensor.parts[0]];
    files_[stored.file].drop_pages(stored.view.data + offset, bytes);
  }

 private:
  using Kind = OfferedTensor::Kind;

  [[noreturn]] static void two_of(const std::string& name) {
    throw_error(ErrorKind::kModel, "model_header", "two tensors of the model's files both stand for {}",
                printable(name));
  }

  OfferedTensor& find(const std::string& name) {
    const auto it = offered_by_name_.find(name);
    if (it == offered_by_name_.end()) {
      throw_error(ErrorKind::kModel, "model_tensor_missing", "the model's files do not hold the tensor {}",
                  printable(name));
    }
    return offered_[it->second];
  }

  void offer(Kind kind, const std::string& name, DType dtype, const Shape& shape, std::vector<size_t> parts) {
    if (!offered_by_name_.emplace(name, offered_.size()).second) two_of(name);
    OfferedTensor& tensor = offered_.emplace_back();
    tensor.kind = kind;
    tensor.name = name;
    tensor.info = {dtype, shape};
    tensor.parts = std::move(parts);
  }

  // The scales of an FP8 weight (spec 1.5); absent for any other tensor.
  std::optional<size_t> scales_of(size_t stored) const {
    const StoredTensor& weight = stored_[stored];
    if (weight.view.dtype != DType::kF8E4M3 || weight.view.shape.size() != 2) return std::nullopt;
    const auto scales = stored_by_name_.find(weight.name + "_scale_inv");
    if (scales == stored_by_name_.end()) return std::nullopt;
    const std::string& name = scales->first;
    const ConstTensorView& view = stored_[scales->second].view;
    const Shape expected = fp8_scale_shape(weight.view.shape);
    if (view.shape != expected) {
      throw_error(ErrorKind::kModel, "model_shape", "tensor {}: expected shape {} (blocks of {}), found {}",
                  printable(name), to_string(expected), kFp8Block, to_string(view.shape));
    }
    if (view.dtype != DType::kF32 && view.dtype != DType::kBF16) {
      throw_error(ErrorKind::kModel, "model_dtype", "tensor {}: expected F32 or BF16, found {}", printable(name),
                  dtype_name(view.dtype));
    }
    return scales->second;
  }

  // Offers the separate q, k and v of a vision block as one tensor, and hides the three.
  void offer_separate_qkv(std::vector<bool>& hidden) {
    std::map<std::string, std::array<std::optional<size_t>, 3>> groups;
    for (size_t i = 0; i < stored_.size(); ++i) {
      for (size_t part = 0; part < 3; ++part) {
        const std::string joint = joint_qkv_name(stored_[i].name, "qkv"[part]);
        if (joint.empty()) continue;
        if (groups[joint][part]) two_of(stored_[i].name);
        groups[joint][part] = i;
      }
    }
    for (const auto& [name, group] : groups) {
      if (!group[0] || !group[1] || !group[2]) continue;  // reported as a missing qkv and surplus parts
      const ConstTensorView& q = stored_[*group[0]].view;
      if (q.shape.empty() || q.elements() == 0 || q.dtype == DType::kF8E4M3)
        continue;  // the towers of FP8 files are joint and 16-bit
      Shape shape = q.shape;
      for (const size_t part : {*group[1], *group[2]}) shape[0] += rows_beside(stored_[part], q);
      for (const auto& part : group) hidden[*part] = true;
      offer(Kind::kJoined, name, q.dtype, shape, {*group[0], *group[1], *group[2]});
    }
  }

  static int64_t rows_beside(const StoredTensor& part, const ConstTensorView& q) {
    // k and v have q's shape: the vision tower has as many of their heads.
    if (part.view.dtype != q.dtype || part.view.shape != q.shape) {
      throw_error(ErrorKind::kModel, "model_shape", "tensor {}: expected {} {} as its block's q, found {} {}",
                  printable(part.name), dtype_name(q.dtype), to_string(q.shape), dtype_name(part.view.dtype),
                  to_string(part.view.shape));
    }
    return part.view.shape[0];
  }

  void join(OfferedTensor& tensor) {
    std::byte* out = tensor.assembled.data();
    for (const size_t part : tensor.parts) {
      const ConstTensorView& view = stored_[part].view;
      if (view.bytes() != 0) std::memcpy(out, view.data, view.bytes());
      out += view.bytes();
    }
  }

  // The format does not promise alignment; the scales are few, so they are simply copied.
  ConstTensorView aligned_copy(const ConstTensorView& view) {
    scales_ = Buffer(view.bytes());
    if (view.bytes() != 0) std::memcpy(scales_.data(), view.data, view.bytes());
    return {scales_.data(), view.dtype, view.shape};
  }

  std::vector<MappedFile> files_;
  std::vector<StoredTensor> stored_;
  std::vector<OfferedTensor> offered_;
  std::unordered_map<std::string, size_t> stored_by_name_, offered_by_name_;
  Buffer scales_;
};

void check_shard(const SafetensorsIndex& index, const std::string& shard, const std::vector<std::string>& names,
                 std::unordered_map<std::string, std::string>& seen_in) {
  for (const std::string& name : names) {
    const auto [earlier, is_new] = seen_in.emplace(name, shard);
    if (!is_new) {
      throw_error(ErrorKind::kModel, "model_header", "tensor {} stands in two shards, {} and {}", printable(name),
                  printable(earlier->second), printable(shard));
    }
    const auto listed = index.shard_of.find(name);
    if (listed == index.shard_of.end() || listed->second != shard) {
      throw_error(ErrorKind::kModel, "model_header", "tensor {} stands in {}, but the index {}", printable(name),
                  printable(shard),
                  listed == index.shard_of.end() ? "does not list it"
                                                 : fmt::format("places it in {}", printable(listed->second)));
    }
  }
}

std::unique_ptr<SafetensorsStore> open_shards(const fs::path& index_path) {
  const SafetensorsIndex index = load_safetensors_index(index_path);
  const fs::path folder = index_path.parent_path();
  std::error_code ignored;
  if (fs::exists(folder / "model.safetensors", ignored) &&
      !std::binary_search(index.shards.begin(), index.shards.end(), std::string("model.safetensors"))) {
    throw_error(ErrorKind::kModel, "model_header",
                "{}: found both model.safetensors and an index of other files; "
                "expected one of the two",
                folder.string());
  }
  // All of them before any is read: one missing file of many is the usual accident of a broken download.
  for (const std::string& shard : index.shards) {
    if (!fs::exists(folder / shard, ignored)) {
      throw_error(ErrorKind::kModel, "model_file_missing", "{}: expected the file {}, which the index names",
                  folder.string(), printable(shard));
    }
  }
  auto store = std::make_unique<SafetensorsStore>();
  std::unordered_map<std::string, std::string> seen_in;
  for (const std::string& shard : index.shards) check_shard(index, shard, store->add_file(folder / shard), seen_in);
  for (const auto& [name, shard] : index.shard_of) {
    if (!seen_in.contains(name)) {
      throw_error(ErrorKind::kModel, "model_header", "the index places tensor {} in {}, which does not hold it",
                  printable(name), printable(shard));
    }
  }
  return store;
}

}  // namespace

std::unique_ptr<WeightStore> open_safetensors(const fs::path& folder_or_file) {
  std::error_code ignored;
  std::unique_ptr<SafetensorsStore> store;
  if (!fs::is_directory(folder_or_file, ignored)) {
    store = std::make_unique<SafetensorsStore>();
    store->add_file(folder_or_file);
  } else if (fs::exists(folder_or_file / "model.safetensors.index.json", ignored)) {
    store = open_shards(folder_or_file / "model.safetensors.index.json");
  } else if (fs::exists(folder_or_file / "model.safetensors", ignored)) {
    store = std::make_unique<SafetensorsStore>();
    store->add_file(folder_or_file / "model.safetensors");
  } else {
    throw_error(ErrorKind::kModel, "model_file_missing",
                "{}: expected model.safetensors or model.safetensors.index.json in this folder",
                folder_or_file.string());
  }
  store->finish();
  return store;
}

}  // namespace qvl
