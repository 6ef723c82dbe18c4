"""Documents that other programs write: Chromium and LaTeX PDF, LibreOffice PDF, DOCX and ODT."""
import hashlib
import re
import shutil
import subprocess

from . import blocks, word
from .blocks import report

LANGUAGES = ("en", "ru")


def fill(corpus):
    chromium(corpus)
    office(corpus)
    latex(corpus)


# --- Chromium ---

PAPER = "@page{size:A4;margin:20mm} body{font:11pt 'DejaVu Serif',serif} table{border-collapse:collapse} td,th{border:1px solid #777;padding:2px 6px}"


def chromium(corpus):
    for language in LANGUAGES:
        for number, style in enumerate(["", "body{columns:2;column-gap:10mm;font-size:9pt}", "body{text-align:justify;hyphens:auto}",
                                        "h1,h2{text-transform:uppercase;letter-spacing:3px} table{border:0} td,th{border:0}"]):
            document = report(language, f"chromium {number}", 5 + number)
            truth = document.tell(corpus.truth(f"report-{number}.{language}.pdf", "pdf-chromium", language, 2 + number // 2))
            corpus.later(truth, "chromium", blocks.html(document, PAPER + style))
        edges(corpus, language)
        long_table(corpus, language)
        running_header(corpus, language)
        web_form(corpus, language)
        sidebar(corpus, language)
        spans(corpus, language)
        letter(corpus, language)
        hidden(corpus, language)


def edges(corpus, language):
    """Tables that begin and end at the very edge of the paper."""
    for number in range(2):
        document = report(language, f"edges {number}", 1)
        prose = document.prose
        truth = corpus.truth(f"edges-{number}.{language}.pdf", "pdf-chromium", language)
        top, bottom = prose.quarter_table(), prose.price_table(4)
        truth.table(*top)
        middle = truth.say(prose.paragraph(5))
        truth.table(*bottom)
        last = truth.say(prose.integer())
        style = (PAPER + "@page{margin:4mm} body{margin:0} div{display:flex;flex-direction:column;justify-content:space-between;height:285mm}"
                 + "td,th{border:0}" * number)
        body = f"<div>{blocks.html_table(*top)}<p>{middle}</p><section>{blocks.html_table(*bottom)}<p>{last}</p></section></div>"
        corpus.later(truth, "chromium", blocks.page(language, document.title, body, style))


def long_table(corpus, language):
    """A price list over three pages, whose heading the browser repeats on each."""
    prose = report(language, "long table", 0).prose
    truth = corpus.truth(f"long-table.{language}.pdf", "pdf-chromium", language, 3)
    title = truth.say(prose.title())
    header, rows = prose.price_table(90)
    truth.table(header, rows)
    truth.allow(*header)
    corpus.later(truth, "chromium", blocks.page(language, title, f"<h1>{title}</h1>{blocks.html_table(header, rows)}", PAPER))


def running_header(corpus, language):
    """A contract number above and page numbers below, four pages."""
    document = report(language, "running header", 9)
    prose = document.prose
    number = prose.code()
    company = prose.one("companies")
    truth = corpus.truth(f"running-header.{language}.pdf", "pdf-chromium", language, 4)
    document.tell(truth)
    truth.say_anywhere(f"{company} {number}")
    truth.allow(company, number)
    style = PAPER + "@page{margin:25mm 20mm} header{position:fixed;top:-15mm;left:0}"
    corpus.later(truth, "chromium", blocks.html(document, style, f"<header>{company} {number}</header>{{}}"))


def web_form(corpus, language):
    """A form as a browser prints it: what is typed and chosen is on the paper."""
    prose = report(language, "form", 0).prose
    truth = corpus.truth(f"form.{language}.pdf", "pdf-chromium", language)
    title = truth.say(prose.title())
    labels = prose.some("columns", 3)
    values = [prose.one("people"), prose.code(), prose.money()]
    for label, value in zip(labels, values):
        truth.say(label, value)
    note = truth.say(prose.sentence())
    chosen, other = prose.some("regions", 2)
    truth.say(chosen)
    rows = "".join(f'<p><label>{label} <input size="40" value="{value}"></label></p>' for label, value in zip(labels, values))
    body = f'<h1>{title}</h1>{rows}<p><textarea cols="80" rows="4">{note}</textarea></p><select><option>{other}<option selected>{chosen}</select>'
    corpus.later(truth, "chromium", blocks.page(language, title, body, PAPER))


def sidebar(corpus, language):
    """A narrow column of contact data beside the text."""
    document = report(language, "sidebar", 3)
    prose = document.prose
    truth = corpus.truth(f"sidebar.{language}.pdf", "pdf-chromium", language, 2)
    document.tell(truth)
    lines = [prose.one("companies"), prose.one("places"), f"+7 {prose.integer(100, 999)} {prose.integer(1000, 9999)}", prose.code(), prose.date()]
    truth.say_anywhere(*lines)
    aside = "<aside style='float:right;width:45mm;margin-left:8mm;font-size:8pt'>" + "".join(f"<p>{line}</p>" for line in lines) + "</aside>"
    corpus.later(truth, "chromium", blocks.html(document, PAPER, aside + "{}"))


def spans(corpus, language):
    """A table whose headings reach over several columns and rows, with cells of several lines and empty ones."""
    prose = report(language, "spans", 0).prose
    truth = corpus.truth(f"spans.{language}.pdf", "pdf-chromium", language)
    title = truth.say(prose.title())
    years = ["2024", "2025"]
    first, second = prose.words["quarters"][1:3]
    region = prose.words["quarters"][0]
    truth.say(region, *years, first, second, first, second)
    truth.allow(region, *years)
    body = f"<tr><th rowspan=2>{region}</th><th colspan=2>{years[0]}</th><th colspan=2>{years[1]}</th></tr><tr>" + f"<th>{first}</th><th>{second}</th>" * 2 + "</tr>"
    for name in prose.words["regions"]:
        cells = [prose.decimal(1, 99, 1) for _ in range(4)]
        if name == prose.words["regions"][2]:
            cells[1] = ""
        truth.say(name, *cells)
        body += f"<tr><td>{name}</td>" + "".join(f"<td align=right>{cell}</td>" for cell in cells) + "</tr>"
    after = truth.say(prose.paragraph(3))
    corpus.later(truth, "chromium", blocks.page(language, title, f"<h1>{title}</h1><table>{body}</table><p>{after}</p>", PAPER))


def letter(corpus, language):
    """A business letter: address block, date at the right, letter-spaced company name, page numbers drawn by the author."""
    prose = report(language, "letter", 0).prose
    truth = corpus.truth(f"letter.{language}.pdf", "pdf-chromium", language)
    name = truth.say(prose.one("companies"))
    lines = [truth.say(line) for line in (prose.one("people"), f"{prose.one('places')} {prose.integer(1, 99)}", prose.integer(10000, 99999))]
    date, subject = truth.say(prose.date()), truth.say(f"{prose.words['section']} {prose.code()}")
    texts = [truth.say(prose.paragraph(4)) for _ in range(3)]
    foot = truth.say(f"IBAN {prose.integer(1000, 9999)} {prose.integer(1000, 9999)} {prose.integer(1000, 9999)}")
    body = (f"<p style='letter-spacing:6px;font-size:16pt;text-align:center'>{name}</p><p>{'<br>'.join(lines)}</p><p align=right>{date}</p><h3>{subject}</h3>"
            + "".join(f"<p>{text}</p>" for text in texts) + f"<p style='position:fixed;bottom:-12mm;font-size:7pt'>{foot}</p>")
    corpus.later(truth, "chromium", blocks.page(language, subject, body, PAPER))


def hidden(corpus, language):
    """What the browser does not print."""
    document = report(language, "hidden", 2)
    truth = corpus.truth(f"hidden.{language}.pdf", "pdf-chromium", language)
    document.tell(truth)
    words = [truth.forbid(document.prose.forbidden()) for _ in range(3)]
    extra = (f"<p style='display:none'>{words[0]}</p><p style='visibility:hidden'>{words[1]}</p><style>@media print{{.screen{{display:none}}}}</style>"
             f"<p class=screen>{words[2]}</p>")
    corpus.later(truth, "chromium", blocks.html(document, PAPER, extra + "{}"))


# --- LibreOffice ---


def office(corpus):
    for language in LANGUAGES:
        for number in range(3):
            document = report(language, f"office {number}", 4 + 2 * number)
            data = word.saved(blocks.docx(document))
            truth = document.tell(corpus.truth(f"report-{number}.{language}.pdf", "pdf-libreoffice", language, 2 + number))
            truth.allow("•", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10")
            corpus.later(truth, "office", data, made_of="docx", target="pdf")
        with_headers(corpus, language)
        for number in range(3):
            document = report(language, f"odt {number}", 4)
            truth = document.tell(corpus.truth(f"from-odt-{number}.{language}.docx", "docx-libreoffice", language, 2))
            corpus.later(truth, "odt", blocks.html(document, "td,th{border:1px solid black}"), made_of="html", target="docx")
            document = report(language, f"resaved {number}", 4)
            truth = document.tell(corpus.truth(f"resaved-{number}.{language}.docx", "docx-libreoffice", language, 2))
            corpus.later(truth, "office", word.saved(blocks.docx(document)), made_of="docx", target="docx")


def with_headers(corpus, language):
    """Header and footer with page numbers, as a word processor makes them, in PDF and saved again as DOCX."""
    for target in ("pdf", "docx"):
        document = report(language, "headers", 8)
        prose = document.prose
        out = blocks.docx(document)
        header = f"{prose.one('companies')} {prose.code()}"
        footer = f"{prose.words['section']} {prose.code()}"
        section = out.sections[0]
        section.header.paragraphs[0].text = header
        section.footer.paragraphs[0].text = footer + " "
        word.add_field(section.footer.paragraphs[0], "PAGE", "1")
        truth = document.tell(corpus.truth(f"headers.{language}.{target}", f"{target}-libreoffice", language, 4))
        truth.say_anywhere(header, footer)
        truth.allow(header, footer, *map(str, range(1, 20)))
        corpus.later(truth, "office", word.saved(out), made_of="docx", target=target)


# --- LaTeX ---


def latex(corpus):
    variants = [("one-column", "11pt", ""), ("two-columns", "10pt,twocolumn", ""), ("headings", "11pt", r"\pagestyle{headings}"),
                ("narrow", "12pt", r"\usepackage[textwidth=70mm]{geometry}")]
    for language in LANGUAGES:
        for name, options, preamble in variants:
            document = report(language, f"latex {name}", 7)
            truth = document.tell(corpus.truth(f"{name}.{language}.pdf", "pdf-latex", language, 3))
            truth.allow(*"123456789", "•")
            corpus.later(truth, "latex", blocks.latex(document, options, preamble))
        notes(corpus, language)
        pages_of_a_table(corpus, language)
        spaced(corpus, language)
    formulas(corpus)


def notes(corpus, language):
    """Footnotes: their text must be there, their marks may be."""
    document = report(language, "notes", 2)
    prose = document.prose
    truth = document.tell(corpus.truth(f"footnotes.{language}.pdf", "pdf-latex", language, 2))
    for number in range(3):
        sentence, note = truth.say(prose.sentence()), truth.say_anywhere(prose.sentence())
        document.add("raw", f"{blocks.tex(sentence)}\\footnote{{{blocks.tex(note)}}}")
    truth.allow(*"123456789")
    corpus.later(truth, "latex", blocks.latex(document))


def pages_of_a_table(corpus, language):
    prose = report(language, "longtable", 0).prose
    truth = corpus.truth(f"long-table.{language}.pdf", "pdf-latex", language, 3)
    document = blocks.Document(language, "longtable title")
    truth.say(document.title)
    header, rows = prose.price_table(110)
    truth.table(header, rows)
    truth.allow(*header, *"1234")
    line = lambda row: " & ".join(blocks.tex(cell) for cell in row) + r" \\"
    document.add("raw", "\n".join([r"\begin{longtable}{lrrr}", line(header), r"\endhead", *map(line, rows), r"\end{longtable}"]))
    corpus.later(truth, "latex", blocks.latex(document))


def spaced(corpus, language):
    """A title with letters set apart, and a line set apart by the typesetter."""
    document = report(language, "spaced", 3)
    truth = corpus.truth(f"letter-spaced.{language}.pdf", "pdf-latex", language, 2)
    document.tell(truth)
    line = truth.say(document.prose.one("companies") + " " + document.prose.one("places"))
    document.add("raw", rf"\begin{{center}}\textls[250]{{{blocks.tex(line)}}}\end{{center}}")
    truth.allow(*"123456789")
    corpus.later(truth, "latex", blocks.latex(document, preamble=r"\usepackage[tracking]{microtype}"))


def formulas(corpus):
    for number in range(2):
        document = report("en", f"formulas {number}", 2)
        prose = document.prose
        truth = document.tell(corpus.truth(f"formulas-{number}.en.pdf", "pdf-latex", "en"))
        first, second = prose.decimal(), prose.integer()
        truth.say_anywhere(first, second)
        truth.allow(*"123456789abcxydtEmn=+", "dx", "mc", "xdx", "bx", "ax", "max", "xn", "n")
        document.add("raw", rf"\[ a x + b = {first} \qquad \sum_{{n=1}}^{{{second}}} x_n \]")
        corpus.later(truth, "latex", blocks.latex(document))


# --- the programs ---


def print_all(corpus):
    """What a program has made of the same source before is taken from the store: the programs take minutes, the rest seconds."""
    batches = {}
    for truth, program, source, options in corpus.sources:
        source = source.encode() if isinstance(source, str) else source
        kept = corpus.store / hashlib.sha256(repr((program, sorted(options.items()))).encode() + source).hexdigest()
        if not kept.exists():
            batches.setdefault((program, *options.values()), []).append((kept, truth, source))
        corpus.printed.append((truth, kept))
    for (program, *formats), items in batches.items():
        {"chromium": with_chromium, "latex": with_latex, "office": with_office, "odt": with_office}[program](corpus, program, items, *formats)
    for truth, kept in corpus.printed:
        corpus.put(truth, kept.read_bytes())


def run(*command, cwd=None):
    done = subprocess.run(list(map(str, command)), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1800)
    return done.stdout.decode(errors="replace")


def keep(kept, truth, made, log):
    if not made.exists():
        raise SystemExit(f"{truth.name} was not made:\n{log[-3000:]}")
    shutil.move(made, kept)


def with_chromium(corpus, program, items):
    for kept, truth, source in items:
        page, made = corpus.work / "page.html", corpus.work / "page.pdf"
        page.write_bytes(source)
        log = run("chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={corpus.work}/chromium", "--no-pdf-header-footer",
                  f"--print-to-pdf={made}", page.as_uri())
        keep(kept, truth, made, log)


def with_latex(corpus, program, items):
    for kept, truth, source in items:
        (corpus.work / "page.tex").write_bytes(source)
        log = run("pdflatex", "-interaction=nonstopmode", "page.tex", cwd=corpus.work)
        errors = re.findall(r"^!.*", log, re.M)
        if errors:
            raise SystemExit(f"{truth.name}: {errors}\n{log[-2000:]}")
        keep(kept, truth, corpus.work / "page.pdf", log)


def with_office(corpus, program, items, made_of, target):
    """One start of LibreOffice for all of one kind: the start takes longer than a document."""
    folder = corpus.work / f"{program}-{made_of}-{target}"
    folder.mkdir()
    for number, (_, _, source) in enumerate(items):
        (folder / f"{number}.{made_of}").write_bytes(source)

    def convert(ending, to, out, *more):
        files = sorted(folder.glob(f"*.{ending}"))
        return run("soffice", f"-env:UserInstallation=file://{corpus.work}/office", "--headless", *more, "--convert-to", to, "--outdir", out, *files)

    log = ""
    if program == "odt":
        # Without the name of the filter it opens the page in its editor of web pages, which saves no DOCX.
        log, made_of = convert("html", "odt:writer8", folder, "--infilter=HTML (StarWriter)"), "odt"
    log += convert(made_of, target, folder / "out")
    for number, (kept, truth, _) in enumerate(items):
        keep(kept, truth, folder / "out" / f"{number}.{target}", log)
