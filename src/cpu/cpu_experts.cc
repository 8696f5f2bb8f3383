#include "cpu/cpu_experts.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace qvl::cpu {
namespace {

// Experts go together until they have so many rows: enough for the threads to share, few enough that what one product leaves is in a cache
// when the next one reads it (30B-A3B: 8 MB; all at once, of a chunk of 512 tokens, 140 MB). model/memory_needs.cc counts with it.
constexpr int64_t kBatchRows = 256;

size_t at(int64_t i) { return static_cast<size_t>(i); }

}  // namespace

struct CpuExperts::Job {
  const std::byte* inputs;  // x, or as int4 or int8 weights want it: `pieces` parts of a row, `piece` bytes each, all rows' first ones first
  int64_t pieces, piece;
  int64_t rows, hidden;
  const float* weights;
  int per_token;
  float* y;
  std::vector<int32_t> choices;  // of every row, by ascending expert
  std::vector<int64_t> place;    // of each choice among the gathered rows
  std::vector<int64_t> row;      // that each gathered row comes from
};

// Gathered rows first..first+count-1, as products take them.
void CpuExperts::gather(const Job& job, int64_t first, int64_t count) {
  gathered_.grow(at((count * job.pieces + kInputSlack) * job.piece));
  pool_.parallel_for(count, row_grain(job.hidden), [&](int64_t begin, int64_t end, int) {
    for (int64_t k = 0; k < job.pieces; ++k) {
      for (int64_t i = begin; i < end; ++i) {
        std::memcpy(gathered_.data() + (k * count + i) * job.piece, job.inputs + (k * job.rows + job.row[at(first + i)]) * job.piece, at(job.piece));
      }
    }
  });
}

void CpuExperts::add_results(const Job& job, int64_t first, int64_t count) {
  pool_.parallel_for(job.rows, row_grain(job.hidden), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin * job.per_token; i < end * job.per_token; ++i) {
      const int64_t choice = job.choices[at(i)], from = job.place[at(choice)] - first;
      if (from < 0 || from >= count) continue;
      table_.add(result_.data() + from * job.hidden, job.hidden, job.weights[choice], job.y + i / job.per_token * job.hidden);
    }
  });
}

void CpuExperts::add(const PackedExperts& experts, const float* x, int64_t rows, const int32_t* indices, const float* weights, int per_token,
                     float* y) {
  const int64_t hidden = experts.down[0]->out_features, inner = experts.down[0]->in_features, total = rows * per_token;
  std::vector<int64_t> first(experts.down.size() + 1);  // of each expert's rows among the gathered ones
  for (int64_t i = 0; i < total; ++i) ++first[at(indices[i]) + 1];
  std::partial_sum(first.begin(), first.end(), first.begin());

  Job job = {.inputs = reinterpret_cast<const std::byte*>(x), .pieces = 1, .piece = hidden * static_cast<int64_t>(sizeof(float)), .rows = rows,
             .hidden = hidden, .weights = weights, .per_token = per_token, .y = y, .choices = std::vector<int32_t>(at(total)),
             .place = std::vector<int64_t>(at(total)), .row = std::vector<int64_t>(at(total))};
  std::vector<int64_t> next(first.begin(), first.end() - 1);
  for (int64_t i = 0; i < total; ++i) {
    const int64_t place = next[at(indices[i])]++;
    job.place[at(i)] = place;
    job.row[at(place)] = i / per_token;
  }
  std::iota(job.choices.begin(), job.choices.end(), 0);
  for (auto choices = job.choices.begin(); choices != job.choices.end(); choices += per_token) {
    std::sort(choices, choices + per_token, [&](int32_t a, int32_t b) { return indices[a] < indices[b]; });
  }
  const PanelFormat format = cast(*experts.gate_up[0]).format;
  const bool rounded = is_quantised(format);
  if (rounded) {
    job.inputs = products_.round(x, rows, hidden, quant_format(format), rounded_);
    job.pieces = block_count(hidden);
    job.piece = table_.input_block_bytes[static_cast<int>(quant_format(format))];
  }

  std::vector<CpuProducts::Group> gate_up, down;
  for (size_t e = 0; e < experts.down.size();) {
    const int64_t begin = first[e];
    gate_up.clear(), down.clear();
    do {
      if (const int64_t count = first[e + 1] - first[e]; count > 0) {
        gate_up.push_back({&cast(*experts.gate_up[e]), first[e] - begin, count});
        down.push_back({&cast(*experts.down[e]), first[e] - begin, count});
      }
      ++e;
    } while (e < experts.down.size() && first[e + 1] - begin <= kBatchRows);
    const int64_t count = first[e] - begin;
    if (count == 0) continue;
    gather(job, begin, count);
    float* const wide = wide_.grow(count * 2 * inner);
    float* const narrow = narrow_.grow(count * inner);
    if (rounded) products_.run_rounded(gate_up, gathered_.data(), wide, 2 * inner, Finish::kStore);
    else products_.run(gate_up, gathered_.as<float>(), wide, 2 * inner, Finish::kStore);
    pool_.parallel_for(count, row_grain(inner), [&](int64_t from, int64_t to, int) {
      table_.swiglu(wide + from * 2 * inner, to - from, inner, narrow + from * inner);
    });
    products_.run(down, narrow, result_.grow(count * hidden), hidden, Finish::kStore);
    add_results(job, begin, count);
  }
}

}  // namespace qvl::cpu
