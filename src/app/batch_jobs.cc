#include "app/batch_jobs.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "app/local_request.h"
#include "chat/random_id.h"
#include "serve/fields.h"
#include "serve/request_json.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxLineBytes = size_t{64} << 20, kMaxIdBytes = 1024;

// As it stands in the output, where a name that is no UTF-8 has replacements.
std::string writable(const std::string& text) { return Json::parse(dump_json(Json(text))).get<std::string>(); }

class RequestFile final : public BatchJobs {
 public:
  explicit RequestFile(const std::string& path) : file_(path, std::ios::binary) {
    if (!file_) throw_error(ErrorKind::kBadFlag, "input_missing", "cannot read {}", printable(path));
    for (std::string line; std::getline(file_, line);) lines_ += !blank(line);
    file_.clear();
    file_.seekg(0);
  }

  BatchFormat format() const override { return BatchFormat::kJsonLines; }
  std::string begin() const override { return R"({"id":"batch_req_)"; }
  size_t size() const override { return lines_; }

  void skip(const std::vector<std::string>& old) override {
    const Json json = Json::parse(old[0], nullptr, false);
    if (!json.is_object() || !json.contains("custom_id") || !json.contains("response") || !json.contains("error")) foreign_output();
    const Json& error = json["error"];
    if (error.is_object() && error.contains("line") && error["line"].is_number_integer()) {
      done_lines_.insert(error["line"].get<int64_t>());
    } else if (json["custom_id"].is_string()) {
      done_.insert(json["custom_id"].get<std::string>());
    }
  }

  std::optional<BatchItem> next() override {
    for (std::string line; std::getline(file_, line);) {
      ++line_;
      if (blank(line)) continue;
      BatchItem item{.id = {}, .line = line_, .text = std::move(line), .broken = {}};
      try {
        item.id = read_id(item.text);
        if (!seen_.insert(item.id).second) {
          throw Error(ErrorKind::kInvalidRequest, "duplicate_custom_id",
                      fmt::format("an earlier line has the custom_id \"{}\"", printable(item.id)), "custom_id");
        }
      } catch (const Error& error) {
        item.broken = error;
      }
      if (item.broken ? !done_lines_.contains(line_) : !done_.contains(item.id)) return item;
      ++skipped_;
    }
    return std::nullopt;
  }

  OpenAiChatRequest request(const BatchItem& item, const ModelRegistry& models) const override {
    Json json = parse_request_json(item.text);
    const Fields fields(json);
    const auto url = fields.string("url", 256), method = fields.string("method", 16);
    if (method && *method != "POST") invalid_value("method", fmt::format("expected \"POST\", found \"{}\"", printable(*method)));
    if (!url) missing_required("url");
    if (*url != "/v1/chat/completions") {
      unsupported("url", fmt::format("expected \"/v1/chat/completions\", found \"{}\"", printable(*url)));
    }
    if (!fields.object("body")) missing_required("body");
    OpenAiChatRequest request = read_openai_chat(json["body"], models);
    if (request.stream) unsupported("stream", "a batch has whole answers only");
    return request;
  }

  std::string record(const BatchItem& item, const OpenAiChatRequest& request, const BatchAnswer& answer) const override {
    ChatFormat format(make_answer_head(request.chat.model->id, kVersion), answer.outcomes.size(), request.format);
    return line_of(item, 200, format.whole(answer.deltas, answer.outcomes, answer.total));
  }

  std::string record(const BatchItem& item, const Error& error) const override {
    if (!item.broken) return line_of(item, http_status(error.kind), Json::parse(error_json(error)));
    Json json = head(item);
    json["response"] = nullptr;
    json["error"] = {{"code", error.code}, {"message", error.what()}, {"param", nullptr}, {"line", item.line}};
    if (!error.param.empty()) json["error"]["param"] = error.param;
    return dump_json(json) + "\n";
  }

 private:
  static bool blank(const std::string& line) { return line.find_first_not_of(" \t\r") == line.npos; }

  static std::string read_id(const std::string& line) {
    if (line.size() > kMaxLineBytes) too_large("line", kMaxLineBytes);
    const Json json = parse_request_json(line);
    const auto id = Fields(json).string("custom_id", kMaxIdBytes);
    if (!id || id->empty()) missing_required("custom_id");
    return *id;
  }

  static Json head(const BatchItem& item) {
    return {{"id", random_id("batch_req_")}, {"custom_id", item.id.empty() ? Json() : Json(item.id)}};
  }

  static std::string line_of(const BatchItem& item, int status, Json body) {
    Json json = head(item);
    json["response"] = {{"status_code", status}, {"request_id", random_id("req_")}, {"body", std::move(body)}};
    json["error"] = nullptr;
    return dump_json(json) + "\n";
  }

  std::ifstream file_;
  size_t lines_ = 0;
  int64_t line_ = 0;
  std::set<std::string> done_, seen_;
  std::set<int64_t> done_lines_;  // of those that could not be asked
};

class PictureFolder final : public BatchJobs {
 public:
  PictureFolder(const BatchFlags& flags, BatchFormat format) : flags_(flags), format_(format) {
    static const std::set<std::string> kPictures = {".jpg", ".jpeg", ".png", ".webp", ".gif",  ".bmp",
                                                    ".tif", ".tiff", ".heic", ".heif", ".avif"};
    std::error_code error;
    for (auto it = fs::recursive_directory_iterator(flags.input, error); !error && it != fs::end(it); it.increment(error)) {
      std::string ending = it->path().extension().string();
      std::transform(ending.begin(), ending.end(), ending.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
      if (kPictures.contains(ending) && it->is_regular_file()) files_.push_back(it->path().lexically_relative(flags.input).string());
    }
    if (error) throw_error(ErrorKind::kBadFlag, "input_missing", "cannot read {}: {}", printable(flags.input), error.message());
    if (files_.empty()) throw_error(ErrorKind::kBadFlag, "input_missing", "{} has no pictures", printable(flags.input));
    std::sort(files_.begin(), files_.end());
  }

  BatchFormat format() const override { return format_; }
  size_t size() const override { return files_.size(); }
  std::string header() const override { return format_ == BatchFormat::kCsv ? csv_record(kColumns) : ""; }
  std::string begin() const override { return format_ == BatchFormat::kCsv ? header() : R"({"file":)"; }

  void skip(const std::vector<std::string>& old) override {
    if (format_ == BatchFormat::kCsv) {
      if (old.size() != kColumns.size()) foreign_output();
      if (old != kColumns) done_.insert(old[0]);
      return;
    }
    const Json json = Json::parse(old[0], nullptr, false);
    if (!json.is_object() || !json.contains("answer") || !json.contains("file") || !json["file"].is_string()) foreign_output();
    done_.insert(json["file"].get<std::string>());
  }

  std::optional<BatchItem> next() override {
    while (at_ < files_.size()) {
      const std::string& file = files_[at_++];
      if (!done_.contains(writable(file))) return BatchItem{.id = file, .line = 0, .text = {}, .broken = {}};
      ++skipped_;
    }
    return std::nullopt;
  }

  OpenAiChatRequest request(const BatchItem& item, const ModelRegistry& models) const override {
    OpenAiChatRequest request;
    ChatRequest& chat = request.chat;
    chat.model = &models.default_model();
    chat.input.messages = Json::array();
    if (!flags_.system.empty()) chat.input.messages.push_back({{"role", "system"}, {"content", flags_.system}});
    const Json parts = Json::array({{{"type", "image"}}, {{"type", "text"}, {"text", flags_.prompt}}});
    chat.input.messages.push_back({{"role", "user"}, {"content", parts}});
    chat.input.pictures.push_back(read_picture(fs::path(flags_.input) / item.id));
    if (flags_.temperature >= 0) chat.sampling.temperature = flags_.temperature;
    if (flags_.max_tokens > 0) chat.sampling.max_tokens = flags_.max_tokens;
    return request;
  }

  std::string record(const BatchItem& item, const OpenAiChatRequest&, const BatchAnswer& answer) const override {
    return row(item, answer.deltas[0].content, answer.outcomes[0].stats.completion_tokens, "");
  }
  std::string record(const BatchItem& item, const Error& error) const override { return row(item, "", 0, error.what()); }

 private:
  inline static const std::vector<std::string> kColumns = {"file", "answer", "tokens", "error"};

  std::string row(const BatchItem& item, const std::string& answer, int64_t tokens, const std::string& error) const {
    if (format_ == BatchFormat::kCsv) return csv_record({writable(item.id), answer, std::to_string(tokens), error});
    const Json json = {{"file", item.id}, {"answer", answer}, {"tokens", tokens}, {"error", error.empty() ? Json() : Json(error)}};
    return dump_json(json) + "\n";
  }

  const BatchFlags flags_;
  const BatchFormat format_;
  std::vector<std::string> files_;
  size_t at_ = 0;
  std::set<std::string> done_;
};

}  // namespace

std::unique_ptr<BatchJobs> make_batch_jobs(const BatchFlags& flags) {
  if (flags.output.empty()) throw Error(ErrorKind::kBadFlag, "bad_flag", "expected a file for the answers: OUT.jsonl or --output");
  const bool csv = flags.output.ends_with(".csv");
  if (!fs::is_directory(flags.input)) {
    if (csv) throw Error(ErrorKind::kBadFlag, "bad_flag", "--output: expected a .jsonl file for a file of requests");
    if (!flags.prompt.empty()) throw Error(ErrorKind::kBadFlag, "bad_flag", "--prompt: expected a folder of pictures with it");
    return std::make_unique<RequestFile>(flags.input);
  }
  if (flags.prompt.empty()) throw Error(ErrorKind::kBadFlag, "bad_flag", "expected a --prompt for the pictures of the folder");
  return std::make_unique<PictureFolder>(flags, csv ? BatchFormat::kCsv : BatchFormat::kJsonLines);
}

}  // namespace qvl
