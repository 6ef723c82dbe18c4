"""scripts/test_times.py: the time of each test, from the output of Rust's test harness."""
import io
import os
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stdout
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import test_times as times  # noqa: E402

OUTPUT = """
running 5 tests
test a::slow has been running for over 60 seconds
test a::quick ... ok
test b::left_out ... ignored, takes an hour
test b::wrong ... FAILED
test a::slow ... ok
test c::panics - should panic ... ok

failures:

---- b::wrong stdout ----
test c::of_its_own ... ok

test result: FAILED. 3 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 60.00s
"""


class Times(unittest.TestCase):
    def test_a_test_starts_when_one_before_it_has_ended(self):
        """Two threads: `a::quick` and `a::slow` start at once; who ends makes room for the next in order."""
        ended = [("a::quick", 12), ("b::left_out", 12), ("b::wrong", 15), ("a::slow", 70), ("c::panics", 71)]
        self.assertEqual(
            times.durations(ended, 10, 2), {"a::quick": 2, "a::slow": 60, "b::left_out": 0, "b::wrong": 3, "c::panics": 56}
        )

    def test_one_thread_and_more_threads_than_tests(self):
        self.assertEqual(times.durations([("a", 1), ("b", 4)], 0, 1), {"a": 1, "b": 3})
        self.assertEqual(times.durations([("b", 1), ("a", 4)], 0, 8), {"a": 4, "b": 1})

    def test_another_order_gives_no_times(self):
        """`c` cannot end first of all where it has to wait for one of the others."""
        self.assertIsNone(times.durations([("c", 1), ("a", 2), ("b", 3)], 0, 2))

    def test_the_harness_is_read_up_to_the_output_of_failed_tests(self):
        ticks = iter(range(100))
        shown = io.StringIO()
        with redirect_stdout(shown):
            announced, _, ended = times.watch(OUTPUT.splitlines(keepends=True), lambda: next(ticks))
        self.assertEqual(shown.getvalue(), OUTPUT)
        self.assertEqual(announced, 5)
        self.assertEqual([test for test, _, _ in ended], ["a::quick", "b::left_out", "b::wrong", "a::slow", "c::panics"])

    def test_the_number_of_threads_is_said_or_unknown(self):
        self.assertEqual(times.threads_of(["x", "--test-threads", "3"], {"RUST_TEST_THREADS": "2"}), 3)
        self.assertEqual(times.threads_of(["--test-threads=4"], {}), 4)
        self.assertEqual(times.threads_of(["--nocapture"], {"RUST_TEST_THREADS": "2"}), 2)
        self.assertIsNone(times.threads_of([], {}))

    def run_program(self, script, threads="2"):
        """Runs a shell script in the place of a test program; what it left in the file of times, and how it ended."""
        with tempfile.TemporaryDirectory() as folder:
            program, file = Path(folder) / "it-0123456789abcdef", Path(folder) / "times"
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)
            command = [sys.executable, ROOT / "scripts/test_times.py", "run", file, program]
            done = subprocess.run(command, env=os.environ | {"RUST_TEST_THREADS": threads}, capture_output=True, text=True)
            rows = [row.split("\t") for row in file.read_text().splitlines()] if file.exists() else []
            slowest = [sys.executable, ROOT / "scripts/test_times.py", "slowest", file]
            table = subprocess.run(slowest, capture_output=True, text=True).stdout if rows else ""
            return done, rows, table

    def test_a_program_is_timed_and_its_end_passed_on(self):
        done, rows, table = self.run_program(
            "echo 'running 3 tests'; sleep 0.3; echo 'test b ... ok'; sleep 0.5; echo 'test a ... ok'; echo 'test c ... ignored'; exit 101"
        )
        self.assertEqual((done.returncode, done.stdout.count("\n")), (101, 4))
        self.assertEqual([(program, test) for _, program, test in rows], [("it", "b"), ("it", "a")])
        quick, slow = (float(seconds) for seconds, _, _ in rows)
        # Upper limits would be those of this machine's load; the exact times are tested above, with a clock of our own.
        self.assertGreater(quick, 0)
        self.assertGreater(slow - quick, 0.25)
        self.assertIn("Slowest 2 of 2 tests", table)
        self.assertLess(table.index("it a"), table.index("it b"))

    def test_a_run_that_is_cut_off_has_no_times_and_says_so(self):
        done, rows, _ = self.run_program("echo 'running 2 tests'; echo 'test a ... ok'; kill -9 $$")
        self.assertEqual((done.returncode, rows), (137, []))
        self.assertIn("cannot be told", done.stderr)


if __name__ == "__main__":
    unittest.main()
