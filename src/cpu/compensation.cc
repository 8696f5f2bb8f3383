#include "cpu/compensation.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace qvl::cpu {
namespace {

// Added to every input's square, as a share of their mean: directions that the recorded rows hardly show are not taken for free.
constexpr double kDamping = 0.3;

size_t at(int64_t i) { return static_cast<size_t>(i); }

// The lower triangle L of the symmetric matrix = L L^T, in place in its lower half; false where it is not positive.
bool cholesky(std::vector<double>& m, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    double* const row = m.data() + i * n;
    for (int64_t j = 0; j <= i; ++j) {
      const double* const other = m.data() + j * n;
      double sum = row[j];
      for (int64_t k = 0; k < j; ++k) sum -= row[k] * other[k];
      if (j < i) {
        row[j] = sum / other[j];
      } else if (sum > 0 && std::isfinite(sum)) {
        row[i] = std::sqrt(sum);
      } else {
        return false;
      }
    }
  }
  return true;
}

// The inverse of a lower triangle, in place: row by row, each from those above it.
void invert_lower(std::vector<double>& m, int64_t n) {
  std::vector<double> next(at(n));
  for (int64_t i = 0; i < n; ++i) {
    double* const row = m.data() + i * n;
    std::fill(next.begin(), next.begin() + i, 0.0);
    for (int64_t k = 0; k < i; ++k) {
      const double* const above = m.data() + k * n;
      for (int64_t j = 0; j <= k; ++j) next[at(j)] -= row[k] * above[j];
    }
    for (int64_t j = 0; j < i; ++j) row[j] = next[at(j)] / row[i];
    row[i] = 1 / row[i];
  }
}

}  // namespace

BlockCompensation make_compensation(const InputMoments& moments, int64_t block) {
  BlockCompensation out;
  const int64_t n = moments.block_inputs(block);
  std::fill(std::begin(out.importance), std::end(out.importance), 1.0f);
  std::iota(std::begin(out.order), std::end(out.order), int16_t{0});
  double mean = 0;
  for (int64_t i = 0; i < n; ++i) mean += double{moments.sum(block, i, i)} / static_cast<double>(n);
  if (!(mean > 1e-30) || !std::isfinite(mean)) return out;
  std::stable_sort(out.order, out.order + n, [&](int a, int b) { return moments.sum(block, a, a) > moments.sum(block, b, b); });

  // With the inputs in the order of rounding, H^-1 = U^T U for an upper triangle U, whose row i, divided by its first element, is what input i's
  // error takes from those after it. Turned round, H = L L^T gives it without inverting H: U is L^-1 turned round.
  std::vector<double> m(at(n * n));
  const auto damped = [&](int64_t i, int64_t j) { return double{moments.sum(block, i, j)} / mean + (i == j ? kDamping : 0); };
  const auto turned = [&](int64_t i) { return out.order[n - 1 - i]; };
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) m[at(i * n + j)] = damped(turned(i), turned(j));
  }
  std::vector<float> products(at(n * n));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      products[at(i * n + j)] = static_cast<float>(damped(i, j));
    }
  }
  if (!cholesky(m, n)) return out;
  out.products = std::move(products);
  invert_lower(m, n);
  out.spread.resize(at(n * (n - 1) / 2));
  for (int64_t k = 0; k < n; ++k) {
    for (int64_t i = 0; i < k; ++i) {
      const int64_t row = n - 1 - i, column = n - 1 - k;
      out.spread[at(k * (k - 1) / 2 + i)] = static_cast<float>(m[at(row * n + column)] / m[at(row * n + row)]);
    }
  }
  for (int64_t i = 0; i < n; ++i) {
    out.importance[i] = static_cast<float>(damped(i, i) / (1 + kDamping));
  }
  return out;
}

}  // namespace qvl::cpu
