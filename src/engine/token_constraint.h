// What an answer may be made of, token by token: a grammar, seen from the engine, which knows only ids. One answer's; the
// engine's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace qvl {

// Whatever a constraint throws ends its request and no other.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;
  // One bit an id, set where it may come next. Ids past the last word may not. Ends of text are the engine's: see can_end().
  virtual void fill_mask(std::span<uint64_t> words) = 0;
  virtual size_t words() const = 0;
  // A token that was allowed was chosen. Errors: kInternal where it was not.
  virtual void accept(int32_t id) = 0;
  // The answer is complete as it is.
  virtual bool can_end() const = 0;
  // And nothing more can come.
  virtual bool ended() const = 0;
  // Tokens of the text that must come next whatever is chosen, as the vocabulary would spell it: to be guessed, not to be trusted,
  // since the same text may be made of other tokens.
  virtual std::vector<int32_t> foreseen(int64_t most) = 0;
};

// Called once for each answer: what one has read must not be seen by another.
using ConstraintFactory = std::function<std::unique_ptr<TokenConstraint>()>;

}  // namespace qvl
