// Made prompts as the engine takes them, and whole answers.
#pragma once

#include <utility>
#include <vector>

#include "engine/engine.h"
#include "tests/model/tiny_checkpoint.h"

namespace qvl {

using Item = TokenStream::Item;

inline Prompt to_prompt(const MadePrompt& made) {
  Prompt prompt{made.ids, made.positions, made.rope_delta, {}};
  for (const auto& v : made.visuals) {
    Sha256 hash = sha256(std::as_bytes(std::span(v.patches)));
    hash[0] = static_cast<uint8_t>(hash[0] ^ v.grid.t ^ v.grid.h << 4);
    prompt.visuals.push_back({v.grid, std::make_shared<const std::vector<float>>(v.patches), hash, v.begins});
  }
  return prompt;
}

struct Answer {
  std::vector<int32_t> ids;
  std::vector<float> logprobs;
  std::vector<bool> forced;
  Item end;
};

inline Answer read_all(TokenStream& stream) {
  Answer out;
  while (true) {
    Item item = stream.next();
    if (item.kind == Item::Kind::kDone) {
      out.end = std::move(item);
      return out;
    }
    out.ids.push_back(item.token.id);
    out.logprobs.push_back(item.token.logprob);
    out.forced.push_back(item.token.forced);
  }
}

}  // namespace qvl
