#!/bin/sh
# The pool of pictures by other programs that training reads (batches.py, QVL_DEMO_POOL):
#   tools/demo_model/render/make.sh build/demo_pool
#   tools/demo_model/render/make.sh build/demo_held --held-out     # for the evaluation: programs and looks that training never shows
# Environment: PYTHON (python3, with numpy, Pillow and matplotlib), CHROMIUM (/usr/bin/chromium).
# Debian: python3-numpy python3-pil python3-matplotlib librsvg2-bin r-base-core gnuplot-nox imagemagick chromium.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
out=$1
shift
rm -rf "$out.parts"
mkdir -p "$out.parts"
parts=$(cd "$out.parts" && pwd)
full=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
${PYTHON:-python3} "$here/scenes.py" "$parts" "$@"
"$root/web/node.sh" "$here/browser.mjs" "$parts"
${PYTHON:-python3} "$here/pack.py" "$parts" "$full"
rm -r "$parts"
