#include "app/bench_tests.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "app/weight_loading.h"
#include "base/error.h"
#include "base/log.h"
#include "base/stopwatch.h"
#include "model/known_models.h"
#include "weights/made_weights.h"
#include "weights/weight_store.h"

namespace qvl {
namespace {

constexpr const char* kTests[] = {"prefill", "decode", "image", "ttft"};

std::vector<std::string_view> split(std::string_view list) {
  std::vector<std::string_view> out;
  for (size_t comma; (comma = list.find(',')) != list.npos; list.remove_prefix(comma + 1)) out.push_back(list.substr(0, comma));
  out.push_back(list);
  return out;
}

bool read_number(std::string_view text, int64_t low, int64_t high, int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= low && value <= high;
}

std::vector<int64_t> read_numbers(const char* flag, const std::string& list, int64_t low, int64_t high) {
  std::vector<int64_t> out;
  for (const auto part : split(list)) {
    int64_t value = 0;
    if (!read_number(part, low, high, value)) {
      throw_error(ErrorKind::kBadFlag, "bad_flag", "{}: expected numbers from {} to {} with commas between, found \"{}\"", flag,
                  low, high, printable(list));
    }
    out.push_back(value);
  }
  return out;
}

PictureSize read_size(std::string_view text, const std::string& list) {
  constexpr int64_t kMin = 32, kMax = 8192;
  const size_t x = std::min(text.find('x'), text.size());
  int64_t width = 0, height = 0;
  if (!read_number(text.substr(0, x), kMin, kMax, width) ||
      !read_number(text.substr(std::min(x + 1, text.size())), kMin, kMax, height)) {
    throw_error(ErrorKind::kBadFlag, "bad_flag",
                "--image: expected WIDTHxHEIGHT of {} to {} such as 1024x768, with commas between, found \"{}\"", kMin, kMax,
                printable(list));
  }
  return {static_cast<int>(width), static_cast<int>(height)};
}

Image noise_image(PictureSize size) {
  Image image{.width = size.width, .height = size.height, .rgb = {}};
  image.rgb.resize(static_cast<size_t>(size.width) * static_cast<size_t>(size.height) * 3);
  for (size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<uint8_t>(i * 2654435761u >> 24);
  return image;
}

}  // namespace

BenchPlan::BenchPlan(const BenchFlags& flags)
    : prompts(read_numbers("-p", flags.prompts, 1, 1 << 20)),
      generated(read_numbers("-n", flags.generated, 1, 1 << 20)),
      batches(read_numbers("--batch", flags.batches, 1, 256)),
      depths(read_numbers("--depth", flags.depths, 0, 1 << 20)),
      chunk(flags.chunk),
      reps(flags.reps) {
  for (const auto part : split(flags.images)) pictures.push_back(read_size(part, flags.images));
  for (const auto part : split(flags.tests)) {
    if (std::find(std::begin(kTests), std::end(kTests), part) == std::end(kTests)) {
      throw_error(ErrorKind::kBadFlag, "bad_flag", "--tests: expected {} with commas between, found \"{}\"",
                  fmt::format("{}", fmt::join(kTests, ", ")), printable(flags.tests));
    }
    tests.emplace_back(part);
  }
}

bool BenchPlan::wants(const std::string& test) const { return std::find(tests.begin(), tests.end(), test) != tests.end(); }

BenchModel load_bench_model(const ModelFlags& flags) {
  constexpr std::string_view kMade = "made:";
  const double start = now_s();
  BenchModel out;
  std::unique_ptr<WeightStore> store;
  std::filesystem::path folder;
  if (flags.model.starts_with(kMade)) {
    const std::string name = flags.model.substr(kMade.size());
    const auto config = known_model(name);
    if (!config) {
      throw_error(ErrorKind::kBadFlag, "bad_flag", "--model made:{}: expected one of {}", printable(name),
                  fmt::format("{}", fmt::join(known_model_names(), ", ")));
    }
    out.config = *config;
    std::vector<std::pair<std::string, Shape>> tensors;
    for (const auto& spec : expected_tensors(out.config)) tensors.emplace_back(spec.name, spec.shape);
    store = made_weights(std::move(tensors), 1);
  } else {
    folder = find_model(flags.model);
    out.config = load_model_config(folder);
    store = open_safetensors(folder);
    check_tensors(*store, out.config);
  }
  out.backend = make_backend(flags.load_options());
  out.model = load_weights(*out.backend, *store, out.config, flags.load_options(), folder);
  out.load_seconds = now_s() - start;
  return out;
}

BenchTests::BenchTests(BenchModel& model, const BenchPlan& plan) : model_(model), plan_(plan), work_(model_work(model.config)) {}

std::vector<BenchRow> BenchTests::run() {
  if (plan_.wants("prefill") || plan_.wants("decode") || plan_.wants("ttft")) {
    BenchSequences(*model_.backend, *model_.model, 1, 16, plan_.chunk).prefill(16);  // touches the weights, grows the scratch
  }
  for (const int64_t depth : plan_.depths) {
    if (plan_.wants("prefill")) {
      for (const int64_t tokens : plan_.prompts) prefill(tokens, depth);
    }
    if (plan_.wants("decode")) {
      for (const int64_t batch : plan_.batches) {
        for (const int64_t tokens : plan_.generated) decode(tokens, static_cast<int>(batch), depth);
      }
    }
  }
  if (plan_.wants("image") || plan_.wants("ttft")) {
    for (const auto size : plan_.pictures) picture(size);
  }
  return std::move(rows_);
}

void BenchTests::add(BenchRow row) {
  log_info("{} of {} tokens{}: {:.1f} ms, {:.2f} tokens/s", row.test, row.tokens,
           row.batch > 1 ? fmt::format(" x {}", row.batch) : "", row.seconds * 1e3, row.tokens_per_second());
  rows_.push_back(std::move(row));
}

void BenchTests::prefill(int64_t tokens, int64_t depth) {
  BenchSequences sequence(*model_.backend, *model_.model, 1, depth + tokens, plan_.chunk);
  sequence.fill(depth);
  BenchRow row{.test = "prefill", .tokens = tokens, .depth = depth, .seconds = std::numeric_limits<double>::max()};
  for (int64_t rep = 0; rep < plan_.reps; ++rep) {
    sequence.rewind(depth);
    const double start = now_s();
    sequence.prefill(tokens);
    row.seconds = std::min(row.seconds, now_s() - start);
    row.bytes = sequence.take_bytes();
  }
  row.macs = text_macs(work_, depth, tokens, 1);
  add(std::move(row));
}

void BenchTests::decode(int64_t tokens, int batch, int64_t depth) {
  BenchSequences sequences(*model_.backend, *model_.model, batch, depth + tokens, plan_.chunk);
  sequences.fill(depth);
  BenchRow row{.test = "decode", .tokens = tokens, .batch = batch, .depth = depth, .seconds = std::numeric_limits<double>::max()};
  for (int64_t rep = 0; rep < plan_.reps; ++rep) {
    sequences.rewind(depth);
    const double start = now_s();
    for (int64_t i = 0; i < tokens; ++i) sequences.decode_step();
    row.seconds = std::min(row.seconds, now_s() - start);
    row.bytes = sequences.take_bytes();
  }
  row.macs = batch * text_macs(work_, depth, tokens, tokens);
  add(std::move(row));
}

// From a decoded picture to the first token, the tower timed inside.
void BenchTests::picture(PictureSize size) {
  constexpr int64_t kBefore = 5, kText = 20;  // tokens of text, some of them before the picture
  ProcessorConfig processor;
  processor.patch_size = model_.config.vision.patch_size;
  processor.temporal_patch_size = model_.config.vision.temporal_patch_size;
  processor.merge_size = model_.config.vision.spatial_merge_size;
  const Image image = noise_image(size);
  const std::string name = fmt::format("{}x{}", size.width, size.height);
  BenchRow tower{.test = "image", .picture = name, .seconds = std::numeric_limits<double>::max(), .vision = true};
  BenchRow first{.test = "ttft", .picture = name, .seconds = std::numeric_limits<double>::max(), .vision = true};
  tower.bytes = static_cast<double>(model_.model->vision.weight_bytes());
  for (int64_t rep = 0; rep < plan_.reps; ++rep) {
    const double start = now_s();
    const Patches patches = process_image(image, processor, processor.image);
    const double patched = now_s();
    const VisionFeatures features = model_.model->vision.forward(patches.grid, patches.values);
    tower.seconds = std::min(tower.seconds, now_s() - patched);
    tower.tokens = features.tokens;
    tower.macs = vision_macs(work_, patches.grid);
    if (!plan_.wants("ttft")) continue;
    const int64_t tokens = features.tokens + kText;
    BenchSequences sequence(*model_.backend, *model_.model, 1, tokens, plan_.chunk);
    sequence.prefill(tokens, {&features, patches.grid.h / processor.merge_size, patches.grid.w / processor.merge_size, kBefore});
    first.seconds = std::min(first.seconds, now_s() - start);
    first.tokens = tokens;
    first.bytes = tower.bytes + sequence.take_bytes();
    first.macs = tower.macs + text_macs(work_, 0, tokens, 1);
  }
  if (plan_.wants("image")) add(std::move(tower));
  if (plan_.wants("ttft")) add(std::move(first));
}

}  // namespace qvl
