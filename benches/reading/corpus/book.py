"""A text book of 300 pages as PDF, by LaTeX and by Chromium, for the time and the memory that reading it takes.

    python -m corpus.book FOLDER --store FOLDER
"""
import argparse
import json
import tempfile
from pathlib import Path

from . import blocks, printed
from .blocks import report
from .make import Corpus

SECTIONS = {"latex": 620, "chromium": 845}  # 540 of each gave 262 and 192 pages


def fill(corpus):
    document = report("en", "book", SECTIONS["latex"])
    truth = document.tell(corpus.truth("latex.pdf", "book", "en", 300))
    truth.allow(*map(str, range(1, 400)))
    corpus.later(truth, "latex", blocks.latex(document, "11pt", r"\pagestyle{headings}"))
    document = report("ru", "book", SECTIONS["chromium"])
    truth = document.tell(corpus.truth("chromium.pdf", "book", "ru", 300))
    corpus.later(truth, "chromium", blocks.html(document, printed.PAPER))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--store", type=Path, required=True)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    args.store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="reading-book-") as work:
        corpus = Corpus(args.folder, work, args.store)
        fill(corpus)
        printed.print_all(corpus)
        corpus.check()
    (args.folder / "truth.json").write_text(json.dumps([truth.as_json() for truth in corpus.truths], ensure_ascii=False))


if __name__ == "__main__":
    main()
