// A whole model: configuration, vision tower and language model on one backend. One thread.
#pragma once

#include <memory>

#include "model/config.h"
#include "model/language_model.h"
#include "model/vision_tower.h"
#include "model/weight_loader.h"

namespace qvl {

struct Model {
  // Takes every tensor of the store exactly once; what is left over is named in a warning. Errors: kModel.
  Model(WeightLoader& weights, const ModelConfig& model_config);
  // Nothing quantised, nothing kept.
  Model(Backend& backend, WeightStore& weights, const ModelConfig& model_config)
      : Model(WeightLoader(backend, weights), model_config) {}
  Model(WeightLoader&& weights, const ModelConfig& model_config) : Model(weights, model_config) {}

  ModelConfig config;
  VisionTower vision;
  LanguageModel language;
};

}  // namespace qvl
