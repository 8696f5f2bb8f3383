#include <filesystem>

#include "app/commands.h"
#include "app/local_request.h"
#include "app/request_trace.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

namespace qvl {

namespace {

LocalRequest load_request(const Json& json, const std::filesystem::path& file, const std::filesystem::path& root,
                          const ProcessorConfig& processor, AlphaMode alpha) {
  try {
    return load_local_request(json, root, processor, alpha);
  } catch (const Json::exception&) {
    throw_error(ErrorKind::kInvalidRequest, "invalid_value",
                "{}: expected messages as of the chat API, template_kwargs and videos.json of their documented shapes", file.string());
  }
}

}  // namespace

int run_trace(const TraceFlags& flags) {
  namespace fs = std::filesystem;
  const fs::path file = flags.messages;
  const Json json = parse_json(read_file(file, ErrorKind::kBadFlag, "bad_flag"), file.string(), ErrorKind::kBadFlag, "bad_flag");
  LoadedModel model = load_model(find_model(flags.model.model), flags.model.load_options());
  const fs::path root = flags.root.empty() ? find_media_root(json, file) : fs::path(flags.root);
  const auto alpha = flags.blend_alpha ? AlphaMode::kWhite : AlphaMode::kDrop;
  const LocalRequest request = load_request(json, file, root, model.processor, alpha);
  const bool keep_wrapper = json.is_object() && json.value("video_wrapper", Json()) == "keep";
  const RequestTrace trace = trace_request(model, request, {.generate = flags.generate, .keep_wrapper = keep_wrapper});
  write_trace(trace, flags.out);
  log_info("{} tensors of {} tokens written to {}", trace.tensors.size(), trace.prompt.token_ids.size(), flags.out);
  return 0;
}

}  // namespace qvl
