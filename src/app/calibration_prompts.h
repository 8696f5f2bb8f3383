// What a model reads so that its int4 weights are rounded with its own inputs in mind (model/calibration.h): questions and answers in English and
// Chinese, code, JSON and numbers; the pictures of the model's folder "calibration", an index.json as that of "samples" and its pictures, else of "samples";
// and two drawn ones.
#pragma once

#include <functional>

#include "app/model_loader.h"

namespace qvl {

// model: loaded's, which may be without one as yet. progress: prompts read, of how many. What a sample's files lack costs that sample, with a warning.
// Errors: those of the model's passes.
void read_calibration_prompts(const LoadedModel& loaded, Model& model, const std::function<void(int64_t done, int64_t total)>& progress);

}  // namespace qvl
