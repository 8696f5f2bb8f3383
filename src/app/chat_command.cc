// A chat in the terminal: one question, or a conversation about pictures until end of input.
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "app/commands.h"
#include "app/engine_factory.h"
#include "app/local_request.h"
#include "base/error.h"
#include "base/log.h"
#include "chat/chat_service.h"

namespace qvl {
namespace {

struct Answer {
  std::string reasoning, content;
  AnswerOutcome outcome;
};

class TerminalChat {
 public:
  explicit TerminalChat(const ChatFlags& flags) : flags_(flags), running_(start_model(flags.model)) {
    const auto kind = flags.thinking ? TemplateKind::kThinking : running_.loaded.template_kind;
    registry_.add(running_.served("chat", kind));
    if (!flags.system.empty()) messages_.push_back({{"role", "system"}, {"content", flags.system}});
    for (const auto& file : flags.images) attach(file);
  }

  void attach(const std::string& file) {
    pictures_.push_back(read_picture(file));
    ++new_pictures_;
  }

  Answer ask(const std::string& question, bool print) {
    Json content = Json::array();
    for (; new_pictures_ > 0; --new_pictures_) content.push_back({{"type", "image"}});
    content.push_back({{"type", "text"}, {"text", question}});
    messages_.push_back({{"role", "user"}, {"content", content}});
    ChatRequest request;
    request.model = &registry_.default_model();
    request.input = {.messages = messages_, .tools = {}, .pictures = pictures_, .render = {}};
    if (flags_.temperature >= 0) request.sampling.temperature = flags_.temperature;
    if (flags_.max_tokens > 0) request.sampling.max_tokens = flags_.max_tokens;
    if (flags_.seed >= 0) request.sampling.seed = static_cast<uint64_t>(flags_.seed);
    const auto stream = start_chat(request);
    Answer answer;
    while (true) {
      const auto item = stream->next();
      if (print) show(item.delta, answer);
      answer.reasoning += item.delta.reasoning;
      answer.content += item.delta.content;
      if (!item.outcome) continue;
      answer.outcome = *item.outcome;
      if (answer.outcome.error) throw *answer.outcome.error;
      messages_.push_back({{"role", "assistant"}, {"content", answer.content}});
      return answer;
    }
  }

 private:
  static void show(const ChatDelta& delta, const Answer& before) {
    const bool color = isatty(STDOUT_FILENO);
    if (!delta.reasoning.empty()) std::printf("%s%s%s", color ? "\033[2m" : "", delta.reasoning.c_str(), color ? "\033[0m" : "");
    if (!delta.content.empty() && before.content.empty() && !before.reasoning.empty()) std::printf("\n\n");
    std::printf("%s", delta.content.c_str());
    std::fflush(stdout);
  }

  const ChatFlags& flags_;
  RunningModel running_;
  ModelRegistry registry_;
  Json messages_ = Json::array();
  std::vector<PictureInput> pictures_;
  int new_pictures_ = 0;  // attached, not yet asked about
};

void print_json(const Answer& answer) {
  const RequestStats& s = answer.outcome.stats;
  Json out = {{"answer", answer.content}};
  if (!answer.reasoning.empty()) out["reasoning"] = answer.reasoning;
  out["finish_reason"] = answer.outcome.end == AnswerEnd::kLength ? "length" : "stop";
  out["usage"] = {{"prompt_tokens", s.prompt_tokens}, {"completion_tokens", s.completion_tokens}, {"vision_tokens", s.vision_tokens}};
  out["timings"] = {{"vision_ms", s.vision_ms}, {"prefill_ms", s.prefill_ms}, {"ttft_ms", s.ttft_ms}, {"decode_ms", s.decode_ms}};
  std::printf("%s\n", dump_json(out).c_str());
}

void interactive(TerminalChat& chat) {
  std::fprintf(stderr, "Ask; /image FILE attaches a picture, Ctrl-D ends. / 请提问；/image 文件 添加图片，Ctrl-D 结束。\n");
  for (std::string line; std::fprintf(stderr, "> "), std::getline(std::cin, line);) {
    try {
      if (line.rfind("/image ", 0) == 0) {
        chat.attach(line.substr(7));
      } else if (!line.empty()) {
        chat.ask(line, true);
        std::printf("\n");
      }
    } catch (const Error& e) {
      std::fprintf(stderr, "%s\n", e.what());
    }
  }
}

}  // namespace

int run_chat(const ChatFlags& flags) {
  if (flags.json && flags.prompt.empty()) throw Error(ErrorKind::kBadFlag, "bad_flag", "--json: expected a --prompt with it");
  if (flags.json) spdlog::set_level(spdlog::level::warn);
  TerminalChat chat(flags);
  if (flags.prompt.empty()) {
    interactive(chat);
    return 0;
  }
  const Answer answer = chat.ask(flags.prompt, !flags.json);
  if (flags.json) {
    print_json(answer);
  } else {
    std::printf("\n");
  }
  return 0;
}

}  // namespace qvl
