#!/bin/sh
# Holds the page to its promises: types, unit tests, and that the committed dist/ is what the sources build.
# Run install.sh first.
set -eu
cd "$(dirname "$0")"
./node.sh node_modules/svelte-check/bin/svelte-check --tsconfig ./tsconfig.json --fail-on-warnings
./node.sh node_modules/vitest/vitest.mjs run --reporter=dot
fresh=node_modules/.fresh-dist
rm -rf "$fresh"
./node.sh node_modules/vite/bin/vite.js build --logLevel warn --outDir "$fresh"
if ! diff -r dist "$fresh"; then
  echo "web/dist is not what web/src builds: run 'npm run build' in web/ and commit the result" >&2
  exit 1
fi
echo "web/dist is up to date"
