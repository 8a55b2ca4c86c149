"""warmpool top on a terminal, as a person uses it."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import unittest

from daemon import Daemon, eventually

_ROWS, _COLUMNS = 30, 100


class Screen:
    """warmpool top on a terminal of its own."""

    def __init__(self, daemon, *flags):
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ,
                    struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        self.modes_before = termios.tcgetattr(slave)
        self._slave = slave
        self._process = subprocess.Popen(
            ["client/warmpool", "top", f"--target={daemon.target}",
             "--interval=100ms", *flags],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**os.environ, "TERM": "xterm"})
        os.set_blocking(self._master, False)
        self._written = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._master)
        os.close(self._slave)

    def written(self):
        """All that was written so far."""
        try:
            while chunk := os.read(self._master, 65536):
                self._written += chunk.decode()
        except BlockingIOError:
            pass
        return self._written

    def text(self):
        """What is on the screen."""
        frames = self.written().split("\x1b[H")
        # The last may not be whole.
        whole = frames[-1] if frames[-1].endswith("\x1b[J") else frames[-2:-1]
        return re.sub(r"\x1b\[[?0-9]*[A-Za-z]|\r", "", "".join(whole))

    def press(self, key):
        os.write(self._master, key.encode())

    def signal(self, number):
        self._process.send_signal(number)

    def wait(self):
        return self._process.wait(timeout=30)

    def modes(self):
        return termios.tcgetattr(self._slave)


class TopTest(unittest.TestCase):

    def test_tells_what_people_ask_first(self):
        with Daemon("--capacity_bytes=1GiB") as daemon, \
                daemon.holder("256MiB") as largest, \
                daemon.holder("2MiB") as other:
            daemon.tool("lease", "900MiB")
            with Screen(daemon) as screen, daemon.load():
                self.assertTrue(eventually(lambda: re.search(
                    r"hit ratio +[1-9][0-9.]* % in the last 10 s",
                    screen.text())), screen.text())
                self.assertTrue(eventually(lambda: re.search(
                    r"live, [1-9][0-9,]* granted per second", screen.text())))
                text = screen.text()
                self.assertRegex(text, r"RESOURCE_EXHAUSTED, 900 MiB")
                pids = [int(line.split()[0])
                        for line in text.split("SHARE")[1].splitlines()[1:]
                        if line.split()[:1] and line.split()[0].isdigit()]
                self.assertEqual(pids[0], largest)
                self.assertIn(other, pids)
                for line in text.splitlines():
                    self.assertLessEqual(len(line), _COLUMNS)
                self.assertLessEqual(len(text.splitlines()), _ROWS)

    def test_sorts_by_keys_and_gives_the_terminal_back(self):
        with Daemon() as daemon, daemon.holder("8MiB"), \
                daemon.holder("2MiB"), Screen(daemon) as screen:

            def pids():
                return [int(pid) for pid in
                        re.findall(r"^ *([0-9]+) .* warmpool ", screen.text(),
                                   re.MULTILINE)]

            self.assertTrue(eventually(lambda: len(pids()) == 2))
            self.assertNotEqual(screen.modes(), screen.modes_before)
            screen.press("p")
            self.assertTrue(eventually(lambda: pids() == sorted(pids())))
            screen.press("b")
            self.assertTrue(eventually(lambda: "8 MiB" in
                                       screen.text().split("SHARE")[1]
                                       .splitlines()[1]))
            screen.press("q")
            self.assertEqual(screen.wait(), 0)
            self.assertEqual(screen.modes(), screen.modes_before)
            self.assertTrue(screen.written().endswith("\x1b[?1049l"))

    def test_a_signal_gives_the_terminal_back_too(self):
        with Daemon() as daemon, Screen(daemon) as screen:
            self.assertTrue(eventually(lambda: "q quits" in screen.text()))
            screen.signal(signal.SIGTERM)
            self.assertEqual(screen.wait(), 0)
            self.assertEqual(screen.modes(), screen.modes_before)

    def test_says_when_the_daemon_is_gone_and_when_it_is_back(self):
        with Daemon() as daemon, Screen(daemon) as screen:
            self.assertTrue(eventually(
                lambda: f"pid {daemon.pid}" in screen.text()))
            daemon.kill()
            self.assertTrue(eventually(
                lambda: "THE DAEMON DOES NOT ANSWER" in screen.text()))
            daemon.start(0)
            self.assertTrue(eventually(
                lambda: f"pid {daemon.pid}" in screen.text()
                and "DOES NOT ANSWER" not in screen.text()))

    def test_without_a_terminal_it_prints_a_text_each_time(self):
        with Daemon() as daemon:
            done = daemon.tool("top", "--count=2", "--interval=100ms")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stdout.count("hit ratio"), 2)
            self.assertNotIn("\x1b", done.stdout)
            daemon.kill()
            self.assertEqual(daemon.tool("top", "--deadline=100ms").returncode, 1)


if __name__ == "__main__":
    unittest.main()
