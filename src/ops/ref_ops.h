// The slow truth: every verb of ops.h as plain loops, sums in double, values float32. Every fast kernel is tested against it.
#pragma once

#include <memory>

#include "ops/ops.h"

namespace qvl {

std::unique_ptr<Backend> make_ref_backend();

}  // namespace qvl
