#!/usr/bin/env bash
# The units are what systemd understands, their daemon is one that knows the flags
# they give it, and the sandbox is as tight as it was.
set -euo pipefail

# Of 10.0, in tenths; systemd calls up to 20 of them OK.
readonly MAX_EXPOSURE=17

daemon="${PWD}/server/warmpoold"
failed=0
fail() {
  echo "units_test: $1"
  failed=1
}

units="$(mktemp -d)"
trap 'rm -rf "${units}"' EXIT
cp server/service/warmpool.service server/service/warmpool.socket server/service/var-lib-warmpool.mount "${units}"
# It is verified that the program is there.
sed -i "s|^ExecStart=/usr/sbin/warmpoold |ExecStart=${daemon} |" "${units}/warmpool.service"
grep -q "^ExecStart=${daemon} " "${units}/warmpool.service" || fail "no ExecStart=/usr/sbin/warmpoold"

told="$(systemd-analyze verify --man=no "${units}/warmpool.service" "${units}/warmpool.socket" \
  "${units}/var-lib-warmpool.mount" 2>&1)" ||
  fail "systemd-analyze verify failed"
# Other units of the machine may have their own troubles.
if grep -F -e warmpool <<<"${told}"; then
  fail "systemd-analyze verify complains"
fi

# Whether it can complain at all.
sed 's/^ProtectHome=yes$/ProtectHome=perhaps/' "${units}/warmpool.service" >"${units}/warmpool-wrong.service"
systemd-analyze verify --man=no "${units}/warmpool-wrong.service" 2>&1 | grep -qF perhaps ||
  fail "systemd-analyze verify does not complain of ProtectHome=perhaps"

systemd-analyze security --offline=true --no-pager --threshold="${MAX_EXPOSURE}" "${units}/warmpool.service" ||
  fail "the exposure is above ${MAX_EXPOSURE} tenths"

help="$("${daemon}" --help || true)"
for flag in $(grep -hoE -e ' --[a-z_]+=' "${units}/warmpool.service"); do
  name="${flag%=}"
  grep -qE -e "^ +${name} " <<<"${help}" || fail "the daemon has no flag ${name}"
done
# The mount point is where the daemon looks for it.
grep -q "^Where=/var/lib/warmpool$" "${units}/var-lib-warmpool.mount" || fail "the mount is elsewhere"
grep -q -e "--shm_dir=/var/lib/warmpool/" "${units}/warmpool.service" || fail "the daemon's directory is elsewhere"
# So is the socket.
listen="$(sed -n 's/^ListenStream=//p' "${units}/warmpool.socket")"
grep -q -e "--listen=unix:${listen} " "${units}/warmpool.service" || fail "the socket is elsewhere"

exit "${failed}"
