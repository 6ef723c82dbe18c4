"""docs/operations.md: the systemd unit is one that systemd takes, and that it judges acceptable; what its compose commands keep.

    python -m unittest discover -s tests/monitoring
"""
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/operations.md").read_text()


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


def composed(**env):
    """compose/docker-compose.yml with these settings in compose/.env, as far as the service `holdfast` goes."""

    def value(match):
        name, how, other = match[1], match[2], match[3]
        is_set = bool(env.get(name))
        return (other if is_set else "") if how == "+" else env[name] if is_set else other

    text = (ROOT / "compose/docker-compose.yml").read_text()
    return yaml.safe_load(re.sub(r"\$\{(\w+):([-+])([^{}]*)\}", value, text))["services"]["holdfast"]


class SecondDestination(unittest.TestCase):
    """A command that names one compose file keeps the second copy of the backups."""

    name, path = "HOLDFAST_BACKUP__DESTINATIONS__SECOND__URL", "/var/backups/second"

    def bind(self, service):
        return next(volume for volume in service["volumes"] if isinstance(volume, dict) and volume["target"] == self.path)

    def test_a_line_in_env_is_enough(self):
        service = composed(BACKUP_SECOND="/mnt/nas/holdfast")
        self.assertEqual(service["environment"][self.name], self.path)
        bind = self.bind(service)
        self.assertEqual((bind["source"], bind["bind"]), ("/mnt/nas/holdfast", {"create_host_path": False, "propagation": "rslave"}))

    def test_without_it_there_is_none_and_the_stack_starts(self):
        service = composed()
        self.assertFalse(service["environment"][self.name])
        bind = self.bind(service)
        self.assertFalse(bind["bind"]["propagation"], "a host whose mounts are private starts, too")
        folder = ROOT / "compose" / bind["source"]
        self.assertTrue(any(folder.iterdir()), "git keeps no empty folder, and compose makes none here")

    def test_the_pages_say_so(self):
        self.assertIn("BACKUP_SECOND=/mnt/nas/holdfast", TEXT)
        for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
            self.assertNotRegex(page.read_text(), r"override[^\n]*\n(.*\n){0,8}.*BACKUP__DESTINATIONS", page.name)


if __name__ == "__main__":
    unittest.main()
