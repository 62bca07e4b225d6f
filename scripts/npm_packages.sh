#!/usr/bin/env bash
# The npm packages that tests/interop/npm/package-lock.json names, in the versions and with the sums that
# stand there, into a folder of the build tree: scripts/npm_packages.sh build/release/npm
# Asks nothing of the network when they are there already.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 2; }
folder=$1
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../tests/interop/npm" && pwd)

mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9  # two tests may want them at once
if [ -d "$folder/node_modules" ] && cmp -s "$source/package-lock.json" "$folder/package-lock.json"; then
  exit 0
fi
command -v npm >/dev/null || { echo "npm is not installed: scripts/packages.sh interop installs it" >&2; exit 1; }
rm -rf "$folder/node_modules" "$folder/package-lock.json"
cp "$source/package.json" "$folder/package.json"
cp "$source/package-lock.json" "$folder/wanted.json"
# `npm ci` looks only at a lock file of that name; it stays there when all went well.
mv "$folder/wanted.json" "$folder/package-lock.json"
if ! (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error \
  --fetch-retries=2 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=5000 </dev/null >&2); then
  rm -rf "$folder/node_modules" "$folder/package-lock.json"
  echo "the npm packages of $source/package.json cannot be installed: is the registry" \
    "$(npm config get registry 2>/dev/null) reachable?" >&2
  exit 1
fi
