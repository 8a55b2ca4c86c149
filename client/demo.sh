#!/usr/bin/env bash
# Builds Warmpool, starts a daemon, loads it, shows what it counted, stops it,
# and checks that nothing is left behind. All it needs is Debian 12, and root or
# sudo for the packages that are missing.
#
#   client/demo.sh
#
# With WARMPOOL_BIN_DIR, a directory laid out as bazel-bin, it runs the binaries
# there and installs and builds nothing.
set -euo pipefail

bin_dir="${WARMPOOL_BIN_DIR:+$(realpath "${WARMPOOL_BIN_DIR}")}"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() {
  printf '\n==> %s\n' "$1"
}

fail() {
  printf '\ndemo.sh: %s\n' "$1" >&2
  exit 1
}

daemon=""
work_dir=""
shm_dir=""

# Ends when the daemon has ended; false if that takes longer than any drain.
await_end_of_daemon() {
  timeout 30 tail --pid="${daemon}" --sleep-interval=0.05 -f /dev/null
}

# However the demo ends, nothing stays behind.
clean_up() {
  local status=$?
  trap - EXIT INT TERM
  if [[ -n "${daemon}" ]]; then
    kill -TERM "${daemon}" 2>/dev/null || true
    await_end_of_daemon || kill -KILL "${daemon}" 2>/dev/null || true
  fi
  if ((status != 0 && status < 128)) && [[ -s "${work_dir}/daemon.log" ]]; then
    printf '\nThe daemon said:\n' >&2
    cat "${work_dir}/daemon.log" >&2
  fi
  rm -rf "${work_dir}" "${shm_dir}"
  exit "${status}"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if [[ "$(stat --file-system --format=%T /dev/shm 2>/dev/null)" != tmpfs ]]; then
  fail "/dev/shm is not a tmpfs; as root: mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm"
fi

if [[ -z "${bin_dir}" ]]; then
  say "Installing the Debian packages that are missing, if any."
  third_party/install.sh

  say "Building. The first time takes some minutes."
  options=()
  if [[ ! -t 2 ]]; then
    options+=(--noshow_progress)
  fi
  bazel build "${options[@]}" //server:warmpoold //client:loadgen //client:warmpool
  bin_dir=bazel-bin
fi

work_dir="$(mktemp -d /tmp/warmpool-demo-XXXXXX)"
shm_dir="$(mktemp -d /dev/shm/warmpool-demo-XXXXXX)"
# The daemon makes its directory itself, with the mode that it needs.
rmdir "${shm_dir}"
target="unix:${work_dir}/warmpool.sock"
warmpool() {
  "${bin_dir}/client/warmpool" "$@" --target="${target}"
}
loadgen() {
  "${bin_dir}/client/loadgen" --target="${target}" "$@"
}

# Half of what is free becomes the capacity, and the demo has up to 100 buffers.
size=2MiB
if (("$(df --output=avail --block-size=1M /dev/shm | tail -n 1)" < 1024)); then
  size=64KiB
  say "/dev/shm is small here, so the buffers are of 64 KiB instead of 2 MiB."
fi

say "Starting a daemon on a socket and a directory of its own."
# In a session of its own, where a Ctrl-C ends the load first.
setsid "${bin_dir}/server/warmpoold" --listen="${target}" --shm_dir="${shm_dir}" \
  2>"${work_dir}/daemon.log" &
daemon=$!
for ((tries = 0; ; ++tries)); do
  if warmpool stats --deadline=500ms >/dev/null 2>"${work_dir}/stats.log"; then
    break
  fi
  kill -0 "${daemon}" 2>/dev/null || fail "the daemon ended"
  if ((tries == 60)); then
    fail "the daemon does not answer: $(cat "${work_dir}/stats.log")"
  fi
done
echo "Process ${daemon} serves ${target} with segments in ${shm_dir}."

say "Four clients replace their buffers again and again: the cache serves them."
loadgen --scenario=cache_heavy --clients=4 --size="${size}" --duration=3s ||
  fail "the load generator failed"

say "One client takes 100 buffers at a time: more than the cache keeps."
loadgen --scenario=cold_churn --size="${size}" --iterations=300 ||
  fail "the load generator failed"

say "What the daemon says of itself (warmpool stats):"
warmpool stats || fail "the daemon does not answer"

say "Stopping the daemon."
kill -TERM "${daemon}"
await_end_of_daemon || fail "the daemon did not stop"
status=0
wait "${daemon}" || status=$?
daemon=""
if ((status != 0)); then
  fail "the daemon exited with ${status}"
fi
if [[ -e "${shm_dir}" ]]; then
  fail "the daemon left this behind in /dev/shm: $(ls -lR "${shm_dir}")"
fi
echo "It has stopped, and left nothing behind in /dev/shm."
