"""Tests in Python, run by Debian's."""

def python_test(name, data = [], **kwargs):
    """Runs NAME.py, which may import daemon (tests/support/daemon.py)."""
    native.sh_test(
        name = name,
        srcs = ["//tests/support:run_python.sh"],
        args = ["$(location %s.py)" % name],
        data = data + [
            name + ".py",
            "//client:loadgen",
            "//client:warmpool",
            "//server:warmpoold",
            "//tests/support:daemon.py",
        ],
        **kwargs
    )
