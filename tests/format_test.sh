#!/usr/bin/env bash
# Every C++ file is as clang-format (.clang-format) leaves it. Like layering_test it
# reads the source tree itself.
#
# To format all files:
#   tests/format_test.sh --fix
set -euo pipefail

cd "$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")"
if [[ ! -f .clang-format ]]; then
  echo "format_test: no .clang-format in ${PWD}"
  exit 1
fi

options=(--dry-run --Werror --ferror-limit=3)
if [[ "${1:-}" == --fix ]]; then
  options=(-i)
fi

# The version of Debian 12: others format some constructs differently.
find core server client tests \( -name '*.cc' -o -name '*.h' \) -print0 |
  xargs --null --max-args=20 --max-procs="$(nproc)" clang-format-14 "${options[@]}" || {
  echo "format_test: run tests/format_test.sh --fix"
  exit 1
}
