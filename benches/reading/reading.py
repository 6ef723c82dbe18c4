#!/usr/bin/env python3
"""The reading benchmark: what Holdfast and other readers lose and invent of documents whose content is known.

    reading.py --binary PATH --cache FOLDER [--report FILE] [--details FILE] [--kind KIND] [--check] [--book]

--cache    where the corpus and the environment of the peers are kept; both are made again when what makes them changes
--report   writes the tables as Markdown
--details  writes each fault of Holdfast: kind, file, what was lost, invented or came through (--of NAME: of another reader)
--check    fails when Holdfast loses a number, or more words than half of what the better peer loses
--book     also measures a text book of 300 pages
"""
import argparse
import datetime
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import peer  # noqa: E402
import readers  # noqa: E402
from score import Score, score  # noqa: E402

PEERS = tuple(peer.READERS)
BOOK_PAGES, BOOK_SECONDS, BOOK_MB = 300, 10, 400


def digest(*paths):
    sha = hashlib.sha256()
    for path in sorted(paths):
        sha.update(path.read_bytes())
    return sha.hexdigest()[:12]


def environment(cache):
    """The Python of the peers' environment, made where it is missing."""
    venv = cache / f"reading-python-{digest(HERE / 'requirements.txt')}"
    if not (venv / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / "requirements.txt"], check=True, stdout=sys.stderr)
        (venv / "complete").touch()
    return venv / "bin/python"


def corpus(cache, python):
    """The folder of the corpus, made where it is missing."""
    folder = cache / f"reading-corpus-{digest(*(HERE / 'corpus').glob('*.py'), HERE / 'requirements.txt')}"
    if not (folder / "truth.json").exists():
        subprocess.run([python, "-m", "corpus.make", folder, "--store", cache / "reading-printed"], check=True, stdout=sys.stderr, cwd=HERE)
    return folder


def measure(reader, folder, truths):
    """Score of each document, by name; None for those that the reader does not claim to read."""
    results = {}
    for truth in truths:
        path = folder / truth["file"]
        if reader.reads(path):
            answer = reader.read(path)
            results[truth["file"]] = score(truth, answer.text, answer.seconds, answer.error)
    reader.close()
    return results


def total(results, names):
    out = Score()
    for name in names:
        out.add(results[name])
    return out


def percent(part, whole):
    return "-" if not whole else f"{100 * part / whole:.2f} %"


def row(label, reader, s):
    order = percent(s.in_order, s.placed)
    return [label, reader, s.documents, s.refused, percent(s.words_lost, s.words), percent(s.words_invented, s.words), f"{s.numbers_lost} of {s.numbers}", order,
            f"{s.forbidden_found} of {s.forbidden}", f"{s.relations_lost} of {s.relations}", f"{s.exact_lost} of {s.exact}", f"{1000 * s.seconds / max(s.pages, 1):.0f} ms"]


HEADER = ["kind", "reader", "documents", "refused", "words lost", "words invented", "numbers lost", "in order", "forbidden words found",
          "table values apart from their headings", "verbatim strings lost", "time for a page"]


def table(rows):
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in [HEADER, ["---"] * len(HEADER), *rows])


def tables(truths, measured):
    """(rows of each kind, rows of all that both Holdfast and a peer read)."""
    by_kind, in_all = [], []
    for kind in sorted({truth["kind"] for truth in truths}):
        names = [truth["file"] for truth in truths if truth["kind"] == kind]
        for reader, results in measured.items():
            if all(name in results for name in names):
                by_kind.append(row(kind, reader, total(results, names)))
    groups = {"all documents": lambda t: True, "PDF": lambda t: t["kind"].startswith("pdf"), "DOCX": lambda t: t["kind"].startswith("docx"),
              "HTML": lambda t: t["kind"].startswith("html"), "Markdown and text": lambda t: t["kind"] in ("markdown", "text")}
    for group, belongs in groups.items():
        names = [truth["file"] for truth in truths if belongs(truth)]
        for reader, results in measured.items():
            if names and all(name in results for name in names):
                in_all.append(row(group, reader, total(results, names)))
    return by_kind, in_all


def aims(truths, measured):
    """What the aim asks of Holdfast, group by group: (sentence, reached)."""
    out = []
    for group in ("pdf", "docx", "html", "markdown", "text"):
        names = [truth["file"] for truth in truths if truth["kind"].startswith(group)]
        peers = [total(results, names).words_lost for reader, results in measured.items() if reader != "holdfast" and all(name in results for name in names)]
        if not names:
            continue
        ours = total(measured["holdfast"], names)
        out.append((f"{group}: {ours.numbers_lost} numbers lost (aim: none)", ours.numbers_lost == 0))
        if peers:
            out.append((f"{group}: {ours.words_lost} words lost, the best peer {min(peers)} (aim: at most half)", 2 * ours.words_lost <= min(peers)))
    return out


def machine():
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return f"{os.cpu_count()} cores ({model.group(1) if model else platform.machine()}), Linux {platform.release().split('-')[0]}"


def write_details(path, results, truths):
    kinds = {truth["file"]: truth["kind"] for truth in truths}
    with path.open("w") as out:
        for name, result in sorted(results.items()):
            for fault, what in result.faults:
                shown = " · ".join(what[:25]) + (f" ... ({len(what)} in all)" if len(what) > 25 else "")
                print(f"{kinds[name]}\t{name}\t{fault}\t{shown}", file=out)


def measure_book(args, python):
    """A text book of 300 pages: (sentence, reached)."""
    folder = args.cache / f"reading-book-{digest(*(HERE / 'corpus').glob('*.py'))}"
    if not (folder / "truth.json").exists():
        subprocess.run([python, "-m", "corpus.book", folder, "--store", args.cache / "reading-printed"], check=True, stdout=sys.stderr, cwd=HERE)
    out = []
    for truth in json.loads((folder / "truth.json").read_text()):
        answer = readers.Holdfast(args.binary).read(folder / truth["file"])
        result = score(truth, answer.text, answer.seconds, answer.error)
        told = (f"{truth['file']}, {truth['pages']} pages: {answer.seconds:.1f} s (at most {BOOK_SECONDS}; {answer.processor:.1f} s of processor), {answer.peak_mb:.0f} MB in the child (at most {BOOK_MB}), "
                f"{result.words_lost} of {result.words} words lost, {result.numbers_lost} numbers{'; ' + answer.error if answer.error else ''}")
        out.append((told, answer.text is not None and answer.seconds <= BOOK_SECONDS and answer.peak_mb <= BOOK_MB and not result.numbers_lost))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--cache", required=True, type=Path)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--details", type=Path)
    parser.add_argument("--of", default="holdfast")
    parser.add_argument("--kind", help="only kinds that begin with this")
    parser.add_argument("--alone", action="store_true", help="without the peers")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--book", action="store_true")
    args = parser.parse_args()
    args.cache.mkdir(parents=True, exist_ok=True)
    python = environment(args.cache)
    folder = corpus(args.cache, python)
    truths = [truth for truth in json.loads((folder / "truth.json").read_text()) if truth["kind"].startswith(args.kind or "")]
    compared = [readers.Holdfast(args.binary), *(readers.Peer(name, python) for name in PEERS if not args.alone)]
    measured = {}
    for reader in compared:
        measured[reader.name] = measure(reader, folder, truths)
        print(f"{reader.name}: {len(measured[reader.name])} documents read", file=sys.stderr, flush=True)
    by_kind, in_all = tables(truths, measured)
    reached = aims(truths, measured)
    if args.book:
        reached += measure_book(args, python)
    version = subprocess.run([args.binary, "--version"], capture_output=True, text=True, check=False).stdout.strip() or str(args.binary)
    report = "\n\n".join([
        f"Measured on {datetime.date.today()}: {version}, {machine()}. {len(truths)} documents; beside it {readers.installed(python)}.",
        table(in_all), table(by_kind), "\n".join(f"- {sentence}: {'reached' if ok else '**not reached**'}" for sentence, ok in reached),
    ])
    print(report)
    if args.report:
        args.report.write_text(report + "\n")
    if args.details:
        write_details(args.details, measured[args.of], truths)
    if args.check and not all(ok for _, ok in reached):
        sys.exit("the reading benchmark did not reach its aims")


if __name__ == "__main__":
    main()
