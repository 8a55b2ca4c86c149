#!/usr/bin/env bash
# Runs a test that was built with ThreadSanitizer: run.sh PROGRAM [ARG...]
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"

# Debian's libraries are not instrumented: what they read and write through
# malloc, memcpy and the like is no evidence about this project's threads.
export TSAN_OPTIONS="ignore_noninstrumented_modules=1:suppressions=${here}/suppressions.txt:${TSAN_OPTIONS:-}"

# ThreadSanitizer does not start where the kernel randomises more than 28 bits
# of an address (vm.mmap_rnd_bits), so that is turned off for the test. Some
# containers forbid turning it off; there the kernel's setting has to do.
if setarch --addr-no-randomize true 2>/dev/null; then
  exec setarch --addr-no-randomize "$@"
fi
exec "$@"
