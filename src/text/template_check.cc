#include "text/template_check.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "text/template_lexer.h"
#include "text/tokenizer_files.h"

namespace qvl {
namespace {

using Tokens = std::vector<TemplateToken>;

constexpr size_t kMaxTemplateBytes = 1 << 20;
// The largest number that a chat template has a use for; more is a loop or a repetition out of bounds.
constexpr double kMaxNumber = 100000;

[[noreturn]] void fail(const std::string& code, const std::string& name, size_t line, const std::string& reason) {
  throw Error(ErrorKind::kModel, code, fmt::format("{}, line {}: {}", name, line, reason));
}

// Whether the text has a Python private name such as __class__ in it.
bool has_private_name(std::string_view text) {
  for (size_t i = text.find("__"); i != std::string_view::npos; i = text.find("__", i + 1)) {
    const char next = i + 2 < text.size() ? text[i + 2] : ' ';
    if ((next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z')) return true;
  }
  return false;
}

class Checker {
 public:
  Checker(const std::vector<TemplatePiece>& pieces, const std::string& name) : pieces_(pieces), name_(name) {}

  TemplateKind check() {
    for (const TemplatePiece& piece : pieces_) {
      line_ = piece.line;
      check_tokens(piece.tokens);
      note_macro_calls(piece.tokens);
      if (piece.kind == TemplatePiece::Kind::kStatement) check_statement(piece.tokens);
      note_generation_text(piece);
    }
    if (!open_.empty()) {
      fail("template_syntax", name_, open_.back().line, fmt::format("{{% {} %}} is not closed", open_.back().tag));
    }
    check_macro_cycles();
    // A thought that the template itself closes again is an empty one: the model answers at once.
    const size_t thought = generation_text_.rfind("<think>");
    const bool open = thought != std::string::npos && generation_text_.find("</think>", thought) == std::string::npos;
    return open ? TemplateKind::kThinking : TemplateKind::kInstruct;
  }

 private:
  struct Block {
    std::string tag;
    size_t line;
    std::string macro;        // the name of a macro
    bool generation = false;  // the part of an if that stands for add_generation_prompt
  };

  void check_tokens(const Tokens& tokens) const {
    for (size_t i = 0; i < tokens.size(); ++i) {
      const TemplateToken& token = tokens[i];
      const auto is_string = [&](size_t at) {
        return at < tokens.size() && tokens[at].kind == TemplateToken::Kind::kString;
      };
      if (token.is_operator("**")) fail("template_budget", name_, line_, "expected no power, found **");
      if (token.is_operator("*") && ((i > 0 && is_string(i - 1)) || is_string(i + 1))) {
        fail("template_budget", name_, line_, "expected no repeated string, found a string times a number");
      }
      if (token.kind == TemplateToken::Kind::kNumber) check_number(token.text);
      const bool named = token.kind == TemplateToken::Kind::kName || token.kind == TemplateToken::Kind::kString;
      if (named && has_private_name(token.text)) {
        fail("template_unsupported", name_, line_,
             fmt::format("expected no private attribute, found \"{}\"", printable(token.text)));
      }
      if (token.is_name("lipsum")) {
        fail("template_unsupported", name_, line_, "expected no function of Jinja's test kit, found lipsum");
      }
    }
  }

  void check_number(std::string text) const {
    text.erase(std::remove(text.begin(), text.end(), '_'), text.end());
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (*end != '\0')
      fail("template_syntax", name_, line_, fmt::format("expected a number, found \"{}\"", printable(text)));
    if (value > kMaxNumber) {
      fail("template_budget", name_, line_,
           fmt::format("expected numbers up to {}, found {}", kMaxNumber, printable(text)));
    }
  }

  void check_statement(const Tokens& tokens) {
    static constexpr std::array<std::string_view, 3> kOpening = {"for", "if", "macro"};
    static constexpr std::array<std::string_view, 5> kClosing = {"endfor", "endif", "endmacro", "endset",
                                                                 "endgeneration"};
    if (tokens.empty() || tokens[0].kind != TemplateToken::Kind::kName) {
      fail("template_syntax", name_, line_, "expected a tag after {%, found none");
    }
    const std::string& tag = tokens[0].text;
    if (std::find(kOpening.begin(), kOpening.end(), tag) != kOpening.end()) return open_block(tokens);
    if (std::find(kClosing.begin(), kClosing.end(), tag) != kClosing.end()) return close_block(tag.substr(3));
    if (tag == "else" || tag == "elif") return alternative(tag);
    if (tag == "break" || tag == "continue") return;
    if (tag == "generation") return open_block(tokens);  // transformers' mark around an answer
    if (tag == "set") {
      const bool assigns = std::any_of(tokens.begin(), tokens.end(), [](const auto& t) { return t.is_operator("="); });
      if (!assigns) open_block(tokens);
      return;
    }
    fail("template_unsupported", name_, line_,
         fmt::format("expected set, for, if or macro, found the tag \"{}\"", printable(tag)));
  }

  void open_block(const Tokens& tokens) {
    Block block{tokens[0].text, line_, "", false};
    if (block.tag == "macro") {
      if (tokens.size() < 2 || tokens[1].kind != TemplateToken::Kind::kName) {
        fail("template_syntax", name_, line_, "expected a name after macro");
      }
      block.macro = tokens[1].text;
      macros_[block.macro];
    }
    if (block.tag == "for" &&
        std::any_of(tokens.begin(), tokens.end(), [](const auto& t) { return t.is_name("recursive"); })) {
      fail("template_budget", name_, line_, "expected no loop that calls itself, found recursive");
    }
    if (block.tag == "if") block.generation = asks_for_generation(tokens);
    open_.push_back(std::move(block));
    if (open_.size() > kMaxTemplateDepth) {
      fail("template_depth", name_, line_, fmt::format("blocks are nested more than {} deep", kMaxTemplateDepth));
    }
  }

  static bool asks_for_generation(const Tokens& tokens) {
    for (size_t i = 1; i < tokens.size(); ++i) {
      if (tokens[i].is_name("add_generation_prompt")) return !tokens[i - 1].is_name("not");
    }
    return false;
  }

  void close_block(const std::string& tag) {
    if (open_.empty() || open_.back().tag != tag) {
      fail("template_syntax", name_, line_, fmt::format("{{% end{} %}} closes nothing", tag));
    }
    open_.pop_back();
  }

  void alternative(const std::string& tag) {
    const bool in_if = !open_.empty() && open_.back().tag == "if";
    const bool in_for = !open_.empty() && open_.back().tag == "for" && tag == "else";
    if (!in_if && !in_for)
      fail("template_syntax", name_, line_, fmt::format("{{% {} %}} stands outside of an if", tag));
    open_.back().generation = false;
  }

  // What the template writes for add_generation_prompt whatever else the request says.
  void note_generation_text(const TemplatePiece& piece) {
    if (open_.empty() || !open_.back().generation) return;
    if (piece.kind == TemplatePiece::Kind::kData) generation_text_ += piece.data;
    if (piece.kind != TemplatePiece::Kind::kExpression) return;
    const auto conditional = [](const TemplateToken& token) { return token.is_name("if"); };
    if (std::any_of(piece.tokens.begin(), piece.tokens.end(), conditional)) return;
    for (const TemplateToken& token : piece.tokens) {
      if (token.kind == TemplateToken::Kind::kString) generation_text_ += token.text;
    }
  }

  // Every name that is called inside of a macro, for all macros around the call. Runs before a statement opens its
  // block, so a macro's own head is no call of itself.
  void note_macro_calls(const Tokens& tokens) {
    for (size_t i = 0; i + 1 < tokens.size(); ++i) {
      if (tokens[i].kind != TemplateToken::Kind::kName || !tokens[i + 1].is_operator("(")) continue;
      for (const Block& block : open_) {
        if (block.tag == "macro") macros_[block.macro].insert(tokens[i].text);
      }
    }
  }

  // Takes away, again and again, the macros that call none of the others; those that stay call each other in a circle.
  void check_macro_cycles() {
    std::map<std::string, size_t> pending;  // macros still there that this one calls
    std::map<std::string, std::vector<std::string>> callers;
    std::vector<std::string> done;
    for (const auto& [macro, calls] : macros_) {
      for (const std::string& callee : calls) {
        if (!macros_.contains(callee)) continue;
        ++pending[macro];
        callers[callee].push_back(macro);
      }
      if (!pending.contains(macro)) done.push_back(macro);
    }
    for (size_t i = 0; i < done.size(); ++i) {
      for (const std::string& caller : callers[done[i]]) {
        if (--pending[caller] == 0) done.push_back(caller);
      }
    }
    for (const auto& [macro, count] : pending) {
      if (count > 0) fail("template_budget", name_, 1, fmt::format("the macro \"{}\" calls itself", printable(macro)));
    }
  }

  const std::vector<TemplatePiece>& pieces_;
  const std::string& name_;
  size_t line_ = 1;
  std::vector<Block> open_;
  std::map<std::string, std::set<std::string>> macros_;  // what each calls
  std::string generation_text_;
};

}  // namespace

TemplateKind check_template(std::string_view source, const std::string& name) {
  if (source.size() > kMaxTemplateBytes) {
    throw_error(ErrorKind::kModel, "template_budget", "{}: expected a template of at most {} bytes, found {}", name,
                kMaxTemplateBytes, source.size());
  }
  return Checker(lex_template(source, name), name).check();
}

TemplateKind detect_template(const std::filesystem::path& folder) {
  std::error_code error;
  if (const auto path = folder / "chat_template.jinja"; std::filesystem::exists(path, error)) {
    return check_template(read_file(path, ErrorKind::kModel, "template_syntax"), "chat_template.jinja");
  }
  for (const char* file : {"chat_template.json", "tokenizer_config.json"}) {
    const auto path = folder / file;
    if (!std::filesystem::exists(path, error)) continue;
    if (const auto source = read_chat_template_field(path)) return check_template(*source, file);
  }
  return TemplateKind::kInstruct;
}

}  // namespace qvl
