#include "grammar/json_text.h"

#include <algorithm>
#include <map>

#include "base/utf8.h"

namespace qvl {
namespace {

size_t at(int i) { return static_cast<size_t>(i); }

constexpr CodePointRange kDigits{'0', '9'}, kUpper{'A', 'F'}, kLower{'a', 'f'};

std::vector<CodePointRange> raw_chars() { return complement({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}}); }

GrammarExpr hex(int64_t count) { return expr_repeat(expr_class({kDigits, kUpper, kLower}), count, count); }

// What follows the backslash. Surrogates only in pairs: no reader takes a lone one for a character.
GrammarExpr escape() {
  GrammarExpr plain = expr_sequence({expr_class({kDigits, {'A', 'C'}, {'a', 'c'}, {'E', 'F'}, {'e', 'f'}}), hex(3)});
  GrammarExpr below = expr_sequence({expr_class({{'D', 'D'}, {'d', 'd'}}), expr_class({{'0', '7'}}), hex(2)});
  GrammarExpr pair = expr_sequence({expr_class({{'D', 'D'}, {'d', 'd'}}), expr_class({{'8', '9'}, {'A', 'B'}, {'a', 'b'}}), hex(2),
                                    expr_text("\\u"), expr_class({{'D', 'D'}, {'d', 'd'}}),
                                    expr_class({{'C', 'F'}, {'c', 'f'}}), hex(2)});
  GrammarExpr unicode = expr_sequence({expr_text("u"), expr_choice({std::move(plain), std::move(below), std::move(pair)})});
  std::vector<CodePointRange> letters;
  for (const char c : std::string_view("\"\\/bfnrt")) letters.push_back({static_cast<char32_t>(c), static_cast<char32_t>(c)});
  return expr_choice({expr_class(std::move(letters)), std::move(unicode)});
}

}  // namespace

JsonText::JsonText(GrammarBuilder& builder) {
  const auto rule = [&](const char* label, GrammarExpr expr) {
    const int id = builder.add_rule(label);
    builder.define(id, std::move(expr));
    return id;
  };
  space_ = rule("white space", expr_choice({expr_text(""), expr_text(" "),
                                            expr_sequence({expr_text("\n"), expr_repeat(expr_text(" "), 0, 20)})}));
  plain_char_ = rule("a character", expr_class(raw_chars()));
  char_ = rule("a character", expr_choice({expr_class(raw_chars()), expr_sequence({expr_text("\\"), escape()})}));
  string_ = rule("a string", expr_sequence({expr_text("\""), expr_repeat(string_char(), 0, -1), expr_text("\"")}));
  value_ = builder.add_rule("a value");
  const auto list = [&](const GrammarExpr& item) {
    return expr_sequence({item, expr_repeat(expr_sequence({comma(), item}), 0, -1)});
  };
  object_ = rule("an object", expr_choice({expr_text("{}"), braces(list(expr_sequence({string(), colon(), any_value()})))}));
  array_ = rule("an array", expr_choice({expr_text("[]"), brackets(list(any_value()))}));
  builder.define(value_, expr_choice({any_object(), any_array(), string(), number(), expr_text("true"), expr_text("false"), expr_text("null")}));
}

GrammarExpr JsonText::comma() const { return expr_sequence({expr_text(","), space()}); }
GrammarExpr JsonText::colon() const { return expr_sequence({expr_text(":"), expr_optional(expr_text(" "))}); }
GrammarExpr JsonText::braces(GrammarExpr members) const {
  return expr_sequence({expr_text("{"), space(), std::move(members), space(), expr_text("}")});
}
GrammarExpr JsonText::brackets(GrammarExpr items) const {
  return expr_sequence({expr_text("["), space(), std::move(items), space(), expr_text("]")});
}

GrammarExpr JsonText::string(int64_t min, int64_t max) const {
  if (min == 0 && max < 0) return expr_rule(string_);
  return expr_sequence({expr_text("\""), expr_repeat(string_char(), min, max), expr_text("\"")});
}

GrammarExpr JsonText::integer() const {
  return expr_sequence({expr_optional(expr_text("-")),
                        expr_choice({expr_text("0"), expr_sequence({expr_class({{'1', '9'}}), expr_repeat(expr_class({kDigits}), 0, 15)})})});
}

GrammarExpr JsonText::number() const {
  return expr_sequence({integer(), expr_optional(expr_sequence({expr_text("."), expr_repeat(expr_class({kDigits}), 1, 16)})),
                        expr_optional(expr_sequence({expr_class({{'e', 'e'}, {'E', 'E'}}), expr_optional(expr_class({{'+', '+'}, {'-', '-'}})),
                                                     expr_repeat(expr_class({kDigits}), 1, 2)}))});
}

GrammarExpr JsonText::literal(const Json& value) const {
  if (!value.is_structured()) return expr_text(dump_json(value));
  if (value.empty()) return expr_text(value.is_object() ? "{}" : "[]");
  std::vector<GrammarExpr> parts;
  for (const auto& [key, member] : value.items()) {
    if (!parts.empty()) parts.push_back(comma());
    if (value.is_object()) parts.push_back(expr_sequence({expr_text(dump_json(key)), colon()}));
    parts.push_back(literal(member));
  }
  return value.is_object() ? braces(expr_sequence(std::move(parts))) : brackets(expr_sequence(std::move(parts)));
}

GrammarExpr json_class(const std::vector<CodePointRange>& ranges, bool exact) {
  std::vector<CodePointRange> raw, normal = normal_ranges(ranges);
  const auto contains = [&](char32_t c) {
    return std::any_of(normal.begin(), normal.end(), [c](const CodePointRange& r) { return r.low <= c && c <= r.high; });
  };
  std::vector<GrammarExpr> parts;
  for (char32_t c = 0; c < 0x80; ++c) {
    const bool special = c < 0x20 || c == '"' || c == '\\';
    const bool usual = c == '"' || c == '\\' || c == '\n' || c == '\t' || c == '\r';
    if (special && contains(c) && (exact || usual)) {
      const std::string text = dump_json(Json(std::string(1, static_cast<char>(c))));
      parts.push_back(expr_text(text.substr(1, text.size() - 2)));
    }
  }
  // What is in the class and needs no escape.
  std::vector<CodePointRange> outside = complement(normal);
  for (const CodePointRange& r : {CodePointRange{0, 0x1F}, CodePointRange{'"', '"'}, CodePointRange{'\\', '\\'}}) outside.push_back(r);
  GrammarExpr plain = expr_class(complement(std::move(outside)));
  if (!plain.ranges.empty()) parts.push_back(std::move(plain));
  return expr_choice(std::move(parts));
}

GrammarExpr one_of_texts(std::vector<std::string> texts) {
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  if (texts.size() == 1) return expr_text(texts[0]);
  // Sorted: what the first and the last begin with, all do.
  size_t common = 0;
  while (common < texts.front().size() && texts.front()[common] == texts.back()[common]) ++common;
  std::vector<GrammarExpr> parts;
  for (size_t i = 0; i < texts.size();) {
    if (texts[i].size() == common) {
      parts.push_back(expr_text(""));
      ++i;
      continue;
    }
    std::vector<std::string> group;
    for (const char c = texts[i][common]; i < texts.size() && texts[i][common] == c; ++i) group.push_back(texts[i].substr(common));
    parts.push_back(one_of_texts(std::move(group)));
  }
  return expr_sequence({expr_text(texts.front().substr(0, common)), expr_choice(std::move(parts))});
}

GrammarExpr string_but(GrammarBuilder& builder, const JsonText& json, const std::vector<std::string>& keys) {
  struct Node {
    int rule;
    bool is_key = false;
    std::map<char32_t, int> children;
  };
  std::vector<Node> nodes;
  const auto add = [&] {
    nodes.push_back({builder.add_rule("a key"), false, {}});
    return static_cast<int>(nodes.size()) - 1;
  };
  add();
  for (const std::string& key : keys) {
    int node = 0;
    for (size_t pos = 0; pos < key.size();) {
      const Utf8Step step = utf8_next(key, pos);
      pos += step.length;
      const auto [child, is_new] = nodes[at(node)].children.try_emplace(step.code_point, 0);
      if (is_new) {
        const int made = add();
        node = nodes[at(node)].children[step.code_point] = made;
      } else {
        node = child->second;
      }
    }
    nodes[at(node)].is_key = true;
  }
  for (const Node& node : nodes) {
    std::vector<GrammarExpr> parts;
    std::vector<CodePointRange> not_these{{0, 0x1F}, {'"', '"'}, {'\\', '\\'}};
    for (const auto& [c, child] : node.children) {
      if (c >= 0x20 && c != '"' && c != '\\') parts.push_back(expr_sequence({expr_class({{c, c}}), expr_rule(nodes[at(child)].rule)}));
      not_these.push_back({c, c});
    }
    parts.push_back(expr_sequence({expr_class(complement(std::move(not_these))), expr_repeat(json.plain_string_char(), 0, -1), expr_text("\"")}));
    if (!node.is_key) parts.push_back(expr_text("\""));
    builder.define(node.rule, expr_choice(std::move(parts)));
  }
  return expr_sequence({expr_text("\""), expr_rule(nodes[0].rule)});
}

}  // namespace qvl
