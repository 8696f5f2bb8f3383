// A checkpoint's tensors -> a model on a backend, quantised where asked for, with the packed cache around it.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "app/model_loader.h"
#include "weights/weight_store.h"

namespace qvl {

// Puts prompts through the model, telling how many of how many are read.
using ReadPrompts = std::function<void(Model& model, const std::function<void(int64_t done, int64_t total)>& progress)>;

// The model of the store's tensors. Quantised weights of a folder are read from the packed cache where it holds them,
// else made, with percent and seconds left on standard error, and kept there. With options.calibrate they are made twice: a first model, rounded
// as ever, reads the prompts of read_prompts, and what its matrices see decides how the second one is rounded. folder: where the store's files are;
// empty: nowhere. Errors: kModel, kMemory.
std::unique_ptr<Model> load_weights(Backend& backend, WeightStore& weights, const ModelConfig& config,
                                    const LoadOptions& options, const std::filesystem::path& folder, const ReadPrompts& read_prompts = {});

// Where the user's files of this kind are kept between starts: `named`, where a folder was named; nowhere (empty) for "off" and
// for checkpoints so small that making the files anew takes no time; else `kind` in the user's cache.
std::filesystem::path cache_folder(const std::string& named, const std::string& kind, const std::filesystem::path& model_folder);

// Packed bytes of all matrices.
size_t weight_bytes(const Model& model);

// Bytes of this process's memory that lie in huge pages; 0 where the system does not tell.
size_t huge_page_bytes();

}  // namespace qvl
