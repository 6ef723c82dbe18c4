#!/usr/bin/env python3
"""Makes the corpus of the reading benchmark: files by many programs, and truth.json about them.

    python -m corpus.make FOLDER --store FOLDER [--only MODULE]

In the environment of requirements.txt; needs chromium, soffice and pdflatex. The store keeps what those programs made.
"""
import argparse
import json
import shutil
import tempfile
from pathlib import Path

from . import marked, objects, printed, web, word
from .truth import Truth


class Corpus:
    """The folder that is filled. `put` takes a finished file; `later` one that printed.py makes out of a source."""

    def __init__(self, folder, work, store):
        self.folder, self.work, self.store = Path(folder), Path(work), Path(store)
        self.truths, self.sources, self.printed = [], [], []

    def truth(self, name, kind, language, pages=1):
        truth = Truth(f"{kind}/{name}", kind, language, pages)
        self.truths.append(truth)
        return truth

    def put(self, truth, data):
        path = self.folder / truth.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    def later(self, truth, program, source, **options):
        """`source` is text (HTML, LaTeX) or bytes (DOCX); `program` one of printed.PROGRAMS."""
        self.sources.append((truth, program, source, options))

    def check(self):
        """The truth must be possible: what is forbidden stands nowhere else, no name is taken twice, every file is there."""
        names = set()
        for truth in self.truths:
            assert truth.name not in names, truth.name
            names.add(truth.name)
            assert (self.folder / truth.name).stat().st_size > 0, truth.name
            said = " ".join([*truth.text, *truth.anywhere]).casefold()
            for word in truth.forbidden:
                assert word.casefold() not in said, f"{truth.name}: {word}"


def make(folder, store, only=None):
    with tempfile.TemporaryDirectory(prefix="reading-corpus-") as work:
        corpus = Corpus(folder, work, store)
        for module in (web, marked, word, objects, printed):
            if only is None or module.__name__.endswith(only):
                module.fill(corpus)
        printed.print_all(corpus)
        corpus.check()
    truths = sorted((truth.as_json() for truth in corpus.truths), key=lambda truth: truth["file"])
    (Path(folder) / "truth.json").write_text(json.dumps(truths, ensure_ascii=False, indent=1))
    return truths


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--only", help="one module: web, marked, word, objects, printed")
    args = parser.parse_args()
    shutil.rmtree(args.folder, ignore_errors=True)
    args.folder.mkdir(parents=True)
    args.store.mkdir(parents=True, exist_ok=True)
    truths = make(args.folder, args.store, args.only)
    kinds = sorted({truth["kind"] for truth in truths})
    print(len(truths), "documents:", ", ".join(f"{kind} {sum(t['kind'] == kind for t in truths)}" for kind in kinds))


if __name__ == "__main__":
    main()
