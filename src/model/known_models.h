// The released sizes of the family as data (spec 1.2, 1.3), for work on true shapes without the files. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.h"

namespace qvl {

// "qwen3-vl-2b", "-4b", "-8b", "-32b", "-30b-a3b", "-235b-a22b", smallest first.
std::vector<std::string> known_model_names();
std::optional<ModelConfig> known_model(std::string_view name);

}  // namespace qvl
