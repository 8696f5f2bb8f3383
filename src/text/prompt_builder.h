// Building blocks of a rendered prompt: what somebody wrote, and the template's own markup. No state shared.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/chat_template.h"

namespace qvl {

// What one message says: text and places of media, in order. Knows Python's string operations that the templates apply
// to it; a separator or newline is only ever found in text, as no placeholder contains one.
class Content {
 public:
  void add_text(std::string_view text);
  void add_image();
  void add_video();

  bool empty() const { return segments_.empty(); }
  bool starts_with(std::string_view text) const;
  bool ends_with(std::string_view text) const;
  bool contains(std::string_view text) const;
  // content.split(separator)[0] and content.split(separator)[-1]
  Content before_first(std::string_view separator) const;
  Content after_last(std::string_view separator) const;
  // lstrip("\n") and rstrip("\n")
  Content without_leading_newlines() const;
  Content without_trailing_newlines() const;

  const std::vector<PromptSegment>& segments() const { return segments_; }

 private:
  std::vector<PromptSegment> segments_;  // texts are never empty, and never next to each other
};

class PromptBuilder {
 public:
  // The template's own words: the control tokens in them become kControl.
  void markup(std::string_view literal);
  void text(std::string_view text);
  void content(const Content& content);
  std::vector<PromptSegment> take() { return std::move(segments_); }

 private:
  std::vector<PromptSegment> segments_;
};

}  // namespace qvl
