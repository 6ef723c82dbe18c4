"""The readers that are compared: Holdfast through its real program, one child process a document as in service, and peers."""
import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import peer

MARK = b"\nholdfast-extract-1\n"  # src/knowledge/extract/child.rs
DEADLINE = 120


@dataclass
class Answer:
    text: str | None  # None: refused
    seconds: float
    error: str | None = None
    peak_mb: float = 0.0
    processor: float = 0.0  # seconds


class Holdfast:
    """`holdfast extract-child` as the appliance starts it: limits of its own, the document on standard input."""

    name = "holdfast"

    def __init__(self, binary):
        self.binary = str(binary)

    def reads(self, path):
        return True

    def read(self, path, limits=None):
        header = json.dumps({"filename": Path(path).name, "limits": limits or {}}).encode() + b"\n"
        data = Path(path).read_bytes()
        started = time.perf_counter()
        child = subprocess.Popen([self.binary, "extract-child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={}, cwd="/")
        try:
            child.stdin.write(header + data)
            child.stdin.close()
        except BrokenPipeError:
            pass  # it answers before it has read all
        output = child.stdout.read()
        complaint = child.stderr.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        seconds, peak, processor = time.perf_counter() - started, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime
        _, mark, frame = output.partition(MARK)
        if child.returncode != 0 or not mark:
            return Answer(None, seconds, f"exit {child.returncode}: {complaint[-200:].decode(errors='replace')}", peak, processor)
        answer = json.loads(frame)
        if "Ok" in answer:
            return Answer(answer["Ok"]["text"], seconds, None, peak, processor)
        return Answer(None, seconds, json.dumps(answer["Err"], ensure_ascii=False), peak, processor)

    def close(self):
        pass


class Peer:
    """One of peer.READERS in a process of its own, which is started again when it hangs or dies."""

    def __init__(self, name, python):
        self.name, self.python, self.process = name, str(python), None
        self.endings = peer.READERS[name][1]

    def reads(self, path):
        return Path(path).suffix in self.endings

    def read(self, path):
        if self.process is None or self.process.poll() is not None:
            program = [self.python, str(Path(__file__).with_name("peer.py")), self.name]
            self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.process.stdin.write(f"{path}\n".encode())
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], DEADLINE)[0]:
            self.close()
            return Answer(None, DEADLINE, "no answer in time")
        line = self.process.stdout.readline()
        if not line:
            return Answer(None, 0.0, "it crashed")
        answer = json.loads(line)
        return Answer(answer.get("text"), answer["seconds"], answer.get("error"))

    def close(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


def installed(python):
    """What stands in the peers' environment, for the report."""
    program = "import importlib.metadata as m;print(*(f'{n} {m.version(n)}' for n in ('pypdfium2','markitdown','pypdf','python-docx')),sep=', ')"
    return subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    # readers.py BINARY FILE...: what Holdfast gives, to look at a fault
    for file in sys.argv[2:]:
        print(Holdfast(sys.argv[1]).read(file))
