# Sourced by the tests of what is installed: a scratch directory, the command that
# installs, and a daemon that was installed. All of it is gone when the test ends,
# however it ends.

fail() {
  echo "$(basename "$0"): $1" >&2
  exit 1
}

# The socket's path must be short, so not Bazel's test directory.
scratch="$(mktemp -d /tmp/warmpool-test-XXXXXX)"
shm_dir="/dev/shm/$(basename "${scratch}")"
target="unix:${scratch}/socket"
prefix="${scratch}/prefix"
daemon=""

stop_daemon() {
  [[ -n "${daemon}" ]] || return 0
  kill -TERM "${daemon}" 2>/dev/null || true
  wait "${daemon}" || true
  daemon=""
}

clean_up() {
  local status=$?
  if ((status != 0)) && [[ -s "${scratch}/daemon.log" ]]; then
    cat "${scratch}/daemon.log" >&2
  fi
  stop_daemon
  rm -rf "${scratch}" "${shm_dir}"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# By its full path, for who changes the directory.
readonly install="${PWD}/install"
run_as=()
run_install() {
  (cd "${install%/install}" && "${run_as[@]}" "${install}" "$@")
}

# start_daemon PREFIX: the daemon installed there, once it answers the tool that
# was.
start_daemon() {
  "$1/bin/warmpoold" --listen="${target}" --shm_dir="${shm_dir}" \
    --capacity_bytes=256MiB --log_level=warn 2>"${scratch}/daemon.log" &
  daemon=$!
  local tries
  for ((tries = 0; tries < 60; ++tries)); do
    if "$1/bin/warmpool" stats --target="${target}" --deadline=500ms >/dev/null 2>&1; then
      return
    fi
    kill -0 "${daemon}" 2>/dev/null || break
  done
  fail "the daemon does not answer"
}
