"""The external repositories of Warmpool, each backed by a Debian package.

Labels are upstream's, so that BUILD files read as they would with upstream's
sources, and moving to those sources would touch only this directory.
"""

load("//third_party:bazel_stubs.bzl", "bazel_stub_repository")
load("//third_party:pkg_config.bzl", "pkg_config_repository")

# Upstream label -> pkg-config module. Debian names the module after the target;
# the target is qualified by its package only where it would be ambiguous.
_ABSL = {
    "absl/algorithm:container": "absl_algorithm_container",
    "absl/base": "absl_base",
    "absl/base:config": "absl_config",
    "absl/base:core_headers": "absl_core_headers",
    "absl/base:log_severity": "absl_log_severity",
    "absl/cleanup": "absl_cleanup",
    "absl/container:btree": "absl_btree",
    "absl/container:fixed_array": "absl_fixed_array",
    "absl/container:flat_hash_map": "absl_flat_hash_map",
    "absl/container:flat_hash_set": "absl_flat_hash_set",
    "absl/container:inlined_vector": "absl_inlined_vector",
    "absl/container:node_hash_map": "absl_node_hash_map",
    "absl/container:node_hash_set": "absl_node_hash_set",
    "absl/debugging:failure_signal_handler": "absl_failure_signal_handler",
    "absl/debugging:leak_check": "absl_leak_check",
    "absl/debugging:stacktrace": "absl_stacktrace",
    "absl/debugging:symbolize": "absl_symbolize",
    "absl/flags:commandlineflag": "absl_flags_commandlineflag",
    "absl/flags:config": "absl_flags_config",
    "absl/flags:flag": "absl_flags",
    "absl/flags:marshalling": "absl_flags_marshalling",
    "absl/flags:parse": "absl_flags_parse",
    "absl/flags:reflection": "absl_flags_reflection",
    "absl/flags:usage": "absl_flags_usage",
    "absl/functional:any_invocable": "absl_any_invocable",
    "absl/functional:bind_front": "absl_bind_front",
    "absl/functional:function_ref": "absl_function_ref",
    "absl/hash": "absl_hash",
    "absl/memory": "absl_memory",
    "absl/meta:type_traits": "absl_type_traits",
    "absl/numeric:bits": "absl_bits",
    "absl/numeric:int128": "absl_int128",
    "absl/random": "absl_random_random",
    "absl/random:bit_gen_ref": "absl_random_bit_gen_ref",
    "absl/random:distributions": "absl_random_distributions",
    "absl/random:seed_sequences": "absl_random_seed_sequences",
    "absl/status": "absl_status",
    "absl/status:statusor": "absl_statusor",
    "absl/strings": "absl_strings",
    "absl/strings:cord": "absl_cord",
    "absl/strings:str_format": "absl_str_format",
    "absl/synchronization": "absl_synchronization",
    "absl/time": "absl_time",
    "absl/types:any": "absl_any",
    "absl/types:compare": "absl_compare",
    "absl/types:optional": "absl_optional",
    "absl/types:span": "absl_span",
    "absl/types:variant": "absl_variant",
    "absl/utility": "absl_utility",
}

_WELL_KNOWN_PROTOS = [
    "any",
    "api",
    "descriptor",
    "duration",
    "empty",
    "field_mask",
    "source_context",
    "struct",
    "timestamp",
    "type",
    "wrappers",
]

def debian_dependencies():
    """Declares every external repository that Warmpool's BUILD files name."""
    bazel_stub_repository(name = "remote_coverage_tools")
    bazel_stub_repository(name = "rules_cc")

    pkg_config_repository(
        name = "com_google_absl",
        libraries = _ABSL,
    )

    # Upstream has gmock in both targets.
    pkg_config_repository(
        name = "com_google_googletest",
        libraries = {
            ":gtest": "gmock",
            ":gtest_main": "gmock_main",
        },
    )

    pkg_config_repository(
        name = "com_google_benchmark",
        libraries = {
            ":benchmark": "benchmark",
            ":benchmark_main": "-lbenchmark_main benchmark",
        },
    )

    pkg_config_repository(
        name = "com_github_axboe_liburing",
        libraries = {":liburing": "liburing"},
    )

    pkg_config_repository(
        name = "com_github_gabime_spdlog",
        libraries = {":spdlog": "spdlog"},
    )

    pkg_config_repository(
        name = "com_github_yhirose_cpp_httplib",
        libraries = {":httplib": "cpp-httplib"},
    )

    pkg_config_repository(
        name = "com_github_jupp0r_prometheus_cpp",
        libraries = {":core": "prometheus-cpp-core"},
    )

    pkg_config_repository(
        name = "com_github_systemd_systemd",
        libraries = {":libsystemd": "libsystemd"},
    )

    pkg_config_repository(
        name = "com_google_protobuf",
        libraries = {":protobuf": "protobuf"},
        extra_build_files = {"//third_party:protobuf.BUILD": "BUILD.bazel"},
        symlinks = dict(
            [
                (file, "/usr/include/" + file)
                for file in [
                    "google/protobuf/%s.proto" % proto
                    for proto in _WELL_KNOWN_PROTOS
                ]
            ],
            protoc = "/usr/bin/protoc",
        ),
    )

    pkg_config_repository(
        name = "com_github_grpc_grpc",
        libraries = {
            ":grpc++": "grpc++",
            # The reflection service registers itself from a static
            # initialiser: nothing refers to the library, yet it is needed.
            ":grpc++_reflection": "-Wl,--no-as-needed -lgrpc++_reflection -Wl,--as-needed grpc++ protobuf",
        },
        # gRPC's headers give gpr_mu another size under a sanitizer. Debian's
        # library was built without one, so the headers must not notice.
        defines = [
            "GRPC_ASAN_SUPPRESSED",
            "GRPC_TSAN_SUPPRESSED",
        ],
        extra_build_files = {
            "//third_party:cc_grpc_library.bzl": "bazel/cc_grpc_library.bzl",
            "//third_party:grpc_compiler.BUILD": "src/compiler/BUILD.bazel",
        },
        symlinks = {
            "src/compiler/grpc_cpp_plugin": "/usr/bin/grpc_cpp_plugin",
        },
    )
