"""Of what is used outside of this repository."""

VERSION = "0.1.0"

# Programs that were linked with the shared library run with every later one of
# the same ABI. The structs of the headers, which grow, are part of it: below 1.0
# a new minor version is a new ABI, and a new patch version is not. What the
# headers show of Abseil is too: so it is one for each release of
# Debian.
ABI = "0.1"
