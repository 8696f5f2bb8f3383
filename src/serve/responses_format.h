// The JSON of /v1/responses' answers: the events of a stream, and the response object that they build.
#pragma once

#include <string>

#include "base/json.h"
#include "serve/answer_exchange.h"

namespace qvl {

// Output items: reasoning, then a message, then one item for each function call, each only where the answer has it; an
// empty answer has an empty message. The whole answer is what its events would have built.
class ResponsesFormat final : public AnswerFormat {
 public:
  // echo: ResponsesRequest's.
  ResponsesFormat(const std::string& model, const Json& echo);

  std::string id() const override { return response_["id"].get<std::string>(); }
  std::string first() override;
  std::string delta(size_t index, const ChatDelta& delta, const Progress& progress) override;
  std::string finish(size_t index, const AnswerOutcome& outcome, const Progress& progress) override;
  std::string last(const AnswerOutcome&) override { return {}; }
  std::string error(const Error& error) override;
  Json whole(const std::vector<ChatDelta>& deltas, const std::vector<AnswerOutcome>& outcomes,
             const AnswerOutcome& total) override;

 private:
  enum class Item { kNone, kReasoning, kMessage, kCall };

  std::string open(Item kind, Json item);
  std::string text(const char* type, const std::string& delta, const Json& logprobs);
  std::string close(bool complete);
  std::string close_part();
  std::string close_call();
  std::string event(const char* type, Json members);
  // {"item_id", "output_index"} of the open item, and "content_index" of its part.
  Json place() const;
  Json place_of_part() const;

  Json response_;  // "output" holds the finished items
  Item kind_ = Item::kNone;
  Json item_;         // the open one
  std::string text_;  // of the open item, or the arguments of the call
  Json logprobs_ = Json::array();
  int64_t sequence_number_ = 0;
};

}  // namespace qvl
