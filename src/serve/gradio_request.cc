#include "serve/gradio_request.h"

#include <openssl/evp.h>

#include "serve/fields.h"

namespace qvl {
namespace {

constexpr size_t kMaxPromptBytes = size_t{4} << 20;

std::string base64(const std::string& bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '\0');
  // Writes one NUL more, into the string's own.
  EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), reinterpret_cast<const unsigned char*>(bytes.data()),
                  static_cast<int>(bytes.size()));
  return text;
}

std::string read_picture(const Json& value, UploadStore& uploads) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    const auto uploaded = text.size() < 1024 ? uploads.find(text) : nullptr;
    return uploaded ? base64(*uploaded) : text;
  }
  if (!value.is_object())
    invalid_type("data[1]", "null, a string with base64 or an object with \"path\" or \"url\"", value);
  const Fields file(value, "data[1]");
  const auto path = file.string("path");
  if (path) {
    if (const auto uploaded = uploads.find(*path)) return base64(*uploaded);
  }
  if (auto url = file.string("url"); url && (!path || url->starts_with("data:"))) return std::move(*url);
  if (path) {
    unsupported("data[1].path",
                "this is no file that was uploaded here lately; upload it, or send \"url\" with a data URI");
  }
  missing_required("data[1].url");
}

const ServedModel& choose_model(const Json& mode, const ModelRegistry& models) {
  if (mode.is_null()) return models.default_model();
  if (!mode.is_string()) invalid_type("data[2]", "\"instruct\" or \"thinking\"", mode);
  const auto& name = mode.get_ref<const std::string&>();
  if (name == "instruct" || name == "Instruct") return models.find_kind(TemplateKind::kInstruct);
  if (name == "thinking" || name == "Thinking") return models.find_kind(TemplateKind::kThinking);
  invalid_value("data[2]", fmt::format("expected \"instruct\" or \"thinking\", found \"{}\"", printable(name)));
}

std::optional<double> number_at(const Json& data, size_t index, double low, double high) {
  if (index >= data.size()) return std::nullopt;
  const Json named = {{fmt::format("data[{}]", index), data[index]}};
  return Fields(named).number(named.begin().key().c_str(), low, high);
}

}  // namespace

ChatRequest read_predict(const Json& json, const ModelRegistry& models, UploadStore& uploads) {
  const Fields fields(json);
  if (const auto index = fields.integer("fn_index", INT32_MIN, INT32_MAX); index && *index != 0) {
    invalid_value("fn_index", fmt::format("expected 0, the only function, found {}", *index));
  }
  const Json* data = fields.array("data", 64);
  if (!data) missing_required("data");
  if (data->empty()) missing_required("data[0]");
  const Json none;
  const auto at = [&](size_t index) -> const Json& { return index < data->size() ? (*data)[index] : none; };
  if (!at(0).is_string()) invalid_type("data[0]", "a string", at(0));
  if (at(0).get_ref<const std::string&>().size() > kMaxPromptBytes) {
    throw Error(ErrorKind::kTooLarge, "body_too_large",
                fmt::format("the prompt is longer than {} bytes", kMaxPromptBytes), "data[0]");
  }
  ChatRequest request;
  request.model = &choose_model(at(2), models);
  Json parts = Json::array();
  if (!at(1).is_null()) {
    PictureInput picture;
    picture.source = read_picture(at(1), uploads);
    picture.param = "data[1]";
    request.input.pictures.push_back(std::move(picture));
    parts.push_back({{"type", "image"}});
  }
  parts.push_back({{"type", "text"}, {"text", at(0)}});
  request.input.messages = Json::array({{{"role", "user"}, {"content", std::move(parts)}}});
  request.sampling.temperature = number_at(*data, 3, 0, 2);
  request.sampling.top_p = number_at(*data, 4, 1e-6, 1);
  if (!at(5).is_null()) request.sampling.max_tokens = to_integer(at(5), "data[5]", 1, INT32_MAX);
  return request;
}

}  // namespace qvl
