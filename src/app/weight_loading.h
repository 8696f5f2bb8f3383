// A checkpoint's tensors -> a model on a backend, quantised where asked for, with the packed cache around it.
#pragma once

#include <filesystem>
#include <memory>

#include "app/model_loader.h"
#include "weights/weight_store.h"

namespace qvl {

// The model of the store's tensors. Quantised weights of a folder are read from the packed cache where it holds them,
// else made, with percent and seconds left on standard error, and kept there. folder: where the store's files are;
// empty: nowhere. Errors: kModel, kMemory.
std::unique_ptr<Model> load_weights(Backend& backend, WeightStore& weights, const ModelConfig& config,
                                    const LoadOptions& options, const std::filesystem::path& folder);

// Where the user's files of this kind are kept between starts: `named`, where a folder was named; nowhere (empty) for "off" and
// for checkpoints so small that making the files anew takes no time; else `kind` in the user's cache.
std::filesystem::path cache_folder(const std::string& named, const std::string& kind, const std::filesystem::path& model_folder);

// Packed bytes of all matrices.
size_t weight_bytes(const Model& model);

// Bytes of this process's memory that lie in huge pages; 0 where the system does not tell.
size_t huge_page_bytes();

}  // namespace qvl
