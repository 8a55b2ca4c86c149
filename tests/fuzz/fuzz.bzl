"""Fuzz targets: one source with LLVMFuzzerTestOneInput, two ways to run it."""

load("@rules_cc//cc:defs.bzl", "cc_binary", "cc_test")

def fuzz_test(name, srcs, corpus, deps, runs = 20000):
    """A fuzz target as a test of every build, and as a libFuzzer binary.

    NAME runs the corpus and seeded mutations of it (tests/fuzz:seeded_driver).
    To search for a minute, under a sanitizer or not:

      bazel test --config=sanitize --test_arg=--seconds=60 --test_arg=--seed=7 LABEL

    NAME_libfuzzer, which needs clang and is built only when it is named:

      bazel build --config=sanitize --copt=-fsanitize=fuzzer-no-link LABEL_libfuzzer
      bazel-bin/.../NAME_libfuzzer -max_total_time=60 tests/fuzz/corpus/CORPUS

    Args:
      name: Of the test.
      srcs: Define LLVMFuzzerTestOneInput, which returns 0 and crashes on a bug.
      corpus: The folder in tests/fuzz/corpus with the inputs to begin with.
      deps: Of the sources.
      runs: Mutations that the test runs.
    """
    cc_test(
        name = name,
        size = "small",
        srcs = srcs,
        args = [
            "--corpus=tests/fuzz/corpus/" + corpus,
            "--runs=%d" % runs,
        ],
        data = ["//tests/fuzz:corpus/" + corpus],
        deps = deps + ["//tests/fuzz:seeded_driver"],
    )
    cc_binary(
        name = name + "_libfuzzer",
        testonly = True,
        srcs = srcs,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = deps,
    )
