// Matrices into the int4 and int8 blocks of kernels/quant.h. Pure functions; the same bits on every machine.
#pragma once

#include <span>

#include "cpu/compensation.h"
#include "cpu/kernels/quant.h"
#include "tensor/tensor.h"

namespace qvl::cpu {

// Panels panel_begin..panel_end-1 of the matrix whose rows are those of the parts, one after the other; a part may
// start inside a panel. parts: [out_i, in], floating point. panels: of the whole matrix; these panels are written
// completely, what lies past the matrix's rows and columns as zeros. Scales and offsets of int4 are those of the least
// squared error that a search finds. compensation: empty, or one for each block of 256 inputs, by which int4 then weighs and spreads its errors.
// Errors: kModel "model_not_finite" where a weight is NaN or infinite, "model_dtype".
void quantise_panels(std::span<const ConstTensorView> parts, QuantFormat format, int64_t panel_begin, int64_t panel_end,
                     std::byte* panels, std::span<const BlockCompensation> compensation = {});

// Likewise int8 in halves: the panels' upper halves and their outputs' lower ones, both of the whole matrix.
void quantise_halves(std::span<const ConstTensorView> parts, int64_t panel_begin, int64_t panel_end, std::byte* upper, std::byte* lower);

// One block of 16 outputs and 256 inputs, from floats [256][16] (input, then output) of which the first `inputs` count.
// For the tests; quantise_panels does the same.
void quantise_block(const float* weights, int inputs, Int4Block& out, const BlockCompensation* compensation = nullptr);

}  // namespace qvl::cpu
