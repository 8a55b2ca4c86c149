"""A test of one source file."""

load("@rules_cc//cc:defs.bzl", "cc_test")
load("//core/base:unit.bzl", "absl_labels")

def unit_test(name, deps = [], absl = [], size = "small", **attributes):
    """The GoogleTest test of NAME.cc.

    Args:
      name: Of the test and of its file.
      deps: What it tests and what it uses, besides GoogleTest.
      absl: Abseil's libraries that it uses, without "@com_google_absl//absl/".
      size: "small" is up to a minute, "medium" up to five.
      **attributes: Of cc_test: data, tags and so on.
    """
    cc_test(
        name = name,
        size = size,
        srcs = [name + ".cc"],
        deps = deps + absl_labels(absl) + ["@com_google_googletest//:gtest_main"],
        **attributes
    )
