"""A document as blocks, and the ways to write it: HTML, Markdown, plain text, LaTeX, DOCX."""
import html as escape_html
import re

from .prose import Prose


class Document:
    """Blocks in order, made by `report` or by hand, and the truth about them."""

    def __init__(self, language, seed):
        self.prose = Prose(language, seed)
        self.language = language
        self.title = self.prose.title()
        self.blocks = []

    def add(self, kind, *content):
        self.blocks.append((kind, *content))
        return self

    def tell(self, truth):
        """Writes down what the blocks say."""
        truth.say(self.title)
        for kind, *content in self.blocks:
            if kind in ("list", "steps"):
                truth.say(*content[0])
                # A word processor goes on counting in the next list, unless it is told to begin again.
                truth.allow(*(str(n + 1) for n in range(40 if kind == "steps" else 0)))
            elif kind == "table":
                truth.table(*content)
            else:
                truth.say(content[-1])
        return truth


def report(language, seed, sections=3):
    """A report of headings, paragraphs, lists and tables; about half a page for each section."""
    document = Document(language, seed)
    prose = document.prose
    for number in range(sections):
        document.add("heading", f"{prose.heading()} {number + 1}")
        document.add("paragraph", prose.paragraph(prose.random.randint(3, 6)))
        shape = prose.random.randrange(6)
        if shape == 0:
            document.add("list", [prose.sentence() for _ in range(3)])
        elif shape == 1:
            document.add("steps", [prose.sentence() for _ in range(4)])
        elif shape in (2, 3):
            document.add("table", *prose.price_table(prose.random.randint(3, 7)))
        elif shape == 4:
            document.add("table", *prose.quarter_table())
        document.add("paragraph", prose.paragraph(3))
    return document


def html(document, style="", wrap="{}"):
    out = []
    e = escape_html.escape
    for kind, *content in document.blocks:
        if kind == "heading":
            out.append(f"<h2>{e(content[0])}</h2>")
        elif kind in ("list", "steps"):
            tag = "ul" if kind == "list" else "ol"
            out.append(f"<{tag}>" + "".join(f"<li>{e(item)}</li>" for item in content[0]) + f"</{tag}>")
        elif kind == "table":
            out.append(html_table(*content))
        elif kind == "code":
            out.append(f"<pre>{e(content[0])}</pre>")
        else:
            out.append(f"<p>{e(content[0])}</p>")
    body = f"<h1>{e(document.title)}</h1>\n" + "\n".join(out)
    return page(document.language, document.title, wrap.replace("{}", body), style)


def html_table(header, rows, attributes=""):
    e = escape_html.escape
    head = "".join(f"<th>{e(cell)}</th>" for cell in header)
    body = "\n".join("<tr>" + "".join(f"<td>{e(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table{attributes}>\n<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def page(language, title, body, style=""):
    e = escape_html.escape
    return (f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8"><title>{e(title)}</title>'
            f"<style>{style}</style></head>\n<body>\n{body}\n</body></html>\n")


def markdown(document):
    out = [f"# {document.title}"]
    for kind, *content in document.blocks:
        if kind == "heading":
            out.append(f"## {content[0]}")
        elif kind == "list":
            out.append("\n".join(f"- {item}" for item in content[0]))
        elif kind == "steps":
            out.append("\n".join(f"{n}. {item}" for n, item in enumerate(content[0], 1)))
        elif kind == "table":
            out.append(markdown_table(*content))
        elif kind == "code":
            out.append(f"```\n{content[0]}\n```")
        else:
            out.append(content[0])
    return "\n\n".join(out) + "\n"


def markdown_table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def text(document):
    out = [document.title.upper()]
    for kind, *content in document.blocks:
        if kind == "list":
            out.append("\n".join(f"  * {item}" for item in content[0]))
        elif kind == "steps":
            out.append("\n".join(f"  {n}) {item}" for n, item in enumerate(content[0], 1)))
        elif kind == "table":
            out.append(text_table(*content))
        else:
            out.append(content[0])
    return "\n\n".join(out) + "\n"


def text_table(header, rows):
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in [header, *rows])


def tex(text):
    text = re.sub(r"([#$%&_{}])", r"\\\1", text.replace("\\", r"\textbackslash{}"))
    return text.replace("~", r"\textasciitilde{}").replace("^", r"\textasciicircum{}").replace("\u00a0", "~")


def latex(document, options="11pt", preamble=""):
    language = "russian" if document.language == "ru" else "english"
    encoding = "T2A" if document.language == "ru" else "T1"
    out = [rf"\documentclass[{options}]{{article}}", rf"\usepackage[{encoding}]{{fontenc}}", r"\usepackage[utf8]{inputenc}",
           rf"\usepackage[{language}]{{babel}}", r"\usepackage{longtable}", preamble,
           r"\begin{document}", rf"\begin{{center}}\Large {tex(document.title)}\end{{center}}"]
    for kind, *content in document.blocks:
        if kind == "heading":
            out.append(rf"\section*{{{tex(content[0])}}}")
        elif kind in ("list", "steps"):
            name = "itemize" if kind == "list" else "enumerate"
            out.append(rf"\begin{{{name}}}" + "".join(rf"\item {tex(item)} " for item in content[0]) + rf"\end{{{name}}}")
        elif kind == "table":
            out.append(latex_table(*content))
        elif kind == "raw":
            out.append(content[0])
        else:
            out.append(tex(content[0]) + "\n")
    return "\n\n".join([*out, r"\end{document}"]) + "\n"


def latex_table(header, rows):
    shape = "l" + "r" * (len(header) - 1)
    lines = [" & ".join(tex(cell) for cell in row) + r" \\" for row in [header, *rows]]
    return "\n".join(["\\begin{center}\\begin{tabular}{" + shape + "}\\hline", lines[0], r"\hline", *lines[1:], r"\hline\end{tabular}\end{center}"])


def docx(document):
    """A python-docx document, not yet saved."""
    import docx as python_docx

    out = python_docx.Document()
    out.add_heading(document.title, 0)
    for kind, *content in document.blocks:
        if kind == "heading":
            out.add_heading(content[0], 1)
        elif kind in ("list", "steps"):
            for item in content[0]:
                out.add_paragraph(item, style="List Bullet" if kind == "list" else "List Number")
        elif kind == "table":
            docx_table(out, *content)
        else:
            out.add_paragraph(content[0])
    return out


def docx_table(parent, header, rows):
    table = parent.add_table(rows=1 + len(rows), cols=len(header))
    for line, row in zip(table.rows, [header, *rows]):
        for cell, text in zip(line.cells, row):
            cell.text = text
    return table
