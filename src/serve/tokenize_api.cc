#include "serve/tokenize_api.h"

#include "base/utf8.h"
#include "chat/chat_service.h"
#include "serve/openai_request.h"
#include "serve/prompt_text.h"
#include "serve/request_json.h"

namespace qvl {
namespace {

OpenAiPrompt read_prompt(Json& json, const ModelRegistry& models) {
  const Fields fields(json);
  const bool opens_answer = fields.boolean("add_generation_prompt").value_or(true);
  if (fields.boolean("continue_final_message") == true) {
    unsupported("continue_final_message", "an answer always begins a turn of its own");
  }
  OpenAiPrompt prompt = read_openai_prompt(json, models);
  prompt.input.render.add_generation_prompt = opens_answer;
  const Json* choice = fields.find("tool_choice");
  if (choice && *choice == "none") prompt.input.tools = Json();  // as in a chat
  return prompt;
}

// A token's bytes: text where they are UTF-8, else numbers, as llama-server shows them.
Json piece_json(const Tokenizer& tokenizer, int32_t id) {
  const std::string bytes(tokenizer.token_bytes(id).value_or(std::string_view()));
  if (utf8_valid(bytes)) return bytes;
  Json numbers = Json::array();
  for (const char c : bytes) numbers.push_back(static_cast<int>(static_cast<unsigned char>(c)));
  return numbers;
}

// llama-server: {"content"} -> {"tokens"}
Json tokenize_content(const Fields& fields, const ServedModel& model) {
  const std::string& text = read_text(*fields.find("content"), "content");
  fields.boolean("add_special");  // these tokenizers add nothing
  const bool special = fields.boolean("parse_special").value_or(true);
  const auto ids = special ? model.tokenizer->encode_with_added_tokens(text) : model.tokenizer->encode(text);
  Json tokens = Json::array();
  const bool pieces = fields.boolean("with_pieces").value_or(false);
  for (const int32_t id : ids) {
    pieces ? tokens.push_back({{"id", id}, {"piece", piece_json(*model.tokenizer, id)}}) : tokens.push_back(id);
  }
  return {{"tokens", std::move(tokens)}};
}

// vLLM: {"prompt"} or {"messages"} -> {"count", "max_model_len", "tokens"}
Json counted_tokens(const std::vector<int32_t>& ids, const ServedModel& model, bool strings) {
  Json texts;
  if (strings) {
    texts = Json::array();
    for (const int32_t id : ids) {
      texts.push_back(utf8_repair(std::string(model.tokenizer->token_bytes(id).value_or(std::string_view()))));
    }
  }
  return {{"count", ids.size()},
          {"max_model_len", model.engine->context_tokens()},
          {"tokens", ids},
          {"token_strs", std::move(texts)}};
}

HandlerResult tokenize(HttpRequest& http, const ModelRegistry& models) {
  Json json = parse_request_json(http.body);
  http.body = {};
  const Fields fields(json);
  const bool strings = fields.boolean("return_token_strs").value_or(false);
  fields.boolean("add_special_tokens");
  if (fields.has("messages")) {
    const OpenAiPrompt prompt = read_prompt(json, models);
    const auto ids = measure_prompt(*prompt.model, prompt.input, http.abandoned.get()).token_ids;
    return json_response(dump_json(counted_tokens(ids, *prompt.model, strings)));
  }
  const ServedModel& model = named_model(fields, models);
  if (fields.has("content")) return json_response(dump_json(tokenize_content(fields, model)));
  if (!fields.has("prompt")) missing_required("prompt");
  const auto ids = model.tokenizer->encode_with_added_tokens(read_text(*fields.find("prompt"), "prompt"));
  return json_response(dump_json(counted_tokens(ids, model, strings)));
}

HandlerResult detokenize(HttpRequest& http, const ModelRegistry& models) {
  const Json json = parse_request_json(http.body);
  const Fields fields(json);
  const ServedModel& model = named_model(fields, models);
  const Json* tokens = fields.array("tokens");
  if (!tokens) missing_required("tokens");
  std::vector<int32_t> ids;
  for (const Json& id : *tokens) {
    ids.push_back(static_cast<int32_t>(to_integer(id, "tokens", 0, model.config.text.vocab_size - 1)));
  }
  const std::string text = model.tokenizer->decode(ids, false);
  return json_response(dump_json({{"prompt", text}, {"content", text}}));
}

HandlerResult apply_template(HttpRequest& http, const ModelRegistry& models) {
  Json json = parse_request_json(http.body);
  http.body = {};
  const OpenAiPrompt prompt = read_prompt(json, models);
  const auto segments =
      render_chat(prompt.model->template_kind, prompt.input.messages, prompt.input.tools, prompt.input.render);
  return json_response(dump_json({{"prompt", join_segments(segments)}}));
}

HandlerResult input_tokens(HttpRequest& http, const ModelRegistry& models) {
  Json json = parse_request_json(http.body);
  http.body = {};
  const OpenAiPrompt prompt = read_prompt(json, models);
  const PromptCounts counts =
      count_tokens(prompt.model->config, measure_prompt(*prompt.model, prompt.input, http.abandoned.get()));
  return json_response(dump_json(
      {{"object", "response.input_tokens"},
       {"input_tokens", counts.tokens},
       {"input_tokens_details", {{"image_tokens", counts.image_tokens}, {"video_tokens", counts.video_tokens}}}}));
}

}  // namespace

std::vector<Route> tokenize_routes(const ModelRegistry& models) {
  using Function = HandlerResult (*)(HttpRequest&, const ModelRegistry&);
  const std::pair<const char*, Function> kRoutes[] = {{"/tokenize", tokenize},
                                                      {"/detokenize", detokenize},
                                                      {"/apply-template", apply_template},
                                                      {"/chat/completions/input_tokens", input_tokens}};
  std::vector<Route> routes;
  for (const auto& [path, function] : kRoutes) {
    for (const std::string root : {"", "/v1"}) {
      routes.push_back({"POST", root + path, false,
                        [&models, run = function](HttpRequest& request) { return run(request, models); }});
    }
  }
  return routes;
}

}  // namespace qvl
