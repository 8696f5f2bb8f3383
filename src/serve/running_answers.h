// Running requests that a client may still steer, by the id of their answer. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "serve/answer_set.h"

namespace qvl {

class RunningAnswers {
 public:
  // Known as long as this lives; destroyed before the answers.
  class Entry {
   public:
    Entry(std::shared_ptr<RunningAnswers> all, std::string id, AnswerSet& answers)
        : all_(std::move(all)), id_(std::move(id)) {
      const std::lock_guard lock(all_->mutex_);
      all_->answers_[id_] = &answers;
    }
    ~Entry() {
      const std::lock_guard lock(all_->mutex_);
      all_->answers_.erase(id_);
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

   private:
    std::shared_ptr<RunningAnswers> all_;
    std::string id_;
  };

  // False where no such request runs.
  bool end_thinking(const std::string& id) {
    const std::lock_guard lock(mutex_);  // held: the answers live as long as their entry
    const auto found = answers_.find(id);
    if (found == answers_.end()) return false;
    found->second->end_thinking();
    return true;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, AnswerSet*> answers_;
};

}  // namespace qvl
