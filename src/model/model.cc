#include "model/model.h"

#include "base/error.h"
#include "base/log.h"

namespace qvl {

Model::Model(Backend& backend, WeightStore& weights, const ModelConfig& model_config,
             const std::function<void(int, int)>& progress)
    : config(model_config), vision(backend, weights, config.vision),
      language(backend, weights, config.text, [&progress, done = 1, total = 1 + model_config.text.num_hidden_layers]() mutable {
        if (progress) progress(++done, total);
      }) {
  const auto surplus = weights.not_taken();
  if (surplus.empty()) return;
  std::string names;
  for (size_t i = 0; i < surplus.size() && i < 5; ++i) names += (i ? ", " : "") + printable(surplus[i]);
  log_warn("{} tensor{} of the checkpoint belong{} to no part of the model: {}{}", surplus.size(),
           surplus.size() == 1 ? "" : "s", surplus.size() == 1 ? "s" : "", names, surplus.size() > 5 ? ", ..." : "");
}

}  // namespace qvl
