#!/usr/bin/env python3
"""What Holdfast sends, as others read it: aiosmtpd takes the mail, dkimpy checks its signatures, Python's email reads it.

    mail_delivery.py --binary PATH --models DIR

Starts the mail server (STARTTLS and sign-in are mandatory), then the appliance with it, then itself inside (with_appliance.py). Each check is
a function; all run, the summary says which failed.
"""
import argparse
import base64
import datetime
import email
import email.policy
import ipaddress
import json
import os
import ssl
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import dkim
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from management import first_sign_in, wait_for
from with_appliance import free_port

CLIENTS = Path(__file__).resolve().parent
MESSAGES = "/api/v1/mail/messages"
SENDER = "holdfast@example.com"
USER, PASSWORD = "holdfast", "correct horse"


# Outside: the server, before the appliance is told of it.


def certificate(folder, name="127.0.0.1"):
    """A certificate of its own for this address: (certificate, key), as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return paths


class Mailbox:
    """Keeps each message as it came, with its envelope beside it. Refuses nobody@... for good, and later@... the first time."""

    def __init__(self, folder):
        self.folder, self.count, self.greylisted = folder, 0, set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 No such user"
        if address.startswith("later@") and address not in self.greylisted:
            self.greylisted.add(address)
            return "451 4.7.1 Greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        about = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "encrypted": session.ssl is not None, "user": session.auth_data and session.auth_data.decode()}
        (self.folder / f"{self.count}.eml").write_bytes(envelope.original_content)
        # Last: whoever sees it finds the message.
        (self.folder / f"{self.count}.json").write_text(json.dumps(about))
        return "250 2.0.0 kept"


def authenticate(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, auth_data=data.login if right else None)


def serve(folder):
    """Starts the server; returns the settings for the appliance."""
    chain, key = certificate(folder)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(chain, key)
    port = free_port()
    Controller(
        Mailbox(folder), hostname="127.0.0.1", port=port, tls_context=tls, require_starttls=True, auth_required=True, authenticator=authenticate, enable_SMTPUTF8=True,
    ).start()
    return {"SMTP_PORT": str(port), "SMTP_CA_FILE": str(chain), "SMTP_USER": USER, "SMTP_PASSWORD": PASSWORD}


def run_inside(script, args, folder, settings):
    """Runs a script of this folder on an appliance that has these settings of [mail]."""
    common = {"FROM": f"Holdfast <{SENDER}>", "SMTP_HOST": "127.0.0.1", "SHARED_SENDER": "true"}
    environment = {**os.environ, "MAIL_FOLDER": str(folder), **{f"HOLDFAST_MAIL__{name}": value for name, value in {**common, **settings}.items()}}
    command = [sys.executable, str(CLIENTS / "with_appliance.py"), "--binary", args.binary, "--models", args.models, "--", sys.executable, str(script), "--inside"]
    return subprocess.run(command, env=environment).returncode


# Inside: the appliance runs.


class Sender:
    """Sends mail as an administrator, and finds it where it arrived."""

    def __init__(self):
        self.api = first_sign_in(os.environ["APPLIANCE_URL"], os.environ["APPLIANCE_EMAIL"], os.environ["APPLIANCE_ONE_TIME_PASSWORD"])
        self.folder = Path(os.environ["MAIL_FOLDER"])
        self.records = self.add_domain("example.com")

    def add_domain(self, domain):
        """The domain with its keys; {name: TXT record}. Its owner would publish them: there is no name server here that could say so."""
        made = self.api.call("POST", "/api/v1/mail/domains", {"domain": domain, "installation": True})
        self.sql(f"UPDATE mail_domains SET verified_at = now(), ed25519_published = true WHERE domain = '{domain}'")
        return {record["host"]: record["value"] for record in made["records"]}

    def sql(self, statement):
        command = [os.environ["APPLIANCE_BINARY"], "--config", os.environ["APPLIANCE_CONFIG"], "psql", "--write", "--yes", "-c", statement]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def send(self, to, **more):
        body = {"to": to, "subject": "Tides", "text": "The tide turns at noon.\n", **more}
        return self.api.call("POST", MESSAGES, body)["id"]

    def message(self, id):
        return self.api.call("GET", f"{MESSAGES}/{id}")

    def until(self, id, state):
        return wait_for(f"mail {id} is {state}", lambda: (now := self.message(id))["state"] == state and now, 60)

    def arrived(self, id):
        """The message as it came, parsed, and its envelope. It came once."""
        wanted = f"<{self.until(id, 'sent')['message_id']}>"
        found = []
        for about in self.folder.glob("*.json"):
            raw = about.with_suffix(".eml").read_bytes()
            parsed = email.message_from_bytes(raw, policy=email.policy.default)
            if parsed["Message-ID"] == wanted:
                found.append((raw, parsed, json.loads(about.read_text())))
        assert len(found) == 1, f"{wanted} arrived {len(found)} times"
        return found[0]

    def dns(self, name, timeout=5):
        """As a name server answers, if the records are published as the appliance says."""
        name = name.decode() if isinstance(name, bytes) else name
        return self.records[name.rstrip(".")].encode()


def verified(sender, raw):
    """For each signature, newest first: (its key's algorithm, whether it holds)."""
    signatures = [value for name, value in dkim.rfc822_parse(raw)[0] if name.lower() == b"dkim-signature"]
    algorithms = ["ed25519" if b"a=ed25519-sha256" in value.replace(b" ", b"") else "rsa" for value in signatures]
    return list(zip(algorithms, (dkim.DKIM(raw).verify(idx=at, dnsfunc=sender.dns) for at in range(len(signatures))), strict=True))


def both_signatures_hold_and_notice_a_change(sender):
    raw, _, about = sender.arrived(sender.send("Ada Lovelace <ada@example.org>", html="<p>The tide turns at <b>noon</b>.</p>"))
    assert about == {"from": SENDER, "to": ["ada@example.org"], "encrypted": True, "user": USER}, about
    assert sorted(verified(sender, raw)) == [("ed25519", True), ("rsa", True)], verified(sender, raw)
    # Each of these is another message, or another sender's.
    for old, new in ((b"Subject: Tides", b"Subject: Tidez"), (b"noon", b"midn"), (b"From: Holdfast", b"From: Holdfist"), (b"\r\n\r\n", b"\r\n\r\nP.S.\r\n")):
        assert old in raw, old
        changed = raw.replace(old, new, 1)
        assert {held for _, held in verified(sender, changed)} == {False}, f"{old} became {new} and nobody noticed"
    # Lines of white space at the end are no part of what is signed (RFC 6376, 3.4.4).
    for text in ("a\n \n", "a\n\t\n\n", "a\n  ", "  a\n\nb  "):
        raw, _, _ = sender.arrived(sender.send("blank@example.org", text=text))
        assert sorted(verified(sender, raw)) == [("ed25519", True), ("rsa", True)], (text, verified(sender, raw))


def a_second_header_is_noticed_and_what_services_add_is_not(sender):
    raw, _, _ = sender.arrived(sender.send("ada@example.org"))
    for header in (b"To: eve@example.net", b"Subject: Tides", b"Date: Thu, 1 Jan 2026 00:00:00 +0000", b"Message-ID: <1@example.net>", b"Content-Type: text/html"):
        assert {held for _, held in verified(sender, header + b"\r\n" + raw)} == {False}, f"{header} was added and nobody noticed"
    for header in (b"Reply-To: help@example.net", b"Cc: help@example.net", b"List-Unsubscribe: <https://example.net/>"):
        assert {held for _, held in verified(sender, header + b"\r\n" + raw)} == {True}, f"{header} was added on the way"


def everything_is_read_as_it_was_written(sender):
    name, subject, text = "Юлия Ó Súilleabháin, 山田", "Прилив в полдень 🌊 潮は正午に変わる", "Прилив в полдень.\n\n.\n.. and so on: größer, 潮.\n"
    html = f"<p>{text}</p>"
    file = bytes(range(256)) * 400
    attachment = {"name": "таблица прилива.bin", "content_type": "application/octet-stream", "content": base64.b64encode(file).decode()}
    _, parsed, _ = sender.arrived(sender.send(f'"{name}" <julia@example.org>', subject=subject, text=text, html=html, attachments=[attachment], reply_to="harbour@example.com"))
    assert parsed["Subject"] == subject, parsed["Subject"]
    (to,) = parsed["To"].addresses
    assert (to.display_name, to.addr_spec) == (name, "julia@example.org"), to
    assert parsed["Reply-To"].addresses[0].addr_spec == "harbour@example.com"
    assert parsed.get_body(("plain",)).get_content().strip() == text.strip()
    assert parsed.get_body(("html",)).get_content().strip() == html.strip()
    (part,) = parsed.iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("таблица прилива.bin", file), part.get_filename()
    defects = [defect for part in parsed.walk() for defect in part.defects]
    assert not defects, defects


def a_large_file_arrives_whole(sender):
    file = os.urandom(5 << 20)
    attachment = {"name": "large.bin", "content_type": "application/octet-stream", "content": base64.b64encode(file).decode()}
    raw, parsed, _ = sender.arrived(sender.send("ada@example.org", attachments=[attachment]))
    (part,) = parsed.iter_attachments()
    assert part.get_content() == file
    assert {held for _, held in verified(sender, raw)} == {True}
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def addresses_beyond_ascii_are_sent_with_smtputf8(sender):
    _, _, about = sender.arrived(sender.send("почта@пример.рф"))
    assert about["to"] == ["почта@xn--e1afmkfd.xn--p1ai"], about


def an_address_that_does_not_exist_is_not_asked_again(sender):
    failed = sender.until(sender.send("nobody@example.org"), "failed")
    assert (failed["status"], failed["enhanced"]) == (550, "5.1.1"), failed
    sender.until(sender.send("nobody@example.org"), "suppressed")
    found = sender.api.call("GET", "/api/v1/mail/suppressions?q=nobody")["data"]
    assert [(one["address"], one["reason"]) for one in found] == [("nobody@example.org", "hard_bounce")], found


def what_was_greylisted_comes_at_the_second_attempt(sender):
    id = sender.send("later@example.org")
    wait_for("the first attempt", lambda: (now := sender.message(id))["attempts"] == 1 and now["state"] == "queued")
    sender.api.call("POST", f"{MESSAGES}/{id}/retry")
    sender.arrived(id)
    assert [attempt["outcome"] for attempt in sender.message(id)["history"]] == ["deferred", "sent"]


CHECKS = [
    both_signatures_hold_and_notice_a_change,
    a_second_header_is_noticed_and_what_services_add_is_not,
    everything_is_read_as_it_was_written,
    a_large_file_arrives_whole,
    addresses_beyond_ascii_are_sent_with_smtputf8,
    an_address_that_does_not_exist_is_not_asked_again,
    what_was_greylisted_comes_at_the_second_attempt,
]


def run_checks(checks, sender):
    failed = []
    for check in checks:
        try:
            check(sender)
            print(f"ok    {check.__name__}", flush=True)
        except Exception:
            failed.append(check.__name__)
            print(f"FAIL  {check.__name__}\n{traceback.format_exc()}", flush=True)
    print(f"mail: {len(checks) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary")
    parser.add_argument("--models")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        sys.exit(run_checks(CHECKS, Sender()))
    if not (args.binary and args.models):
        parser.error("--binary and --models are needed")
    with tempfile.TemporaryDirectory(prefix="holdfast-mail-") as folder:
        sys.exit(run_inside(__file__, args, folder, serve(Path(folder))))


if __name__ == "__main__":
    main()
