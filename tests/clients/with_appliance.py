#!/usr/bin/env python3
"""Runs a command against a real appliance: starts the upstreams and the binary, waits, runs, stops, checks.

    with_appliance.py --binary PATH --models DIR [--config TOML] [--smollm2 GGUF] [--keep] -- COMMAND...

The appliance gets a new data directory, free ports, a mock upstream as provider `mock`, and with --smollm2 a real small
chat model as provider `smollm2`. The command's environment says where all that is:
    APPLIANCE_URL, APPLIANCE_OPS_URL, APPLIANCE_S3_URL, APPLIANCE_EMAIL, APPLIANCE_ONE_TIME_PASSWORD, APPLIANCE_PID, MOCK_URL, APPLIANCE_LOG,
    APPLIANCE_CONFIG, APPLIANCE_BINARY, HOLDFAST_DATA_DIR (for its command line),
    with --smollm2 also APPLIANCE_CHAT_MODEL
Fails where the command does, and where the appliance does not stop with exit code 0 on SIGTERM. Standard library only.
"""
import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
EMAIL = "admin@example.com"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_upstream(command, children):
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    children.append(child)
    for line in child.stdout:
        found = re.search(r"listening on (http://\S+)/v1", line)
        if found:
            return found.group(1)
    sys.exit(f"{command[0]} did not start")


def wait_ready(url, child, log, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if child.poll() is not None:
            sys.exit(f"the appliance exited with {child.returncode}:\n{log.read_text()[-6000:]}")
        try:
            with urllib.request.urlopen(url, timeout=2) as response:
                if response.status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.05)
    sys.exit(f"not ready after {seconds} s:\n{log.read_text()[-6000:]}")


def write_config(folder, mock, smollm2):
    key = folder / "mock-key"
    key.write_text("mock-key\n")
    key.chmod(0o600)
    text = f'[llm.providers.mock]\nkind = "openai"\nbase_url = "{mock}/v1"\napi_key_file = "{key}"\n'
    if smollm2:
        text += f'\n[llm.providers.smollm2]\nkind = "openai"\nbase_url = "{smollm2}/v1"\n'
    # A key for these tests alone.
    backup_key = folder / "backup-key"
    backup_key.write_text("AGE-SECRET-KEY-1S46GMC3PU79CQAULSRL4UPXCUUAHLMSVFMKJ37P9ZFTYUS55DNNSRFE5R7\n")
    recipient = "age1t63e75esuapgwa699efd7j03u6e9847d54x2jd5fneqnt2slg4ksn3fnxs"
    (folder / "backups").mkdir()
    text += f'\n[backup]\nrecipients = ["{recipient}"]\nkey_file = "{backup_key}"\n'
    text += f'\n[backup.destinations.near]\nurl = "{folder / "backups"}"\n'
    # As Alertmanager has it.
    text += '\n[alerting]\ntoken = "alertmanager-of-these-tests"\n'
    text += "\n[mail]\nshared_sender = true\n"
    path = folder / "holdfast.toml"
    path.write_text(text)
    return path


def one_time_password(data_dir):
    """What the first start keeps for whoever looks after it, a moment after it is ready: address and password, a line each."""
    file = data_dir / "first-admin-password"
    for _ in range(100):
        if file.exists() and len(file.read_text().splitlines()) == 2:
            return file.read_text().splitlines()[1]
        time.sleep(0.05)
    sys.exit("the appliance kept no one-time password")


def stop(child, seconds=30):
    child.send_signal(signal.SIGTERM)
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        return f"killed: it ignored SIGTERM for {seconds} s"


def run(args, folder, children):
    mock = start_upstream([sys.executable, str(HERE / "mock_openai.py")], children)
    smollm2 = start_upstream(["node", str(HERE / "smollm2.mjs"), args.smollm2], children) if args.smollm2 else None
    api, ops, s3 = free_port(), free_port(), free_port()
    (folder / "data").mkdir()
    (folder / "data" / "models").symlink_to(Path(args.models).resolve())
    config = args.config or write_config(folder, mock, smollm2)
    log = folder / "appliance.log"
    environment = {
        **os.environ,
        "HOLDFAST_DATA_DIR": str(folder / "data"),
        "HOLDFAST_SERVER__LISTEN": f"127.0.0.1:{api}",
        "HOLDFAST_OPS__LISTEN": f"127.0.0.1:{ops}",
        "HOLDFAST_FILES__S3_LISTEN": f"127.0.0.1:{s3}",
        "HOLDFAST_ADMIN__EMAIL": EMAIL,
    }
    with log.open("w") as output:
        appliance = subprocess.Popen([args.binary, "--config", str(config), "serve"], env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        wait_ready(f"http://127.0.0.1:{ops}/readyz", appliance, log, 60)
        environment.update(
            APPLIANCE_URL=f"http://127.0.0.1:{api}",
            APPLIANCE_OPS_URL=f"http://127.0.0.1:{ops}",
            APPLIANCE_S3_URL=f"http://127.0.0.1:{s3}",
            APPLIANCE_EMAIL=EMAIL,
            APPLIANCE_ONE_TIME_PASSWORD=one_time_password(folder / "data"),
            APPLIANCE_PID=str(appliance.pid),
            APPLIANCE_LOG=str(log),
            APPLIANCE_CONFIG=str(config),
            APPLIANCE_BINARY=str(Path(args.binary).resolve()),
            MOCK_URL=mock,
        )
        if smollm2:
            environment["APPLIANCE_CHAT_MODEL"] = "smollm2/smollm2-135m-instruct"
        code = subprocess.run(args.command, env=environment).returncode
    finally:
        stopped = stop(appliance)
    if stopped != 0:
        print(f"the appliance stopped with {stopped} instead of 0", file=sys.stderr)
        code = code or 1
    if code:
        print(f"--- end of the appliance's log ---\n{log.read_text()[-6000:]}", file=sys.stderr)
    return code


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--models", required=True, help="folder that scripts/fetch-model filled")
    parser.add_argument("--config", help="instead of the one with the mock provider")
    parser.add_argument("--smollm2", metavar="GGUF")
    parser.add_argument("--keep", action="store_true", help="leave the data directory and the log")
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="holdfast-clients-"))
    folder.chmod(0o755)  # started by root, its PostgreSQL runs as another user, who must be able to reach it
    children = []
    try:
        code = run(args, folder, children)
    finally:
        for child in children:
            child.terminate()
        if args.keep:
            print(f"kept {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
