#!/usr/bin/env python3
"""What of the everyday suite a change touches, for `scripts/test changed`.

    test_changed.py [BASE]

Takes the paths that differ between the working tree and where it left BASE (default: main), says on standard error what they need and
why, and prints for scripts/test a line for each stage, "stage NAME", and for each run of cargo test, "cargo ARGUMENTS" (none: all of it).

A room of src/ needs its unit tests and those of the rooms whose manifests name it, directly or through others, and the integration tests
that are named after one of them or mention it. A path that no rule knows needs everything. This is for the time between two commits: it
can miss what only the whole suite finds, and CI runs the whole.
"""
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STAGES = ["lint", "rust", "docs", "clients", "monitoring", "browser", "compose"]
# Without compose, as scripts/test without arguments: it needs root.
EVERYDAY = STAGES[:-1]

# Every room stands on the first two, and the others hold all of them together.
WHOLE_HOUSE = {"platform", "kit", "app", "cli", "lib", "main"}
# Integration tests that go over all rooms, and support that all of them stand on.
OVER_ALL_ROOMS = "architecture config console errors idempotency joints lists metrics runbooks tenancy tenancy_routes".split()
SUPPORT_OF_ALL = {"app", "cluster", "mod", "process", "wait"}

# The first that fits says which stages a path needs, in addition to the tests that read it. ALL is all of the everyday suite.
ALL = ["ALL"]
RULES = [
    (r"docs/(metrics|events)\.md$|docs/openapi\.json$", ["docs"]),
    (r"(dashboards|alerts|tests/monitoring|docs/runbooks)/|docs/operations\.md$", ["monitoring"]),
    (r"docs/|README\.md$|SECURITY\.md$|LICENSE$|benches/|config/|demo/|tests/fixtures/|\.gitignore$", []),
    (r"(clippy|rustfmt|deny)\.toml$|\.shellcheckrc$|\.sqlx/|tests/(scripts|faults)/|scripts/test(_\w+\.py|-slow)?$", ["lint"]),
    (r"compose/|tests/compose/|scripts/(image$|compose-init|test-compose$|upgrade)", ["lint", "compose"]),
    (r"scripts/(audit|bench|dev-db|run|sbom|sqlx-prepare)$", ["lint"]),
    (r"tests/clients/(browser/|browser\.mjs$|smollm2\.mjs$)", ["browser"]),
    (r"tests/clients/", ["lint", "clients", "monitoring", "browser"]),
    (r"tests/it/", ["lint"]),
    (r"src/.*/(pages|templates|assets|locales)[/.]|src/console/", ["lint", "docs", "browser"]),
    (r"src/.*/metrics[/.]", ["lint", "docs", "monitoring"]),
    (r"src/", ["lint", "docs"]),
    (r"migrations/", ["lint", "rust"]),
]
# What the clients of the OpenAI API talk to.
OF_CLIENTS = {"llm", "agents"}


def read(path):
    return path.read_text(encoding="utf-8", errors="replace")


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def changed_paths(base):
    left = git("merge-base", base, "HEAD").strip()
    differ = git("diff", "--name-only", "--no-renames", "-z", left)
    new = git("ls-files", "--others", "--exclude-standard", "-z")
    return sorted({path for path in (differ + new).split("\0") if path})


def reads(source, path):
    """Whether a Rust source includes, embeds or joins the path or a folder of it, or all of a kind: "alerts/{room}.yml"."""
    strings = re.findall(r'(?:include_(?:str|bytes)!\(|join\(|folder = )"(?:[^"]*\.\./)?([^"]+?)/?"', source)
    kinds = re.findall(r'"([\w.-]+/[\w./-]*)\{', source)
    return any(path == string or path.startswith(f"{string}/") for string in strings) or path.startswith(tuple(kinds))


class House:
    """The rooms of src/, which of them stand on which, and the integration tests."""

    def __init__(self, root=ROOT):
        self.root = root
        self.rooms = {path.stem for path in (root / "src").iterdir() if path.is_dir() or path.suffix == ".rs"} - {"lib", "main"}
        self.packages, self.imports, self.sources = {}, {}, {}
        for room in self.rooms:
            self.read_room(room)
        folder = root / "tests/it"
        self.support = {path.stem: read(path) for path in folder.glob("support/*.rs")}
        self.tests = {}
        for path in folder.iterdir():
            if path.stem not in {"main", "support"}:
                files = sorted(path.rglob("*.rs")) if path.is_dir() else [path]
                self.tests[path.stem] = self.with_support("\n".join(read(file) for file in files))

    def read_room(self, room):
        """By its Cargo manifests: parts of a room have one, too, and `app` and `cli` are in the root package."""
        folder = self.root / "src" / room
        manifests = sorted(folder.rglob("Cargo.toml"))
        self.packages[room] = [tomllib.loads(read(path))["package"]["name"] for path in manifests]
        sources = [*folder.rglob("*.rs"), *(self.root / "src").glob(f"{room}.rs")]
        self.sources[room] = "\n".join(read(path) for path in sources)
        found = set().union(*map(self.rooms_of_manifest, manifests or [self.root / "Cargo.toml"]))
        self.imports[room] = found - {room}

    def rooms_of_manifest(self, manifest):
        """The rooms among its dependencies, which are named by their paths."""
        text, src = tomllib.loads(read(manifest)), self.root / "src"
        wanted = [one for kind in ("dependencies", "dev-dependencies") for one in text.get(kind, {}).values()]
        folders = [(manifest.parent / one["path"]).resolve() for one in wanted if isinstance(one, dict) and "path" in one]
        return {folder.relative_to(src).parts[0] for folder in folders if folder.is_relative_to(src)}

    def with_support(self, text):
        """The text of a module of tests and of the support that it names."""
        named = [body for name, body in self.support.items() if name not in SUPPORT_OF_ALL and re.search(rf"\b{name}::", text)]
        return "\n".join([text, *named])

    def standing_on(self, room):
        """The rooms whose manifests name it, directly or through others."""
        found, open_ = set(), {room}
        while open_:
            open_ = {other for other in self.rooms if self.imports[other] & open_} - found
            found |= open_
        return found - {room}

    def tests_of_room(self, room):
        named = {test for test in self.tests if test == room or test.startswith(f"{room}_")}
        return named | {test for test, text in self.tests.items() if re.search(rf"\b{room}\b", text)}

    def rooms_that_read(self, path):
        return {room for room, text in self.sources.items() if reads(text, path)}

    def tests_that_read(self, path):
        spelled = re.compile(rf"^(?!\s*//).*\b{re.escape(path)}(?![\w-])", re.M)
        return {test for test, text in self.tests.items() if spelled.search(text) or reads(text, path)}


class Plan:
    def __init__(self, house):
        self.house = house
        self.stages, self.units, self.tests = set(), set(), set()
        self.whole = self.all_tests = False
        self.reasons = []

    def need(self, path, why, stages=(), units=(), tests=()):
        if "ALL" in stages:
            stages = EVERYDAY
        self.whole = self.whole or "rust" in stages
        self.stages.update(stages)
        self.units.update(units)
        self.tests.update(tests)
        self.reasons.append((path, why))

    def add(self, path):
        rule = next((stages for pattern, stages in RULES if re.match(pattern, path)), None)
        if rule is None:
            self.need(path, "no rule knows it: everything", ALL)
        elif path.startswith("src/"):
            self.add_source(path, rule)
        elif path.startswith("tests/it/"):
            self.add_test(path, rule)
        else:
            units, tests = self.house.rooms_that_read(path), self.house.tests_that_read(path)
            why = [*(f"stage {stage}" for stage in rule), *(["the Rust tests that read it"] if units | tests else [])]
            self.need(path, ", ".join(why) or "nothing tests it", rule, units, tests)

    def add_source(self, path, stages):
        room = Path(path).parts[1].removesuffix(".rs")
        if room in WHOLE_HOUSE or room not in self.house.rooms:
            return self.need(path, f"{room}: everything", ALL)
        others = self.house.standing_on(room)
        clients = ["clients"] if ({room} | others) & OF_CLIENTS else []
        tests = {test for one in {room} | (others - WHOLE_HOUSE) for test in self.house.tests_of_room(one)}
        why = f"room {room}" + (f", under {', '.join(sorted(others))}" if others else "")
        self.need(path, why, [*stages, *clients], {room} | others, tests | set(OVER_ALL_ROOMS))

    def add_test(self, path, stages):
        name = Path(path).parts[2].removesuffix(".rs")
        if name == "support":
            support = Path(path).stem
            if support in SUPPORT_OF_ALL:
                self.all_tests = True
                return self.need(path, "support of all integration tests", stages)
            tests = {test for test, text in self.house.tests.items() if re.search(rf"\b{support}::", text)}
            return self.need(path, "the integration tests that use it", stages, (), tests)
        # The list of modules: building any of them checks it.
        return self.need(path, "integration tests", stages, (), {"architecture"} if name == "main" else {name})

    def cargo_runs(self):
        if self.whole:
            return []
        runs = []
        if self.units:
            # The root package always: with it, dependencies have the features of the whole program, and none is built a second time.
            packages = sorted(package for room in self.units for package in self.house.packages.get(room, []))
            runs.append("--lib " + " ".join(f"-p {package}" for package in ("holdfast", *packages)))
        if self.all_tests:
            runs.append("-p holdfast --test it")
        elif tests := sorted(self.tests & set(self.house.tests)):
            runs.append("-p holdfast --test it -- " + " ".join(f"{test}::" for test in tests))
        return runs

    def run_stages(self):
        rust = {"rust"} if self.cargo_runs() else set()
        return [stage for stage in STAGES if stage in self.stages | rust]

    def explain(self, base):
        by_reason = defaultdict(list)
        for path, why in self.reasons:
            by_reason[why].append(path)
        lines = [f"Changed since {base}: {len(self.reasons)} files"]
        for why, paths in by_reason.items():
            more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
            lines.append(f"  {', '.join(paths[:3])}{more}: {why}")
        stages = self.run_stages()
        lines.append(f"Stages: {' '.join(stages) or 'none'}")
        lines += [f"  cargo test {run}" for run in self.cargo_runs()]
        lines.append(f"Left out: {' '.join(stage for stage in STAGES if stage not in stages)}")
        return "\n".join(lines)


def plan_for(paths, root=ROOT):
    plan = Plan(House(root))
    for path in paths:
        plan.add(path)
    return plan


def main(arguments):
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        sys.exit(__doc__)
    base = arguments[0] if arguments else "main"
    plan = plan_for(changed_paths(base))
    print(plan.explain(base), file=sys.stderr)
    for stage in plan.run_stages():
        print(f"stage {stage}")
    for run in plan.cargo_runs():
        print(f"cargo {run}")


if __name__ == "__main__":
    main(sys.argv[1:])
