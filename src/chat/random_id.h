// Names for answers and tool calls.
#pragma once

#include <string>
#include <string_view>

namespace qvl {

// prefix and 24 random hexadecimal digits. Thread-safe; not for secrets.
std::string random_id(std::string_view prefix);

}  // namespace qvl
