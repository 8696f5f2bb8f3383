// libFuzzer target of the grammars: any GBNF text and any JSON schema is refused with an Error or compiled, and then every walk along
// its masks is allowed by the grammar, never stuck, and what was written under a schema is JSON.
// Not part of the default build; from the repository's root, with clang, after the release build (whose libraries it links):
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -I. -DSPDLOG_FMT_EXTERNAL -DQVL_SOURCE_DIR='"."'
//     tests/fuzz/fuzz_grammar.cc src/grammar/*.cc src/text/*.cc src/base/{error,utf8,json,hash,file,check,log}.cc
//     -lfmt -lspdlog -lcrypto -lutf8proc -lsimdjson -o fuzz_grammar
//   ./fuzz_grammar -max_len=4000 -timeout=10 -rss_limit_mb=2048 CORPUS
// The first byte chooses: even a schema, odd a GBNF text.
#include <cstdlib>

#include "grammar/json_schema.h"
#include "tests/grammar/grammar_test_tools.h"

namespace {

using namespace qvl;

void walk(Grammar compiled, bool json, uint32_t seed) {
  const auto grammar = with_demo(std::move(compiled));
  std::mt19937 rng(seed);
  for (int i = 0; i < 2; ++i) {
    const Walk walked = random_walk(grammar, rng, 40);
    if (walked.stuck) std::abort();
    if (walked.ended && json) parse_json(walked.text, "what was written", ErrorKind::kInternal, "fuzz", {.max_depth = 4096});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    if (data[0] % 2 == 1) {
      walk(parse_gbnf(text), false, data[0]);
    } else {
      walk(schema_grammar(parse_json(text, "schema", ErrorKind::kInvalidRequest, "invalid_json"), "schema"), true, data[0]);
    }
  } catch (const Error& e) {
    if (e.kind != ErrorKind::kInvalidRequest) std::abort();
  }
  return 0;
}
