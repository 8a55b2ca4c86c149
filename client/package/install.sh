#!/usr/bin/env bash
# Lays down what //:BUILD lists: daemon, tools, client library.
# `bazel run //:install -- --help` tells more.
set -euo pipefail

readonly MANIFEST=installed.txt

usage() {
  cat <<'USAGE'
bazel run //:install -- [--prefix=DIR] [--destdir=DIR] [--uninstall]

  --prefix=DIR   where it is to be used: DIR/bin, DIR/lib, DIR/include, DIR/share.
                 Absolute. Default: /usr/local
  --destdir=DIR  put before the prefix of every file, but not into any: for who
                 makes a package of it. Absolute. Default: none
  --uninstall    remove what an installation of this version laid down

Repeating it changes nothing; files of an earlier one are replaced, each at once.
Where it takes root: bazel build //:install && sudo bazel-bin/install
USAGE
}

fail() {
  echo "install: $1" >&2
  exit 1
}

wrong_usage() {
  echo "install: $1; try --help" >&2
  exit 2
}

# Options that are directories: check_directory NAME VALUE
check_directory() {
  [[ "$2" == /* ]] ||
    wrong_usage "--$1=$2 is not absolute: begin it with a slash, as in --$1=${PWD_OF_USER}/$2"
  # It is written into files that know no quoting.
  [[ "$2" =~ ^[A-Za-z0-9._/+~@:-]+$ ]] ||
    wrong_usage "--$1=$2 has a character that pkg-config can't have in a path: use letters, digits and ._/+~@:-"
}

# `bazel run` changes the directory.
PWD_OF_USER="${BUILD_WORKING_DIRECTORY:-${PWD}}"
prefix=/usr/local
destdir=""
uninstall=0
for argument in "$@"; do
  case "${argument}" in
    --prefix=*) prefix="${argument#*=}" && check_directory prefix "${prefix}" ;;
    --destdir=*) destdir="${argument#*=}" && check_directory destdir "${destdir}" ;;
    --uninstall) uninstall=1 ;;
    --help) usage && exit 0 ;;
    *) wrong_usage "there is no option ${argument}" ;;
  esac
done
while [[ "${prefix}" == */ ]]; do prefix="${prefix%/}"; done
while [[ "${destdir}" == */ ]]; do destdir="${destdir%/}"; done
readonly prefix destdir uninstall root="${destdir}${prefix}"

# Run by `bazel run` or by a test it finds its files in the working directory,
# run by itself beside itself.
if [[ -d "${BASH_SOURCE[0]}.runfiles/warmpool" ]]; then
  cd "${BASH_SOURCE[0]}.runfiles/warmpool"
fi
[[ -r "${MANIFEST}" ]] ||
  fail "${PWD}/${MANIFEST} is missing: run it by bazel run //:install, or as bazel-bin/install"

# What there is of a path: a path.
nearest_existing() {
  local path="${1:-/}"
  while [[ ! -e "${path}" && ! -L "${path}" ]]; do path="$(dirname "${path}")"; done
  echo "${path}"
}

# Before the first file is touched, so that nothing is half done.
check_writable() {
  local directory existing
  while read -r _ _ destination _; do
    dirname "${root}/${destination}"
  done <"${MANIFEST}" | sort -u | while read -r directory; do
    existing="$(nearest_existing "${directory}")"
    [[ -d "${existing}" ]] ||
      fail "${existing} is no directory: choose another --prefix, or remove it"
    [[ -w "${existing}" ]] ||
      fail "$(id -un) may not write to ${existing}: choose another --prefix, or be root: bazel build //:install && sudo bazel-bin/install --prefix=${prefix:-/}"
  done
}

new=""
trap 'rm -f "${new}"' EXIT
trap 'exit 1' INT TERM

# lay_down KIND MODE DESTINATION SOURCE; nobody sees half a file.
lay_down() {
  local kind="$1" mode="$2" destination="${root}/$3" source="$4"
  new="${destination}.new-$$"
  mkdir -p "$(dirname "${destination}")"
  case "${kind}" in
    file) cp "${source}" "${new}" ;;
    template) sed "s|@PREFIX@|${prefix}|g" "${source}" >"${new}" ;;
    link) ln --symbolic --force "${source}" "${new}" ;;
  esac
  [[ "${kind}" == link ]] || chmod "${mode}" "${new}"
  mv --no-target-directory --force "${new}" "${destination}"
  echo "${destination}"
}

# Directories of Warmpool's own go too, once they are empty.
remove() {
  local path="${root}/$1"
  if [[ -e "${path}" || -L "${path}" ]]; then
    rm "${path}"
    echo "${path}"
  fi
  path="$(dirname "$1")"
  while [[ "${path}" == *warmpool* ]] && rmdir "${root}/${path}" 2>/dev/null; do
    path="$(dirname "${path}")"
  done
}

# The dynamic loader finds a new library by its cache.
tell_loader() {
  local libraries="${prefix}/lib"
  [[ -z "${destdir}" ]] || return 0
  if grep -q "^${libraries}:" < <(PATH="${PATH}:/sbin" ldconfig -N -X -v 2>/dev/null); then
    if ((EUID == 0)); then
      PATH="${PATH}:/sbin" ldconfig
    else
      echo "Run ldconfig as root: then programs find the library in ${libraries}."
    fi
  elif ((!uninstall)); then
    echo "The dynamic loader does not look in ${libraries}: link with -Wl,-rpath,${libraries}, or set LD_LIBRARY_PATH."
  fi
}

check_writable
umask 022
while read -r kind mode destination source; do
  if ((uninstall)); then
    remove "${destination}"
  else
    lay_down "${kind}" "${mode}" "${destination}" "${source}"
  fi
done <"${MANIFEST}"
tell_loader
