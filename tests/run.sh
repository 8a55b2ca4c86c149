#!/usr/bin/env bash
# Builds Warmpool and runs its tests; all it needs is Debian 12.
#
#   tests/run.sh [BAZEL_TEST_OPTION...] [TARGET_PATTERN...]
#
# as in tests/run.sh --config=tsan //tests/core/... Without a pattern it runs
# everything. An option and its value are one word, joined by "=".
#
# The last line is "N passed, N failed", with ", N skipped" if any were, in test
# cases. A target that could not tell (it did not build, it crashed, it timed
# out) counts as one failure. A run without a single case is a failure.
#
# With CI=true no test result comes from Bazel's cache.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

give_up() {
  echo "tests/run.sh: $1" >&2
  echo "0 passed, 1 failed"
  exit 1
}

# Warmpool's pages live on a tmpfs. A chroot often has none.
if [[ "$(stat --file-system --format=%T /dev/shm 2>/dev/null)" != tmpfs ]]; then
  give_up "/dev/shm is not a tmpfs; as root: mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm"
fi
if [[ ! -w /dev/shm ]]; then
  give_up "/dev/shm is not writable; as root: chmod 1777 /dev/shm"
fi

third_party/install.sh || give_up "the packages in third_party/debian_packages.txt are not all installed"

# Bazel never deletes anything from its disk cache (.bazelrc): what was used longest
# ago goes once the cache is beyond 12 GiB.
prune_cache() {
  local cache="${HOME}/.cache/warmpool-bazel"
  if [[ -d "${cache}" ]]; then
    find "${cache}" -type f -printf '%A@ %s %p\n' | sort --reverse --numeric-sort |
      awk '{ kept += $2 } kept > 12 * 2^30 { print $3 }' | xargs --no-run-if-empty rm -f
  fi
}

options=(--keep_going)
if [[ "${CI:-}" == true ]]; then
  options+=(--nocache_test_results)
fi
if [[ ! -t 2 ]]; then
  options+=(--noshow_progress)
fi
targets=()
for argument in "$@"; do
  case "${argument}" in
    --) ;;
    -//* | -@*) targets+=("${argument}") ;;
    -*) options+=("${argument}") ;;
    *) targets+=("${argument}") ;;
  esac
done
if ((${#targets[@]} == 0)); then
  targets=(//...)
fi

scratch="$(mktemp -d)"
trap 'rm -rf "${scratch}"' EXIT
events="${scratch}/events.json"
touch "${events}"

status=0
bazel test "${options[@]}" --build_event_json_file="${events}" \
  -- "${targets[@]}" </dev/null || status=$?

prune_cache

read -r passed failed skipped < <(LC_ALL=C awk -f tests/runner/count_cases.awk "${events}")

# Bazel fails for reasons that no test can report: a BUILD file with a mistake
# in it, a benchmark that does not compile.
if ((status != 0 && failed == 0)); then
  echo "tests/run.sh: bazel test failed with exit code ${status}" >&2
  failed=1
fi
if ((passed + failed == 0)); then
  echo "tests/run.sh: no test was run" >&2
  failed=1
fi

summary="${passed} passed, ${failed} failed"
if ((skipped > 0)); then
  summary+=", ${skipped} skipped"
fi
echo "${summary}"
((failed == 0))
