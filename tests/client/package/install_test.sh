#!/usr/bin/env bash
# What //:install lays down, and what it refuses.
set -euo pipefail
source tests/client/package/support.sh

# expect_refused EXIT_CODE WORDS ARGUMENT...
expect_refused() {
  local expected="$1" words="$2" status=0 said
  shift 2
  said="$(run_install "$@" 2>&1)" || status=$?
  ((status == expected)) || fail "install $* exited with ${status}: ${said}"
  grep -qF -e "${words}" <<<"${said}" || fail "install $* said: ${said}"
}

# Every file with its mode and bytes, every link with its target.
snapshot() {
  find "$1" -type l -printf '%P -> %l\n' | sort
  find "$1" -type f -printf '%P %m\n' | sort
  (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

# --- Refusals: nothing is laid down ---

expect_refused 2 "--prefix=usr is not absolute" --prefix=usr
expect_refused 2 "--destdir=tmp is not absolute" --destdir=tmp
expect_refused 2 "has a character" "--prefix=/tmp/a b"
expect_refused 2 "there is no option --perfix=/usr" --perfix=/usr
touch "${scratch}/file"
expect_refused 1 "${scratch}/file is no directory" "--prefix=${scratch}/file"
mkdir "${scratch}/locked"
chmod a-w "${scratch}/locked"
if ((EUID == 0)); then
  # Root may write everywhere; without one capability it may not.
  run_as=(setpriv --bounding-set=-dac_override --inh-caps=-dac_override)
fi
expect_refused 1 "may not write to ${scratch}/locked: choose another --prefix, or be root" \
  "--prefix=${scratch}/locked"
[[ -z "$(ls "${scratch}/locked")" ]] || fail "it wrote to ${scratch}/locked"
run_as=()
[[ "$(run_install --help)" == *--destdir* ]] || fail "--help does not tell of --destdir"

# --- An installation, twice ---

run_install "--prefix=${prefix}/" >"${scratch}/told"
snapshot "${prefix}" >"${scratch}/first"
while read -r file; do
  grep -qxF "${prefix}/${file}" "${scratch}/told" || fail "it did not tell of ${file}"
done < <(cd "${prefix}" && find . -type f -printf '%P\n' -o -type l -printf '%P\n')
for file in bin/loadgen bin/warmpool bin/warmpoold include/warmpool/warmpool.h \
  lib/libwarmpool.a lib/libwarmpool.so lib/pkgconfig/warmpool.pc \
  lib/cmake/warmpool/warmpool-config.cmake share/warmpool/proto/warmpool/v1/warmpool.proto; do
  [[ -r "${prefix}/${file}" ]] || fail "there is no ${file}"
done
run_install "--prefix=${prefix}" >/dev/null
diff "${scratch}/first" <(snapshot "${prefix}") || fail "a repetition changed something"

# --- With --destdir, nothing tells of it ---

run_install "--destdir=${scratch}/package" --prefix=/opt/warmpool >/dev/null
diff <(cut -d' ' -f1 "${scratch}/first" | grep -v '^[0-9a-f]\{64\}$') \
  <(snapshot "${scratch}/package/opt/warmpool" | cut -d' ' -f1 | grep -v '^[0-9a-f]\{64\}$') ||
  fail "--destdir laid down other files"
grep -qx 'prefix=/opt/warmpool' "${scratch}/package/opt/warmpool/lib/pkgconfig/warmpool.pc" ||
  fail "warmpool.pc has another prefix"
if grep -rIlE "${scratch}|@[A-Z]+@" "${scratch}/package"; then
  fail "the files above have --destdir in them, or were not filled in"
fi

# --- The libraries ---

library="${prefix}/lib/libwarmpool.so"
soname="$(objdump -p "${library}" | awk '$1 == "SONAME" {print $2}')"
[[ "${soname}" =~ ^libwarmpool\.so\.[0-9]+\.[0-9]+$ ]] || fail "its SONAME is ${soname}"
[[ "$(realpath "${prefix}/lib/${soname}")" == "$(realpath "${library}")" ]] ||
  fail "${soname} is another library"
if objdump -p "${library}" | grep TEXTREL; then
  fail "${library} is not position-independent"
fi
# Of std:: it has copies of what libstdc++ has too; the linker sees to it that there
# is one of each.
if nm --dynamic --defined-only "${library}" | awk '$2 != "b" && $2 != "d"' | c++filt |
  cut -d' ' -f3- |
  grep -vE '^((vtable|typeinfo|typeinfo name) for )?warmpool::(Buffer|Channel|ChannelBuffer|Client|DaemonAdmin)::|^std::'; then
  fail "the names above are nobody else's business"
fi
if nm --demangle "${prefix}/lib/libwarmpool.a" 2>/dev/null |
  grep -E 'testing::|warmpool::(Daemon|Pool|LeaseTable)::'; then
  fail "the library has the names above, of tests or of the daemon"
fi

# --- The programs run where they are ---

start_daemon "${prefix}"
"${prefix}/bin/loadgen" --target="${target}" --scenario=cache_heavy --size=64KiB \
  --iterations=100 >/dev/null || fail "the load generator failed"
stop_daemon
[[ ! -e "${shm_dir}" ]] || fail "the daemon left ${shm_dir} behind"

# --- Uninstalled, all is as before ---

mkdir -p "${prefix}/share/doc"
touch "${prefix}/share/doc/of-another"
run_install "--prefix=${prefix}" --uninstall >/dev/null
[[ "$(find "${prefix}" ! -type d)" == "${prefix}/share/doc/of-another" ]] ||
  fail "this was left, or too much removed: $(find "${prefix}")"
left="$(find "${prefix}" -name '*warmpool*')"
[[ -z "${left}" ]] || fail "this was left: ${left}"
