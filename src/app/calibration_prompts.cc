#include "app/calibration_prompts.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "chat/prompt_builder.h"
#include "model/calibration.h"

namespace qvl {
namespace {

namespace fs = std::filesystem;

size_t at(int64_t i) { return static_cast<size_t>(i); }

constexpr int kAnswerTokens = 24;                // that the model itself adds to a question without an answer
constexpr int64_t kMostPixels = 512 * 512;       // of a picture: 256 tokens
constexpr size_t kMostSamples = 24, kMostPictures = 36, kMostVariants = 5;  // of a first screen; with variants; of each
constexpr size_t kMostOwn = 128;                 // pictures made for this
constexpr int64_t kMostPromptTokens = 2048;      // of one prompt; a longer one is left out

struct Turn {
  const char *question, *answer;
};

// Short on purpose: rows of many kinds say more about which inputs move together than many rows of one kind.
constexpr Turn kTurns[] = {
    {"Why is the sky blue?",
     "Sunlight is scattered by the molecules of the air, and short waves far more than long ones: the strength goes with the fourth power of the "
     "frequency. So blue light reaches us from every direction, while red light mostly comes straight from the sun. At sunset the way through the "
     "air is long, nearly all blue is scattered out of it, and what is left looks orange."},
    {"请用三句话介绍一下长城。",
     "长城是中国古代修建的军事防御工程，东起山海关，西至嘉峪关，全长超过两万公里。它的修建从春秋战国开始，一直延续到明代。今天，长城是世界文化遗产，每年吸引数百万游客。"},
    {"Write a Python function that returns the n-th Fibonacci number.",
     "```python\ndef fibonacci(n: int) -> int:\n    \"\"\"The n-th number, counted from fibonacci(0) == 0.\"\"\"\n    if n < 0:\n        raise "
     "ValueError(f\"expected n >= 0, found {n}\")\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n```\nIt takes n "
     "additions and constant memory. `fibonacci(10)` gives 55."},
    {"Extract the order as JSON: Anna Schmidt from Berlin bought 3 lamps at 24.90 each on 2024-03-17, paid by card.",
     "{\"customer\": {\"name\": \"Anna Schmidt\", \"city\": \"Berlin\"}, \"items\": [{\"name\": \"lamp\", \"quantity\": 3, \"price\": 24.90}], "
     "\"total\": 74.70, \"date\": \"2024-03-17\", \"payment\": \"card\"}"},
    {"一个水池有两个进水管，甲管6小时注满，乙管4小时注满。两管一起开，几小时注满？",
     "甲管每小时注入水池的1/6，乙管每小时注入1/4。两管一起，每小时注入1/6 + 1/4 = 2/12 + 3/12 = 5/12。所以需要12 ÷ 5 = 2.4小时，也就是2小时24分钟。"},
    {"Calculate 17 * 23 + 144 / 12 - 5.", "17 * 23 = 391\n144 / 12 = 12\n391 + 12 - 5 = 398\n\nThe result is **398**."},
    {"Summarise: The committee met on Tuesday to discuss the new library. Members agreed on the site near the river but not on the cost, which "
     "has grown from 12 to 19 million since last year. A second study is due in May.",
     "The committee chose the riverside site for the new library but could not agree on its cost, now 19 million instead of 12; a second study "
     "will follow in May."},
    {"把下面的句子翻译成英文：春天来了，公园里的樱花开了，孩子们在草地上放风筝。",
     "Spring has come, the cherry trees in the park are in blossom, and the children are flying kites on the grass."},
    {"Which is larger, 9.11 or 9.9? Explain briefly.",
     "9.9 is larger. Written with the same number of decimals, they are 9.11 and 9.90, and 90 hundredths are more than 11 hundredths."},
    {"Show the planets' diameters as a Markdown table.",
     "| Planet | Diameter (km) |\n|---|---|\n| Mercury | 4,879 |\n| Venus | 12,104 |\n| Earth | 12,756 |\n| Mars | 6,792 |\n| Jupiter | 142,984 |\n| "
     "Saturn | 120,536 |\n| Uranus | 51,118 |\n| Neptune | 49,528 |"},
    {"Fix this C++: for (int i = 0; i <= v.size(); i++) sum += v[i];",
     "The loop reads one element past the end. Use `<`, or better no index:\n```cpp\nint64_t sum = 0;\nfor (const int x : v) sum += x;\n```"},
    {"写一首关于秋天的短诗。", "秋风轻轻过山岗，\n一叶知秋满地黄。\n雁阵南飞云影远，\n月明如水照西窗。"},
    {"What should I see in Lisbon in one day?",
     "1. **Morning:** Belém, with the tower and the monastery, and a pastel de nata beside it.\n2. **Noon:** lunch in the Alfama, the oldest "
     "quarter, and the view from Portas do Sol.\n3. **Afternoon:** tram 28 to the Chiado and the ruins of the Carmo convent.\n4. **Evening:** "
     "fado in a small restaurant of the Bairro Alto."},
    {"怎样才能睡得更好？",
     "可以从这几点做起：\n1. 每天在同一时间睡觉和起床；\n2. 睡前一小时不看手机；\n3. 下午以后不喝咖啡；\n4. 保持卧室安静、黑暗、凉爽。如果几周后仍然失眠，最好去看医生。"},
    {"Convert to SQL: the names of all customers in France with more than 5 orders.",
     "```sql\nSELECT c.name\nFROM customers c\nJOIN orders o ON o.customer_id = c.id\nWHERE c.country = 'France'\nGROUP BY c.id, c.name\nHAVING "
     "COUNT(*) > 5;\n```"},
    {"Who wrote \"Pride and Prejudice\", and when did it appear?", "Jane Austen wrote it; it was published on 28 January 1813."},
};

Json user_turn(const std::string& text, bool picture) {
  Json content = Json::array();
  if (picture) content.push_back({{"type", "image"}});
  content.push_back({{"type", "text"}, {"text", text}});
  return {{"role", "user"}, {"content", std::move(content)}};
}

// A colour gradient with a disc, a frame and a bar chart.
Image shapes_picture() {
  Image image{320, 256, std::vector<uint8_t>(size_t{320} * 256 * 3)};
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      int r = 255 - y / 2, g = 255 - x / 3, b = 200 + y / 5;
      const int dx = x - 80, dy = y - 80;
      if (dx * dx + dy * dy < 50 * 50) r = 220, g = 40, b = 40;
      const bool outer = x >= 170 && x < 290 && y >= 30 && y < 120, inner = x >= 182 && x < 278 && y >= 42 && y < 108;
      if (outer && !inner) r = 30, g = 60, b = 200;
      const int bar = (x - 40) / 48;
      constexpr int kHeights[] = {30, 70, 50, 90, 20};
      if (x >= 40 && bar < 5 && (x - 40) % 48 < 34 && y < 240 && y >= 240 - kHeights[bar]) r = 40, g = 150, b = 60 + 30 * bar;
      uint8_t* const pixel = image.rgb.data() + (size_t{3} * at(int64_t{y} * image.width + x));
      pixel[0] = static_cast<uint8_t>(r), pixel[1] = static_cast<uint8_t>(g), pixel[2] = static_cast<uint8_t>(b);
    }
  }
  return image;
}

// Stripes beside what looks like lines of text on paper.
Image page_picture() {
  Image image{256, 320, std::vector<uint8_t>(size_t{320} * 256 * 3, 250)};
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      uint8_t* const pixel = image.rgb.data() + (size_t{3} * at(int64_t{y} * image.width + x));
      if (x < 64) {
        const bool dark = (x + y) / 12 % 2 == 0;
        pixel[0] = dark ? 250 : 20, pixel[1] = dark ? 200 : 20, pixel[2] = dark ? 40 : 20;
      } else if (y % 20 < 11 && x >= 80 && x < 240 - y * 7 % 60) {  // marks of uneven width with gaps between words
        const int mark = (x - 80) / 3 + y / 20 * 31;
        if (mark * 7919 % 11 > 1 && (mark * 2654435 >> (y % 20 / 3)) % 2 == 0) pixel[0] = pixel[1] = pixel[2] = 30;
      }
    }
  }
  return image;
}

struct Question {
  Json messages;
  std::vector<MediaItem> pictures;
  std::vector<std::string> further;  // asked after the answer before
};

class PromptReader {
 public:
  PromptReader(const LoadedModel& loaded, Model& model) : loaded_(loaded), model_(model) {}
  int64_t tokens() const { return tokens_; }

  // A conversation, with up to `answer` tokens of the model's own after each question. What is known already is not read again: a picture counts once for
  // all that is asked about it, as many of its tokens would drown those of questions and answers.
  void read(const Question& question, int answer) {
    RenderOptions render;
    render.add_generation_prompt = answer > 0;
    Json messages = question.messages;
    constexpr auto kPages = static_cast<int>(kMostPromptTokens / KvCache::kPageTokens);
    const auto cache = model_.language.make_kv_cache(kPages);
    std::vector<int32_t> pages(size_t{kPages});
    std::iota(pages.begin(), pages.end(), 0);
    std::vector<VisionFeatures> features;
    for (const MediaItem& picture : question.pictures) features.push_back(model_.vision.forward(picture.grid, *picture.patches));
    std::vector<int32_t> known;  // whose keys and values the cache holds
    for (size_t turn = 0;; ++turn) {
      const Prompt prompt = build_prompt(*loaded_.tokenizer, loaded_.config, loaded_.template_kind, messages, Json(), render, question.pictures);
      const auto& ids = prompt.token_ids;
      const auto total = static_cast<int64_t>(ids.size());
      if (total + answer > kMostPromptTokens) return;
      const auto first = std::min<int64_t>(total - 1, std::mismatch(ids.begin(), ids.end(), known.begin(), known.end()).first - ids.begin());
      Batch batch;
      batch.token_ids.assign(ids.begin() + first, ids.end());
      for (int64_t axis = 0; axis < 3; ++axis) {
        batch.positions.insert(batch.positions.end(), prompt.positions.begin() + axis * total + first, prompt.positions.begin() + (axis + 1) * total);
      }
      for (size_t i = 0; turn == 0 && i < features.size(); ++i) {
        batch.visuals.push_back({.row_begin = prompt.visuals[i].token_begins[0], .rows = features[i].tokens, .features = &features[i]});
      }
      batch.sequences = {{.row_begin = 0, .rows = total - first, .past = first, .pages = pages}};
      known = ids;
      auto logits = forward(batch, *cache);
      std::vector<int32_t> given;
      const auto& ends = loaded_.generation.eos_token_id;
      for (int step = 0; step < answer; ++step) {
        const auto best = static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
        if (std::find(ends.begin(), ends.end(), best) != ends.end()) break;
        const auto position = static_cast<int32_t>(total + step + prompt.rope_delta);
        Batch next;
        next.token_ids = {best};
        next.positions = {position, position, position};
        next.sequences = {{.row_begin = 0, .rows = 1, .past = total + step, .pages = pages}};
        given.push_back(best);
        known.push_back(best);
        logits = forward(next, *cache);
      }
      if (turn == question.further.size()) return;
      messages.push_back({{"role", "assistant"}, {"content", loaded_.tokenizer->decode(given, true)}});
      messages.push_back(user_turn(question.further[turn], false));
    }
  }

  MediaItem item(const Image& image) const {
    PixelLimits limits = loaded_.processor.image;
    limits.max_pixels = std::min(limits.max_pixels, kMostPixels);
    limits.min_pixels = std::min(limits.min_pixels, limits.max_pixels);
    return make_media_item(process_image(image, loaded_.processor, limits));
  }

 private:
  std::vector<float> forward(Batch& batch, KvCache& cache) {
    batch.logit_rows = {std::ssize(batch.token_ids) - 1};
    batch.best = {{.count = 1}};
    tokens_ += std::ssize(batch.token_ids);
    const auto logits = model_.language.forward(batch, cache);
    return {logits.begin(), logits.end()};
  }

  const LoadedModel& loaded_;
  Model& model_;
  int64_t tokens_ = 0;
};

// A picture in other colours, and for odd `variant` mirrored: 0 is the picture itself. Few pictures say too little about how inputs move together,
// and weights rounded by them alone would do worse on others than weights rounded to nearest.
Image varied(Image image, size_t variant) {
  const size_t width = static_cast<size_t>(image.width), pixels = image.rgb.size() / 3;
  for (size_t i = 0; i < pixels && variant > 0; ++i) {
    uint8_t* const pixel = image.rgb.data() + 3 * i;
    if (variant < 4) std::rotate(pixel, pixel + variant % 3, pixel + 3);
    if (variant >= 2) {
      for (int c = 0; c < 3; ++c) pixel[c] = static_cast<uint8_t>(255 - pixel[c]);
    }
    if (variant % 2 != 0 && i % width < width / 2) {
      for (int c = 0; c < 3; ++c) std::swap(pixel[c], image.rgb[3 * (i / width * width + width - 1 - i % width) + static_cast<size_t>(c)]);
    }
  }
  return image;
}

// Questions in every language about the pictures that the model's folder has for this; or about those of its first screen and variants of them, about
// each picture its own questions and about its variants those of other pictures.
std::vector<Question> own_questions(const fs::path& model_folder, const PromptReader& reader) {
  std::vector<Question> out;
  const fs::path own = calibration_folder(model_folder), index = own / "index.json";
  if (own.empty()) return out;
  const bool made_for_this = own.filename() == "calibration";
  const size_t most = made_for_this ? kMostOwn : kMostSamples;
  try {
    const Json samples = parse_json(read_file(index, ErrorKind::kModel, "model_file_missing"), index.string(), ErrorKind::kModel, "model_config");
    const size_t count = std::min(samples.size(), most);
    const size_t variants = made_for_this ? 1 : std::clamp(kMostPictures / std::max<size_t>(1, count), size_t{1}, kMostVariants);
    for (size_t i = 0; i < count; ++i) {
      const fs::path file = index.parent_path() / fs::path(samples.at(i).at("file").get<std::string>()).filename();
      const std::string bytes = read_file(file, ErrorKind::kModel, "model_file_missing", ImageLimits{}.max_bytes);
      const Image image = decode_image(std::as_bytes(std::span(bytes)));
      for (size_t variant = 0; variant < variants; ++variant) {
        const MediaItem picture = reader.item(varied(image, variant));
        std::vector<std::string> questions;
        for (const auto& language : samples.at((i + variant) % count).at("questions")) {
          for (const auto& question : language) questions.push_back(question.get<std::string>());
        }
        if (questions.empty()) continue;
        Question asked{Json::array({user_turn(questions[0], true)}), {picture}, {questions.begin() + 1, questions.end()}};
        out.push_back(std::move(asked));
      }
    }
  } catch (const Error& e) {
    log_warn("{}: {}; calibrating without what follows", index.string(), e.what());
  } catch (const Json::exception&) {
    log_warn("{}: expected a list of objects with \"file\" and \"questions\"; calibrating without what follows", index.string());
  }
  return out;
}

}  // namespace

void read_calibration_prompts(const LoadedModel& loaded, Model& model, const std::function<void(int64_t done, int64_t total)>& progress) {
  PromptReader reader(loaded, model);
  std::vector<Question> questions = own_questions(loaded.folder, reader);
  const MediaItem shapes = reader.item(shapes_picture()), page = reader.item(page_picture());
  questions.push_back({Json::array({user_turn("Describe this picture.", true)}), {shapes}, {}});
  questions.push_back({Json::array({user_turn("图中有什么？", true)}), {shapes}, {}});
  questions.push_back({Json::array({user_turn("What is on this page?", true)}), {page}, {}});
  const auto total = static_cast<int64_t>(questions.size() + std::size(kTurns));
  int64_t done = 0;
  for (const Question& question : questions) {
    reader.read(question, kAnswerTokens);
    progress(++done, total);
  }
  for (const Turn& turn : kTurns) {
    const Json answer = {{"role", "assistant"}, {"content", turn.answer}};
    reader.read({Json::array({user_turn(turn.question, false), answer}), {}, {}}, 0);
    progress(++done, total);
  }
  log_info("calibrating: {} tokens of {} prompts read", reader.tokens(), total);
}

}  // namespace qvl
