"""A real daemon that serves its status over HTTP, and what to put it to work."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

_WARMPOOLD = "server/warmpoold"
_WARMPOOL = "client/warmpool"
_LOADGEN = "client/loadgen"


def eventually(condition, within=30.0):
    """Asks until the answer is true, or it is too late; returns the last answer."""
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(0.02)


def free_port():
    """One that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Daemon:
    """Removes its files at the end."""

    def __init__(self, *flags, port=0):
        # Socket paths must be short, so not Bazel's test directory.
        self._directory = tempfile.mkdtemp(prefix="warmpool-test-", dir="/tmp")
        self._shm_dir = os.path.join(
            "/dev/shm", os.path.basename(self._directory))
        self.target = f"unix:{self._directory}/socket"
        self._flags = [f"--listen={self.target}", f"--shm_dir={self._shm_dir}",
                       "--log_level=warn", *flags]
        self.start(port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self._directory, ignore_errors=True)
        shutil.rmtree(self._shm_dir, ignore_errors=True)

    def start(self, port):
        self._process = subprocess.Popen(
            [_WARMPOOLD, f"--metrics_listen=127.0.0.1:{port}", *self._flags])
        if not eventually(self._answers):
            raise RuntimeError("the daemon does not answer")
        self.address = self.stats()["metrics_listen"]

    def _answers(self):
        if self._process.poll() is not None:
            raise RuntimeError("the daemon has ended")
        return self.tool("stats").returncode == 0

    @property
    def pid(self):
        return self._process.pid

    @property
    def port(self):
        return int(self.address.rpartition(":")[2])

    def kill(self):
        self._process.kill()
        self._process.wait()

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self):
        return self._process.wait(timeout=30)

    def tool(self, *arguments):
        return subprocess.run(
            [_WARMPOOL, *arguments, f"--target={self.target}"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False)

    def stats(self):
        return json.loads(self.tool("stats", "--json").stdout)

    def get(self, path, host=None):
        """(code, body)."""
        request = urllib.request.Request(f"http://{self.address}{path}")
        if host is not None:
            request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    @contextlib.contextmanager
    def holder(self, size):
        """A process that holds a lease; gives its pid."""
        process = subprocess.Popen(
            [_WARMPOOL, "lease", size, f"--target={self.target}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            process.stdout.readline()
            yield process.pid
        finally:
            process.communicate()

    @contextlib.contextmanager
    def load(self, clients=2):
        """Load until the end of the block."""
        process = subprocess.Popen(
            [_LOADGEN, f"--target={self.target}", "--scenario=cache_heavy",
             f"--clients={clients}", "--duration=10m"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
