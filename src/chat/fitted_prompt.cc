#include "chat/fitted_prompt.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "chat/media_loader.h"
#include "chat/truncation.h"

namespace qvl {
namespace {

struct MediaCount {
  size_t pictures = 0, videos = 0;
  size_t all() const { return pictures + videos; }
};

MediaCount media_of(const Json& messages, size_t begin, size_t end) {
  MediaCount count;
  for (size_t i = begin; i < end; ++i) {
    const auto content = messages[i].find("content");
    if (content == messages[i].end() || !content->is_array()) continue;
    for (const Json& part : *content) {
      count.pictures += part.is_object() && part.value("type", "") == "image";
      count.videos += part.is_object() && part.value("type", "") == "video";
    }
  }
  return count;
}

// Counts the tokens of parts of a conversation without decoding a picture.
class TokenCounter {
 public:
  TokenCounter(const ServedModel& model, const ChatInput& input, std::vector<MediaItem> media, int64_t most)
      : model_(model), input_(input), media_(std::move(media)) {
    options_.max_tokens = most;
    options_.longest_token_bytes = model.longest_token_bytes;
  }

  // Of these messages, whose media begin with number first_item; one more than most where there are more.
  int64_t count(const Json& messages, const Json& tools, size_t first_item) const {
    const auto media = std::span(media_).subspan(first_item, media_of(messages, 0, messages.size()).all());
    try {
      return std::ssize(build_prompt(*model_.tokenizer, model_.config, model_.template_kind, messages, tools, input_.render, media,
                                     options_).token_ids);
    } catch (const Error& error) {
      if (error.code != "context_length_exceeded") throw;
      return options_.max_tokens + 1;
    }
  }
  int64_t most() const { return options_.max_tokens; }

 private:
  const ServedModel& model_;
  const ChatInput& input_;
  const std::vector<MediaItem> media_;
  PromptOptions options_;
};

// Messages begin..end-1 as turns that are over: the templates treat the last question differently.
Json finished(const Json& messages, size_t begin, size_t end) {
  Json out = Json::array();
  for (size_t i = begin; i < end; ++i) out.push_back(messages[i]);
  out.push_back({{"role", "user"}, {"content", ""}});
  return out;
}

// How many turns go so that the rest fits. Where not even the last one does, all others go.
size_t find_cut(const ChatInput& input, const std::vector<Turn>& turns, const TokenCounter& counter) {
  const Json& messages = input.messages;
  if (turns.size() < 2 || counter.count(messages, input.tools, 0) <= counter.most()) return 0;
  const int64_t head = counter.count(finished(messages, 0, turns.front().begin), input.tools, 0);
  std::vector<int64_t> tokens;
  std::vector<size_t> first_items = {media_of(messages, 0, turns.front().begin).all()};
  for (const Turn& turn : turns) {
    tokens.push_back(counter.count(finished(messages, turn.begin, turn.end), Json(), first_items.back()));
    first_items.push_back(first_items.back() + media_of(messages, turn.begin, turn.end).all());
  }
  size_t drop = turns_to_drop(head, tokens, counter.most());
  // What was counted by parts is nearly the whole.
  while (drop + 1 < turns.size() && counter.count(without_turns(messages, turns, drop), input.tools, first_items[drop]) > counter.most()) {
    ++drop;
  }
  return drop;
}

template <typename T>
void drop_first(std::vector<T>& items, size_t count) {
  items.erase(items.begin(), items.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace

FittedPrompt make_fitted_prompt(const ServedModel& model, const ChatInput& input, int64_t answer_tokens,
                                const std::atomic<bool>* abandoned) {
  const int64_t context = model.engine->context_tokens(), limit = std::max(context - answer_tokens, context / 2);
  std::vector<MediaItem> sizes = MediaLoader(model, input, abandoned, std::numeric_limits<int64_t>::max()).sizes();
  const std::vector<Turn> turns = turns_of(input.messages);
  const size_t drop = find_cut(input, turns, TokenCounter(model, input, std::move(sizes), limit));
  if (drop == 0) return {make_prompt(model, input, abandoned)};
  ChatInput kept = input;
  kept.messages = without_turns(input.messages, turns, drop);
  const MediaCount gone = media_of(input.messages, turns.front().begin, turns[drop - 1].end);
  drop_first(kept.pictures, gone.pictures);
  drop_first(kept.videos, gone.videos);
  return {make_prompt(model, kept, abandoned), std::ssize(input.messages) - std::ssize(kept.messages)};
}

}  // namespace qvl
