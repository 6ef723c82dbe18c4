#!/usr/bin/env python3
"""Runs the programs beside this file against the appliance with an access key of its own. One that is not installed is said, and fails the run
unless it is named in HOLDFAST_S3_WITHOUT.

    with_appliance.py ... -- programs.py [--files N]
"""
import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from account import access_key, admin, environment

HERE = Path(__file__).resolve().parent
PYTHON = sys.executable


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", default="10000", help="files that rclone copies")
    options = parser.parse_args()
    env = environment(access_key(admin()))
    programs = [
        ("aws", [str(HERE / "awscli.sh")], False),
        ("rclone", [str(HERE / "rclone.sh"), options.files], False),
        ("restic", [str(HERE / "restic.sh")], True),
        ("s3cmd", [str(HERE / "s3cmd.sh")], True),
        ("node", ["node", str(HERE / "sdk_js.mjs")], False),
        ("python3", [PYTHON, str(HERE / "minio_py.py")], True),
    ]
    without = os.environ.get("HOLDFAST_S3_WITHOUT", "").split()
    failed = []
    for program, command, at_root in programs:
        if shutil.which(program, path=env["PATH"]) is None:
            print(f"{program}: not installed")
            failed += [program] if program not in without else []
        elif at_root and not env["S3_ROOT"]:
            print(f"{program}: needs files.s3_listen (APPLIANCE_S3_URL)")
            failed.append(program)
        elif subprocess.run(command, env=env).returncode != 0:
            failed.append(program)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
