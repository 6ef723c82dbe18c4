"""Alerts leave without Holdfast: with a real Alertmanager, nothing that listens where Holdfast should, and stand-ins for those outside.

    python -m unittest discover -s tests/monitoring
"""
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import outside
from alertmanager import ask, configured

# As alerts/database.yml makes it.
DOWN = {"alertname": "DatabaseDown", "severity": "critical", "service": "database"}
NOTES = {
    "summary": "The database does not answer",
    "description": "No Holdfast process has reached PostgreSQL for three quarters of a minute: nothing can be read or written.",
    "runbook_url": "https://ai.example.com/runbooks/DatabaseDown",
    "dashboard_url": "https://grafana.example.com/d/holdfast-database",
}
OTHERS = [
    ({"alertname": "Watchdog", "severity": "none", "service": "meta"}, {}, False),
    ({"alertname": "RecentOutage", "severity": "none", "service": "meta", "window": "1h"}, {}, False),
    ({"alertname": "BackupsOff", "severity": "info", "service": "backup"}, {}, False),
    # It follows from the database.
    ({"alertname": "HttpShedding", "severity": "warning", "service": "http"}, {}, False),
]


def wait(check, seconds=30):
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s")
        time.sleep(0.1)


class Outside(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_each_way_tells_what_fires_and_that_it_ended_and_nothing_else(self):
        slack, webhook, mail = outside.Webhook(), outside.Webhook(), outside.Mail()
        environment = {
            "ALERTS_MAIL_TO": "oncall@example.com, night@example.com",
            "ALERTS_MAIL_SERVER": mail.address,
            "ALERTS_MAIL_LOGIN": "holdfast@example.com:it's: a $ecret",
            "ALERTS_MAIL_TLS": "off",
            "ALERTS_SLACK_URL": f"{slack.url}/services/T0/B0/x",
            "ALERTS_WEBHOOK_URL": f"{webhook.url}/hook",
        }
        with outside.alertmanager(self.folder, environment) as url:
            outside.send(url, (DOWN, NOTES, False), *OTHERS)
            wait(lambda: slack.bodies and webhook.bodies and mail.letters)
            outside.send(url, (DOWN, NOTES, True))
            wait(lambda: len(slack.bodies) > 1 and len(webhook.bodies) > 1 and len(mail.letters) > 1)
            told = {alert["labels"]["alertname"] for _, body in webhook.bodies for alert in body["alerts"]}
            self.assertEqual(told, {"DatabaseDown"})
            self.assertEqual([body["status"] for _, body in webhook.bodies[:2]], ["firing", "resolved"])
            self.assertEqual(webhook.bodies[0][0], "/hook")

        path, body = slack.bodies[0]
        self.assertEqual(path, "/services/T0/B0/x")
        message = body["attachments"][0]
        self.assertEqual((message["title"], message["color"]), ("FIRING critical: DatabaseDown", "danger"))
        for part in NOTES.values():
            self.assertIn(part, message["text"])
        self.assertEqual(slack.bodies[1][1]["attachments"][0]["title"], "ended critical: DatabaseDown")

        recipients, letter = mail.letters[0]
        self.assertEqual(recipients, ["oncall@example.com", "night@example.com"])
        self.assertEqual(mail.logins[0], ["holdfast@example.com", "it's: a $ecret"])
        self.assertEqual((letter["Subject"], letter["From"]), ("FIRING critical: DatabaseDown", "holdfast@example.com"))
        text = letter.get_body(("plain",)).get_content()
        for part in NOTES.values():
            self.assertIn(part, text.replace("\r\n", "\n"))

    def test_without_a_line_holdfast_alone_is_told(self):
        text = configured(outside.CONFIG, {})
        self.assertEqual(text.replace(f"{outside.CONFIG.parent}/", "/etc/alertmanager/"), outside.CONFIG.read_text())
        with outside.alertmanager(self.folder, {}) as url:
            self.assertEqual({receiver["name"] for receiver in ask(f"{url}/receivers")}, {"holdfast", "watchdog", "nobody"})

    def test_doctor_sees_that_somebody_is_told(self):
        with outside.alertmanager(self.folder, {"ALERTS_SLACK_URL": "https://hooks.example.com/x"}) as url:
            self.assertIn("outside", {receiver["name"] for receiver in ask(f"{url}/receivers")})

    def test_half_an_answer_is_refused_with_the_settings_name(self):
        for environment, words in (
            ({"ALERTS_MAIL_TO": "a@example.com"}, "ALERTS_MAIL_SERVER"),
            ({"ALERTS_MAIL_SERVER": "mail:25"}, "ALERTS_MAIL_TO"),
            ({"ALERTS_MAIL_TO": "a@example.com", "ALERTS_MAIL_SERVER": "mail"}, "host:port"),
            ({"ALERTS_MAIL_TO": "a@example.com", "ALERTS_MAIL_SERVER": "mail:25", "ALERTS_MAIL_LOGIN": "name"}, "user:password"),
            ({"ALERTS_SLACK_URL": "hooks.slack.com/x"}, "ALERTS_SLACK_URL"),
            ({"ALERTS_WEBHOOK_URL": "#oncall"}, "ALERTS_WEBHOOK_URL"),
            # What Alertmanager takes, and finds out about when the first alert is to be sent.
            ({"ALERTS_WEBHOOK_URL": "https://pager.example.com/x y"}, "ALERTS_WEBHOOK_URL"),
            ({"ALERTS_MAIL_TO": "oncall", "ALERTS_MAIL_SERVER": "mail:25"}, "ALERTS_MAIL_TO.*@"),
            ({"ALERTS_MAIL_TO": "oncall@", "ALERTS_MAIL_SERVER": "mail:25"}, "ALERTS_MAIL_TO.*@"),
            ({"ALERTS_MAIL_TO": "a@example.com,", "ALERTS_MAIL_SERVER": "mail:25"}, "ALERTS_MAIL_TO"),
            ({"ALERTS_MAIL_TO": "a@example.com, ", "ALERTS_MAIL_SERVER": "mail:25"}, "ALERTS_MAIL_TO"),
            ({"ALERTS_MAIL_TO": " ", "ALERTS_MAIL_SERVER": "mail:25"}, "ALERTS_MAIL_TO"),
            ({"ALERTS_MAIL_TO": "a@example.com", "ALERTS_MAIL_SERVER": "mail:587x"}, "host:port"),
            ({"ALERTS_MAIL_TO": "a@example.com", "ALERTS_MAIL_SERVER": "mail:99999"}, "host:port"),
            ({"ALERTS_MAIL_TO": "a@example.com", "ALERTS_MAIL_SERVER": "mail:25", "ALERTS_MAIL_TLS": "no"}, "ALERTS_MAIL_TLS"),
        ):
            with self.assertRaisesRegex(ValueError, words):
                configured(outside.CONFIG, environment)

    def test_several_addresses_and_an_address_of_ipv6_are_taken(self):
        text = configured(outside.CONFIG, {"ALERTS_MAIL_TO": "a@example.com, b@example.com", "ALERTS_MAIL_SERVER": "[::1]:25", "ALERTS_MAIL_TLS": "off"})
        for part in ("to: 'a@example.com, b@example.com'", "from: 'a@example.com'", "smarthost: '[::1]:25'", "require_tls: false"):
            self.assertIn(part, text)

    def test_mail_ports(self):
        for port, tls in (("587", "true"), ("25", "true"), ("465", "false")):
            text = configured(outside.CONFIG, {"ALERTS_MAIL_TO": "a@example.com", "ALERTS_MAIL_SERVER": f"mail:{port}"})
            self.assertIn(f"require_tls: {tls}", text)


class Questions(unittest.TestCase):
    """scripts/compose-init, without a terminal."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        root = HERE.parents[1]
        subprocess.run(["cp", "-r", root / "scripts", root / "compose", self.home], check=True)
        (self.home / "compose/.env").unlink(missing_ok=True)

    def init(self, *arguments, **environment):
        done = subprocess.run([self.home / "scripts/compose-init", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", "HOME": str(self.home), **environment})
        return done.returncode, done.stderr

    def settings(self):
        return dict(line.split("=", 1) for line in (self.home / "compose/.env").read_text().splitlines() if not line.startswith("#"))

    def test_says_what_nobody_outside_is_told(self):
        code, said = self.init()
        self.assertEqual(code, 0, said)
        self.assertIn("NOBODY OUTSIDE", said)
        self.assertEqual(self.settings()["ALERTS_SLACK_URL"], "")
        code, said = self.init("--slack-url", "https://hooks.example.com/x")
        self.assertIn("the whole host", said)
        self.assertEqual(self.settings()["ALERTS_SLACK_URL"], "'https://hooks.example.com/x'")
        code, said = self.init(HEARTBEAT_URL="https://hc.example.com/1")
        self.assertNotIn("outside", said)
        code, said = self.init("--minimal")
        self.assertIn("COMPOSE_PROFILES=default was there", said)

    def test_minimal_watches_nothing_and_says_so(self):
        self.assertIn("minimal watches nothing", self.init("--minimal")[1])

    def test_what_cannot_work_is_refused_before_the_start(self):
        for arguments, words in ((("--mail-to", "a@example.com"), "ALERTS_MAIL_SERVER"), (("--heartbeat-url", "ping"), "HEARTBEAT_URL"), (("--webhook-url", "it's"), "quote")):
            code, said = self.init(*arguments)
            self.assertEqual(code, 1, said)
            self.assertIn(words, said)
            self.assertFalse((self.home / "compose/.env").exists(), "an answer that was refused is kept")

    def test_what_is_refused_leaves_what_worked(self):
        self.init("--domain", "ai.example.com", "--heartbeat-url", "https://hc.example.com/1", "--slack-url", "https://hooks.example.com/x")
        files = [self.home / "compose/.env", self.home / "compose/prometheus/targets/caddy.yml"]
        before = [file.read_text() for file in files]
        for arguments in (
            ("--domain", "a_b.example.com"),
            ("--domain", "ai.example.com", "--tls", "self"),
            ("--domain", "ai.example.com", "--mail", "{env.HOME}"),
            ("--heartbeat-url", "ping"),
            ("--slack-url", "it's"),
            ("--domain", "b.example.com", "--mail-to", "a@example.com"),
        ):
            code, said = self.init(*arguments)
            self.assertEqual(code, 1, said)
            self.assertEqual([file.read_text() for file in files], before, arguments)
        self.assertEqual(sorted(path.name for path in (self.home / "compose").glob(".env*")), [".env"])

    def test_a_second_run_changes_nothing(self):
        self.init("--mail-to", "a@example.com", "--mail-server", "mail:25", "--mail-login", 'u:p$a"ss #1')
        before = (self.home / "compose/.env").read_text()
        self.assertIn("""ALERTS_MAIL_LOGIN='u:p$a"ss #1'""", before)
        self.init()
        self.assertEqual((self.home / "compose/.env").read_text(), before)


if __name__ == "__main__":
    unittest.main()
