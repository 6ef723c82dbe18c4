#!/usr/bin/env python3
"""How long each Rust test took. The test harness of stable Rust does not say it; its output and its order do.

    test_times.py run FILE PROGRAM [ARGUMENTS...]   Cargo's runner: runs a test program, appends the time of each test to FILE
    test_times.py slowest FILE                      prints the slowest twenty of FILE

The harness starts the tests in the order of their names, one for each of its threads; when a test ends, it prints a line and starts the
next one. So each test starts at the beginning or with the line of a test that ended, and which one follows from the order and the number
of threads: RUST_TEST_THREADS or --test-threads, one of which must be set. Output that does not fit (a run that was cut off, --nocapture)
gives no times and a line that says so.
"""
import os
import re
import subprocess
import sys
import time
from pathlib import Path

SHOWN = 20
ENDED = re.compile(r"test (\S+)(?: - should panic.*?)? \.\.\. (ok|FAILED|ignored)")


def durations(ended, begun, threads):
    """Seconds of each test; `ended` are (test, time of its line) in the order of the lines. None where the order is another."""
    place = {test: at for at, (test, _) in enumerate(ended)}
    times = {}
    for at, test in enumerate(sorted(place, key=str.encode)):
        made_room = at - threads
        if made_room >= place[test]:
            return None
        times[test] = ended[place[test]][1] - (begun if made_room < 0 else ended[made_room][1])
    return times


def threads_of(arguments, environment):
    """How many tests run at a time; None where nobody said it."""
    said = re.search(r"--test-threads[ =](\d+)", " ".join(arguments))
    number = said[1] if said else environment.get("RUST_TEST_THREADS", "")
    return int(number) if number.isdigit() else None


def watch(lines, clock=time.monotonic):
    """Passes the harness's lines on; returns how many tests it announced, when they began, and (test, time, result) of each."""
    announced, begun, ended, done = 0, clock(), [], False
    for line in lines:
        now = clock()
        sys.stdout.write(line)
        sys.stdout.flush()
        if said := re.match(r"running (\d+) tests?$", line):
            announced, begun = int(said[1]), now
        # What follows is the output of tests that failed.
        done = done or line.rstrip() == "failures:"
        if not done and (said := ENDED.match(line)):
            ended.append((said[1], now, said[2]))
    return announced, begun, ended


def run(file, program, arguments):
    threads = threads_of(arguments, os.environ)
    child = subprocess.Popen([program, *arguments], stdout=subprocess.PIPE, text=True, errors="replace")
    try:
        announced, begun, ended = watch(child.stdout)
    finally:
        code = child.wait()
    name = re.sub(r"-[0-9a-f]{16}$", "", Path(program).name)
    whole = threads and len(ended) == announced
    times = durations([(test, end) for test, end, _ in ended], begun, threads) if whole else None
    if times is None:
        print(f"{name}: the times of its tests cannot be told from this output", file=sys.stderr)
    else:
        ran = [test for test, _, result in ended if result != "ignored"]
        with open(file, "a", encoding="utf-8") as out:
            out.writelines(f"{times[test]:.2f}\t{name}\t{test}\n" for test in ran)
    return code if code >= 0 else 128 - code


def slowest(file):
    rows = [line.rstrip("\n").split("\t") for line in Path(file).read_text(encoding="utf-8").splitlines()]
    rows.sort(key=lambda row: -float(row[0]))
    if rows:
        print(f"Slowest {min(SHOWN, len(rows))} of {len(rows)} tests that Cargo ran (those in Python, the browser and compose are not among them):")
    for seconds, program, test in rows[:SHOWN]:
        print(f"  {float(seconds):7.1f} s  {program} {test}")


def main(arguments):
    if arguments[:1] == ["run"] and len(arguments) > 2:
        return run(*arguments[1:3], arguments[3:])
    if arguments[:1] == ["slowest"] and len(arguments) == 2:
        return slowest(arguments[1])
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
