// What holding an answer to a grammar costs: the mask over the vocabulary before each token, for texts written token by token as a
// model would write them.
//
//   bench_grammar TOKENIZER_DIR [answers]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/json.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "grammar/matcher.h"

namespace {

using namespace qvl;

double now_us() { return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct Case {
  const char *name, *schema, *text;  // schema "": any object
};

const Case kCases[] = {
    {"nested schema",
     R"({"type":"object","properties":{"title":{"type":"string"},"objects":{"type":"array","items":{"$ref":"#/$defs/object"},"maxItems":20},
         "summary":{"type":"object","properties":{"count":{"type":"integer","minimum":0},"colours":{"type":"array","items":{"enum":["red","green","blue"]}},
         "confidence":{"type":"number","minimum":0,"maximum":1},"note":{"type":["string","null"]}},"required":["count","colours","confidence","note"],
         "additionalProperties":false}},"required":["title","objects","summary"],"additionalProperties":false,
         "$defs":{"object":{"type":"object","properties":{"label":{"type":"string"},"bbox_2d":{"type":"array","items":{"type":"integer","minimum":0,
         "maximum":1000},"minItems":4,"maxItems":4},"parts":{"type":"array","items":{"$ref":"#/$defs/object"}}},"required":["label","bbox_2d"],
         "additionalProperties":false}}})",
     R"({"title": "A kitchen, seen from above: \"the pot\" is on the stove", "objects": [{"label": "a red pot with a lid", "bbox_2d": [10, 200, 455, 1000],
"parts": [{"label": "the lid", "bbox_2d": [10, 200, 455, 300]}, {"label": "厨房里的锅", "bbox_2d": [0, 0, 1, 1]}]}, {"label": "a blue cup",
 "bbox_2d": [600, 20, 700, 140]}], "summary": {"count": 2, "colours": ["red", "blue"], "confidence": 0.925, "note": "nothing else can be recognised in the picture"}})"},
    {"string of at most 120", R"({"type":"string","maxLength":120})",
     R"("A long text of which each place is another state, since the characters that are left are counted: every mask is new.")"},
    {"json_object", "", R"({"a": [1, 2.5, {"b": null}], "name": "some text, then", "list": ["x", "y", true], "text": "and more of it"})"},
};

void measure(const Case& c, const Tokenizer& tokenizer, const std::shared_ptr<const TokenTrie>& trie, int answers) {
  std::string text = c.text;
  std::erase(text, '\n');
  const auto ids = tokenizer.encode(text);
  const double start = now_us();
  Grammar compiled = *c.schema == '\0' ? json_object_grammar()
                                       : schema_grammar(parse_json(c.schema, "schema", ErrorKind::kInternal, "schema"), "schema");
  const double compile_us = now_us() - start;
  const auto grammar = std::make_shared<const VocabularyGrammar>(std::move(compiled), trie);
  std::vector<uint64_t> words(trie->words());
  std::vector<double> first, later;
  for (int answer = 0; answer < answers; ++answer) {
    GrammarMatcher matcher(grammar);
    for (const int32_t id : ids) {
      const double begin = now_us();
      matcher.fill_mask(words);
      const bool accepted = matcher.accept_token(id);
      (answer == 0 ? first : later).push_back(now_us() - begin);
      if (!accepted || (words[static_cast<size_t>(id) / 64] >> (id % 64) & 1) == 0) throw Error(ErrorKind::kInternal, "bench", c.name);
    }
  }
  const auto row = [&](const char* name, std::vector<double> times) {
    double sum = 0;
    for (const double t : times) sum += t;
    std::sort(times.begin(), times.end());
    const auto at = [&](double share) { return times[static_cast<size_t>(share * static_cast<double>(times.size() - 1))]; };
    fmt::print("{:24} {:14} {:6} {:10.1f} {:10.1f} {:10.1f} {:10.1f}\n", c.name, name, ids.size(), sum / static_cast<double>(times.size()), at(0.5), at(0.99), at(1));
  };
  row("first answer", first);
  row("later answers", later);
  fmt::print("{:24} compiled in {:.0f} us: {} states, {} KiB with its masks\n", "", compile_us, grammar->grammar().states(), grammar->bytes() / 1024);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return fmt::print("usage: bench_grammar TOKENIZER_DIR [answers]\n"), 2;
  const Tokenizer tokenizer = Tokenizer::load(argv[1]);
  const double start = now_us();
  const auto trie = std::make_shared<const TokenTrie>(tokenizer);
  fmt::print("{} tokens, {} nodes in {:.0f} ms\n", trie->tokens(), trie->nodes().size(), (now_us() - start) / 1e3);
  fmt::print("{:24} {:14} {:>6} {:>10} {:>10} {:>10} {:>10}   us a token\n", "", "", "tokens", "mean", "median", "99 %", "most");
  for (const auto& c : kCases) measure(c, tokenizer, trie, argc > 2 ? std::atoi(argv[2]) : 10);
}
