"""A repository whose libraries are those that pkg-config knows.

Headers come from the system include path; a library is a list of -l flags.
"""

_BUILD_HEADER = """\
package(default_visibility = ["//visibility:public"])
"""

_LIBRARY = """\
cc_library(
    name = "{name}",
    defines = {defines},
    linkopts = {linkopts},
)
"""

def _query(repository_ctx, module):
    result = repository_ctx.execute(["pkg-config", "--cflags", "--libs", module])
    if result.return_code != 0:
        fail("Debian's package for @%s is missing (run third_party/install.sh): %s" %
             (repository_ctx.name, result.stderr))
    return result.stdout.strip().split(" ")

def _flags(repository_ctx, spec):
    """The flags for a blank-separated list of modules and literal flags."""
    flags = []
    for word in spec.split(" "):
        flags += [word] if word.startswith("-") else _query(repository_ctx, word)
    return flags

def _last_of_each(flags):
    """Drops repeated flags. The last stays: archives come after their users."""
    kept = []
    for flag in reversed(flags):
        if flag not in kept:
            kept.insert(0, flag)
    return kept

def _library(repository_ctx, name, spec):
    flags = _flags(repository_ctx, spec)

    # NOMINMAX, in every module of Abseil's, is for Windows.
    defines = repository_ctx.attr.defines + [
        flag[len("-D"):]
        for flag in _last_of_each(flags)
        if flag.startswith("-D") and flag != "-DNOMINMAX"
    ]

    # Modules list all that they might need. --as-needed keeps out of a binary
    # what it does not use; it holds up to pop-state and for this library only.
    linkopts = ["-Wl,--push-state,--as-needed"] + _last_of_each([
        flag
        for flag in flags
        if flag.startswith("-l") or flag == "-pthread" or flag in spec.split(" ")
    ]) + ["-Wl,--pop-state"]
    return _LIBRARY.format(name = name, defines = defines, linkopts = linkopts)

def _split_label(label):
    """("absl/status", "statusor") for "absl/status:statusor"."""
    package, _, name = label.partition(":")
    return package, name or package.split("/")[-1]

def _build_file(package):
    return package + "/BUILD.bazel" if package else "BUILD.bazel"

def _pkg_config_repository_impl(repository_ctx):
    files = {}
    for label, spec in repository_ctx.attr.libraries.items():
        package, name = _split_label(label)
        files.setdefault(_build_file(package), []).append(_library(repository_ctx, name, spec))

    for source, path in repository_ctx.attr.extra_build_files.items():
        files.setdefault(path, []).append(repository_ctx.read(source))

        # A .bzl file can be loaded only from a package.
        files.setdefault(_build_file(path.rpartition("/")[0]), [])

    for path, target in repository_ctx.attr.symlinks.items():
        if not repository_ctx.path(target).exists:
            fail("%s is missing: run third_party/install.sh" % target)
        repository_ctx.symlink(target, path)

    for path, parts in files.items():
        if path.endswith("BUILD.bazel"):
            parts = [_BUILD_HEADER] + parts
        repository_ctx.file(path, "\n".join(parts), executable = False)

pkg_config_repository = repository_rule(
    implementation = _pkg_config_repository_impl,
    attrs = {
        "defines": attr.string_list(
            doc = "Added to what pkg-config says, for every library.",
        ),
        "extra_build_files": attr.label_keyed_string_dict(
            doc = "Files to copy, or to append to a generated BUILD file.",
        ),
        "libraries": attr.string_dict(
            doc = "'package:name' -> pkg-config modules and literal flags.",
            mandatory = True,
        ),
        "symlinks": attr.string_dict(
            doc = "Path in the repository -> path on this machine.",
        ),
    },
    doc = "Upstream labels for libraries that are installed on this machine.",
    # An upgraded package is noticed when the Bazel server next starts.
    local = True,
)
