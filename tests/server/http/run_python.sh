#!/bin/sh
# Runs a test with Debian's Python, which has Debian's modules; PATH may lead to
# another.
exec /usr/bin/python3 "$@"
