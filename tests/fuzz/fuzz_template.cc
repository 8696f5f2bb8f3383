// libFuzzer target of the chat templates that come with a model: any text is recognised as one of the two or refused as a model's fault.
// Not part of the default build; from the repository's root, with clang:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -DSPDLOG_FMT_EXTERNAL
//     tests/fuzz/fuzz_template.cc src/text/*.cc src/base/{error,utf8,json,hash,file,check,log}.cc
//     -lfmt -lspdlog -lcrypto -lutf8proc -lsimdjson -o fuzz_template
//   ./fuzz_template -max_len=20000 -timeout=10 -rss_limit_mb=2048 CORPUS
#include <cstdlib>

#include "base/error.h"
#include "text/template_check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    qvl::check_template({reinterpret_cast<const char*>(data), size}, "template");
  } catch (const qvl::Error& e) {
    if (e.kind != qvl::ErrorKind::kModel) std::abort();
  }
  return 0;
}
