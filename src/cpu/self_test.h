// A start-up check of a kernel table against the generic one, so that a processor, hypervisor or compiler that nobody tested
// costs speed and not silent garbage.
#pragma once

#include <string>

#include "cpu/kernels/kernels.h"

namespace qvl::cpu {

// The name of the first kernel whose result is off, "" where all agree. About 10 ms.
std::string self_test(const KernelTable& table);

}  // namespace qvl::cpu
