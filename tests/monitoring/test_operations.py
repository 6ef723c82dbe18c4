"""docs/operations.md: the systemd unit is one that systemd takes, and that it judges acceptable.

    python -m unittest discover -s tests/monitoring
"""
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TEXT = (Path(__file__).resolve().parents[2] / "docs/operations.md").read_text()


@unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd here")
class Unit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.unit = Path(folder.name) / "holdfast.service"
        text = re.search(r"```ini\n(\[Unit\]\n.*?)```", TEXT, re.S)[1]
        # A program that is here, in place of one that is not installed.
        self.unit.write_text(text.replace("/usr/local/bin/holdfast", sys.executable))

    def test_systemd_takes_it(self):
        done = subprocess.run(["systemd-analyze", "verify", "--recursive-errors=no", self.unit], capture_output=True, text=True)
        said = [line for line in done.stderr.splitlines() if "holdfast" in line]
        self.assertEqual((done.returncode, said), (0, []), done.stderr)

    def test_it_is_not_exposed(self):
        """Below 5 systemd says OK."""
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=45", self.unit], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout[-300:] + done.stderr)

    def test_it_can_be_enabled_and_gives_up_on_a_wrong_setting(self):
        text = self.unit.read_text()
        for line in ("WantedBy=multi-user.target", "RestartPreventExitStatus=64", "KillMode=mixed"):
            self.assertIn(line, text.splitlines())
        self.assertNotIn("PrivateTmp=yes", text)


if __name__ == "__main__":
    unittest.main()
