// The fields that OpenAI's chat and text completions share: sampling, streaming, annotations. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "chat/chat_service.h"
#include "serve/chat_format.h"
#include "serve/fields.h"

namespace qvl {

inline constexpr int kMaxAnswers = 8;  // to one request
inline constexpr size_t kMaxAnnotationBytes = 64 * 1024;

// All but log probabilities and n. stop: at most 16 strings of 256 bytes (OpenAI takes 4). Errors: fields.h.
void read_sampling(const Fields& fields, int vocab_size, SamplingRequest& sampling, std::vector<std::string>& stop);
int read_n(const Fields& fields);  // best_of must agree

struct StreamRequest {
  bool stream = false;
  StreamUsage usage;
};
StreamRequest read_stream(const Fields& fields);

// What says something about the request and changes no answer: user, metadata, store, service_tier, ...
void check_annotations(const Fields& fields);
// Fields that would change the answer: to ignore them would be to answer another question. Errors: "unsupported".
void refuse_unsupported(const Fields& fields);

}  // namespace qvl
