#include "weights/weight_store.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"

namespace qvl {

TensorInfo WeightStore::info(const std::string& name) {
  ConstTensorView tensor = view(name);
  return {tensor.dtype, std::move(tensor.shape)};
}

ConstTensorView WeightStore::take(const std::string& name, const Shape& shape) {
  take_unread(name, shape);  // a wrong shape is reported before the tensor is assembled or generated
  return view(name);
}

void WeightStore::take_unread(const std::string& name, const Shape& shape) {
  const TensorInfo found = info(name);
  if (found.shape != shape) {
    throw_error(ErrorKind::kModel, "model_shape", "tensor {}: expected shape {}, found {}", printable(name),
                to_string(shape), to_string(found.shape));
  }
  mark_taken(name);
}

std::vector<float> WeightStore::take_floats(const std::string& name, const Shape& shape) {
  std::vector<float> values = to_float_vector(take(name, shape), name);
  release(name);
  return values;
}

void WeightStore::mark_taken(const std::string& name) {
  QVL_CHECK(taken_.insert(name).second, "tensor {} is taken twice", name);
}

std::vector<std::string> WeightStore::not_taken() const {
  std::vector<std::string> left = names();
  std::erase_if(left, [this](const std::string& name) { return taken_.contains(name); });
  return left;
}

std::string name_list(const std::vector<std::string>& names, size_t limit) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), limit); ++i) {
    if (i > 0) text += ", ";
    text += printable(names[i]);
  }
  if (names.size() > limit) text += fmt::format(" and {} more", names.size() - limit);
  return text;
}

}  // namespace qvl
