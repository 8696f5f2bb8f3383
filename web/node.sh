#!/bin/sh
# Runs the page's own Node (installed by install.sh), the one that is installed where there is none for this machine.
here=$(dirname "$0")
for own in "$here"/node/node_modules/node-linux-*/bin/node; do
  if [ -x "$own" ]; then exec "$own" "$@"; fi
done
exec node "$@"
