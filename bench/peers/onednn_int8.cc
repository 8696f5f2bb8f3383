// oneDNN's int8 matrix products beside this project's int4 linear layers, in turns in one run: a yardstick for prefill. oneDNN
// is given what it likes best: u8 inputs that are quantised already, s8 weights in its own layout, one scale for the whole
// matrix, float32 out. Ours takes float32 rows, quantises them, and applies the scales of every group of weights.
//
//   bench_onednn 2b|4b|8b [threads] [rows]      a line of JSON for each matrix of a layer, the last for all layers together
#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <dnnl.hpp>
#include <random>
#include <string>
#include <vector>

#include "cpu/cpu_backend.h"
#include "cpu/roofs.h"

namespace {

using namespace qvl;

struct Size {
  const char* name;
  int64_t hidden, q, kv, inner, layers;
};
constexpr Size kSizes[] = {{"2b", 2048, 2048, 1024, 6144, 28}, {"4b", 2560, 4096, 1024, 9728, 36}, {"8b", 4096, 4096, 1024, 12288, 36}};

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

class OneDnnProduct {
 public:
  OneDnnProduct(int64_t rows, int64_t in, int64_t out) {
    using dnnl::memory;
    const memory::desc a({rows, in}, memory::data_type::u8, memory::format_tag::ab);
    const memory::desc w({in, out}, memory::data_type::s8, memory::format_tag::any);
    const memory::desc plain({in, out}, memory::data_type::s8, memory::format_tag::ba);  // rows of `in`, as checkpoints have them
    const memory::desc c({rows, out}, memory::data_type::f32, memory::format_tag::ab);
    dnnl::primitive_attr scaled;
    scaled.set_output_scales(0, {0.01f});
    const dnnl::matmul::primitive_desc chosen(dnnl::matmul::desc(a, w, c), scaled, engine_);
    product_ = dnnl::matmul(chosen);
    implementation = chosen.impl_info_str();
    a_ = memory(a, engine_), w_ = memory(chosen.weights_desc(), engine_), c_ = memory(c, engine_);
    fill(a_, static_cast<size_t>(rows * in), 0, 255);
    memory from(plain, engine_);
    fill(from, static_cast<size_t>(in * out), -127, 127);
    dnnl::reorder(from, w_).execute(stream_, from, w_);
    stream_.wait();
  }

  void run() {
    product_.execute(stream_, {{DNNL_ARG_SRC, a_}, {DNNL_ARG_WEIGHTS, w_}, {DNNL_ARG_DST, c_}});
    stream_.wait();
  }

  std::string implementation;

 private:
  static void fill(dnnl::memory& memory, size_t count, int low, int high) {
    std::minstd_rand random(1);
    std::uniform_int_distribution<int> value(low, high);
    auto* const to = static_cast<uint8_t*>(memory.get_data_handle());
    for (size_t i = 0; i < count; ++i) to[i] = static_cast<uint8_t>(value(random));
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::matmul product_;
  dnnl::memory a_, w_, c_;
};

class OurProduct {
 public:
  OurProduct(Backend& backend, int64_t rows, int64_t in, int64_t out)
      : backend_(backend), weights_(backend.make_linear(out, in, WeightFormat::kInt4, 1)), rows_(rows),
        x_(static_cast<size_t>(rows * in)), y_(static_cast<size_t>(rows * out)) {
    std::minstd_rand random(2);
    std::normal_distribution<float> value;
    for (float& x : x_) x = value(random);
  }
  void run() { backend_.ops().linear(*weights_, x_.data(), rows_, y_.data()); }

 private:
  Backend& backend_;
  std::unique_ptr<Linear> weights_;
  int64_t rows_;
  std::vector<float> x_, y_;
};

template <typename Product>
void once(Product& product, double& best) {
  product.run();  // brings its own data back into the caches and its threads awake
  const double start = now();
  product.run();
  best = std::min(best, now() - start);
}

void compare(const Size& size, int threads, int64_t rows) {
  const auto backend = make_cpu_backend({.threads = threads, .precision = Precision::kBFloat16, .instruction_set = ""});
  struct Matrix {
    const char* name;
    int64_t in, out;
  };
  const Matrix matrices[] = {{"qkv", size.hidden, size.q + 2 * size.kv}, {"o", size.q, size.hidden},
                             {"gate_up", size.hidden, 2 * size.inner}, {"down", size.inner, size.hidden}};
  double theirs_s = 0, ours_s = 0;
  for (const Matrix& m : matrices) {
    OneDnnProduct theirs(rows, m.in, m.out);
    OurProduct ours(*backend, rows, m.in, m.out);
    double their_best = 1e9, our_best = 1e9;
    for (const double end = now() + 1.5; now() < end;) once(theirs, their_best), once(ours, our_best);
    const double operations = 2e-9 * static_cast<double>(rows * m.in * m.out);
    fmt::print(R"({{"matrix":"{}","rows":{},"in":{},"out":{},"onednn_ms":{:.3f},"onednn_gops":{:.1f},"qwen3vl_ms":{:.3f},)"
               R"("qwen3vl_gops":{:.1f},"ratio":{:.3f},"onednn":"{}"}})" "\n",
               m.name, rows, m.in, m.out, their_best * 1e3, operations / their_best, our_best * 1e3, operations / our_best,
               their_best / our_best, theirs.implementation);
    theirs_s += their_best * static_cast<double>(size.layers), ours_s += our_best * static_cast<double>(size.layers);
  }
  const auto tokens = static_cast<double>(rows);
  fmt::print(R"({{"matrix":"all layers","rows":{},"onednn_tok_s":{:.1f},"qwen3vl_tok_s":{:.1f},"ratio":{:.3f},"version":"{}.{}.{}"}})" "\n",
             rows, tokens / theirs_s, tokens / ours_s, theirs_s / ours_s, dnnl::version()->major, dnnl::version()->minor, dnnl::version()->patch);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  const int threads = argc > 2 ? std::atoi(argv[2]) : omp_get_max_threads();
  const int64_t rows = argc > 3 ? std::atoi(argv[3]) : 512;
  const auto* const size = std::find_if(std::begin(kSizes), std::end(kSizes), [&](const Size& s) { return name == s.name; });
  if (size == std::end(kSizes) || threads < 1 || rows < 1) {
    fmt::print(stderr, "usage: bench_onednn 2b|4b|8b [threads] [rows]\n");
    return 2;
  }
  omp_set_num_threads(threads);
  compare(*size, threads, rows);
}
