"""The client library as others link it: one archive, and one shared library.

Its objects are those of the repository's own programs: .bazelrc has all of them compiled with -fPIC.
"""

load("@bazel_tools//tools/build_defs/cc:action_names.bzl", "CPP_LINK_STATIC_LIBRARY_ACTION_NAME")
load("@bazel_tools//tools/cpp:toolchain_utils.bzl", "find_cpp_toolchain")

def _client_library_impl(ctx):
    toolchain = find_cpp_toolchain(ctx)
    features = cc_common.configure_features(
        cc_toolchain = toolchain,
        ctx = ctx,
        requested_features = ctx.features + ["supports_dynamic_linker"],
        # Switched off for all other libraries (.bazelrc).
        unsupported_features = [
            feature
            for feature in ctx.disabled_features
            if feature != "supports_dynamic_linker"
        ],
    )

    linker_inputs = ctx.attr.library[CcInfo].linking_context.linker_inputs.to_list()
    archives = []
    for linker_input in linker_inputs:
        for library in linker_input.libraries:
            archive = library.pic_static_library
            if archive == None:
                fail("%s has no position-independent objects" % linker_input.owner)
            archives.append(archive)

    # Members keep their names, and several may have the same: an archive may.
    merged = ctx.actions.declare_file("lib%s.a" % ctx.attr.library_name)
    commands = ["create " + merged.path] + [
        "addlib " + archive.path
        for archive in archives
    ] + ["save", "end"]
    ctx.actions.run_shell(
        arguments = [
            cc_common.get_tool_for_action(
                action_name = CPP_LINK_STATIC_LIBRARY_ACTION_NAME,
                feature_configuration = features,
            ),
            "\n".join(commands),
        ],
        command = "\"$1\" -M <<<\"$2\"",
        inputs = depset(archives, transitive = [toolchain.all_files]),
        mnemonic = "MergeArchives",
        outputs = [merged],
        progress_message = "Merging archives into %s" % merged.short_path,
    )

    whole = cc_common.create_linker_input(
        additional_inputs = depset([ctx.file.exports]),
        libraries = depset([cc_common.create_library_to_link(
            actions = ctx.actions,
            alwayslink = True,
            cc_toolchain = toolchain,
            feature_configuration = features,
            pic_static_library = merged,
        )]),
        owner = ctx.label,
        user_link_flags = depset([
            "-Wl,-soname,lib%s.so.%s" % (ctx.attr.library_name, ctx.attr.abi),
            "-Wl,--version-script=" + ctx.file.exports.path,
            # What it takes from other libraries, it says.
            "-Wl,-z,defs",
        ]),
    )

    # One for each: a depset of all flags together would lose repeated ones.
    others = [
        cc_common.create_linker_input(
            owner = linker_input.owner,
            user_link_flags = depset(linker_input.user_link_flags),
        )
        for linker_input in linker_inputs
    ]
    shared = cc_common.link(
        actions = ctx.actions,
        cc_toolchain = toolchain,
        feature_configuration = features,
        linking_contexts = [cc_common.create_linking_context(
            linker_inputs = depset([whole] + others, order = "topological"),
        )],
        name = ctx.attr.library_name,
        output_type = "dynamic_library",
    ).library_to_link.resolved_symlink_dynamic_library

    return [
        DefaultInfo(files = depset([merged, shared])),
        OutputGroupInfo(
            shared = depset([shared]),
            static = depset([merged]),
        ),
    ]

client_library = rule(
    implementation = _client_library_impl,
    attrs = {
        "abi": attr.string(
            doc = "What comes after .so. in the name that programs ask for.",
            mandatory = True,
        ),
        "exports": attr.label(
            allow_single_file = True,
            doc = "The version script of the shared library.",
            mandatory = True,
        ),
        "library": attr.label(
            mandatory = True,
            providers = [CcInfo],
        ),
        "library_name": attr.string(mandatory = True),
        "_cc_toolchain": attr.label(
            default = "@bazel_tools//tools/cpp:current_cc_toolchain",
        ),
    },
    doc = "A cc_library and all that it depends on, for use outside of Bazel.",
    fragments = ["cpp"],
    toolchains = ["@bazel_tools//tools/cpp:toolchain_type"],
)
