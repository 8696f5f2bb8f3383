#include "chat/processor.h"

#include "chat/media_loader.h"

namespace qvl {
namespace {

Prompt build(const ServedModel& model, const ChatInput& input, const std::vector<MediaItem>& media) {
  PromptOptions options;
  options.max_tokens = model.engine->context_tokens();
  options.longest_token_bytes = model.longest_token_bytes;
  return build_prompt(*model.tokenizer, model.config, model.template_kind, input.messages, input.tools, input.render,
                      media, options);
}

}  // namespace

Prompt make_prompt(const ServedModel& model, const ChatInput& input, const std::atomic<bool>* abandoned) {
  MediaLoader loader(model, input, abandoned);
  return build(model, input, loader.decode(input.decode_known));
}

Prompt measure_prompt(const ServedModel& model, const ChatInput& input, const std::atomic<bool>* abandoned) {
  return build(model, input, MediaLoader(model, input, abandoned).sizes());
}

}  // namespace qvl
