// What people who share one engine notice of each other, on the engine itself without HTTP:
//
//   streams [--model NAME] [--quantize int4] [--tests throughput,gap,again] [--batches 1,2,4,8] [--image 1024x768] [--tokens N]
//
// throughput: tokens a second of so many streams together. gap: the slowest gap between two tokens of a running stream before
// and while a picture is encoded and read for another. again: time to the first token of a question about the picture, of
// a second one in a new conversation, and of a text of the same length that is new but for one page.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>

#include "app/bench_tests.h"
#include "base/error.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "engine/local_engine.h"
#include "model/rope_positions.h"

namespace qvl {
namespace {

struct Streams {
  BenchModel model;
  BenchPlan plan;
  int64_t tokens;

  std::unique_ptr<Engine> engine() const {
    return make_local_engine(*model.model, {.context_tokens = 4096, .kv_tokens = 16 * 1024, .max_sequences = 16, .stop_token_ids = {}});
  }
};

int32_t token(int64_t i, int64_t seed) { return static_cast<int32_t>((i * 7919 + seed * 104729 + 11) % 150000); }

Prompt text(int64_t tokens, int64_t seed) {
  Prompt prompt;
  for (int64_t i = 0; i < tokens; ++i) prompt.token_ids.push_back(token(i, seed));
  prompt.positions = rope_positions(tokens, {}).ids;
  return prompt;
}

// Some text, the picture, and a question.
Prompt about_picture(const Streams& s, PictureSize size, int64_t seed) {
  constexpr int64_t kBefore = 5, kQuestion = 20;
  ProcessorConfig processor;
  processor.patch_size = s.model.config.vision.patch_size;
  Image image{.width = size.width, .height = size.height, .rgb = {}};
  image.rgb.resize(static_cast<size_t>(size.width) * static_cast<size_t>(size.height) * 3);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * i >> 7);
  Patches patches = process_image(image, processor, processor.image);
  const int merge = s.model.config.vision.spatial_merge_size;
  const int rows = patches.grid.h / merge, columns = patches.grid.w / merge;
  Prompt prompt = text(kBefore, 0);
  prompt.token_ids.insert(prompt.token_ids.end(), static_cast<size_t>(rows * columns), s.model.config.image_token_id);
  for (int64_t i = 0; i < kQuestion; ++i) prompt.token_ids.push_back(token(i, seed));
  const std::vector<VisualRun> runs = {{kBefore, rows, columns}};
  RopePositions positions = rope_positions(std::ssize(prompt.token_ids), runs);
  prompt.positions = std::move(positions.ids);
  prompt.rope_delta = positions.rope_delta;
  const Sha256 hash = sha256(std::as_bytes(std::span(patches.values)));
  prompt.visuals.push_back({patches.grid, std::make_shared<const std::vector<float>>(std::move(patches.values)), hash, {kBefore}});
  return prompt;
}

SamplingParams greedy(int64_t tokens) { return {.temperature = 0, .max_tokens = tokens, .ignore_eos = true}; }

RequestStats finish(TokenStream& stream) {
  while (true) {
    const auto item = stream.next();
    if (item.kind == TokenStream::Item::Kind::kDone) return item.stats;
  }
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void throughput(const Streams& s) {
  for (const int64_t count : s.plan.batches) {
    const auto engine = s.engine();
    std::vector<std::unique_ptr<TokenStream>> streams;
    for (int64_t i = 0; i < count; ++i) streams.push_back(engine->submit(text(16, i), greedy(s.tokens + 1)));
    for (const auto& stream : streams) stream->next();
    const double start = now_s();
    for (const auto& stream : streams) finish(*stream);
    const double seconds = now_s() - start;
    std::printf("%2d streams: %7.1f tokens/s\n", static_cast<int>(count), static_cast<double>(count * s.tokens) / seconds);
  }
}

void gap(const Streams& s, PictureSize size) {
  const auto engine = s.engine();
  const auto running = engine->submit(text(16, 1), greedy(4000));
  for (int i = 0; i < 10; ++i) running->next();
  std::vector<double> before, during;
  double last = now_s();
  const auto next_gap = [&](std::vector<double>& gaps) {
    running->next();
    const double now = now_s();
    gaps.push_back(1000 * (now - last));
    last = now;
  };
  for (int i = 0; i < 20; ++i) next_gap(before);
  const Prompt prompt = about_picture(s, size, 2);
  running->next();
  last = now_s();
  const double start = last;
  const auto other = engine->submit(prompt, greedy(1));
  while (!other->try_next()) next_gap(during);
  const double seconds = now_s() - start;
  std::printf("gaps of a running stream: %.0f ms at most alone; beside a picture of %dx%d, %.1f s to its first token: median %.0f, the slowest",
              *std::max_element(before.begin(), before.end()), size.width, size.height, seconds, median(during));
  std::sort(during.begin(), during.end(), std::greater<>());
  for (size_t i = 0; i < std::min<size_t>(5, during.size()); ++i) std::printf(" %.0f", during[i]);
  std::printf(" ms\n");
}

void again(const Streams& s, PictureSize size) {
  const auto engine = s.engine();
  const auto report = [](const char* what, const RequestStats& stats) {
    std::printf("%-44s %7.0f ms to the first token, %d of %d tokens known, vision %.0f ms\n", what, stats.ttft_ms,
                static_cast<int>(stats.cached_tokens), static_cast<int>(stats.prompt_tokens), stats.vision_ms);
  };
  const Prompt first = about_picture(s, size, 1);
  report("a picture and a question", finish(*engine->submit(first, greedy(2))));
  for (int64_t i = 2; i < 5; ++i) {
    report("another question, a new conversation", finish(*engine->submit(about_picture(s, size, i), greedy(2))));
  }
  const auto tokens = std::ssize(first.token_ids);
  finish(*engine->submit(text(tokens, 3), greedy(2)));
  for (int64_t question = 4; question < 7; ++question) {
    Prompt other = text(tokens, 3);
    for (int64_t i = tokens - 20; i < tokens; ++i) other.token_ids[static_cast<size_t>(i)] = token(i, question);
    report("the same with text only", finish(*engine->submit(other, greedy(2))));
  }
}

int run(int argc, char** argv) {
  CLI::App app("What streams of one engine notice of each other.", "streams");
  BenchFlags flags;
  flags.model.quantize = "int4";
  flags.batches = "1,2,4,8";
  std::string tests = "throughput,gap,again";
  int64_t tokens = 32;
  app.add_option("--model", flags.model.model)->required();
  app.add_option("--quantize", flags.model.quantize);
  app.add_option("--threads", flags.model.threads);
  app.add_option("--batches", flags.batches);
  app.add_option("--image", flags.images);
  app.add_option("--tests", tests);
  app.add_option("--tokens", tokens);
  CLI11_PARSE(app, argc, argv);
  const Streams streams{load_bench_model(flags.model), BenchPlan(flags), tokens};
  if (tests.find("throughput") != tests.npos) throughput(streams);
  for (const PictureSize size : streams.plan.pictures) {
    if (tests.find("gap") != tests.npos) gap(streams, size);
    if (tests.find("again") != tests.npos) again(streams, size);
  }
  return 0;
}

}  // namespace
}  // namespace qvl

int main(int argc, char** argv) {
  qvl::log_init();
  try {
    return qvl::run(argc, argv);
  } catch (const qvl::Error& e) {
    qvl::log_error("{}", e.what());
    return qvl::exit_code(e.kind);
  }
}
