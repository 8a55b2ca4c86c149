"""A unit: one header, and the source file of the same name if there is one."""

load("@rules_cc//cc:defs.bzl", "cc_library")

def absl_labels(names):
    """Labels of Abseil's libraries.

    Args:
      names: As "strings", or "status:statusor" for a library of a package.
    """
    return ["@com_google_absl//absl/" + name for name in names]

def unit(name, deps = [], absl = [], **attributes):
    """The library of NAME.h and, where it exists, NAME.cc.

    Args:
      name: Of the library and of its files.
      deps: As of cc_library.
      absl: Abseil's libraries that it depends on, without "@com_google_absl//absl/".
      **attributes: Of cc_library: visibility and so on.
    """
    cc_library(
        name = name,
        srcs = native.glob([name + ".cc"]),
        hdrs = [name + ".h"],
        deps = deps + absl_labels(absl),
        **attributes
    )
