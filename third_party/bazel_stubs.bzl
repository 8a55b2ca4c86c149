"""Empty shells for repositories that Bazel 4.2.3 would otherwise download.

Bazel's own tools refer to these repositories, so they must exist, but of their
contents only what is written here is ever used.
"""

# Debian packages rules_cc, but a version too new for its own Bazel. At 4.2.3
# the C++ rules are still built in: re-exporting them is all rules_cc did.
_CC_DEFS = """\
cc_binary = native.cc_binary
cc_import = native.cc_import
cc_library = native.cc_library
cc_proto_library = native.cc_proto_library
cc_test = native.cc_test
cc_toolchain = native.cc_toolchain
cc_toolchain_suite = native.cc_toolchain_suite
"""

# Every test depends on these two labels; only `bazel coverage` runs them.
_COVERAGE_BUILD = """\
filegroup(
    name = "coverage_report_generator",
    visibility = ["//visibility:public"],
)

filegroup(
    name = "lcov_merger",
    visibility = ["//visibility:public"],
)
"""

_FILES = {
    "remote_coverage_tools": {
        "BUILD.bazel": _COVERAGE_BUILD,
    },
    "rules_cc": {
        "BUILD.bazel": "",
        "cc/BUILD.bazel": "",
        "cc/defs.bzl": _CC_DEFS,
    },
}

def _bazel_stub_repository_impl(repository_ctx):
    for path, content in _FILES[repository_ctx.name].items():
        repository_ctx.file(path, content, executable = False)

bazel_stub_repository = repository_rule(
    implementation = _bazel_stub_repository_impl,
    doc = "The stand-in for one of Bazel's own repositories, chosen by name.",
    local = True,
)
