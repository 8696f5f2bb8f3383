// libFuzzer target of multipart bodies: any header and body are refused with an Error or cut into parts that lie within the body, one
// after the other, as many as are allowed.
// Not part of the default build; from the repository's root, with clang:
//   clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -Isrc -DSPDLOG_FMT_EXTERNAL
//     tests/fuzz/fuzz_multipart.cc src/serve/multipart.cc src/base/error.cc src/base/utf8.cc -lfmt -lutf8proc -o fuzz_multipart
//   ./fuzz_multipart -max_len=20000 -timeout=10 -rss_limit_mb=2048 CORPUS
// The first line is the Content-Type's value where it has a boundary, the rest the body; otherwise all is the body, with the boundary "b".
#include <cstdlib>

#include "base/error.h"
#include "serve/multipart.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t line = all.find('\n');
  const bool own = line != all.npos && all.substr(0, line).find("boundary") != all.npos;
  const std::string_view type = own ? all.substr(0, line) : "multipart/form-data; boundary=b", body = own ? all.substr(line + 1) : all;
  const qvl::MultipartLimits limits{.max_parts = 8, .max_head_bytes = 200};
  try {
    const auto parts = qvl::parse_multipart(type, body, limits);
    if (parts.size() > limits.max_parts) std::abort();
    const char* at = body.data();
    for (const auto& part : parts) {
      if (part.name.empty() || part.name.size() + part.filename.size() > limits.max_head_bytes) std::abort();
      if (part.body.data() < at || part.body.data() + part.body.size() > body.data() + body.size()) std::abort();
      at = part.body.data() + part.body.size();
    }
  } catch (const qvl::Error& e) {
    if (e.kind != qvl::ErrorKind::kInvalidRequest) std::abort();
  }
  return 0;
}
