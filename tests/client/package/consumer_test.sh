#!/usr/bin/env bash
# Programs that know of Warmpool only what was installed: built with g++ and
# pkg-config as the README says, and with CMake as it says, and run against the
# daemon that was installed.
set -euo pipefail
source tests/client/package/support.sh

export PKG_CONFIG_PATH="${prefix}/lib/pkgconfig"
# Instead of -rpath, so that the README's lines are run as they are.
export LD_RUN_PATH="${prefix}/lib"
export PATH=/usr/bin:/bin

mkdir "${scratch}/app" "${scratch}/all"
cp tests/client/package/readme_example.cc "${scratch}/app/app.cc"
cp tests/client/package/readme_install.sh "${scratch}/app/README.sh"
cp tests/client/package/consumer.cc "${scratch}/all/app.cc"
# Its own headers have names that this repository has, too.
cp --dereference --recursive tests/client/package/own/* "${scratch}/all"
cp tests/client/package/readme_install.cmake "${scratch}/all/CMakeLists.txt"

# run PROGRAM WORDS: against a daemon of its own.
run() {
  start_daemon "${prefix}"
  local said
  said="$("$1" "${target}" 2>&1)" || fail "$1 failed: ${said}"
  [[ "${said}" == "$2" ]] || fail "$1 said: ${said}"
  stop_daemon
  [[ ! -e "${shm_dir}" ]] || fail "the daemon left ${shm_dir} behind"
}
readonly SAID_BY_EXAMPLE="2097152 bytes, the last is 42"
readonly SAID_BY_ALL="all of the library was used"

# The libraries that a program asks the loader for.
needed_by() {
  objdump -p "$1" | awk '$1 == "NEEDED" {print $2}'
}
links_shared() {
  [[ "$(needed_by "$1")" == *libwarmpool.so.* ]]
}

# --- g++ and pkg-config ---

cd "${scratch}/app"
sed -i "s|^bazel run //:install -- --prefix=/usr/local|(cd ${install%/install} \&\& ${install} --prefix=${prefix})|" README.sh
# A static program is told by the linker what it loses: host names, locales.
bash -e README.sh >log 2>&1 || fail "the README's lines: $(cat log)"
links_shared app || fail "app is not linked with the shared library"
run ./app "${SAID_BY_EXAMPLE}"
[[ -z "$(needed_by app_static)" ]] || fail "app_static needs $(needed_by app_static)"
run ./app_static "${SAID_BY_EXAMPLE}"

# All that the headers declare, and all that their inline functions call.
cd "${scratch}/all"
read -ra flags < <(pkg-config --cflags --libs warmpool)
g++ -std=c++20 -Wall -Wextra -Werror -O0 -fkeep-inline-functions -I. app.cc -o all "${flags[@]}"
run ./all "${SAID_BY_ALL}"

# --- No header too few, none too many ---

mapfile -t headers < <(cd "${prefix}/include/warmpool" && find . -name '*.h' -printf '%P\n')
((${#headers[@]} > 0)) || fail "no header was installed"
read -ra flags < <(pkg-config --cflags warmpool)
for header in "${headers[@]}"; do
  echo "#include \"warmpool/${header}\"" | g++ -std=c++20 -fsyntax-only -x c++ "${flags[@]}" - ||
    fail "${header} can't be included by itself"
done
for header in "${headers[@]}"; do
  mv "${prefix}/include/warmpool/${header}" "${scratch}/hidden"
  if printf '#include "warmpool/%s.h"\n' admin warmpool |
    g++ -std=c++20 -fsyntax-only -x c++ "${flags[@]}" - 2>/dev/null; then
    fail "warmpool/warmpool.h and admin.h do not need ${header}, or takes it from elsewhere"
  fi
  mv "${scratch}/hidden" "${prefix}/include/warmpool/${header}"
done

# --- CMake ---

# build_with_cmake DIRECTORY
build_with_cmake() {
  cmake -S "$1" -B "$1/build" "-DCMAKE_PREFIX_PATH=${prefix}" >"$1/log" 2>&1 &&
    cmake --build "$1/build" >>"$1/log" 2>&1 || fail "CMake: $(cat "$1/log")"
  links_shared "$1/build/app" || fail "$1/build/app is not linked with the shared library"
  if links_shared "$1/build/app_static"; then
    fail "$1/build/app_static is linked with the shared library"
  fi
}
unset PKG_CONFIG_PATH LD_RUN_PATH
build_with_cmake "${scratch}/all"
run "${scratch}/all/build/app" "${SAID_BY_ALL}"
run "${scratch}/all/build/app_static" "${SAID_BY_ALL}"

# cmake_finds WORDS...: whether find_package(warmpool WORDS) succeeds.
cmake_finds() {
  mkdir -p "${scratch}/find"
  printf 'cmake_minimum_required(VERSION 3.20)\nproject(find CXX)\nfind_package(warmpool %s)\n' "$*" \
    >"${scratch}/find/CMakeLists.txt"
  cmake -S "${scratch}/find" -B "${scratch}/find/build" "-DCMAKE_PREFIX_PATH=${prefix}" \
    >"${scratch}/find/log" 2>&1
}
cmake_finds 0.1 REQUIRED || fail "CMake: $(cat "${scratch}/find/log")"
! cmake_finds 0.2 REQUIRED || fail "CMake took it for another ABI"
! cmake_finds 1 REQUIRED || fail "CMake took it for another ABI"
! cmake_finds REQUIRED COMPONENTS frobnicate || fail "CMake found a component that is not there"
grep -q 'no component "frobnicate"' "${scratch}/find/log" || fail "CMake: $(cat "${scratch}/find/log")"
