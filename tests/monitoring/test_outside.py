"""Alerts leave without Holdfast: with a real Alertmanager, nothing that listens where Holdfast should, and stand-ins for those outside.

    python -m unittest discover -s tests/monitoring
"""
import os
import pty
import re
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

    def test_one_mail_server_is_said_once_for_both(self):
        arguments = ("--mail-from", "Holdfast <holdfast@example.com>", "--mail-to", "oncall@example.com", "--mail-server", "smtp.example.com:465", "--mail-login", "apikey:a:b$c")
        code, said = self.init(*arguments)
        self.assertEqual(code, 0, said)
        self.assertNotIn("sends no mail", said)
        settings = self.settings()
        for name, value in {
            "HOLDFAST_MAIL_FROM": "Holdfast <holdfast@example.com>",
            "HOLDFAST_MAIL_HOST": "smtp.example.com",
            "HOLDFAST_MAIL_PORT": "465",
            "HOLDFAST_MAIL_SECURITY": "tls",
            "HOLDFAST_MAIL_USER": "apikey",
            "HOLDFAST_MAIL_PASSWORD": "a:b$c",
            "ALERTS_MAIL_SERVER": "smtp.example.com:465",
            "ALERTS_MAIL_LOGIN": "apikey:a:b$c",
            "ALERTS_MAIL_FROM": "holdfast@example.com",
        }.items():
            self.assertEqual(settings[name], f"'{value}'", name)
        self.assertEqual(oct((self.home / "compose/.env").stat().st_mode & 0o777), "0o600", "others can read the password")
        before = (self.home / "compose/.env").read_text()
        self.init()
        self.assertEqual((self.home / "compose/.env").read_text(), before)

    def test_mail_of_holdfast_alone(self):
        code, said = self.init("--mail-from", "holdfast@example.com", "--mail-server", "[::1]:25")
        self.assertEqual(code, 0, said)
        settings = self.settings()
        self.assertEqual([settings[name] for name in ("HOLDFAST_MAIL_HOST", "HOLDFAST_MAIL_PORT", "HOLDFAST_MAIL_USER", "ALERTS_MAIL_SERVER")], ["'::1'", "'25'", "", ""])
        # Later Alertmanager, through the same server.
        code, said = self.init("--mail-to", "oncall@example.com")
        self.assertEqual((code, self.settings()["ALERTS_MAIL_SERVER"]), (0, "'[::1]:25'"), said)

    def test_without_it_says_that_holdfast_sends_none(self):
        self.assertIn("Holdfast sends no mail", self.init("--mail-to", "a@example.com", "--mail-server", "mail:25")[1])
        self.assertEqual(self.settings()["HOLDFAST_MAIL_HOST"], "")

    def test_mail_that_cannot_be_sent_is_refused(self):
        for arguments, environment, words in (
            (("--mail-from", "a@example.com"), {}, "host:port"),
            (("--mail-from", "a@example.com", "--mail-server", "mail"), {}, "host:port"),
            (("--mail-from", "a@example.com", "--mail-server", "mail:587x"), {}, "port"),
            (("--mail-from", "a@example.com", "--mail-server", "mail:0"), {}, "port"),
            (("--mail-from", "holdfast", "--mail-server", "mail:25"), {}, "HOLDFAST_MAIL_FROM"),
            (("--mail-from", "a@example.com", "--mail-server", "mail:25", "--mail-login", "name"), {}, "user:password"),
            ((), {"HOLDFAST_MAIL_HOST": "mail"}, "HOLDFAST_MAIL_FROM"),
            ((), {"HOLDFAST_MAIL_FROM": "a@example.com", "HOLDFAST_MAIL_HOST": "mail", "HOLDFAST_MAIL_SECURITY": "ssl"}, "starttls"),
            ((), {"HOLDFAST_MAIL_FROM": "a@example.com", "HOLDFAST_MAIL_HOST": "mail", "HOLDFAST_MAIL_USER": "a"}, "HOLDFAST_MAIL_PASSWORD"),
        ):
            code, said = self.init(*arguments, **environment)
            self.assertEqual(code, 1, (arguments, environment, said))
            self.assertIn(words, said)
            self.assertFalse((self.home / "compose/.env").exists(), "an answer that was refused is kept")

    def test_the_questions_name_the_server_once(self):
        # The administrator, no domain; sender, server, login, whom to tell; whom Alertmanager tells; no Slack, webhook, heartbeat.
        answers = ["ada@example.com", "", "holdfast@example.com", "smtp.example.com:587", "u:p", "ops@example.com, ada@example.com", "oncall@example.com", "", "", ""]
        said = self.asked(answers)
        self.assertEqual(said.count("host:port"), 1, said)
        settings = self.settings()
        for name, value in {
            "HOLDFAST_ADMIN_EMAIL": "ada@example.com",
            "HOLDFAST_MAIL_HOST": "smtp.example.com",
            "HOLDFAST_MAIL_PASSWORD": "p",
            "HOLDFAST_NOTICES_TO": "ops@example.com, ada@example.com",
            "ALERTS_MAIL_TO": "oncall@example.com",
            "ALERTS_MAIL_SERVER": "smtp.example.com:587",
            "ALERTS_MAIL_LOGIN": "u:p",
        }.items():
            self.assertEqual(settings[name], f"'{value}'", said)
        # What was answered, also with nothing, is not asked again.
        self.assertNotIn("HOLDFAST_MAIL", self.asked([]))

    def asked(self, answers):
        """What it says on a terminal, where somebody answers so."""
        ours, its = pty.openpty()
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.home)}
        with subprocess.Popen([self.home / "scripts/compose-init"], stdin=its, stdout=subprocess.DEVNULL, stderr=its, env=environment) as running:
            os.close(its)
            os.write(ours, "".join(f"{answer}\n" for answer in answers).encode())
            said = b""
            try:
                while part := os.read(ours, 65536):
                    said += part
            except OSError:  # Linux says so of a terminal that nobody has open any more.
                pass
            os.close(ours)
        self.assertEqual(running.returncode, 0, said)
        return said.decode()

    def test_what_is_written_reaches_holdfast(self):
        stack = (self.home / "compose/docker-compose.yml").read_text()
        known = (HERE.parents[1] / "config/holdfast.toml").read_text()
        self.init()
        for name in self.settings():
            if name.startswith(("HOLDFAST_MAIL_", "HOLDFAST_NOTICES_")):
                self.assertIn("${" + name + ":-", stack)
        passed = re.findall(r"^ {6}HOLDFAST_(MAIL|NOTICES)__(\w+): ", stack, re.M)
        self.assertGreater(len(passed), 8)
        for section, key in passed:
            of_section = known.split(f"\n[{section.lower()}]\n")[1].split("\n[")[0]
            self.assertRegex(of_section, rf"(?m)^(# )?{key.lower()} = ")

    def test_a_second_run_changes_nothing(self):
        self.init("--mail-to", "a@example.com", "--mail-server", "mail:25", "--mail-login", 'u:p$a"ss #1')
        before = (self.home / "compose/.env").read_text()
        self.assertIn("""ALERTS_MAIL_LOGIN='u:p$a"ss #1'""", before)
        self.init()
        self.assertEqual((self.home / "compose/.env").read_text(), before)


if __name__ == "__main__":
    unittest.main()
