// What `batch` answers: the requests of a file in OpenAI's batch format, or one question about each picture of a folder.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "app/batch_output.h"
#include "app/commands.h"
#include "base/error.h"
#include "serve/openai_request.h"

namespace qvl {

struct BatchItem {
  std::string id;               // custom_id, or the picture's file below the folder
  int64_t line = 0;             // of the file, from 1
  std::string text;             // the line
  std::optional<Error> broken;  // it cannot be asked
};

struct BatchAnswer {
  std::vector<ChatDelta> deltas;
  std::vector<AnswerOutcome> outcomes;
  AnswerOutcome total;
};

// One list of items and the form of their records. next() is called from one thread at a time, the others from any.
class BatchJobs {
 public:
  virtual ~BatchJobs() = default;
  virtual BatchFormat format() const = 0;
  // Of a record that an earlier run wrote. Throws kBadFlag "output_failed" where no run wrote it.
  virtual void skip(const std::vector<std::string>& old_record) = 0;
  virtual std::string header() const { return {}; }  // of an empty output
  virtual std::string begin() const = 0;             // what every output of this kind begins with
  virtual size_t size() const = 0;                   // with those that are skipped
  virtual std::optional<BatchItem> next() = 0;       // the next that is not skipped
  size_t skipped() const { return skipped_; }

  // Errors: read_openai_chat()'s; of a picture that cannot be read.
  virtual OpenAiChatRequest request(const BatchItem& item, const ModelRegistry& models) const = 0;
  virtual std::string record(const BatchItem& item, const OpenAiChatRequest& request, const BatchAnswer& answer) const = 0;
  virtual std::string record(const BatchItem& item, const Error& error) const = 0;

 protected:
  size_t skipped_ = 0;
};

// Errors: kBadFlag "bad_flag", "input_missing".
std::unique_ptr<BatchJobs> make_batch_jobs(const BatchFlags& flags);

}  // namespace qvl
