"""Compares what a reader gave with the truth about a document.

Words are compared without case, after NFKC (ligatures and wide forms are the same to a search), without soft hyphens,
entities and the backslashes that Markdown puts before punctuation: every reader may write Markdown or plain text. A word
that was broken at the end of a line must come whole; pdfium marks such breaks with U+FFFE, which is removed.
"""
import bisect
import collections
import html
import re
import unicodedata
from dataclasses import dataclass, field

NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
WORD = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*")
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]|\ufffe\\s*")
ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
# Markdown's marks of emphasis inside a word would part it in two.
EMPHASIS = re.compile(r"(?<=\w)\*{1,3}(?=\w)")


def clean(text):
    text = unicodedata.normalize("NFKC", html.unescape(text))
    return EMPHASIS.sub("", ESCAPED.sub(r"\1", INVISIBLE.sub("", text))).casefold()


def words(text):
    return WORD.findall(clean(text))


def spaceless(text):
    return re.sub(r"\s+", " ", clean(text)).strip()


@dataclass
class Score:
    """Counts, which add up over documents."""

    documents: int = 0
    refused: int = 0
    pages: int = 0
    words: int = 0
    words_lost: int = 0
    words_invented: int = 0
    numbers: int = 0
    numbers_lost: int = 0
    placed: int = 0  # words whose place can be judged
    in_order: int = 0
    forbidden: int = 0
    forbidden_found: int = 0
    exact: int = 0
    exact_lost: int = 0
    relations: int = 0
    relations_lost: int = 0
    seconds: float = 0.0
    faults: list = field(default_factory=list)

    def add(self, other):
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


def score(truth, text, seconds=0.0, error=None):
    """`text`: what the reader gave; None where it refused the document."""
    got = text or ""
    result = Score(documents=1, refused=int(text is None), pages=truth["pages"], seconds=seconds)
    ordered = words(" \n ".join(truth["text"]))
    expected = collections.Counter(ordered) + collections.Counter(words(" \n ".join(truth["anywhere"])))
    found_list = words(got)
    found = collections.Counter(found_list)
    allowed, banned = set(words(" \n ".join(truth["optional"]))), set(words(" \n ".join(truth["forbidden"])))
    lost, invented = expected - found, found - expected
    for word in allowed | banned:
        invented.pop(word, None)
    result.words, result.words_lost, result.words_invented = expected.total(), lost.total(), invented.total()
    result.numbers = sum(count for word, count in expected.items() if NUMBER.fullmatch(word))
    lost_numbers = {word: count for word, count in lost.items() if NUMBER.fullmatch(word)}
    result.numbers_lost = sum(lost_numbers.values())
    result.placed, result.in_order = order(ordered, found_list)
    came_through = [word for word in banned if found[word]]
    result.forbidden, result.forbidden_found = len(banned), len(came_through)
    flat = spaceless(got)
    missing = [string for string in truth["exact"] if spaceless(string) not in flat]
    result.exact, result.exact_lost = len(truth["exact"]), len(missing)
    apart = []
    for table in truth["tables"]:
        total, parted = relations(table, got)
        result.relations += total
        apart += parted
    result.relations_lost = len(apart)
    result.faults = [fault for fault in (
        ("refused", [error]) if text is None else None, ("lost", list(lost.elements())), ("invented", list(invented.elements())),
        ("came through", came_through), ("not verbatim", missing), ("relation", apart)) if fault and fault[1]]
    return result


def order(expected, found):
    """(words that stand once on both sides, how many of those are in the right order: the longest rising sequence)."""
    once = {word for word, count in collections.Counter(expected).items() if count == 1}
    once &= {word for word, count in collections.Counter(found).items() if count == 1}
    place = {word: at for at, word in enumerate(expected)}
    tails = []
    for at in (place[word] for word in found if word in once):
        where = bisect.bisect_left(tails, at)
        tails[where : where + 1] = [at]
    return len(once), len(tails)


def relations(table, text):
    """(number of values, those that a reader of the text could not lead back to the headings of row and column).

    A value keeps its headings in a line with bars, at the place that its heading has in a line with bars above; in a line
    that says the row and "heading: value"; or where header and row stand on a line each with all their cells in order.
    """
    lines = [spaceless(line) for line in text.splitlines()]
    barred = [[cell.strip(" *") for cell in line.strip("|").split("|")] if "|" in line else None for line in lines]
    header = [spaceless(cell) for cell in table["header"]]
    whole_header = next((at for at, line in enumerate(lines) if line.endswith(" ".join(header).strip())), None)
    total, apart = 0, []
    for row in table["rows"]:
        row = [spaceless(cell) for cell in row]
        together = whole_header is not None and any(line == " ".join(row).strip() for line in lines[whole_header + 1 :])
        for column in range(1, len(row)):
            if not row[column]:
                continue
            total += 1
            if not (together or by_bars(barred, row[0], header[column], row[column]) or by_words(lines, row[0], header[column], row[column])):
                apart.append(f"{row[0]} / {header[column]} = {row[column]}")
    return total, apart


def by_bars(barred, row, heading, value):
    columns = set()
    for cells in barred:
        if cells is None:
            continue
        if row in cells and any(at < len(cells) and cells[at] == value for at in columns):
            return True
        columns |= {at for at, cell in enumerate(cells) if cell == heading}
    return False


def by_words(lines, row, heading, value):
    said = re.compile(rf"(?<!\w){re.escape(heading)}\W{{1,3}}{re.escape(value)}(?!\w)")
    return any(row in line and said.search(line) for line in lines)
