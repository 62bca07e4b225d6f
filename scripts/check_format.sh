#!/usr/bin/env bash
# Fails when clang-format would change a file. With --fix it changes them instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mode=(--dry-run --Werror)
[ "${1-}" = --fix ] && mode=(-i)
find hawser apps bench fuzz examples tests \( -name '*.hpp' -o -name '*.cpp' \) -print0 |
  xargs -0 -r -n 20 -P "$(nproc)" clang-format-19 --style=file "${mode[@]}" || {
    echo "mend with: scripts/check_format.sh --fix" >&2
    exit 1
  }
