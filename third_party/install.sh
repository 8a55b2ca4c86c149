#!/usr/bin/env bash
# Installs those of debian_packages.txt that are missing. With none missing it
# does nothing, and needs neither root nor a network.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

if ! command -v apt-get >/dev/null; then
  echo "install.sh: apt-get not found; Warmpool is built on Debian 12" >&2
  exit 1
fi

missing=()
while read -r package command; do
  if [[ -n "${command}" ]] && command -v "${command}" >/dev/null; then
    continue
  fi
  status="$(dpkg-query --show --showformat='${db:Status-Status}' "${package}" 2>/dev/null || true)"
  if [[ "${status}" != installed ]]; then
    missing+=("${package}")
  fi
done < <(grep -v -e '^#' -e '^$' "${here}/debian_packages.txt")

if ((${#missing[@]} == 0)); then
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "install.sh: run this as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

# Installing a JDK alone prints a thousand lines: they are shown on failure only.
log="$(mktemp)"
trap 'rm -f "${log}"' EXIT
apt() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@" \
    </dev/null >"${log}" 2>&1 || {
    cat "${log}" >&2
    echo "install.sh: apt-get $1 failed" >&2
    exit 1
  }
}

# Prometheus is for tests that start it themselves: its package would start it on
# the machine, now and at each boot.
keep_services_off() {
  if [[ ! -e /usr/sbin/policy-rc.d ]]; then
    printf '#!/bin/sh\nexit 101\n' |
      "${as_root[@]}" install -m 755 /dev/stdin /usr/sbin/policy-rc.d
    trap '"${as_root[@]}" rm -f /usr/sbin/policy-rc.d; rm -f "${log}"' EXIT
  fi
}

echo "install.sh: installing ${missing[*]}" >&2
keep_services_off
apt update
apt install --yes --no-install-recommends "${missing[@]}"
if [[ " ${missing[*]} " == *" prometheus "* ]]; then
  "${as_root[@]}" deb-systemd-helper disable prometheus.service >/dev/null 2>&1 || true
fi
