"""What the daemon serves over HTTP, read by the real Prometheus."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import unittest
import urllib.error
import urllib.parse
import urllib.request

from daemon import Daemon, eventually, free_port


class Prometheus:
    """A server that scrapes one address."""

    def __init__(self, address):
        self._directory = tempfile.TemporaryDirectory()
        config = os.path.join(self._directory.name, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as file:
            file.write("scrape_configs:\n"
                       "  - job_name: warmpool\n"
                       "    scrape_interval: 500ms\n"
                       "    scrape_timeout: 500ms\n"
                       f"    static_configs: [{{targets: ['{address}']}}]\n")
        self._port = free_port()
        self._process = subprocess.Popen(
            ["prometheus", f"--config.file={config}",
             f"--storage.tsdb.path={self._directory.name}/data",
             f"--web.listen-address=127.0.0.1:{self._port}",
             "--log.level=error"],
            stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._directory.cleanup()

    def query(self, expression):
        """The samples, each as (labels, value); none while it starts."""
        query = urllib.parse.urlencode({"query": expression})
        url = f"http://127.0.0.1:{self._port}/api/v1/query?{query}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                result = json.load(response)["data"]["result"]
        except OSError:
            if self._process.poll() is not None:
                raise RuntimeError("prometheus has ended") from None
            return []
        return [(one["metric"], float(one["value"][1])) for one in result]


class MetricsTest(unittest.TestCase):

    def test_promtool_finds_nothing_to_mend(self):
        with Daemon("--metrics_holders") as daemon:
            with daemon.holder("2MiB"):
                daemon.tool("lease", "2T")
                code, text = daemon.get("/metrics")
            self.assertEqual(code, 200)
            checked = subprocess.run(
                ["promtool", "check", "metrics"], input=text,
                capture_output=True, text=True, check=False)
            self.assertEqual(checked.returncode, 0,
                             checked.stdout + checked.stderr)
            self.assertEqual(checked.stderr, "")

    def test_prometheus_answers_what_people_ask(self):
        with Daemon("--metrics_holders", "--capacity_bytes=1GiB") as daemon, \
                Prometheus(daemon.address) as prometheus, \
                daemon.load(), daemon.holder("512MiB") as largest:
            self.assertNotEqual(daemon.tool("lease", "900MiB").returncode, 0)
            hit_ratio = ('sum(rate(warmpool_leases_granted_total{warmth="warm"}[5s]))'
                         " / sum(rate(warmpool_leases_granted_total[5s]))")
            # The first rate may be of before the load.
            self.assertTrue(eventually(
                lambda: any(value > 0.5
                            for _, value in prometheus.query(hit_ratio))))
            # After a scrape that took too long there is nothing for a moment.
            labels, held = eventually(lambda: prometheus.query(
                "topk(1, warmpool_holder_leased_bytes)"))[0]
            self.assertEqual(labels["pid"], str(largest))
            self.assertEqual(labels["command"], "warmpool")
            self.assertEqual(held, 512 << 20)
            refusals = eventually(
                lambda: prometheus.query("warmpool_last_refusal_info"))
            self.assertEqual(refusals[0][0]["code"], "RESOURCE_EXHAUSTED")
            self.assertIn("no room", refusals[0][0]["message"])
            p99 = ("histogram_quantile(0.99, sum by (le) (rate("
                   'warmpool_rpc_duration_seconds_bucket{method="Lease"}[5s])))')
            self.assertTrue(eventually(
                lambda: any(0 < value < 10
                            for _, value in prometheus.query(p99))))
            self.assertEqual(
                eventually(lambda: prometheus.query(
                    "sum(warmpool_capacity_bytes) - sum(warmpool_memory_bytes)")),
                [({}, 0.0)])

    def test_who_holds_what_is_told_only_where_that_is_allowed(self):
        with Daemon() as daemon, daemon.holder("2MiB"):
            daemon.tool("lease", "2T")
            _, metrics = daemon.get("/metrics")
            self.assertNotIn("pid=", metrics)
            self.assertNotIn("command=", metrics)
            self.assertIn("warmpool_last_refusal_timestamp_seconds", metrics)
            status = json.loads(daemon.get("/status.json")[1])
            self.assertEqual(status["holders"], [])
            refusal = status["stats"]["last_refusal"]
            self.assertEqual((refusal["pid"], refusal["command"]), (0, ""))
            for text in (metrics, json.dumps(status)):
                self.assertNotIn("above the maximum", text)
        with Daemon("--metrics_holders") as daemon, \
                daemon.holder("2MiB") as pid:
            daemon.tool("lease", "2T")
            self.assertIn(f'pid="{pid}"', daemon.get("/metrics")[1])
            status = json.loads(daemon.get("/status.json")[1])
            self.assertEqual([one["pid"] for one in status["holders"]], [pid])
            self.assertIn("above the maximum",
                          status["stats"]["last_refusal"]["message"])

    def test_health_and_readiness_are_two_things(self):
        with Daemon("--drain_timeout=1m") as daemon:
            self.assertEqual(daemon.get("/healthz"), (200, "ok\n"))
            self.assertEqual(daemon.get("/readyz"), (200, "ok\n"))
            with daemon.holder("2MiB"):
                daemon.signal(signal.SIGTERM)
                self.assertTrue(eventually(
                    lambda: daemon.get("/readyz") == (503, "draining\n")))
                self.assertEqual(daemon.get("/healthz"), (200, "ok\n"))
            self.assertEqual(daemon.wait(), 0)

    def test_a_page_of_another_name_reads_nothing(self):
        with Daemon() as daemon:
            self.assertEqual(daemon.get("/metrics", "evil.example")[0], 403)
            self.assertEqual(
                daemon.get("/metrics", "127.evil.example:9464")[0], 403)
            for name in ("localhost", f"localhost:{daemon.port}", "[::1]:1",
                         "127.0.0.1"):
                self.assertEqual(daemon.get("/metrics", name)[0], 200, name)
            self.assertEqual(daemon.get("/nothing")[0], 404)

    def test_connections_that_say_nothing_keep_nobody_from_a_lease(self):
        with Daemon() as daemon:
            before = len(os.listdir(f"/proc/{daemon.pid}/fd"))
            idle = [socket.create_connection(("127.0.0.1", daemon.port))
                    for _ in range(5)]
            # More than those find the kernel's queue full.
            for _ in range(200):
                one = socket.socket()
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", daemon.port))
                idle.append(one)
            with daemon.holder("2MiB") as pid:
                self.assertIn(str(pid), daemon.tool("list").stdout)
            self.assertLess(len(os.listdir(f"/proc/{daemon.pid}/fd")),
                            before + 32)
            for one in idle:
                one.close()
            self.assertTrue(eventually(
                lambda: daemon.get("/healthz")[0] == 200))

    def test_the_same_bytes_again_and_again_are_sent_once(self):
        ranges = ",".join(["0-"] * 1500)
        with Daemon() as daemon:
            with socket.create_connection(("127.0.0.1", daemon.port)) as one:
                one.settimeout(10)
                one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n"
                            b"RANGE: bytes=" + ranges.encode() + b"\r\n\r\n")
                received = 0
                while data := one.recv(1 << 16):
                    received += len(data)
            self.assertGreater(received, 1000)
            self.assertLess(received, 1 << 20)

    def test_who_keeps_connections_keeps_nobody_else_from_an_answer(self):
        starts = [b"", b"GET /metrics HTTP/1.1\r\nX: ",
                  b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"]
        with Daemon() as daemon:
            kept = []

            def keep(count):
                for i in range(count):
                    one = socket.socket()
                    # What it is sent has no room with the last of the three.
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                    one.settimeout(10)
                    one.connect(("127.0.0.1", daemon.port))
                    one.sendall(starts[i % 3])
                    kept.append(one)

            keep(90)
            for _ in range(20):
                self.assertEqual(daemon.get("/healthz"), (200, "ok\n"))
                keep(3)
            for one in kept:
                one.close()

    def test_who_sends_byte_by_byte_holds_up_nobodys_end(self):
        with Daemon() as daemon:
            slow = []
            for _ in range(5):
                one = socket.create_connection(("127.0.0.1", daemon.port))
                one.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
                slow.append(one)
            stopped = threading.Event()

            def drip():
                while not stopped.wait(0.05):
                    for one in slow:
                        try:
                            one.sendall(b"x")
                        except OSError:
                            pass

            dripping = threading.Thread(target=drip)
            dripping.start()
            try:
                daemon.signal(signal.SIGTERM)
                self.assertEqual(daemon.wait(), 0)
            finally:
                stopped.set()
                dripping.join()
                for one in slow:
                    one.close()

    def test_takes_only_so_many_bytes_and_only_questions(self):
        with Daemon() as daemon:
            with socket.create_connection(("127.0.0.1", daemon.port)) as one:
                one.settimeout(30)
                one.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
                try:
                    for _ in range(1000):
                        one.sendall(b"x" * 4096)
                    ended = one.recv(1) == b""
                except (BrokenPipeError, ConnectionResetError):
                    ended = True
                self.assertTrue(ended)
            request = urllib.request.Request(
                f"http://{daemon.address}/metrics", data=b"{}")
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(request, timeout=10)
            self.assertEqual(refused.exception.code, 405)

    def test_a_port_that_is_taken_is_named(self):
        with Daemon() as daemon, \
                tempfile.TemporaryDirectory(prefix="warmpool-test-",
                                            dir="/dev/shm") as directory:
            other = subprocess.run(
                ["server/warmpoold", f"--metrics_listen={daemon.address}",
                 f"--listen=unix:{directory}/socket",
                 f"--shm_dir={directory}/pool"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                check=False)
            self.assertEqual(other.returncode, 1)
            self.assertIn(daemon.address, other.stderr)
            self.assertIn("in use", other.stderr)


if __name__ == "__main__":
    unittest.main()
