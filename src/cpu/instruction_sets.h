// Which kernel tables this processor can run.
#pragma once

#include <string>
#include <vector>

#include "cpu/kernels/kernels.h"

namespace qvl::cpu {

struct InstructionSet {
  std::string name;
  const KernelTable* table;
};

// Best last, without the emulated one. Asks the operating system for the tiles where the processor has them.
std::vector<InstructionSet> native_instruction_sets();
// All that can run, "amx-emulated" included; best last.
std::vector<InstructionSet> runnable_instruction_sets();
// The last set that passes the self-test, with a warning for each that fails; the first needs none.
InstructionSet best_tested(const std::vector<InstructionSet>& sets);
// The set `name`, or where it is empty the one of QVL_ISA, or the best tested. Errors: kBadFlag "bad_flag".
InstructionSet choose_instruction_set(const std::string& name);

}  // namespace qvl::cpu
