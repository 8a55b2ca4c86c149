"""Every line that the daemon logs is words, then key=value for what varies."""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
CALL = re.compile(r'spdlog::(?:debug|info|warn|error)\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')
# What stands for a value: after its key; all of a peer's ids (DescribePeer); how
# many lines were suppressed, last (LogLimit).
VALUES = re.compile(r"(?:^| )[a-z_]+=\{\}|(?<=connection refused )\{\}|"
                    r"(?<=connection cut )\{\}|^\{\}(?= socket=)|\{\}$")


def formats():
    for path in sorted(ROOT.glob("server/*.cc")):
        for call in CALL.finditer(path.read_text()):
            text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', call.group(1)))
            yield path.name, text


class LogFormatTest(unittest.TestCase):

    def test_there_are_lines(self):
        self.assertGreater(len(list(formats())), 15)

    def test_what_varies_has_a_key(self):
        for name, text in formats():
            self.assertNotIn("{}", VALUES.sub("", text), f"{name}: {text}")

    def test_a_lease_is_told_with_its_holder(self):
        for name, text in formats():
            if " lease={}" in text:
                self.assertIn("holder={}", text, f"{name}: {text}")

    def test_quotes_are_log_value_s(self):
        for name, text in formats():
            self.assertNotIn('\\"{}', text, f"{name}: {text}: LogValue quotes")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
