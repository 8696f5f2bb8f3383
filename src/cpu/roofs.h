// What this processor can do at most, measured: bytes read from memory a second, and the arithmetic of each instruction set
// from registers. The yardsticks of `qwen3vl bench` and bench/ops. Not thread-safe: run alone, or the figures mean nothing.
#pragma once

#include <string>
#include <vector>

namespace qvl {

enum class RoofKind {
  kRead,   // memory read, bytes/s
  kFloat,  // products of float32 or bfloat16, summed in float32; operations/s, an addition and a multiplication each
  kInt8,   // products of integers of 8 or 16 bits; operations/s
};

struct Roof {
  RoofKind kind;
  std::string name;  // "AVX2 float32"
  double rate;
};

// Every roof that this processor has, about 2 s in all; threads 0: the cores this process may run on. Reading memory is
// tried in several ways, as each processor likes another one best. Takes 512 MiB of memory meanwhile.
std::vector<Roof> measure_roofs(int threads);

// The highest rate of a kind; 0 where there is none.
double best_rate(const std::vector<Roof>& roofs, RoofKind kind);

// Keeps the better of two measurements of each roof: a shared machine only ever makes a run slower.
std::vector<Roof> better_roofs(std::vector<Roof> a, const std::vector<Roof>& b);

}  // namespace qvl
