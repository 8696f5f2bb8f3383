// Every intermediate tensor of one request, under the names of the reference data's README.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "app/local_request.h"

namespace qvl {

struct TraceTensor {
  Shape shape;
  std::vector<float> floats;    // one of the three holds the values
  std::vector<int32_t> ints;
  std::vector<uint8_t> bytes;
};

struct RequestTrace {
  Prompt prompt;
  std::map<std::string, TraceTensor> tensors;
  std::vector<int32_t> generated;           // greedy ids, ends of text not stopping them
  std::vector<std::vector<float>> steps;    // logits of each, [vocab]
};

struct TraceOptions {
  int generate = 0;
  std::vector<int32_t> forced;  // generate these instead of the greedy choice (one step each)
  bool keep_wrapper = false;
};

RequestTrace trace_request(LoadedModel& model, const LocalRequest& request, const TraceOptions& options);
void write_trace(const RequestTrace& trace, const std::filesystem::path& file);

}  // namespace qvl
