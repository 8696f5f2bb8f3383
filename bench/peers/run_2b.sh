#!/usr/bin/env bash
# Times qwen3vl and transformers on Qwen3-VL-2B's true shape with made weights, one after the other, twice.
# Usage: bench/peers/run_2b.sh [ROOT]    ROOT: a folder to chroot into that has python3-torch and python3-transformers;
# without it this system's python3 is used. Environment: DTYPES="bfloat16 float32", ROUNDS=2.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=${1:-}
grep -m1 'model name' /proc/cpuinfo | cut -d: -f2
for round in $(seq "${ROUNDS:-2}"); do
  echo "--- round $round"
  build/release/qwen3vl bench --model made:qwen3-vl-2b -p 512 -n 16 --image 1024x768 2>/dev/null
  for dtype in ${DTYPES:-bfloat16 float32}; do
    if [ -n "$root" ]; then
      cp bench/peers/transformers_2b.py "$root/tmp/"
      chroot "$root" python3 /tmp/transformers_2b.py --dtype "$dtype" 2>/dev/null || echo "transformers $dtype: not finished"
    else
      python3 bench/peers/transformers_2b.py --dtype "$dtype" 2>/dev/null || echo "transformers $dtype: not finished"
    fi
  done
done
