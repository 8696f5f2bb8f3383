#include "serve/openai_grammar.h"

#include <algorithm>

#include "grammar/gbnf.h"
#include "grammar/json_schema.h"

namespace qvl {
namespace {

// A form that was asked for, with the field that did.
struct Form {
  std::string field;
  std::string key;  // two forms with the same key are the same
  std::function<Grammar()> compile;
};

Form schema_form(const std::string& field, const Json& schema, const std::string& path) {
  return {field, "schema:" + path + dump_json(schema), [&schema, path] { return schema_grammar(schema, path); }};
}

std::optional<Form> response_format(const Fields& fields) {
  const Json* format = fields.object("response_format");
  if (!format) return std::nullopt;
  const Fields entry(*format, "response_format");
  const auto type = entry.string("type");
  if (!type) invalid_type("response_format.type", "text, json_object or json_schema", Json());
  if (*type == "text") return std::nullopt;
  if (*type == "json_object") return Form{"response_format", "json_object", [] { return json_object_grammar(); }};
  if (*type != "json_schema") invalid_value("response_format.type", "expected text, json_object or json_schema");
  const Json* wrapped = entry.object("json_schema");
  if (!wrapped) missing_required("response_format.json_schema");
  const Fields inner(*wrapped, "response_format.json_schema");
  inner.string("name", 256);
  inner.string("description", 64 * 1024);
  inner.boolean("strict");  // an answer is held to its schema either way
  const Json* schema = inner.find("schema");
  if (!schema) missing_required("response_format.json_schema.schema");
  return schema_form("response_format", *schema, "response_format.json_schema.schema");
}

// parsed: keeps what a string holds.
std::optional<Form> guided_json(const Fields& fields, Json& parsed) {
  const Json* schema = fields.find("guided_json");
  if (!schema) return std::nullopt;
  if (schema->is_string()) {
    const auto& text = schema->get_ref<const std::string&>();
    if (text.size() > kMaxSchemaBytes) {
      throw Error(ErrorKind::kInvalidRequest, "invalid_schema", fmt::format("guided_json: expected at most {} bytes", kMaxSchemaBytes), "guided_json");
    }
    parsed = parse_json(text, "guided_json", ErrorKind::kInvalidRequest, "invalid_schema");
    schema = &parsed;
  }
  return schema_form("guided_json", *schema, "guided_json");
}

std::optional<Form> gbnf(const Fields& fields) {
  const auto text = fields.string("grammar");
  if (!text || text->empty()) return std::nullopt;  // llama-server's clients send an empty one for none
  const auto compile = [text] {
    try {
      return parse_gbnf(*text);
    } catch (const Error& e) {
      throw Error(e.kind, e.code, fmt::format("grammar: {}", e.what()), "grammar");
    }
  };
  return Form{"grammar", "gbnf:" + *text, compile};
}

// The name that tool_choice demands; "" any of them. nullopt: none is demanded.
std::optional<std::string> demanded_tool(const Fields& fields, const Json& tools, bool& none) {
  const Json* choice = fields.find("tool_choice");
  if (!choice) return std::nullopt;
  if (choice->is_string()) {
    const auto& value = choice->get_ref<const std::string&>();
    none = value == "none";
    if (value == "required" && tools.empty()) invalid_value("tool_choice", "expected tools beside it");
    if (value == "required") return "";
    if (value != "auto" && value != "none") invalid_value("tool_choice", "expected none, auto, required or a function");
    return std::nullopt;
  }
  if (!choice->is_object()) invalid_type("tool_choice", "a string or an object", *choice);
  const Json* function = Fields(*choice, "tool_choice").object("function");
  if (!function) missing_required("tool_choice.function");
  const auto name = Fields(*function, "tool_choice.function").string("name");
  if (!name) missing_required("tool_choice.function.name");
  const bool known = std::any_of(tools.begin(), tools.end(), [&](const Json& tool) { return tool["function"]["name"] == *name; });
  if (!known) invalid_value("tool_choice", fmt::format("no tool has the name \"{}\"", printable(*name)));
  return name;
}

bool is_strict(const Json& tool, const std::string& path) {
  return Fields(tool["function"], path + ".function").boolean("strict").value_or(false);
}

// The calls that are held to the tools' schemas: all where one is demanded, else those of strict tools.
std::optional<Form> tool_form(const Fields& fields, ChatRequest& chat) {
  const Json none_given = Json::array();
  const Json& tools = chat.input.tools.is_array() ? chat.input.tools : none_given;
  bool none = false, any_strict = false;
  const auto demanded = demanded_tool(fields, tools, none);
  std::vector<ToolSchema> schemas;
  std::string key = "tools:";
  for (size_t i = 0; i < tools.size(); ++i) {
    const std::string path = fmt::format("tools[{}]", i);
    const Json& function = tools[i]["function"];
    const bool strict = is_strict(tools[i], path);
    any_strict = any_strict || strict;
    if (demanded && !demanded->empty() && function["name"] != *demanded) continue;
    const Json* parameters = Fields(function, path + ".function").find("parameters");
    schemas.push_back({function["name"].get<std::string>(), parameters ? *parameters : Json(), path + ".function.parameters", !demanded && !strict});
    key += fmt::format("{}{}{}{}\n", path, schemas.back().free, dump_json(function["name"]), dump_json(schemas.back().parameters));
  }
  if (none) chat.input.tools = Json();
  if (none || (!demanded && !any_strict)) return std::nullopt;
  for (const MarkerToken& marker : {kToolCallMarker, kToolCallEndMarker}) {
    if (!chat.model->tokenizer->added_token_id(marker.content)) unsupported("tool_choice", "the model's vocabulary has no tokens for tool calls");
  }
  const ToolCalls calls = !demanded ? ToolCalls::kAmongText : chat.single_tool_call || !demanded->empty() ? ToolCalls::kOne : ToolCalls::kSome;
  key += static_cast<char>('0' + static_cast<int>(calls));
  return Form{demanded ? "tool_choice" : "tools", std::move(key), [schemas = std::move(schemas), calls] { return tool_call_grammar(schemas, calls); }};
}

}  // namespace

void read_answer_grammar(const Fields& fields, ChatRequest& chat) {
  Json parsed;
  std::optional<Form> form;
  for (auto& other : {response_format(fields), guided_json(fields, parsed), gbnf(fields), tool_form(fields, chat)}) {
    if (!other) continue;
    if (form) invalid_value(other->field, fmt::format("an answer has one form, and {} gives it one already", form->field));
    form = other;
  }
  if (form) chat.sampling.grammar = chat.model->grammars->get(form->key, form->compile);
}

}  // namespace qvl
