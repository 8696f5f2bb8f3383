#!/bin/sh
# Installs what builds the page. Debian 12's Node 18 is too old for Vite, and its npm leaves out optional packages that
# name a newer Node (Rolldown's native part is one): so it fetches a newer pair, and that pair does the rest.
set -eu
cd "$(dirname "$0")"
npm ci --prefix node --loglevel error
./node.sh node/node_modules/npm/bin/npm-cli.js ci --loglevel error
