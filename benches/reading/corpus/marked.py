"""Markdown, plain text, code and settings."""
from . import blocks
from .blocks import report

LANGUAGES = ("en", "ru")


def fill(corpus):
    for language in LANGUAGES:
        for number in range(4):
            document = report(language, f"markdown {number}", 3 + number)
            truth = document.tell(corpus.truth(f"report-{number}.{language}.md", "markdown", language, 1 + number))
            corpus.put(truth, blocks.markdown(document))
            document = report(language, f"text {number}", 3 + number)
            truth = document.tell(corpus.truth(f"report-{number}.{language}.txt", "text", language, 1 + number))
            corpus.put(truth, blocks.text(document))
        for cases, kind, ending in ((MARKDOWN, "markdown", "md"), (TEXT, "text", None)):
            for name, make in cases.items():
                file = f"{name}.{language}.{ending}" if ending else f"{name.partition('.')[0]}.{language}.{name.partition('.')[2]}"
                truth = corpus.truth(file, kind, language)
                corpus.put(truth, make(truth, report(language, f"{kind} {name}", 0).prose))


# --- Markdown ---


def rules(truth, prose):
    """Rules between paragraphs, as in slides and change logs: no metadata."""
    parts = [truth.say(prose.paragraph(2)) for _ in range(5)]
    return "\n\n---\n".join(parts[:4]) + f"\n---\n\n***\n\n{parts[4]}\n"


def metadata(truth, prose):
    """Metadata at the start, a block that looks like it later."""
    title = prose.title()
    first, second, third = (truth.say(prose.sentence()) for _ in range(3))
    truth.say_anywhere("status", prose.words["places"][0])
    # At the start it may go into the title of the document.
    truth.allow("title", "author", "status", title, prose.words["people"][0])
    return f"---\ntitle: {title}\nauthor: {prose.words['people'][0]}\n---\n\n{first}\n\n---\nstatus: {prose.words['places'][0]}\n---\n\n{second}\n\n{third}\n"


def only_rules(truth, prose):
    """A rule first: nothing but text follows."""
    first, second = truth.say(prose.sentence()), truth.say(prose.sentence())
    return f"---\n\n{first}\n\n---\n\n{second}\n"


def table_between_rules(truth, prose):
    before = truth.say(prose.sentence())
    table = prose.quarter_table()
    truth.table(*table)
    after = truth.say(prose.sentence())
    return f"{before}\n\n---\n\n{blocks.markdown_table(*table)}\n\n---\n\n{after}\n"


def unknown_tags(truth, prose):
    number = prose.integer()
    truth.say("deploy region now", "Vec u8", "git checkout branch-name", number, "HashMap String T")
    truth.verbatim("deploy <region> now", "Vec<u8>", "<branch-name>", "HashMap<String, T>")
    return f"deploy <region> now\n\nVec<u8>\n\ngit checkout <branch-name>\n\n{number} HashMap<String, T>\n"


def html_inside(truth, prose):
    """Real elements of HTML are marks, what they hold is text."""
    first, second, third, fourth, key = (truth.say(text) for text in (*(prose.sentence() for _ in range(4)), "Ctrl"))
    word = truth.forbid(prose.forbidden())
    return f'<div align="center">\n\n{first}\n\n</div>\n\n<p>{second}</p>\n\n<!-- {word} -->\n\n{third}<br>{fourth}\n\n<kbd>{key}</kbd>\n'


def cells(truth, prose):
    items = prose.some("items", 4)
    numbers = [prose.integer() for _ in range(2)]
    truth.say(*prose.words["columns"][:2], *items[:2], numbers[0], *items[2:], numbers[1])
    header = f"| {prose.words['columns'][0]} | {prose.words['columns'][1]} |\n|---|--:|"
    return f"{header}\n| {items[0]}<br>{items[1]} | {numbers[0]} |\n| <ul><li>{items[2]}</li><li>{items[3]}</li></ul> | **{numbers[1]}** |\n"


def escaped_bars(truth, prose):
    header, rows = prose.quarter_table(2)
    truth.table(header, rows)
    truth.say("a|b", "x || y")
    truth.verbatim("a|b")
    return blocks.markdown_table(header, rows) + "\n| `a\\|b` | x \\|\\| y |\n"


def fences(truth, prose):
    number = prose.integer()
    truth.say(prose_text := prose.sentence(), "cargo build --release", number, "def __init__(self): pass", "x = a[0] * b[1]")
    truth.verbatim("__init__", "a[0] * b[1]", "--release")
    truth.allow("sh", "python")
    return f"{prose_text}\n\n```sh\ncargo build --release {number}\n```\n\n~~~python\ndef __init__(self): pass\n~~~\n\n    x = a[0] * b[1]\n"


def links(truth, prose):
    """Destinations, references, footnotes, images."""
    code, other, sentence = prose.integer(10000, 99999), prose.integer(10000, 99999), prose.sentence()
    place = prose.one("places")
    truth.say(sentence, place)
    alternative = prose.one("items")
    note = prose.sentence()
    truth.say_anywhere(code, other, alternative, note)
    truth.allow("https", "example", "com", "a", "png", "1", "n", code, other)
    return f"[{sentence}](https://example.com/{code}) [{place}][a]\n\n![{alternative}](a.png)[^n]\n\n[a]: https://example.com/{other}\n\n[^n]: {note}\n"


def nested(truth, prose):
    """Lists in lists, tasks, quotes, headings by underline."""
    lines = [truth.say(prose.sentence()) for _ in range(6)]
    heading = prose.heading()
    truth.text.insert(0, heading)
    truth.allow("1", "2", "x")
    return (f"{heading}\n=======\n\n1. {lines[0]}\n   - {lines[1]}\n     - {lines[2]}\n2. {lines[3]}\n\n- [x] {lines[4]}\n\n> {lines[5]}\n")


def entities(truth, prose):
    number, other = prose.integer(), prose.integer()
    truth.say(f"{number} & {other}", "5 < 6", "2 * 3 * 4", "snake_case_name", "1986. A great year", "C:\\temp")
    truth.verbatim("snake_case_name", f"{number} & {other}")
    return f"{number} &amp; {other}\n\n5 &lt; 6\n\n2 \\* 3 \\* 4\n\nsnake_case_name\n\n1986\\. A great year\n\nC:\\temp\n"


def html_table(truth, prose):
    header, rows = prose.price_table(4)
    before = truth.say(prose.sentence())
    truth.table(header, rows)
    return f"{before}\n\n{blocks.html_table(header, rows)}\n"


MARKDOWN = {f.__name__.replace("_", "-"): f for f in (
    rules, metadata, only_rules, table_between_rules, unknown_tags, html_inside, cells, escaped_bars, fences, links, nested, entities, html_table)}


# --- text ---


def whole(truth, text, *strings):
    truth.say(text)
    truth.verbatim(*strings)
    return text


def settings(truth, prose):
    return whole(truth, f"# {prose.sentence()}\nserver:\n  package: <package>\n  name: __x__\n  port: {prose.integer()}\n  list:\n    - *anchor\n    - _b_\n---\nnext: {prose.integer()}\n",
                 "<package>", "__x__", "*anchor", "_b_")


def python(truth, prose):
    return whole(truth, f'"""{prose.sentence()}"""\n\n\ndef __init__(self, *args, **kwargs):\n    # {prose.sentence()}\n    return self.__x__[{prose.integer()}] * 2 < {prose.integer()}\n',
                 "__init__(self, *args, **kwargs)", "self.__x__")


def shell(truth, prose):
    return whole(truth, f"#!/bin/sh\n# {prose.sentence()}\ncat <<EOF > /etc/{prose.integer()}\n<host> $HOME `id`\nEOF\n[ -e *_* ] && echo {prose.integer()}\n", "<host> $HOME `id`", "*_*")


def query(truth, prose):
    return whole(truth, f"-- {prose.sentence()}\nSELECT * FROM orders WHERE total <> {prose.integer()} AND note LIKE '%_x_%';\n/* {prose.sentence()} */\n", "SELECT * FROM", "<>", "'%_x_%'")


def ini(truth, prose):
    return whole(truth, f"; {prose.sentence()}\n[section]\nkey = <value>\npath = C:\\new\\{prose.integer()}\n# __note__ {prose.integer()}\n", "[section]", "<value>", "__note__")


def controls(truth, prose):
    """Single control characters, as old programs and terminals leave them."""
    texts = [truth.say(prose.sentence()) for _ in range(5)]
    return f"{texts[0]}\x0b\n{texts[1]}\x08\n{texts[2]}\x7f\n{texts[3]}\x0c\n{texts[4]}\x00\n"


def indented(truth, prose):
    """Figures in columns, kept by spaces; list marks; lines that look like headings."""
    header, rows = prose.price_table(6)
    title = truth.say(prose.title())
    truth.table(header, rows)
    last = truth.say(f"{prose.words['columns'][3]}: {prose.decimal(10000, 99999)}")
    return f"{title}\n{'=' * len(title)}\n\n{blocks.text_table(header, rows)}\n{'-' * 60}\n    {last}\n"


def wrapped(truth, prose):
    """A mail, broken at 72 characters, with quotes."""
    import textwrap

    text = truth.say(prose.paragraph(8))
    quote = truth.say(prose.paragraph(2))
    return "\n".join(textwrap.wrap(text, 72, break_long_words=False, break_on_hyphens=False)) + "\n\n" + "\n".join("> " + line for line in textwrap.wrap(quote, 60, break_on_hyphens=False)) + "\n"


def encoded(truth, prose):
    """An old encoding: what a Windows program saved."""
    text = "\r\n\r\n".join(truth.say(prose.paragraph(4)) for _ in range(4)) + "\r\n"
    return text.encode("cp1251" if prose.language == "ru" else "cp1252")


def utf16(truth, prose):
    text = "\r\n".join(truth.say(prose.sentence()) for _ in range(5))
    return text.encode("utf-16")


def log(truth, prose):
    lines = [f"2026-11-{day:02} 08:{day + 10}:07.{prose.integer(100, 999)} WARN [pump-{day}] {prose.sentence()} <id={prose.integer()}>" for day in range(1, 15)]
    return whole(truth, "\n".join(lines) + "\n", "[pump-3]", "WARN [pump-14]")


def separated(truth, prose):
    header, rows = prose.price_table(8)
    for row in [header, *rows]:
        truth.say(*row)
    return "\n".join(";".join(row) for row in [header, *rows]) + "\n"


TEXT = {"settings.yaml": settings, "module.py": python, "script.sh": shell, "query.sql": query, "settings.ini": ini, "controls.txt": controls, "columns.txt": indented, "mail.txt": wrapped,
        "old-encoding.txt": encoded, "utf-16.txt": utf16, "events.log": log, "prices.csv": separated}
