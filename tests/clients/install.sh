#!/bin/sh
# Installs the client libraries that the lock file names, unless they are there already.
set -eu
cd "$(dirname "$0")"
stamp=node_modules/.installed
if [ -f "$stamp" ] && [ "$stamp" -nt package-lock.json ] && [ "$stamp" -nt package.json ]; then exit 0; fi
npm ci --loglevel error
touch "$stamp"
