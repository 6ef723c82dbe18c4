#!/usr/bin/env python3
"""The suite against a running appliance, and its lists.

    with_appliance.py ... -- run.py [NAME...]     all tests, or those whose names contain one of these
    run.py --document                             prints docs/s3.md (needs no appliance)

lists/implemented.txt: these must pass. lists/unimplemented.txt: these must be answered with 501 NotImplemented, which the tests themselves
check. lists/excluded.txt: ceph's tests that are not here, each with its reason. A test that stands in none of them, or a name without a test,
fails the run: so the lists are what is so.
"""
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))


def read(name):
    """Names of a list, with what stands behind `#`."""
    found = {}
    for line in (HERE / "lists" / f"{name}.txt").read_text().splitlines():
        test, _, why = line.partition("#")
        if test.strip():
            assert test.strip() not in found, f"{name}.txt has {test.strip()} twice"
            found[test.strip()] = why.strip()
    return found


def document():
    text = (HERE / "lists" / "introduction.md").read_text()
    for name, title in (("implemented", "What works"), ("unimplemented", "What is refused with 501"), ("excluded", "What is not tested, and why")):
        text += f"\n## {title}\n\n"
        for test, why in sorted(read(name).items()):
            text += f"- `{test}`{': ' + why if why else ''}\n"
    return text


def main():
    if sys.argv[1:] == ["--document"]:
        print(document(), end="")
        return 0
    from account import access_key, admin
    from suite import TESTS, Case
    from suite import buckets, lists, multipart, objects, refused, signed, versions  # noqa: F401

    implemented, unimplemented, excluded = read("implemented"), read("unimplemented"), read("excluded")
    wrong = [f"{name}: in no list" for name in TESTS if name not in implemented and name not in unimplemented]
    wrong += [f"{name}: no test" for name in [*implemented, *unimplemented] if name not in TESTS]
    wrong += [f"{name}: excluded, and there" for name in excluded if name in TESTS]
    case = Case(access_key(admin()))
    passed = 0
    for name, run in TESTS.items():
        if sys.argv[1:] and not any(part in name for part in sys.argv[1:]):
            continue
        begin = time.monotonic()
        try:
            run(case)
            passed += 1
        except Exception:
            traceback.print_exc()
            wrong.append(f"{name}: failed after {time.monotonic() - begin:.1f} s")
    print(f"s3 suite: {passed} passed, {len(wrong)} wrong")
    for line in wrong:
        print(f"  {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
