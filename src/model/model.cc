#include "model/model.h"

#include "base/error.h"
#include "base/log.h"

namespace qvl {

Model::Model(WeightLoader& weights, const ModelConfig& model_config)
    : config(model_config), vision(weights, config.vision), language(weights, config.text) {
  const auto surplus = weights.store().not_taken();
  if (surplus.empty()) return;
  std::string names;
  for (size_t i = 0; i < surplus.size() && i < 5; ++i) names += (i ? ", " : "") + printable(surplus[i]);
  log_warn("{} tensor{} of the checkpoint belong{} to no part of the model: {}{}", surplus.size(),
           surplus.size() == 1 ? "" : "s", surplus.size() == 1 ? "s" : "", names, surplus.size() > 5 ? ", ..." : "");
}

}  // namespace qvl
