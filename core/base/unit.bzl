"""A unit: one header, and the source file of the same name if there is one."""

load("@rules_cc//cc:defs.bzl", "cc_library")

def unit(name, **attributes):
    """The library of NAME.h and, where it exists, NAME.cc.

    Args:
      name: Of the library and of its files.
      **attributes: Of cc_library: deps, visibility and so on.
    """
    cc_library(
        name = name,
        srcs = native.glob([name + ".cc"]),
        hdrs = [name + ".h"],
        **attributes
    )
