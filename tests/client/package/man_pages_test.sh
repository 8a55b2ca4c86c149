#!/usr/bin/env bash
# The manual pages: groff finds nothing to mend, and they tell what the programs
# do.
set -euo pipefail

failures=0
fail() {
  echo "$1"
  failures=$((failures + 1))
}

# tells PAGE TEXT...: what a person reads there.
tells() {
  local page="$1" text warnings
  shift
  warnings="$(groff -man -ww -z "${page}" 2>&1)"
  [[ -z "${warnings}" ]] || fail "${page}: ${warnings}"
  groff -man -Tascii -P-cbou -rLL=200n "${page}" >"${TEST_TMPDIR}/page"
  for text in "$@"; do
    grep -qF -e "${text}" "${TEST_TMPDIR}/page" || fail "${page} does not tell: ${text}"
  done
}

tells warmpool.1.roff "WARMPOOL(1)" "NAME" "EXIT CODES" "--target" "warmpoold(8)"
# Each command, with an example and its own flags.
for command in $(client/warmpool --help | awk '/^Commands:$/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
  tells warmpool.1.roff "warmpool ${command}"
done
tells warmpool.1.roff "--sort=name" "--order=bytes"
tells loadgen.1.roff "--scenario=cache_heavy" "loadgen --scenario=vm"
tells warmpoold.8.roff "--metrics_listen=none" "--capacity_bytes=auto" "SIGTERM stops" \
  "Users that a root daemon serves"
# Flags of all commands are told once.
count="$(grep -c -F '.B \-\-deadline' warmpool.1.roff)"
((count == 1)) || fail "--deadline is told ${count} times"

((failures == 0))
