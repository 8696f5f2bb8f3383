#include "text/prompt_builder.h"

#include <algorithm>
#include <array>

namespace qvl {
namespace {

using Kind = PromptSegment::Kind;

constexpr std::array<std::string_view, 8> kControls = {"<|im_start|>",    "<|im_end|>",      "<think>",
                                                       "</think>",        "<tool_call>",     "</tool_call>",
                                                       "<tool_response>", "</tool_response>"};

void append_text(std::vector<PromptSegment>& segments, std::string_view text) {
  if (text.empty()) return;
  if (!segments.empty() && segments.back().kind == Kind::kText) {
    segments.back().text += text;
  } else {
    segments.push_back({Kind::kText, std::string(text)});
  }
}

void append(std::vector<PromptSegment>& segments, const PromptSegment& segment) {
  if (segment.kind == Kind::kText) {
    append_text(segments, segment.text);
  } else {
    segments.push_back(segment);
  }
}

}  // namespace

void Content::add_text(std::string_view text) { append_text(segments_, text); }
void Content::add_image() { segments_.push_back({Kind::kImage, "<|vision_start|><|image_pad|><|vision_end|>"}); }
void Content::add_video() { segments_.push_back({Kind::kVideo, "<|vision_start|><|video_pad|><|vision_end|>"}); }

bool Content::starts_with(std::string_view text) const {
  return !segments_.empty() && segments_.front().text.starts_with(text);
}

bool Content::ends_with(std::string_view text) const {
  return !segments_.empty() && segments_.back().text.ends_with(text);
}

bool Content::contains(std::string_view text) const {
  return std::any_of(segments_.begin(), segments_.end(), [&](const PromptSegment& segment) {
    return segment.kind == Kind::kText && segment.text.find(text) != std::string::npos;
  });
}

Content Content::before_first(std::string_view separator) const {
  Content out;
  for (const PromptSegment& segment : segments_) {
    const size_t found = segment.kind == Kind::kText ? segment.text.find(separator) : std::string::npos;
    if (found != std::string::npos) {
      out.add_text(std::string_view(segment.text).substr(0, found));
      return out;
    }
    append(out.segments_, segment);
  }
  return out;
}

Content Content::after_last(std::string_view separator) const {
  for (size_t i = segments_.size(); i-- > 0;) {
    const size_t found = segments_[i].kind == Kind::kText ? segments_[i].text.rfind(separator) : std::string::npos;
    if (found == std::string::npos) continue;
    Content out;
    out.add_text(std::string_view(segments_[i].text).substr(found + separator.size()));
    for (size_t j = i + 1; j < segments_.size(); ++j) append(out.segments_, segments_[j]);
    return out;
  }
  return *this;
}

Content Content::without_leading_newlines() const {
  Content out = *this;
  if (out.empty() || out.segments_.front().kind != Kind::kText) return out;
  std::string& text = out.segments_.front().text;
  text.erase(0, std::min(text.find_first_not_of('\n'), text.size()));
  if (text.empty()) out.segments_.erase(out.segments_.begin());
  return out;
}

Content Content::without_trailing_newlines() const {
  Content out = *this;
  if (out.empty() || out.segments_.back().kind != Kind::kText) return out;
  std::string& text = out.segments_.back().text;
  text.erase(text.find_last_not_of('\n') + 1);
  if (text.empty()) out.segments_.pop_back();
  return out;
}

void PromptBuilder::markup(std::string_view literal) {
  while (!literal.empty()) {
    size_t first = literal.size();
    std::string_view control;
    for (const std::string_view candidate : kControls) {
      const size_t found = literal.find(candidate);
      if (found < first) first = found, control = candidate;
    }
    append_text(segments_, literal.substr(0, first));
    if (!control.empty()) segments_.push_back({Kind::kControl, std::string(control)});
    literal.remove_prefix(first + control.size());
  }
}

void PromptBuilder::text(std::string_view text) { append_text(segments_, text); }

void PromptBuilder::content(const Content& content) {
  for (const PromptSegment& segment : content.segments()) append(segments_, segment);
}

}  // namespace qvl
