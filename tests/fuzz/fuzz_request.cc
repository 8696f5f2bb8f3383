// libFuzzer target of the requests: any body is refused with an Error or read into a request, whose prompt, pictures included, is then
// measured, which renders the chat template over whatever messages it had.
// Not part of the default build; from the repository's root, with clang, after the release build (whose libraries it links):
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -I. -DSPDLOG_FMT_EXTERNAL -DQVL_SOURCE_DIR='"."'
//     tests/fuzz/fuzz_request.cc src/serve/{openai_{grammar,messages,parts,request,sampling,thinking},{anthropic,responses}_request,request_json,fields}.cc
//     src/text/*.cc src/chat/{truncation,prompt_builder,processor}.cc src/base/{error,utf8,json}.cc
//     -Wl,--start-group build/release/src/*.a -Wl,--end-group -ljpeg -lpng16 -lwebpdemux -lwebp -ltiff -lheif -lgif -lssl -lcrypto
//     -lspdlog -lfmt -lutf8proc -lsimdjson -o fuzz_request
//   ./fuzz_request -max_len=20000 -timeout=10 -rss_limit_mb=2048 CORPUS
// The first byte chooses the API and the template.
#include <cstdlib>

#include "base/error.h"
#include "serve/anthropic_request.h"
#include "serve/openai_request.h"
#include "serve/request_json.h"
#include "serve/responses_request.h"
#include "tests/chat/tiny_model.h"

namespace {

using namespace qvl;

const ModelRegistry& registry(TemplateKind kind) {
  static FakeEngine engine(4096);
  static const auto make = [](TemplateKind of) {
    auto models = std::make_unique<ModelRegistry>();
    models->add(tiny_model("tiny", of, engine));
    return models;
  };
  static const std::unique_ptr<ModelRegistry> instruct = make(TemplateKind::kInstruct), thinking = make(TemplateKind::kThinking);
  return kind == TemplateKind::kInstruct ? *instruct : *thinking;
}

void read(int api, Json json, const ModelRegistry& models) {
  ChatInput input;
  switch (api) {
    case 0: input = read_openai_chat(json, models).chat.input; break;
    case 1: input = read_openai_prompt(json, models).input; break;
    case 2: input = read_anthropic(json, models).chat.input; break;
    case 3: input = read_anthropic(json, models, true).chat.input; break;
    default: input = read_responses(json, models).chat.input; break;
  }
  measure_prompt(models.default_model(), input);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto kind = data[0] & 8 ? TemplateKind::kThinking : TemplateKind::kInstruct;
  try {
    read(data[0] & 7, parse_request_json({reinterpret_cast<const char*>(data) + 1, size - 1}), registry(kind));
  } catch (const Error& e) {
    if (e.kind == ErrorKind::kInternal || e.what()[0] == 0) std::abort();
  }
  return 0;
}
