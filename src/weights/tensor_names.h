// The one spelling of tensor names that the rest of the program knows (spec 2.1), from those of older repacks
// (spec 2.3).
#pragma once

#include <string>
#include <string_view>

namespace qvl {

// "visual.merger.norm.weight" -> "model.visual.merger.norm.weight", "model.layers.0..." ->
// "model.language_model.layers.0..."; a name that is already right, or unknown, comes back unchanged.
std::string normalise_tensor_name(std::string_view name);

// For a separate q of the vision tower, in either spelling ("....attn.q.weight", "....attn.q_proj.bias"), the name of
// the joint tensor ("....attn.qkv.weight"); empty for other names. `part` is 'q', 'k' or 'v'.
std::string joint_qkv_name(std::string_view name, char part);

}  // namespace qvl
