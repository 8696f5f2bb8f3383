#!/bin/sh
# The page in a real browser: against the program with its demonstration model, then against a made-up server that fails
# in the ways a real one rarely does. Needs web/install.sh to have run, and Chromium.
#   tests/e2e/run.sh [--screenshots]     --screenshots renews the README's pictures in docs/images
# Environment: QVL_BIN (build/release/qwen3vl), CHROMIUM (/usr/bin/chromium).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"
web/node.sh tests/e2e/page_states.mjs
web/node.sh tests/e2e/page_real.mjs "$@"
