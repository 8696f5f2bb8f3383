// What a token costs besides the model: choosing it from 152 thousand logits, and bringing the threads together.
//
//   bench_engine [threads] [neighbours]     neighbours: threads of this program that keep a core busy meanwhile
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>

#include "base/thread_pool.h"
#include "engine/sampler.h"

namespace {

using namespace qvl;

double now_ms() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Times of runs, sorted.
template <typename F>
std::vector<double> times_ms(int runs, F run) {
  std::vector<double> out;
  for (int i = 0; i < runs; ++i) {
    const double start = now_ms();
    run();
    out.push_back(now_ms() - start);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Normal logits; peaked as a trained model's, or flat as those of one that knows nothing.
std::vector<float> logits(bool peaked) {
  std::mt19937 rng(1);
  std::normal_distribution<float> normal;
  std::vector<float> out(151936);
  for (float& x : out) x = 2.2f * normal(rng);
  for (int i = 0; peaked && i < 40; ++i) out[rng() % out.size()] = 10 + 3 * normal(rng);
  return out;
}

void sampling() {
  const std::pair<const char*, SamplingParams> cases[] = {
      {"greedy", {.temperature = 0}},
      {"temperature 0.7, top-k 20, top-p 0.8", {.temperature = 0.7f, .top_k = 20, .top_p = 0.8f, .seed = 1}},
      {"the same with a presence penalty", {.temperature = 0.7f, .top_k = 20, .top_p = 0.8f, .presence_penalty = 1.5f, .seed = 1}},
      {"the same with 5 logprobs", {.temperature = 0.7f, .top_k = 20, .top_p = 0.8f, .seed = 1, .logprobs = 5}},
      {"top-p 0.95", {.top_p = 0.95f, .seed = 1}},
      {"all tokens", {.seed = 1}}};
  fmt::print("{:40} {:>10} {:>10}   ms a token\n", "sampling 151936 logits", "peaked", "flat");
  for (const auto& [name, params] : cases) {
    double ms[2];
    for (const bool peaked : {true, false}) {
      Sampler sampler(params, {}, 151669);
      const auto values = logits(peaked);
      ms[peaked ? 0 : 1] = times_ms(60, [&] { sampler.accept(sampler.sample(values, {}).id); })[15];
    }
    fmt::print("{:40} {:10.3f} {:10.3f}\n", name, ms[0], ms[1]);
  }
}

float multiply(int64_t steps) {
  float x = 1;
  for (int64_t i = 0; i < steps; ++i) {
    asm volatile("" : "+m"(x));
    x *= 1.0001f;
  }
  return x;
}

void forking(int threads) {
  constexpr int kOps = 200, kPieces = 16;
  constexpr int64_t kSteps = 8000;  // some ten microseconds
  ThreadPool pool(threads), one(1);
  const auto empty = times_ms(20000, [&] { pool.parallel_for(kPieces, 1, [](int64_t, int64_t, int) {}); });
  const auto run = times_ms(2000, [&] { pool.run([](int) {}); });
  const auto pass = [&](ThreadPool& on) {
    for (int op = 0; op < kOps; ++op) {
      on.parallel_for(kPieces, 1, [](int64_t begin, int64_t end, int) {
        for (; begin < end; ++begin) multiply(kSteps);
      });
    }
  };
  std::vector<double> alone, together;
  for (int i = 0; i < 15; ++i) {  // in turn: what disturbs one disturbs the other
    alone.push_back(times_ms(1, [&] { pass(one); })[0]);
    together.push_back(times_ms(1, [&] { pass(pool); })[0]);
  }
  const auto median = [](std::vector<double> v) {
    std::sort(v.begin(), v.end());
    return v[v.size() / 2];
  };
  fmt::print("fork and join, {} threads: {} empty pieces {:.2f} us (99 %: {:.2f}), every thread once {:.2f} us (99 %: {:.2f})\n", pool.size(),
             kPieces, empty[10000] * 1e3, empty[19800] * 1e3, run[1000] * 1e3, run[1980] * 1e3);
  fmt::print("a pass of {} ops: {:.2f} ms with one thread, {:.2f} ms with {}\n", kOps, median(alone), median(together), pool.size());
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 0, neighbours = argc > 2 ? std::atoi(argv[2]) : 0;
  std::atomic<bool> stop{false};
  std::vector<std::thread> busy;
  for (int i = 0; i < neighbours; ++i) {
    busy.emplace_back([&] {
      while (!stop) multiply(1000);
    });
  }
  sampling();
  forking(threads);
  stop = true;
  for (auto& thread : busy) thread.join();
}
