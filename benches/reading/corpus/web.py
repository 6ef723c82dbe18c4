"""Web pages: whole articles, and each trap that readers of the main content fall into."""
import html
import json

from . import blocks
from .blocks import report

KIND = "html"
LANGUAGES = ("en", "ru")


def fill(corpus):
    for language in LANGUAGES:
        for number in range(4):
            document = report(language, f"html {number}", 3 + number)
            truth = document.tell(corpus.truth(f"report-{number}.{language}.html", KIND, language, 1 + number))
            truth.allow(document.title)
            corpus.put(truth, blocks.html(document))
        for name, body in PAGES.items():
            truth = corpus.truth(f"{name}.{language}.html", KIND, language)
            document = report(language, f"html {name}", 0)
            content = body(truth, document.prose)
            truth.allow(document.title)
            if not content.startswith("<?xml") and not content.startswith("\0"):
                content = blocks.page(language, document.title, content)
            corpus.put(truth, content.lstrip("\0"))


def p(truth, prose, sentences=2):
    return f"<p>{truth.say(prose.paragraph(sentences))}</p>"


def teaser(truth, prose):
    """The only article is a teaser; the text is outside."""
    before = p(truth, prose, 4)
    return f"{before}<article>{p(truth, prose, 1)}</article>{p(truth, prose, 5)}"


def empty_main(truth, prose):
    return f"<main></main><div>{p(truth, prose, 4)}{p(truth, prose)}</div>"


def two_mains(truth, prose):
    """The first main is hidden: a page for another state."""
    return f"<main hidden><p>{truth.forbid(prose.forbidden())}</p></main><main>{p(truth, prose, 4)}</main>"


def articles(truth, prose):
    return "".join(f"<article><header><h2>{truth.say(prose.heading())}</h2><p>{truth.say(prose.date())}</p></header>{p(truth, prose)}"
                   f"<footer>{truth.say(prose.one('people') + ' ' + prose.code())}</footer></article>" for _ in range(3))


def furniture(truth, prose):
    """Menus may be left out; what stands around must stay."""
    truth.allow(*prose.words["headings"])
    menu = "".join(f"<li><a href='#'>{heading}</a></li>" for heading in prose.some("headings", 5))
    return (f"<nav><ul>{menu}</ul></nav><main><h1>{truth.say(prose.title())}</h1>{p(truth, prose, 5)}<aside class='note'>{p(truth, prose)}</aside>{p(truth, prose, 4)}</main>"
            f"<script>var {truth.forbid(prose.forbidden())} = 1;</script><style>.{truth.forbid(prose.forbidden())}{{color:red}}</style>")


def cells(truth, prose):
    """Blocks, breaks and lists inside cells: their words must not be glued."""
    label, total = truth.say(prose.one("columns")), truth.say(prose.integer())
    items = [truth.say(item) for item in prose.some("items", 3)]
    lines = [truth.say(prose.integer()) for _ in range(2)]
    script, hidden = truth.forbid(prose.forbidden()), truth.forbid(prose.forbidden())
    listed = "".join(f"<li>{item}</li>" for item in items)
    return (f"<table><tr><td><div>{label}</div><div>{total}</div></td><td><ul>{listed}</ul></td></tr>"
            f"<tr><td>{lines[0]}<br>{lines[1]}<script>{script}()</script></td><td><span style='display:none'>{hidden}</span></td></tr></table>{p(truth, prose)}")


def tables(truth, prose):
    first, second = prose.quarter_table(), prose.price_table(5)
    first[1][1][3] = ""
    title = truth.say(prose.heading())
    truth.table(*first)
    between = p(truth, prose)
    truth.table(*second)
    plain = "<table>" + "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in [second[0], *second[1]]) + "</table>"
    return f"<h2>{title}</h2>{blocks.html_table(*first)}{between}{plain}"


def spans(truth, prose):
    region, first, second = prose.words["quarters"][:3]
    truth.say(region, "2025", first, second)
    truth.allow(region, "2025", *prose.words["regions"])
    body = f"<tr><th rowspan=2>{region}</th><th colspan=2>2025</th></tr><tr><th>{first}</th><th>{second}</th></tr>"
    for name in prose.words["regions"][:4]:
        values = [prose.decimal(1, 99, 1) for _ in range(2)]
        truth.say(name, *values)
        body += f"<tr><th>{name}</th><td>{values[0]}</td><td>{values[1]}</td></tr>"
    return f"<table>{body}</table>{p(truth, prose)}"


def lists(truth, prose):
    """Code and tables inside lists, lists in lists, definitions."""
    step, command = truth.say(prose.sentence()), truth.verbatim(f"mkdir {prose.integer()}\ncd {prose.integer()}")
    truth.say(command)
    inner = [truth.say(prose.one("items")) for _ in range(2)]
    header, rows = prose.quarter_table(2)
    label = truth.say(prose.sentence())
    truth.table(header, rows)
    term, meaning = truth.say(prose.heading()), truth.say(prose.sentence())
    truth.allow("1", "2", "3")
    return (f"<ol><li>{step}<pre>{command}</pre><ul><li>{inner[0]}<li>{inner[1]}</ul></li><li>{label}{blocks.html_table(header, rows)}</li></ol>"
            f"<dl><dt>{term}<dd>{meaning}</dl>")


def callouts(truth, prose):
    """Call-outs, accordions, dialogs, figures: all of them are text."""
    return (f"{p(truth, prose)}<aside role=note><p>{truth.say(prose.sentence())}</p></aside><div class='alert warning'>{truth.say(prose.sentence())}</div>"
            f"<details><summary>{truth.say(prose.heading())}</summary>{p(truth, prose)}</details>"
            f"<figure><img src='a.png' alt='{truth.say(prose.one('items') + ' ' + prose.code())}'><figcaption>{truth.say(prose.sentence())}</figcaption></figure>"
            f"<blockquote>{p(truth, prose)}</blockquote><dialog open>{p(truth, prose, 1)}</dialog>")


def mathml(truth, prose):
    first, second, third = (prose.integer() for _ in range(3))
    before = truth.say(prose.sentence())
    truth.say(first, second, third)
    truth.allow("x", "y", "frac", "mathrm", first, second, third, "=", "+")
    inner = f"<mi>x</mi><mo>=</mo><mfrac><mn>{first}</mn><mn>{second}</mn></mfrac><mo>+</mo><mn>{third}</mn>"
    return f"<p>{before}</p><math xmlns='http://www.w3.org/1998/Math/MathML' display='block'><mrow>{inner}</mrow></math>{p(truth, prose, 1)}"


def katex(truth, prose):
    """KaTeX: the formula as MathML for readers, and once more as boxes for the eye."""
    before, number = truth.say(prose.sentence()), prose.integer()
    truth.say(number)
    truth.allow("x", number, "2")
    return (f"<p>{before} <span class='katex'><span class='katex-mathml'><math xmlns='http://www.w3.org/1998/Math/MathML'><semantics><mrow><msup><mi>x</mi><mn>2</mn></msup><mo>=</mo>"
            f"<mn>{number}</mn></mrow><annotation encoding='application/x-tex'>x^2={number}</annotation></semantics></math></span>"
            f"<span class='katex-html' aria-hidden='true'><span class='mord'>x</span><span class='mord'>2</span><span class='mrel'>=</span><span class='mord'>{number}</span></span></span>."
            f" {truth.say(prose.sentence())}</p>")


def forms(truth, prose):
    """Labels and what is filled in; hidden and secret fields are not for readers."""
    labels = prose.some("columns", 3)
    text, chosen, other = prose.one("people"), *prose.some("regions", 2)
    area = prose.sentence()
    truth.say(labels[0], text, labels[1], chosen, labels[2], area)
    truth.allow(other)
    return (f"<form><label>{labels[0]} <input value='{text}'></label><input type=hidden value='{truth.forbid(prose.forbidden())}'>"
            f"<label>{labels[1]} <select><option>{other}<option selected>{chosen}</select></label><label>{labels[2]} <textarea>{area}</textarea></label></form>")


def hidden(truth, prose):
    words = [truth.forbid(prose.forbidden()) for _ in range(4)]
    return (f"{p(truth, prose)}<p hidden>{words[0]}</p><div style='display: none'><p>{words[1]}</p></div><template><p>{words[2]}</p></template>"
            f"<!-- {words[3]} -->{p(truth, prose)}")


def fragment(truth, prose):
    """No html, no body, no closing tags."""
    return f"\0<h3>{truth.say(prose.heading())}</h3><p>{truth.say(prose.sentence())}<p>{truth.say(prose.sentence())}<ul><li>{truth.say(prose.integer())}<li>{truth.say(prose.integer())}</ul>"


def xhtml(truth, prose):
    """XHTML: an empty element closes itself, a script too."""
    return (f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">\n'
            f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title/><script src="a.js"/></head><body><div class="x"/><p>{truth.say(prose.sentence())}</p>'
            f'<a name="b"/><p>{truth.say(prose.sentence())}<br/>{truth.say(prose.integer())}</p></body></html>')


def inline(truth, prose):
    """Marks inside a word part nothing; blocks and breaks part."""
    word, number = prose.one("items"), prose.integer(1000, 9999)
    truth.say(f"{word} {number}", "m2", prose.words["places"][0], prose.words["places"][1])
    return (f"<p><b>{word[:2]}</b>{word[2:]} <i>{number[:2]}</i>{number[2:]} m<sup>2</sup></p><div>{prose.words['places'][0]}</div><div>{prose.words['places'][1]}</div>"
            f"<button>{truth.allow(prose.heading())}</button><span>{truth.say(prose.integer())}</span>")


def links(truth, prose):
    """Destinations can be looked for."""
    code = prose.integer(10000, 99999)
    text = truth.say(prose.sentence())
    truth.say_anywhere(code)
    truth.allow("https", "example", "com", "orders", code, "mailto")
    return f"<p><a href='https://example.com/orders/{code}'>{text}</a></p>{p(truth, prose)}"


def code(truth, prose):
    lines = f'if x < {prose.integer()} && y > {prose.integer()}:\n    print("a &amp; b")\n    return __x__'
    truth.verbatim(f'if x < {lines.split()[3]}', "return __x__")
    truth.say(p_text := prose.sentence(), lines)
    return f"<p>{p_text}</p><pre><code>{html.escape(lines)}</code></pre>"


def data(truth, prose):
    """Data islands are programs, not text."""
    island = json.dumps({"@type": "Article", "name": truth.forbid(prose.forbidden())})
    return f"<script type='application/ld+json'>{island}</script><noscript>{truth.allow(prose.sentence())}</noscript>{p(truth, prose, 4)}"


def layout(truth, prose):
    """A page laid out by tables, as mails are."""
    name, code = truth.say(prose.one("companies")), prose.code()
    truth.allow(name, code)
    left = "".join(f"<p>{truth.say(prose.sentence())}</p>" for _ in range(2))
    right = "".join(f"<p>{truth.say(prose.sentence())}</p>" for _ in range(2))
    return f"<table><tr><td colspan=2>{name}</td></tr><tr><td>{left}</td><td>{right}</td></tr><tr><td colspan=2>{truth.say(code)}</td></tr></table>"


PAGES = {f.__name__.replace("_", "-"): f for f in (
    teaser, empty_main, two_mains, articles, furniture, cells, tables, spans, lists, callouts, mathml, katex, forms, hidden, fragment, xhtml, inline, links, code, data, layout)}
