// A whole model: configuration, vision tower and language model on one backend. One thread.
#pragma once

#include <functional>
#include <memory>

#include "model/config.h"
#include "model/language_model.h"
#include "model/vision_tower.h"

namespace qvl {

struct Model {
  // Takes every tensor of the store exactly once; what is left over is named in a warning. Errors: kModel.
  // progress, where given, hears of every layer packed, the vision tower counting as one.
  Model(Backend& backend, WeightStore& weights, const ModelConfig& model_config,
        const std::function<void(int done, int total)>& progress = {});

  ModelConfig config;
  VisionTower vision;
  LanguageModel language;
};

}  // namespace qvl
