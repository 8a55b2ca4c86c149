"""The sample for Kubernetes is YAML, and what it gives the daemon is real."""

import re
import subprocess
import sys
import unittest

import yaml

DAEMON = "server/warmpoold"
SAMPLE = "server/service/kubernetes.yaml"
README = "server/service/README.md"


def size_bytes(text):
    number, unit = re.fullmatch(r"(\d+)([GM]i)B?", text).groups()
    return int(number) << {"Mi": 20, "Gi": 30}[unit]


class KubernetesTest(unittest.TestCase):

    def setUp(self):
        with open(SAMPLE) as file:
            (self.sample,) = yaml.safe_load_all(file)
        self.pod = self.sample["spec"]["template"]["spec"]
        (self.container,) = self.pod["containers"]
        self.flags = dict(
            re.fullmatch(r"--([a-z_]+)=(.*)", flag).groups()
            for flag in self.container["args"])

    def test_selects_its_own_pods(self):
        self.assertEqual(self.sample["kind"], "DaemonSet")
        self.assertEqual(self.sample["spec"]["selector"]["matchLabels"],
                         self.sample["spec"]["template"]["metadata"]["labels"])

    def test_flags_are_the_daemons(self):
        help_text = subprocess.run([DAEMON, "--help"], capture_output=True,
                                   text=True).stdout
        for flag in self.flags:
            self.assertRegex(help_text, rf"(?m)^ +--{flag} ")

    def test_what_the_flags_name_is_mounted_from_the_host(self):
        mounts = {mount["name"]: mount["mountPath"]
                  for mount in self.container["volumeMounts"]}
        for volume in self.pod["volumes"]:
            # A lease names a path, which must be the same for all.
            self.assertEqual(volume["hostPath"]["path"], mounts[volume["name"]])
        self.assertTrue(self.flags["listen"].startswith(
            "unix:" + mounts["socket"] + "/"))
        self.assertTrue(self.flags["shm_dir"].startswith(mounts["memory"] + "/"))

    def test_the_memory_limit_holds_the_capacity(self):
        limit = size_bytes(self.container["resources"]["limits"]["memory"])
        capacity = size_bytes(self.flags["capacity_bytes"])
        self.assertGreaterEqual(limit - limit // 64, capacity)

    def test_clients_are_seen(self):
        self.assertTrue(self.pod["hostPID"])

    def test_capabilities_are_those_of_the_unit(self):
        with open("server/service/warmpool.service") as file:
            (unit,) = re.findall(r"(?m)^CapabilityBoundingSet=(.*)$", file.read())
        given = self.container["securityContext"]["capabilities"]["add"]
        self.assertEqual(sorted("CAP_" + name for name in given),
                         sorted(unit.split()))

    def test_the_readme_s_yaml_is_yaml(self):
        with open(README) as file:
            blocks = re.findall(r"```yaml\n(.*?)```", file.read(), re.DOTALL)
        self.assertTrue(blocks)
        for block in blocks:
            self.assertIn("spec", yaml.safe_load(block))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
