"""cc_grpc_library, as in upstream's bazel/cc_grpc_library.bzl."""

def _generate_impl(ctx):
    proto = ctx.attr.proto[ProtoInfo]
    root = proto.proto_source_root
    include_dir = "_grpc/" + ctx.label.name

    # Outputs lie under the path by which other .proto files import the source,
    # so that #include lines match whether or not the proto_library strips or
    # adds a prefix.
    imports = []
    outputs = []
    for source in proto.direct_sources:
        path = source.path
        if root != "." and path.startswith(root + "/"):
            path = path[len(root) + 1:]
        imports.append(path)
        for extension in [".grpc.pb.h", ".grpc.pb.cc"]:
            outputs.append(ctx.actions.declare_file(
                "%s/%s%s" % (include_dir, path[:-len(".proto")], extension),
            ))

    # /bin/<package>/_grpc/<name>, from any of the outputs.
    out_dir = outputs[0].path[:-len(imports[0][:-len(".proto")] + ".grpc.pb.h") - 1]

    arguments = ctx.actions.args()
    arguments.add("--plugin=protoc-gen-grpc=" + ctx.executable._plugin.path)
    arguments.add("--grpc_out=" + out_dir)
    arguments.add_all(proto.transitive_proto_path, before_each = "--proto_path")
    arguments.add_all(imports)
    ctx.actions.run(
        executable = ctx.executable._protoc,
        arguments = [arguments],
        inputs = proto.transitive_sources,
        outputs = outputs,
        tools = [ctx.executable._plugin],
        mnemonic = "GenCcGrpc",
        progress_message = "Generating gRPC code for %s" % ctx.attr.proto.label,
    )
    return [DefaultInfo(files = depset(outputs))]

_generate = rule(
    implementation = _generate_impl,
    attrs = {
        "proto": attr.label(
            mandatory = True,
            providers = [ProtoInfo],
        ),
        "_plugin": attr.label(
            allow_single_file = True,
            cfg = "host",
            default = "@com_github_grpc_grpc//src/compiler:grpc_cpp_plugin",
            executable = True,
        ),
        "_protoc": attr.label(
            allow_single_file = True,
            cfg = "host",
            default = "@com_google_protobuf//:protoc",
            executable = True,
        ),
    },
    output_to_genfiles = True,
)

def cc_grpc_library(name, srcs, deps, grpc_only = False, **kwargs):
    """The C++ service code of a proto_library.

    Args:
      name: The name of the cc_library to make.
      srcs: One proto_library.
      deps: The cc_proto_library of that proto_library.
      grpc_only: Must be True; messages come from cc_proto_library.
      **kwargs: For the cc_library, such as visibility.
    """
    if not grpc_only:
        fail("%s: only grpc_only = True is supported" % name)
    if len(srcs) != 1:
        fail("%s: srcs must name one proto_library, has %d" % (name, len(srcs)))

    codegen = "_%s_codegen" % name
    _generate(
        name = codegen,
        proto = srcs[0],
        testonly = kwargs.get("testonly", False),
        visibility = ["//visibility:private"],
    )
    native.cc_library(
        name = name,
        srcs = [":" + codegen],
        hdrs = [":" + codegen],
        includes = ["_grpc/" + codegen],
        deps = deps + [
            "@com_github_grpc_grpc//:grpc++",
            "@com_google_protobuf//:protobuf",
        ],
        **kwargs
    )
