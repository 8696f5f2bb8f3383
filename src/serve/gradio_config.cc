#include "serve/gradio_config.h"

namespace qvl {
namespace {

// The version whose wire format this is; clients choose their protocol by it.
constexpr const char* kGradioVersion = "5.49.1";

// One input of predict(), as a component of the page and as a parameter of the call.
struct Input {
  int id;
  const char *component, *label, *name;
  Json props, fallback, type;
  const char* python_type;
  Json example;
};

std::vector<Input> inputs(const ModelRegistry& models) {
  const ServedModel& model = models.default_model();
  const Json number = {{"type", "number"}};
  const Json modes = Json::array({"instruct", "thinking"});
  return {{1, "textbox", "Prompt", "prompt", {{"lines", 2}}, nullptr, {{"type", "string"}}, "str", "What do you see?"},
          {2,
           "image",
           "Image",
           "image",
           {{"sources", Json::array({"upload"})}, {"type", "filepath"}},
           nullptr,
           {{"type", "object"}, {"properties", {{"path", {{"type", "string"}}}, {"url", {{"type", "string"}}}}}},
           "filepath",
           nullptr},
          {3,
           "radio",
           "Mode",
           "mode",
           {{"choices", Json::array({{"instruct", "instruct"}, {"thinking", "thinking"}})}},
           model.kind_name(),
           {{"type", "string"}, {"enum", modes}},
           "Literal['instruct', 'thinking']",
           "instruct"},
          {4,
           "number",
           "Temperature",
           "temperature",
           {{"minimum", 0}, {"maximum", 2}},
           model.defaults.temperature,
           number,
           "float",
           0.7},
          {5, "number", "Top-p", "top_p", {{"minimum", 0}, {"maximum", 1}}, model.defaults.top_p, number, "float", 0.8},
          {6,
           "number",
           "Max tokens",
           "max_tokens",
           {{"minimum", 1}, {"precision", 0}},
           model.defaults.max_tokens,
           number,
           "float",
           512}};
}

constexpr int kOutput = 7, kButton = 8;

Json component(int id, const char* type, Json props) {
  props["visible"] = true;
  props["interactive"] = true;
  return {
      {"id", id},      {"type", type}, {"props", std::move(props)}, {"skip_api", false}, {"component_class_id", type},
      {"key", nullptr}};
}

Json components(const ModelRegistry& models) {
  Json list = Json::array();
  for (const Input& input : inputs(models)) {
    Json props = input.props;
    props["name"] = input.component;
    props["label"] = input.label;
    props["value"] = input.fallback;
    list.push_back(component(input.id, input.component, std::move(props)));
  }
  list.push_back(component(kOutput, "textbox", {{"name", "textbox"}, {"label", "Answer"}, {"value", nullptr}}));
  list.push_back(component(kButton, "button", {{"name", "button"}, {"value", "Ask"}}));
  return list;
}

Json dependency() {
  return {{"id", 0},
          {"targets", Json::array({Json::array({kButton, "click"})})},
          {"inputs", Json::array({1, 2, 3, 4, 5, 6})},
          {"outputs", Json::array({kOutput})},
          {"backend_fn", true},
          {"js", nullptr},
          {"queue", true},
          {"api_name", "predict"},
          {"show_api", true},
          {"api_visibility", "public"},
          {"scroll_to_output", false},
          {"show_progress", "full"},
          {"batch", false},
          {"max_batch_size", 1},
          {"cancels", Json::array()},
          {"types", {{"generator", true}, {"cancel", false}}},
          {"collects_event_data", false},
          {"trigger_after", nullptr},
          {"trigger_only_on_success", false},
          {"trigger_mode", "once"},
          {"rendered_in", nullptr},
          {"connection", "sse"},
          {"zerogpu", false},
          {"time_limit", nullptr},
          {"stream_every", 0.5}};
}

Json layout() {
  Json children = Json::array();
  for (int id = 1; id <= kButton; ++id) children.push_back({{"id", id}});
  return {{"id", 0}, {"children", std::move(children)}};
}

}  // namespace

Json gradio_config(const std::string& root, const std::string& app_id, const ModelRegistry& models) {
  const Json page = {{"components", Json::array({1, 2, 3, 4, 5, 6, kOutput, kButton})},
                     {"dependencies", Json::array({0})},
                     {"layout", layout()}};
  return {{"version", kGradioVersion},
          {"api_prefix", "/gradio_api"},
          {"root", root},
          {"app_id", app_id},
          {"title", "Qwen3-VL WebUI"},
          {"mode", "interface"},
          {"protocol", "sse_v3"},
          {"enable_queue", true},
          {"dev_mode", false},
          {"analytics_enabled", false},
          {"connect_heartbeat", false},
          {"show_error", true},
          {"show_api", true},
          {"is_colab", false},
          {"is_space", false},
          {"is_hosted", false},
          {"space_id", nullptr},
          {"auth_required", false},
          {"max_file_size", nullptr},
          {"theme", "default"},
          {"css", nullptr},
          {"js", nullptr},
          {"head", nullptr},
          {"stylesheets", Json::array()},
          {"username", nullptr},
          {"components", components(models)},
          {"dependencies", Json::array({dependency()})},
          {"layout", layout()},
          {"current_page", ""},
          {"pages", Json::array({Json::array({"", "Home"})})},
          {"page", {{"", page}}}};
}

Json gradio_info(const ModelRegistry& models) {
  Json parameters = Json::array();
  for (const Input& input : inputs(models)) {
    std::string component = input.component;
    component[0] = static_cast<char>(component[0] - 'a' + 'A');
    parameters.push_back({{"label", input.label},
                          {"parameter_name", input.name},
                          {"parameter_has_default", input.id != 1},
                          {"parameter_default", input.fallback},
                          {"type", input.type},
                          {"python_type", {{"type", input.python_type}, {"description", ""}}},
                          {"component", component},
                          {"example_input", input.example}});
  }
  const Json answer = {{"label", "Answer"},
                       {"type", {{"type", "string"}}},
                       {"python_type", {{"type", "str"}, {"description", ""}}},
                       {"component", "Textbox"}};
  const Json predict = {{"parameters", std::move(parameters)},
                        {"returns", Json::array({answer})},
                        {"show_api", true},
                        {"api_visibility", "public"}};
  return {{"named_endpoints", {{"/predict", predict}}}, {"unnamed_endpoints", Json::object()}};
}

}  // namespace qvl
