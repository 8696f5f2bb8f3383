// Reads a model file's chat template without running it: refuses what could not be run safely, and recognises which of
// the two templates it is. No state.
#pragma once

#include <string>
#include <string_view>

#include "text/chat_template.h"

namespace qvl {

// Thinking where the generation prompt opens a thought whatever the request's settings are, else Instruct. Errors, all
// kModel: "template_syntax" (not closed, no token), "template_depth" (nested too deep), "template_budget" (powers,
// repeated strings, huge numbers, macros that call themselves), "template_unsupported" (include, import, private
// attributes, ...).
TemplateKind check_template(std::string_view source, const std::string& name);

}  // namespace qvl
