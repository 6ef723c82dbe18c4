#!/usr/bin/env python3
"""Mail to a real Postfix: encrypted, delivered into mailboxes, and still signed when it comes out.

    mail_postfix.py --binary PATH --models DIR

Takes Debian's package apart into a temporary folder and runs it from there, on a port of its own, under users that every Debian has: nothing is
installed, and a Postfix of the system is not touched. Needs root (Postfix changes users), apt-get, and the network for the package.
"""
import argparse
import email
import email.policy
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from mail_delivery import Sender, certificate, run_checks, run_inside, verified
from management import wait_for
from with_appliance import free_port

# Postfix refuses an owner that another account shares its number with, and a second one that is the first.
OWNER, GROUP, READER = "nobody", "mail", "daemon"
SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
QUEUES = "active bounce corrupt defer deferred flush hold incoming maildrop pid private public saved trace".split()


class Postfix:
    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        folder.chmod(0o755)
        # apt has a user of its own, who may not be able to write here.
        subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "postfix"], cwd=folder, check=True)
        (package,) = folder.glob("postfix_*.deb")
        subprocess.run(["dpkg", "-x", package, folder / "root"], check=True)
        self.programs = folder / "root/usr/lib/postfix/sbin"
        self.libraries = {"LD_LIBRARY_PATH": str(folder / "root/usr/lib/postfix")}
        self.queue, self.state, self.boxes, self.config = (self.made(name) for name in ("queue", "state", "boxes", "config"))
        shutil.chown(self.state, OWNER)
        shutil.chown(self.boxes, READER, READER)
        for name in QUEUES:
            path = self.queue / name
            path.mkdir()
            if name != "pid":
                shutil.chown(path, OWNER, GROUP if name in ("maildrop", "public") else None)
            path.chmod({"maildrop": 0o730, "public": 0o710, "pid": 0o755}.get(name, 0o700))
        self.certificate, key = certificate(folder)
        self.write_config(key)

    def made(self, name):
        path = self.folder / name
        path.mkdir()
        path.chmod(0o755)
        return path

    def write_config(self, key):
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": self.queue, "data_directory": self.state, "daemon_directory": self.programs, "command_directory": self.folder / "root/usr/sbin",
            "meta_directory": self.folder / "root/etc/postfix", "shlib_directory": self.folder / "root/usr/lib/postfix",
            "mail_owner": OWNER, "setgid_group": GROUP, "default_privs": READER,
            # Its children find their libraries by this, too.
            "import_environment": f"MAIL_CONFIG LD_LIBRARY_PATH={self.libraries['LD_LIBRARY_PATH']}",
            "maillog_file": self.folder / "mail.log", "maillog_file_prefixes": self.folder,
            "myhostname": "mail.test", "mydestination": "", "inet_protocols": "ipv4", "mynetworks": "127.0.0.0/8",
            "smtputf8_enable": "yes", "smtpd_tls_security_level": "encrypt", "smtpd_tls_cert_file": self.certificate, "smtpd_tls_key_file": key,
            "virtual_mailbox_domains": "example.org", "virtual_mailbox_base": self.boxes, "virtual_mailbox_maps": "static:inbox/", "virtual_minimum_uid": "1",
            "virtual_uid_maps": f"static:{user_id(READER)}", "virtual_gid_maps": f"static:{user_id(READER)}",
            "smtpd_recipient_restrictions": "check_recipient_access inline:{ {nobody@example.org = 550 5.1.1 User unknown} {later@example.org = 450 4.2.0 Greylisted} }, reject_unauth_destination",
        }
        (self.config / "main.cf").write_text("".join(f"{name} = {value}\n" for name, value in settings.items()))
        (self.config / "master.cf").write_text(SERVICES.lstrip().format(port=self.port))

    def start(self):
        """In the foreground, so that it ends with us."""
        environment = {**os.environ, **self.libraries, "MAIL_CONFIG": str(self.config)}
        self.log = (self.folder / "log").open("w")
        self.process = subprocess.Popen([self.programs / "master", "-c", self.config, "-d"], env=environment, stdout=self.log, stderr=self.log)
        wait_for("Postfix listens", self.listens, 30)

    def listens(self):
        logs = (path.read_text() for path in self.folder.glob("*log"))
        assert self.process.poll() is None, "Postfix ended:\n" + "\n".join(logs)
        # 01: listening; the port in hexadecimal.
        return any(f":{self.port:04X} 00000000:0000 0A" in line for line in Path("/proc/net/tcp").read_text().splitlines())

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)

    def settings(self):
        return {"SMTP_PORT": str(self.port), "SMTP_CA_FILE": str(self.certificate)}


def user_id(name):
    return int(subprocess.run(["id", "-u", name], check=True, capture_output=True, text=True).stdout)


# Inside: the appliance runs. MAIL_FOLDER is the mailbox, a Maildir.


def delivered(sender, id):
    """The message that came out of Postfix, and it alone."""
    wanted = f"<{sender.until(id, 'sent')['message_id']}>"

    def look():
        found = [path.read_bytes() for path in sender.folder.glob("new/*")]
        return [raw for raw in found if email.message_from_bytes(raw, policy=email.policy.default)["Message-ID"] == wanted]

    found = wait_for(f"{wanted} is delivered", look, 60)
    assert len(found) == 1, f"{wanted} was delivered {len(found)} times"
    # In a mailbox, lines end with a line feed.
    return found[0].replace(b"\n", b"\r\n")


def it_is_delivered_with_signatures_that_hold(sender):
    html = "<p>Прилив в полдень.</p>"
    raw = delivered(sender, sender.send("Ada <ada@example.org>", subject="Прилив в полдень", text="Прилив в полдень.\n.\n", html=html))
    assert b"with ESMTPS" in raw or b"with UTF8SMTPS" in raw, raw[:600].decode(errors="replace")
    assert sorted(verified(sender, raw)) == [("ed25519", True), ("rsa", True)], verified(sender, raw)
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    assert (parsed["Subject"], parsed.get_body(("html",)).get_content().strip()) == ("Прилив в полдень", html)


def each_of_many_is_delivered_once(sender):
    ids = [sender.send(f"reader{n}@example.org") for n in range(30)]
    for id in ids:
        delivered(sender, id)


def what_it_refuses_is_noted(sender):
    failed = sender.until(sender.send("nobody@example.org"), "failed")
    assert (failed["status"], failed["enhanced"]) == (550, "5.1.1"), failed
    waiting = sender.send("later@example.org")
    now = wait_for("the first attempt", lambda: (now := sender.message(waiting))["attempts"] == 1 and now["state"] == "queued" and now)
    assert (now["status"], now["enhanced"]) == (450, "4.2.0"), now
    # Not its domain: a refusal of the server, not of the address.
    relayed = sender.until(sender.send("ada@elsewhere.example"), "failed")
    assert relayed["status"] == 554, relayed
    found = sender.api.call("GET", "/api/v1/mail/suppressions")["data"]
    assert [one["address"] for one in found] == ["nobody@example.org"], found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary")
    parser.add_argument("--models")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.inside:
        sys.exit(run_checks([it_is_delivered_with_signatures_that_hold, each_of_many_is_delivered_once, what_it_refuses_is_noted], Sender()))
    if not (args.binary and args.models):
        parser.error("--binary and --models are needed")
    if os.geteuid() != 0:
        sys.exit("Postfix changes users: run this as root")
    with tempfile.TemporaryDirectory(prefix="holdfast-postfix-") as folder:
        postfix = Postfix(Path(folder))
        postfix.start()
        try:
            sys.exit(run_inside(__file__, args, postfix.boxes / "inbox", postfix.settings()))
        finally:
            postfix.stop()


if __name__ == "__main__":
    main()
