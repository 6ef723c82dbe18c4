"""The gate's own checks see what they are there for.

    python -m unittest discover -s tests/monitoring
"""
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import rules
from promql import Live

SCRAPE = """# TYPE holdfast_jobs_workers gauge
holdfast_jobs_workers{queue="system"} 1
# TYPE holdfast_jobs_finished_total counter
holdfast_jobs_finished_total{queue="system",outcome="dead"} 0
# TYPE node_filesystem_size_bytes gauge
node_filesystem_size_bytes{device="/dev/vda",fstype="ext4",mountpoint="/"} 1
"""
API = """# TYPE holdfast_jobs_workers gauge
holdfast_jobs_workers{queue="system"} 1
"""


class Inventions(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        for name, text in (("holdfast", SCRAPE), ("holdfast-api", API)):
            (Path(folder.name) / f"{name}.txt").write_text(text)
        self.live = Live(sorted(Path(folder.name).glob("*.txt")))

    def test_what_was_scraped_passes(self):
        for series in (
            'holdfast_jobs_workers{queue="system", instance="holdfast:9464", job="holdfast"}',
            'holdfast_jobs_workers{queue="system", instance="api:9464", job="holdfast"}',
            # Another host has other disks.
            'node_filesystem_size_bytes{device="/dev/sdb", fstype="xfs", mountpoint="/data", instance="node:9100", job="node"}',
            'up{instance="a", job="holdfast"}',
        ):
            self.assertIsNone(self.live.shape_problem(series), series)

    def test_what_only_a_test_invents_fails(self):
        for series, words in (
            ('holdfast_jobs_worker{queue="system"}', "no scrape has"),
            ('holdfast_jobs_workers{queue="system", role="all"}', "is scraped with"),
            ("holdfast_jobs_workers", "is scraped with"),
            ('holdfast_jobs_workers{queue="mail"}', "never as"),
            # The process that serves requests does not count what the worker ends: this is how an alert passed that could not fire.
            ('holdfast_jobs_finished_total{queue="system", outcome="dead", instance="api:9464"}', "of a process of the role api"),
        ):
            self.assertIn(words, self.live.shape_problem(series) or "", series)


class Conventions(unittest.TestCase):
    def found(self, check, *arguments):
        rules.findings.clear()
        check(*arguments)
        return list(rules.findings)

    def test_nothing_is_not_zero(self):
        for expr in (
            "max(a) > 120\nand on () sum(increase(holdfast_jobs_started_total[5m])) == 0",
            "max by (queue) (a) > 1800 and on (queue) sum by (queue) (increase(b_total[30m])) == 0",
        ):
            self.assertTrue(self.found(rules.check_absence, "X", expr), expr)
        for expr in ("max(a) > 120\nunless on () sum(increase(b_total[5m])) > 0", "node_a == 1 and node_b offset 1h == 0", "sum(increase(a[5m])) > 0 and on () max(b) == 1"):
            self.assertEqual(self.found(rules.check_absence, "X", expr), [], expr)

    def test_what_cannot_be_taken_back(self):
        for text in (
            "- At once: `docker image prune -a` and `docker builder prune`.", "`docker system prune`", "```sh\ndocker volume rm holdfast_data\n```", "`docker compose -p holdfast down -v`",
            "`rm -rf /var/lib/holdfast`", "`docker rmi holdfast:before-upgrade`", "```sql\nDROP TABLE jobs;\n```", "`DELETE FROM jobs`", "`pg_resetwal -f`",
        ):
            self.assertTrue(rules.destructive(text), text)
        for text in ("`docker image prune`", "`docker builder prune`", "`holdfast backup prune`", "`DELETE FROM jobs WHERE id = 1`", "`docker compose -p holdfast ps -a`", "Never `rm` by hand; never docker system prune."):
            self.assertEqual(rules.destructive(text), [], text)

    def test_a_flag_that_the_binary_does_not_know_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            binary = Path(folder) / "holdfast"
            binary.write_text('#!/bin/sh\n[ "$1" = doctor ] && { echo "  --json"; exit; }\n[ "$1" = --help ] && printf "\\nCommands:\\n  doctor\\n"\n')
            binary.chmod(0o755)
            for line, wrong in (("holdfast doctor --json", 0), ("holdfast doctor --only uptime.prober", 1), ("holdfast cure", 1)):
                book = {"X": f"```sh\ndocker compose -p holdfast exec holdfast {line}\n```"}
                self.assertEqual(len(self.found(rules.check_commands, book, str(binary))), wrong, line)

    def test_what_cannot_be_done_as_it_stands_is_found(self):
        inside = "docker compose -p holdfast exec holdfast holdfast"
        for text in (f"`{inside} backup keys generate --out NEW`", f"`{inside} backup drill --key-file FILE`", f"- Exited: its log says why. `{inside} config check`"):
            self.assertEqual(len(rules.impossible(text)), 2 if "--out NEW" in text else 1, text)
        for text in (f"`{inside} backup drill`", f"`{inside} support-bundle --out -`", f"- Running: `{inside} config check`"):
            self.assertEqual(rules.impossible(text), [], text)


if __name__ == "__main__":
    unittest.main()
