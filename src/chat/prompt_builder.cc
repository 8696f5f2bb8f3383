#include "chat/prompt_builder.h"

#include <array>
#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "model/rope_positions.h"

namespace qvl {
namespace {

[[noreturn]] void context_exceeded(int64_t at_least, int64_t limit) {
  throw Error(ErrorKind::kInvalidRequest, "context_length_exceeded",
              fmt::format("the prompt has at least {} tokens, the context holds {}; shorten the text or send smaller "
                          "pictures",
                          at_least, limit),
              "messages");
}

// Collects ids. Text between two added tokens is encoded as one run, as the reference does, wherever its pieces came
// from.
class Assembler {
 public:
  Assembler(const Tokenizer& tokenizer, const ModelConfig& config, const PromptOptions& options)
      : tokenizer_(tokenizer), config_(config), options_(options) {}

  void text(std::string_view text) { run_ += text; }

  // Template text: added tokens in it count, the rest is ordinary text.
  void control(std::string_view text) {
    while (!text.empty()) {
      const size_t open = text.find('<');
      const size_t close = open == text.npos ? text.npos : text.find('>', open);
      if (close == text.npos) break;
      const std::string_view candidate = text.substr(open, close - open + 1);
      // "<<think>": the token may begin at a later bracket.
      const size_t last_open = open + candidate.rfind('<');
      const std::string_view token = text.substr(last_open, close - last_open + 1);
      run_ += text.substr(0, last_open);
      if (const auto id = tokenizer_.added_token_id(token)) {
        this->token(*id);
      } else {
        run_ += token;
      }
      text.remove_prefix(close + 1);
    }
    run_ += text;
  }

  void token(int32_t id) {
    flush_text();
    prompt_.token_ids.push_back(id);
  }

  void picture(const MediaItem& item) {
    PromptVisual& visual = begin_visual(item);
    token(config_.vision_start_token_id);
    pads(item, config_.image_token_id, visual);
    token(config_.vision_end_token_id);
  }

  void video(const MediaItem& item) {
    PromptVisual& visual = begin_visual(item);
    if (options_.keep_video_wrapper) token(config_.vision_start_token_id);
    for (int group = 0; group < item.grid.t; ++group) {
      text(item.video->texts[static_cast<size_t>(group)]);
      token(config_.vision_start_token_id);
      pads(item, config_.video_token_id, visual);
      token(config_.vision_end_token_id);
    }
    if (options_.keep_video_wrapper) token(config_.vision_end_token_id);
  }

  Prompt finish() {
    flush_text();
    check_length(0);
    RopePositions positions = rope_positions(static_cast<int64_t>(prompt_.token_ids.size()), runs_);
    prompt_.positions = std::move(positions.ids);
    prompt_.rope_delta = positions.rope_delta;
    return std::move(prompt_);
  }

 private:
  void flush_text() {
    if (run_.empty()) return;
    if (options_.longest_token_bytes > 0) {
      // NFC may shorten a text, by a factor of 3 at most.
      check_length(static_cast<int64_t>(run_.size() / (3 * options_.longest_token_bytes)));
    }
    const std::vector<int32_t> ids = tokenizer_.encode(run_);
    prompt_.token_ids.insert(prompt_.token_ids.end(), ids.begin(), ids.end());
    run_.clear();
    check_length(0);
  }

  PromptVisual& begin_visual(const MediaItem& item) {
    return prompt_.visuals.emplace_back(PromptVisual{item.grid, item.patches, item.content_hash, {}, item.pinned});
  }

  void pads(const MediaItem& item, int32_t pad_id, PromptVisual& visual) {
    const int merge = config_.vision.spatial_merge_size;
    const int rows = item.grid.h / merge, columns = item.grid.w / merge;
    const auto begin = static_cast<int64_t>(prompt_.token_ids.size());
    check_length(int64_t{rows} * columns);
    visual.token_begins.push_back(begin);
    runs_.push_back({begin, rows, columns});
    prompt_.token_ids.insert(prompt_.token_ids.end(), static_cast<size_t>(rows) * static_cast<size_t>(columns), pad_id);
  }

  void check_length(int64_t more) {
    const int64_t tokens = static_cast<int64_t>(prompt_.token_ids.size()) + more;
    if (tokens > options_.max_tokens) context_exceeded(tokens, options_.max_tokens);
  }

  const Tokenizer& tokenizer_;
  const ModelConfig& config_;
  const PromptOptions& options_;
  std::string run_;  // text not encoded yet
  Prompt prompt_;
  std::vector<VisualRun> runs_;
};

size_t text_bytes(const std::vector<PromptSegment>& segments) {
  size_t bytes = 0;
  for (const PromptSegment& segment : segments) {
    if (segment.kind == PromptSegment::Kind::kText) bytes += segment.text.size();
  }
  return bytes;
}

}  // namespace

MediaItem make_media_item(Patches patches, std::optional<FrameSampling> video) {
  const Sha256 values = sha256(std::as_bytes(std::span(patches.values)));
  std::array<std::byte, 3 * sizeof(int32_t) + sizeof(Sha256)> keyed;
  const std::array<int32_t, 3> grid = {patches.grid.t, patches.grid.h, patches.grid.w};
  std::memcpy(keyed.data(), grid.data(), sizeof grid);
  std::memcpy(keyed.data() + sizeof grid, values.data(), sizeof values);
  MediaItem item;
  item.grid = patches.grid;
  item.patches = std::make_shared<const std::vector<float>>(std::move(patches.values));
  item.content_hash = sha256(keyed);
  item.video = std::move(video);
  QVL_CHECK(!item.video || item.video->texts.size() == static_cast<size_t>(item.grid.t), "{} timestamps for {} groups",
            item.video->texts.size(), item.grid.t);
  return item;
}

Prompt build_prompt(const Tokenizer& tokenizer, const ModelConfig& config, TemplateKind kind, const Json& messages,
                    const Json& tools, const RenderOptions& render, std::span<const MediaItem> media_in_order,
                    const PromptOptions& options) {
  const std::vector<PromptSegment> segments = render_chat(kind, messages, tools, render);
  if (options.longest_token_bytes > 0) {
    const auto at_least = static_cast<int64_t>(text_bytes(segments) / (3 * options.longest_token_bytes));
    if (at_least > options.max_tokens) context_exceeded(at_least, options.max_tokens);
  }
  Assembler assembler(tokenizer, config, options);
  size_t used = 0;
  for (const PromptSegment& segment : segments) {
    switch (segment.kind) {
      case PromptSegment::Kind::kText:
        assembler.text(segment.text);
        break;
      case PromptSegment::Kind::kControl:
        assembler.control(segment.text);
        break;
      case PromptSegment::Kind::kImage:
      case PromptSegment::Kind::kVideo: {
        const bool is_video = segment.kind == PromptSegment::Kind::kVideo;
        if (used == media_in_order.size() || media_in_order[used].video.has_value() != is_video) {
          throw Error(ErrorKind::kInvalidRequest, "invalid_value",
                      fmt::format("the conversation's {} number {} has no data of its kind",
                                  is_video ? "video" : "picture", used + 1),
                      "messages");
        }
        const MediaItem& item = media_in_order[used++];
        is_video ? assembler.video(item) : assembler.picture(item);
        break;
      }
    }
  }
  if (used != media_in_order.size()) {
    throw Error(
        ErrorKind::kInvalidRequest, "invalid_value",
        fmt::format("{} pictures or videos were sent, but the chat template shows {}", media_in_order.size(), used),
        "messages");
  }
  return assembler.finish();
}

Prompt prompt_of_ids(std::vector<int32_t> token_ids) {
  RopePositions positions = rope_positions(static_cast<int64_t>(token_ids.size()), {});
  Prompt prompt;
  prompt.token_ids = std::move(token_ids);
  prompt.positions = std::move(positions.ids);
  prompt.rope_delta = positions.rope_delta;
  return prompt;
}

}  // namespace qvl
