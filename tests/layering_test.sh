#!/usr/bin/env bash
# Tests the layering: which file may make which system call, which folder may
# include which header and depend on which folder. Bazel's visibility cannot check
# all of it: system headers and other projects' packages are visible everywhere.
#
# It reads the source tree itself, not copies of it: no package has to list its
# files for it. So Bazel can't know when they change, and runs it every time
# (the tag "external" in BUILD).
set -euo pipefail

# --- What is allowed ---

# Calls that make, change or end memory or the files that hold it.
readonly MEMORY_CALLS='mmap|mmap64|munmap|mremap|madvise|process_madvise|posix_madvise|remap_file_pages|fallocate|posix_fallocate|ftruncate|truncate|memfd_create|memfd_secret|shm_open|shm_unlink|shmget|shmat|unlink|unlinkat|renameat2'

# FILE: CALL. The one file that makes them, and what three others do with files
# of their own that hold no memory: the daemon's lock, its socket, and the empty
# file that shows at start whether the proof works.
readonly ALLOWED_CALLS='core/memory/kernel/linux_system_calls.cc: .*
core/memory/directory/directory_claim.cc: unlinkat
core/memory/directory/directory_lock.cc: (ftruncate|unlinkat)
core/memory/directory/own_directory.cc: unlinkat
core/memory/directory/proof_check.cc: unlinkat
server/transport/bound_socket.cc: unlink'

# Only Batch ends memory; the file before implements what it calls.
readonly MAY_INCLUDE_ENDING_CALLS='core/engine/unmap_batch.cc|core/memory/kernel/linux_system_calls.cc'

# Folder -> the folders it may depend on, as regular expressions; with its subfolders,
# except where a pattern ends in a target. Every dependency is an arrow in some BUILD
# file, so where each arrow is allowed, so is every path.
readonly ARROWS='proto -> proto
core/base -> core/base
core/memory -> core/base|core/memory
core/memory/kernel -> core/base|core/memory/kernel
core/memory/pages -> core/base|core/memory:[a-z_]*|core/memory/(kernel|pages)
core/memory/cgroup -> core/base|core/memory/cgroup
core/engine -> core/(base|memory|engine)
core/lease -> core/(base|memory|engine:warmth|lease)
core/journal -> core/(base|memory|engine:warmth|lease|journal)
core/book -> core/(base|memory|engine:[a-z_]*|lease|book)
core/pool -> core
server -> core|proto|server
server/log -> core/base|proto|server/log
server/wire -> core|proto|server/wire
server/pressure -> core|server/(log|pressure)
server/clients -> core|proto|server/clients
server/stats -> core|proto|server/(clients|log|pressure|stats|wire)
server/scheduling -> core|server/scheduling
server/rpc -> core|proto|server/(clients|log|rpc|scheduling|stats|wire)
server/transport -> core|proto|server/(clients|log|rpc|scheduling|stats|transport)
server/http -> core|proto|server/(http|log)
client -> core/(base|memory|engine)|proto|client
client/rpc -> core/(base|memory)|proto|client/rpc
client/admin -> core/base|proto|client:headers|client/(admin|rpc)
client/leases -> core/(base|memory|engine)|proto|client/(leases|rpc)
client/cache -> core/(base|memory|engine)|proto|client:headers|client/(cache|leases|rpc)
client/channels -> core/(base|memory)|proto|client/(channels|leases|rpc)'

# --- Checks: each prints one line for each violation ---

# The lines that match, in the sources of folders and without comments, each after
# its file's name and a colon: matches PATTERN FOLDER...
matches() {
  local pattern="$1"
  shift
  { find "$@" \( -name '*.cc' -o -name '*.h' \) -exec \
      grep -HE "${pattern}" {} + 2>/dev/null || true; } | sed 's|//.*||'
}

check_memory_calls() {
  # A longer word, or a method's name, is no system call.
  matches "(${MEMORY_CALLS})[[:space:]]*\\(|(SYS|__NR)_(${MEMORY_CALLS})" \
      core server client |
    { grep -oE "^[^:]+:|(^|[^A-Za-z0-9_.>\"])(${MEMORY_CALLS})[[:space:]]*\\(|(SYS|__NR)_(${MEMORY_CALLS})" || true; } |
    awk '/:$/ { file = $0; next }
         { gsub(/^(SYS|__NR)_|[^a-z_0-9]/, ""); print file " " $0 }' |
    sort -u |
    { grep -vxE "${ALLOWED_CALLS}" || true; } |
    sed 's|: \(.*\)| calls \1(): only core/memory/kernel/linux_system_calls.cc may|'
}

check_ending_calls() {
  matches '#include "core/memory/kernel/ending_calls.h"' core server client |
    { grep -vE "^(${MAY_INCLUDE_ENDING_CALLS}):" || true; } |
    sed 's|:.*| includes ending_calls.h: only Batch may munmap|'
}

check_core_includes() {
  matches '#include [<"](grpc|grpcpp|google/protobuf|absl/flags|spdlog|proto|server|client)/|#include .*\.pb\.h' core |
    sed 's|$|: core knows no gRPC, no protobuf, no flags, no other folder|'
}

check_arrows() {
  local folder allowed
  while read -r folder _ allowed; do
    # Labels that say who may see a target are no arrows.
    { grep -roE --include=BUILD '"//[^"]*"' "${folder}" 2>/dev/null || true; } |
      tr -d '"' |
      { grep -vE ':__(pkg|subpackages)__$|://visibility:|\.bzl$' || true; } |
      { grep -vE "://(${allowed})([/:]|$)" || true; } |
      sed "s#:# depends on #; s#\$#; ${folder} may depend on ${allowed//|/, }#"
  done <<<"${ARROWS}"
  # Packages from elsewhere.
  { grep -roE --include=BUILD '@(com_github_grpc_grpc|com_google_protobuf|com_github_gabime_spdlog|com_google_absl//absl/(flags|debugging))[^"]*' core || true; } |
    sed 's#:# depends on #'
  # The macros' attribute `absl` names them by what follows absl/.
  { grep -roE --include=BUILD '"(flags|debugging)[":]' core || true; } |
    sed 's#:"# depends on absl/#; s#[":]*$##'
}

violations() (
  cd "$1"
  check_memory_calls
  check_ending_calls
  check_core_includes
  check_arrows
)

# --- The checks themselves can fail ---

failed=0
fake="$(mktemp -d)"
trap 'rm -rf "${fake}"' EXIT

# put FILE LINE: adds a line to a file of the fake tree.
put() {
  mkdir -p "${fake}/$(dirname "$1")"
  echo "$2" >>"${fake}/$1"
}

put core/memory/kernel/linux_system_calls.cc 'void* p = mmap(nullptr, 1, 0, 0, -1, 0);'
put core/memory/kernel/linux_system_calls.cc '#include "core/memory/kernel/ending_calls.h"'
put core/memory/directory/directory_lock.cc '  unlinkat(fd, "x", 0);'
put server/transport/bound_socket.cc '  unlink(path.c_str());'
put core/engine/bigcache.cc '// munmap(2) is not for us'
put core/engine/bigcache.cc '  calls_.munmap(p); calls->munmap(p); Unmap(p); remunmap(p);'
put core/engine/unmap_batch.cc '#include "core/memory/kernel/ending_calls.h"'
put core/pool/BUILD 'visibility = ["//server:__subpackages__", "//core/pool:__pkg__"],'
put server/BUILD 'deps = ["//core/lease", "//proto/warmpool/v1:warmpool_cc_proto"],'
put core/memory/pages/BUILD 'deps = ["//core/memory:segment", "//core/memory/kernel:retry"],'
put client/BUILD 'deps = ["//client/cli:main", "//core/engine:unmap_batch"],'
told="$(violations "${fake}")"
if [[ -n "${told}" ]]; then
  echo "layering_test: what is allowed is told off: ${told}"
  failed=1
fi

put core/pool/pool.cc 'void* p = mmap(nullptr, 1, 0, 0, -1, 0);'
put core/pool/pool.h 'syscall(SYS_memfd_create, "x", 1);'
put client/buffer.cc '  ::munmap (p, 1);'
put server/daemon.cc 'if (fallocate(fd, 0, 0, 1) < 0) {'
put server/rpc/session.cc '  unlink(path.c_str());'
put server/transport/bound_socket.cc '  madvise(p, 1, 1);'
put client/warmpool.cc '#include "core/memory/kernel/ending_calls.h"'
put core/base/a.h '#include <grpcpp/grpcpp.h>'
put core/base/b.h '#include "absl/flags/flag.h"'
put core/base/c.h '#include "warmpool.pb.h"'
put client/cli/BUILD 'deps = ["//core/lease"],'
put client/load/BUILD 'deps = ["//server"],'
put core/memory/BUILD 'deps = ["//core/engine:bigcache"],'
put core/engine/BUILD 'deps = ["//core/pool", "//proto/warmpool/v1:warmpool_cc_proto"],'
put server/stats/BUILD 'deps = ["//server/rpc:session"],'
put core/memory/kernel/BUILD 'deps = ["//core/memory:segment"],'
put core/base/BUILD 'deps = ["@com_google_absl//absl/flags:flag"],'
put core/lease/BUILD 'absl = ["status", "flags:flag"],'
told="$(violations "${fake}")"
while read -r expected; do
  if ! grep -qF -- "${expected}" <<<"${told}"; then
    echo "layering_test: not told off: ${expected}"
    failed=1
  fi
done <<'EXPECTED'
core/pool/pool.cc calls mmap()
core/pool/pool.h calls memfd_create()
client/buffer.cc calls munmap()
server/daemon.cc calls fallocate()
server/rpc/session.cc calls unlink()
server/transport/bound_socket.cc calls madvise()
client/warmpool.cc includes ending_calls.h
core/base/a.h:#include <grpcpp/grpcpp.h>: core knows no gRPC
core/base/b.h:#include "absl/flags/flag.h": core knows no gRPC
core/base/c.h:#include "warmpool.pb.h": core knows no gRPC
client/cli/BUILD depends on //core/lease; client may
client/load/BUILD depends on //server; client may
core/memory/BUILD depends on //core/engine:bigcache; core/memory may
core/engine/BUILD depends on //proto/warmpool/v1:warmpool_cc_proto; core/engine may
server/stats/BUILD depends on //server/rpc:session; server/stats may
core/memory/kernel/BUILD depends on //core/memory:segment; core/memory/kernel may
core/base/BUILD depends on @com_google_absl//absl/flags:flag
core/lease/BUILD depends on absl/flags
EXPECTED

# --- The tree ---

root="$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")"
if [[ ! -d "${root}/core/memory" ]]; then
  echo "layering_test: no source tree at ${root}"
  exit 1
fi
told="$(violations "${root}")"
if [[ -n "${told}" ]]; then
  echo "${told}"
  failed=1
fi

# What Bazel itself says of the whole graph, given as files of labels.
for dependencies in "$@"; do
  forbidden='^//(proto|server|client)'
  [[ "${dependencies}" == *core* ]] || forbidden='^//(core/(pool|lease|journal)|core/engine:segment_pool|server)'
  if [[ ! -s "${dependencies}" ]] || grep -E "${forbidden}[/:]" "${dependencies}"; then
    echo "layering_test: ${dependencies} is empty, or has what it must not"
    failed=1
  fi
done
exit "${failed}"
