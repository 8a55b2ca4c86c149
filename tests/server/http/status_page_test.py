"""The status page as a person sees it, in the real Chromium."""

import os
import tempfile
import unittest

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from daemon import Daemon, eventually

_FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
    "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--window-size=1240,1100",
]


class StatusPageTest(unittest.TestCase):

    def setUp(self):
        profile = tempfile.TemporaryDirectory()
        self.addCleanup(profile.cleanup)
        options = webdriver.ChromeOptions()
        for flag in [*_FLAGS, f"--user-data-dir={profile.name}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs",
                               {"performance": "ALL", "browser": "ALL"})
        self.browser = webdriver.Chrome(
            options=options, service=Service("/usr/bin/chromedriver"))
        self.addCleanup(self.browser.quit)

    def open(self, daemon):
        self.browser.get(f"http://{daemon.address}/")
        self.eventually_text("state", "live")

    def text(self, element):
        return self.browser.find_element(By.ID, element).text

    def eventually_text(self, element, text):
        self.assertTrue(eventually(lambda: text in self.text(element)),
                        f"{element} says {self.text(element)!r}")

    def holders(self):
        """The rows of the table, each as its cells' texts."""
        return self.browser.execute_script(
            "return [...document.querySelectorAll('#holders tbody tr')]"
            ".map(row => [...row.cells].map(cell => cell.textContent))")

    def save_picture(self, name):
        directory = os.environ.get("TEST_UNDECLARED_OUTPUTS_DIR", "/tmp")
        self.browser.save_screenshot(os.path.join(directory, name))

    def test_shows_a_pool_at_work_and_its_outage(self):
        with Daemon("--metrics_holders", "--capacity_bytes=1GiB") as daemon, \
                daemon.holder("256MiB") as largest:
            daemon.tool("lease", "900MiB")
            self.open(daemon)
            self.assertEqual(self.text("top-holder"), "256 MiB")
            self.assertIn(str(largest), self.text("top-holder-note"))
            self.assertEqual(self.text("refusal"), "no room")
            self.assertIn("no room for", self.text("refusal-note"))
            self.assertIn("leased 256 MiB", self.text("legend"))
            with daemon.load():
                self.eventually_text("lease-rate", "/ s")
                self.assertTrue(eventually(
                    lambda: self.text("lease-rate") not in ("–", "0 / s")))
                self.assertTrue(eventually(
                    lambda: "%" in self.text("hit-ratio")))
                self.eventually_text("rings", "MiB")
                points = self.browser.find_element(
                    By.CSS_SELECTOR, "#chart-leases polyline")
                self.assertTrue(eventually(
                    lambda: points.get_attribute("points").count(",") >= 5))
                self.save_picture("status_page.png")

            port = daemon.port
            daemon.kill()
            self.eventually_text("outage", "has not answered since")
            self.assertEqual(self.text("state"), "gone")
            self.assertEqual(self.text("top-holder"), "256 MiB",
                             "what it said last stays")
            self.save_picture("status_page_outage.png")
            daemon.start(port)
            self.eventually_text("state", "live")
            self.assertFalse(self.browser.find_element(
                By.ID, "outage").is_displayed())

    def test_sorts_holders_by_key_and_click(self):
        with Daemon("--metrics_holders") as daemon, \
                daemon.holder("2MiB") as first, \
                daemon.holder("8MiB") as second, \
                daemon.holder("4MiB") as third:
            self.open(daemon)

            def pids():
                return [int(row[0]) for row in self.holders()]

            self.assertEqual(pids(), [second, third, first], "largest first")
            self.browser.find_element(
                By.CSS_SELECTOR, "#by-leased button").click()
            self.assertEqual(pids(), [first, third, second])
            by_pid = self.browser.find_element(
                By.CSS_SELECTOR, "#by-pid button")
            by_pid.send_keys(Keys.ENTER)
            self.assertEqual(pids(), sorted([first, second, third],
                                            reverse=True))
            # The next look at the daemon leaves the order as it is.
            self.eventually_text("daemon", "up")
            self.assertEqual(self.browser.switch_to.active_element, by_pid)
            self.assertEqual(
                self.browser.find_element(By.ID, "by-pid")
                .get_attribute("aria-sort"), "descending")

    def test_is_for_the_keyboard_too(self):
        with Daemon("--metrics_holders") as daemon:
            self.open(daemon)
            body = self.browser.find_element(By.TAG_NAME, "body")
            body.send_keys("p")
            self.assertEqual(self.text("pause"), "Go on")
            body.send_keys("p")
            self.assertEqual(self.text("pause"), "Pause")
            reached = set()
            for _ in range(14):
                self.browser.switch_to.active_element.send_keys(Keys.TAB)
                reached.add(self.browser.switch_to.active_element.text)
            self.assertLessEqual({"Pause", "pid", "command", "leased"}, reached)

    def test_asks_nobody_else_and_reports_no_error(self):
        with Daemon() as daemon:
            self.open(daemon)
            self.eventually_text("holders-note", "--metrics_holders")
            sent = [entry["message"] for entry in
                    self.browser.get_log("performance")
                    if "Network.requestWillBeSent\"" in entry["message"]
                    and "\"url\":\"chrome" not in entry["message"]]
            self.assertTrue(sent)
            for message in sent:
                self.assertIn(daemon.address, message)
            self.assertEqual(self.browser.get_log("browser"), [])

    def test_has_a_dark_and_a_light_side(self):
        with Daemon("--metrics_holders") as daemon:
            backs = set()
            for scheme in ("light", "dark"):
                self.browser.execute_cdp_cmd(
                    "Emulation.setEmulatedMedia",
                    {"features": [{"name": "prefers-color-scheme",
                                   "value": scheme}]})
                self.open(daemon)
                backs.add(self.browser.execute_script(
                    "return getComputedStyle(document.body).backgroundColor"))
                self.save_picture(f"status_page_{scheme}.png")
            self.assertEqual(len(backs), 2)


if __name__ == "__main__":
    unittest.main()
