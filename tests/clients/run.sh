#!/bin/sh
# The client libraries of other projects against the program with its demonstration model.
#   tests/clients/run.sh [names of clients, such as openai gradio]
# Environment: QVL_BIN (build/release/qwen3vl).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
"$here/install.sh"
exec web/node.sh "$here/run.mjs" "$@"
