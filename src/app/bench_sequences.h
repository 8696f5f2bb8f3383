// Sequences of one length in a cache of their own, fed straight to the language model: what the engine does with them,
// without its scheduling. Counts what the passes had to read. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/model.h"
#include "ops/ops.h"

namespace qvl {

// A picture in a prompt: its rows begin at token `begin`.
struct BenchPicture {
  const VisionFeatures* features = nullptr;
  int rows = 0, columns = 0;  // of merged tokens
  int64_t begin = 0;
};

class BenchSequences {
 public:
  // Room for `tokens` in each of `batch` sequences; prompts go through in passes of `chunk` rows.
  // Errors: kMemory "memory_budget" where the cache does not fit into the memory that is left.
  BenchSequences(Backend& backend, Model& model, int batch, int64_t tokens, int64_t chunk);

  // Writes made keys and values into the next `tokens` places of every sequence, as if so much had been read before:
  // attention costs the same whatever the values, and computing 128k tokens would take an hour.
  void fill(int64_t tokens);
  // A sequence, alone in its batch, reads a prompt; the last row's logits are computed.
  void prefill(int64_t tokens, const BenchPicture& picture = {});
  void decode_step();  // one token of every sequence, in one pass
  void rewind(int64_t length);  // forgets what stands behind

  int64_t length() const { return length_; }
  // Bytes that the passes since the last call had to read at least: weights of the layers and the head once a pass, of
  // experts those that were chosen, keys and values once for each sequence.
  double take_bytes();

 private:
  void run(Batch& batch, int64_t rows);
  void count_experts(const int32_t* indices, int64_t count);

  Backend& backend_;
  Model& model_;
  const int batch_;
  const int64_t chunk_;
  int64_t length_ = 0;
  int32_t delta_ = 0;  // from a token's index to its position, after a picture
  std::unique_ptr<KvCache> cache_;
  std::vector<std::vector<int32_t>> pages_;
  std::vector<uint8_t> chosen_;  // experts of the layer at hand
  WeightBytes weights_;
  double kv_token_bytes_ = 0, bytes_ = 0;
};

}  // namespace qvl
