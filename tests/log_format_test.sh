#!/usr/bin/env bash
# It reads the source tree itself, as layering_test does.
set -euo pipefail
exec /usr/bin/python3 "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/log_format_test.py"
