// Weights made up on demand, for timing a model's true shapes without its files. Used by one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "weights/weight_store.h"

namespace qvl {

// Every tensor BF16: norm weights 1, biases 0, all others of a normal distribution with standard deviation 0.02. A
// tensor's values depend on seed and its name only; it takes memory from view() to release(). Large tensors repeat a
// stretch of about a million values, which arithmetic does not notice. Names must differ (a failed check).
std::unique_ptr<WeightStore> made_weights(std::vector<std::pair<std::string, Shape>> tensors, uint64_t seed);

}  // namespace qvl
