// Products of the CPU backend against this machine's own roofs, measured in the same run: GFLOP/s of prefill shapes beside
// what the vector units do from registers (float32), GB/s of decode shapes beside a plain read of memory.
//
//   bench_ops [instruction set] [threads]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "base/thread_pool.h"
#include "cpu/cpu_backend.h"

namespace {

using namespace qvl;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Best of several runs within about a second: a shared machine only ever makes a run slower.
template <typename F>
double best_seconds(F run) {
  double best = 1e9;
  run();
  for (const double end = now() + 1; now() < end;) {
    const double start = now();
    run();
    best = std::min(best, now() - start);
  }
  return best;
}

#if defined(__x86_64__)
// Ten independent chains of multiply-adds: more than the latency of one times two units. The same two registers feed all,
// so nothing can be computed beforehand.
void multiply_adds(int64_t steps) {
  for (int64_t i = 0; i < steps; ++i) {
    asm volatile(
        "vfmadd231ps %%ymm14, %%ymm15, %%ymm0\n vfmadd231ps %%ymm14, %%ymm15, %%ymm1\n"
        "vfmadd231ps %%ymm14, %%ymm15, %%ymm2\n vfmadd231ps %%ymm14, %%ymm15, %%ymm3\n"
        "vfmadd231ps %%ymm14, %%ymm15, %%ymm4\n vfmadd231ps %%ymm14, %%ymm15, %%ymm5\n"
        "vfmadd231ps %%ymm14, %%ymm15, %%ymm6\n vfmadd231ps %%ymm14, %%ymm15, %%ymm7\n"
        "vfmadd231ps %%ymm14, %%ymm15, %%ymm8\n vfmadd231ps %%ymm14, %%ymm15, %%ymm9\n" ::
            : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9");
  }
}

void print_fma_roof(ThreadPool& pool) {
  if (!__builtin_cpu_supports("fma")) return;
  constexpr int64_t kSteps = 400'000;
  const double s = best_seconds([&] {
    pool.run([](int) {
      asm volatile("vpxor %%xmm14, %%xmm14, %%xmm14\n vpxor %%xmm15, %%xmm15, %%xmm15" ::: "xmm14", "xmm15");  // no slow values
      multiply_adds(kSteps);
    });
  });
  fmt::print("float32 multiply-adds, 256 bits, from registers: {:.1f} GFLOP/s\n",
             static_cast<double>(kSteps) * 10 * 16 * pool.size() / s / 1e9);
}
#else
void print_fma_roof(ThreadPool&) {}
#endif

double read_roof_gbs(ThreadPool& pool) {
  const Buffer memory(size_t{512} << 20, true);
  const auto* const words = memory.as<uint64_t>();
  const auto count = static_cast<int64_t>(memory.size() / 8);
  volatile uint64_t sink = 0;
  std::fill_n(const_cast<uint64_t*>(words), count, 1);
  const double s = best_seconds([&] {
    pool.parallel_for(count, 1 << 19, [&](int64_t begin, int64_t end, int) {
      uint64_t sum[8] = {};
      for (int64_t i = begin; i < end; i += 8) {
        for (int j = 0; j < 8; ++j) sum[j] += words[i + j];
      }
      sink = sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
    });
  });
  return static_cast<double>(memory.size()) / s / 1e9;
}

void product(Backend& backend, int64_t rows, int64_t in, int64_t out) {
  std::vector<BF16> weights(static_cast<size_t>(in * out), to_bf16(0.01f));
  const ConstTensorView part = {reinterpret_cast<const std::byte*>(weights.data()), DType::kBF16, {out, in}};
  const auto w = backend.pack_linear({&part, 1}, {});
  std::vector<float> x(static_cast<size_t>(rows * in), 0.5f), y(static_cast<size_t>(rows * out));
  const double s = best_seconds([&] { backend.ops().linear(*w, x.data(), rows, y.data()); });
  const double elements = static_cast<double>(in) * static_cast<double>(out);
  fmt::print("  {:5} x {:5} x {:6}  {:9.3f} ms  {:8.1f} GFLOP/s  {:6.1f} GB/s of weights\n", rows, in, out, s * 1e3,
             2 * static_cast<double>(rows) * elements / s / 1e9, 2 * elements / s / 1e9);
}

void vision_attention(Backend& backend, int64_t rows, int heads, int dim) {
  const int64_t width = int64_t{heads} * dim;
  std::vector<float> qkv(static_cast<size_t>(rows * 3 * width), 0.1f), y(static_cast<size_t>(rows * width));
  const double s = best_seconds([&] { backend.ops().segment_attention(qkv.data(), rows, rows, heads, dim, 0.125f, y.data()); });
  fmt::print("  attention of {} patches, {} heads of {}  {:9.3f} ms  {:8.1f} GFLOP/s\n", rows, heads, dim, s * 1e3,
             4 * static_cast<double>(rows) * static_cast<double>(rows) * static_cast<double>(width) / s / 1e9);
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 2 ? std::atoi(argv[2]) : 0;
  {
    ThreadPool pool(threads);
    print_fma_roof(pool);
    fmt::print("memory read: {:.1f} GB/s\n", read_roof_gbs(pool));
  }
  const auto backend = make_cpu_backend({.threads = threads, .precision = Precision::kBFloat16,
                                         .instruction_set = argc > 1 ? argv[1] : ""});
  fmt::print("{}\nrows x inputs x outputs\n", backend->description());
  for (const int64_t rows : {1, 2, 3, 4, 5, 6, 8, 16}) product(*backend, rows, 2048, 49152);
  for (const int64_t rows : {32, 128, 512}) product(*backend, rows, 2048, 6144);
  product(*backend, 512, 6144, 2048);
  vision_attention(*backend, 768, 16, 64);
}
