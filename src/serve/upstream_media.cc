#include "serve/upstream_media.h"

#include <algorithm>

#include "media/data_uri.h"
#include "media/image.h"

namespace qvl {
namespace {

class Inliner {
 public:
  Inliner(const MediaAccess* access, const std::atomic<bool>* abandoned) : access_(access), abandoned_(abandoned) {}

  bool changed() const { return changed_; }

  // Depth is bounded by the request's parser.
  void walk(Json& value, const std::string& path) {
    if (value.is_array()) {
      for (size_t i = 0; i < value.size(); ++i) walk(value[i], fmt::format("{}[{}]", path, i));
    }
    if (!value.is_object()) return;
    for (const auto& item : value.items()) {
      const std::string& key = item.key();
      const std::string inner = path + "." + key;
      if (key == "image_url" || key == "image" || key == "input_image") {
        picture(item.value(), inner);
      } else if (key == "source") {
        source(item.value(), inner, value.contains("type") && value["type"] == "image");
      } else if (key == "content" || key == "output") {
        walk(item.value(), inner);  // parts, and those of tool results
      } else if (is_other_media(key)) {
        only_data(item.value(), inner);
      }
    }
  }

 private:
  static bool is_other_media(std::string_view key) {
    const auto keys = {"video_url", "video", "input_video", "audio_url", "audio", "file_url", "file", "file_data"};
    return std::find(keys.begin(), keys.end(), key) != keys.end();
  }

  void picture(Json& value, const std::string& path) {
    if (value.is_object()) {
      if (const auto url = value.find("url"); url != value.end()) picture(*url, path + ".url");
      return;
    }
    if (!value.is_string() || is_data_uri(value.get_ref<const std::string&>())) return;
    value = encode_data_uri(load(value.get_ref<const std::string&>(), path));
    changed_ = true;
  }

  // Anthropic's {"type": "url", "url": ...}
  void source(Json& value, const std::string& path, bool is_picture) {
    if (!value.is_object() || !value.contains("url") || !value["url"].is_string()) return;
    if (!is_picture) refuse(path + ".url");
    const std::string uri = encode_data_uri(load(value["url"].get_ref<const std::string&>(), path + ".url"));
    const size_t semicolon = uri.find(';'), comma = uri.find(',');
    value = {{"type", "base64"}, {"media_type", uri.substr(5, semicolon - 5)}, {"data", uri.substr(comma + 1)}};
    changed_ = true;
  }

  void only_data(const Json& value, const std::string& path) {
    if (value.is_string() && !is_data_uri(value.get_ref<const std::string&>())) refuse(path);
    if (!value.is_structured()) return;
    for (const auto& item : value.items()) {
      const bool named = value.is_object() && item.key() != "url" && item.key() != "data" && item.key() != "file_data";
      if (named && item.value().is_string()) continue;  // a file's name, a format
      if (item.key() == "data" && value.is_object()) continue;  // bare base64
      only_data(item.value(), path);
    }
  }

  [[noreturn]] static void refuse(const std::string& path) {
    throw Error(ErrorKind::kInvalidRequest, "url_scheme_not_allowed", fmt::format("{}: expected a data URI", path), path);
  }

  std::vector<std::byte> load(const std::string& text, const std::string& path) {
    try {
      return decode_media_source(text, ImageLimits{}.max_bytes, path, access_, abandoned_);
    } catch (Error& error) {
      if (error.param.empty()) error.param = path;
      throw;
    }
  }

  const MediaAccess* const access_;
  const std::atomic<bool>* const abandoned_;
  bool changed_ = false;
};

}  // namespace

bool inline_media(Json& body, const MediaAccess* access, const std::atomic<bool>* abandoned) {
  Inliner inliner(access, abandoned);
  for (const char* key : {"messages", "input"}) {
    if (const auto found = body.find(key); found != body.end()) inliner.walk(*found, key);
  }
  return inliner.changed();
}

}  // namespace qvl
