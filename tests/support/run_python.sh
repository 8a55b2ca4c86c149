#!/bin/sh
# Runs a test with Debian's Python, which has Debian's modules: PATH may lead to
# another. The modules of this directory are there too.
export PYTHONPATH=tests/support
exec /usr/bin/python3 "$@"
