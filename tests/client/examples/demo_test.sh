#!/usr/bin/env bash
# Runs client/demo.sh with the binaries of this build.
set -euo pipefail

fail() {
  echo "$1" >&2
  cat "${output}" >&2
  exit 1
}

expect() {
  grep --quiet -e "$1" "${output}" || fail "the demo did not print: $1"
}

# Fails if the directories that the demo names are still there.
expect_nothing_left() {
  local directories directory
  directories="$(grep --only-matching -E '/[a-z/]*/warmpool-demo-[[:alnum:]]{6}' "${output}" | sort --unique)"
  (($(wc --lines <<<"${directories}") == 2)) || fail "the demo should name two directories"
  for directory in ${directories}; do
    [[ ! -e "${directory}" ]] || fail "the demo left ${directory} behind"
  done
}

# What it prints goes to a file: no terminal, no progress bar.
output="${TEST_TMPDIR}/output"
WARMPOOL_BIN_DIR=. client/demo.sh >"${output}" 2>&1 || fail "the demo failed"
expect "^cache_heavy: 4 clients"
expect "^cold_churn: 1 client"
expect "^  leases  *300 "
expect "^daemon: pid [0-9]*, .* serving"
expect "^  evictions "
expect "left nothing behind in /dev/shm"
if grep --quiet $'\r' "${output}"; then
  fail "there is a progress bar in the output"
fi
expect_nothing_left

# Stopped in the middle, it leaves nothing either. (What the first printed must
# not be taken for its words.)
: >"${output}"
WARMPOOL_BIN_DIR=. client/demo.sh >"${output}" 2>&1 &
demo=$!
until grep --quiet "replace their buffers" "${output}"; do
  kill -0 "${demo}" || fail "the demo ended too early"
  sleep 0.05
done
kill -TERM "${demo}"
status=0
wait "${demo}" || status=$?
((status == 143)) || fail "a stopped demo exited with ${status}"
expect_nothing_left
