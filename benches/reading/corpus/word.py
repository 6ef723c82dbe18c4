"""DOCX by python-docx, and with parts that it does not write: revisions, formulas, fields, other names of parts."""
import io
import re
import zipfile

from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from . import blocks
from .blocks import report

KIND = "docx"
LANGUAGES = ("en", "ru")
MATH = 'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
MAIN = "word/document.xml"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def parts(document):
    """A python-docx document as {name: bytes}."""
    out = io.BytesIO()
    document.save(out)
    with zipfile.ZipFile(out) as package:
        return {name: package.read(name) for name in package.namelist()}


def packed(files):
    """The same bytes for the same parts: python-docx stamps the time of day."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.filename = name  # ZipInfo turns backslashes on some systems
            package.writestr(info, data)
    return out.getvalue()


def saved(document):
    return packed(parts(document))


def add_field(paragraph, instruction, result):
    """A field as Word writes it: instruction and result between its three characters."""
    for kind, text in (("begin", None), ("instr", instruction), ("separate", None), ("result", result), ("end", None)):
        run = paragraph.add_run()
        if kind == "result":
            run.text = text
            continue
        element = OxmlElement("w:instrText" if kind == "instr" else "w:fldChar")
        if kind == "instr":
            element.text = f" {text} "
        else:
            element.set(qn("w:fldCharType"), kind)
        run._r.append(element)


def fill(corpus):
    for language in LANGUAGES:
        for number in range(6):
            document = report(language, f"docx {number}", 2 + 2 * number)
            truth = document.tell(corpus.truth(f"report-{number}.{language}.docx", KIND, language, 1 + number))
            corpus.put(truth, saved(blocks.docx(document)))
        for name, change in BODIES.items():
            with_body(corpus, language, name, change)
        headers(corpus, language)
        notes(corpus, language)
        tables(corpus, language)
        for name in PACKAGES:
            with_package(corpus, language, name)


# --- what stands in the body, as XML ---


def run(text, properties=""):
    return f'<w:r>{f"<w:rPr>{properties}</w:rPr>" if properties else ""}<w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(*runs):
    return f"<w:p>{''.join(runs)}</w:p>"


BY = 'w:id="{}" w:author="A" w:date="2026-01-02T03:04:05Z"'


def revisions(truth, prose):
    kept, new = truth.say(prose.sentence()), truth.say(prose.sentence())
    gone, moved = truth.forbid(prose.forbidden()), prose.integer(10000, 99999)
    place = truth.say(f"{prose.words['section']} {moved}")
    return (paragraph(run(kept + " "), f"<w:ins {BY.format(1)}>{run(new)}</w:ins>",
                      f'<w:del {BY.format(2)}><w:r><w:delText>{gone}</w:delText></w:r></w:del>')
            + paragraph(f"<w:moveTo {BY.format(3)}>{run(place)}</w:moveTo>")
            + paragraph(f"<w:moveFrom {BY.format(4)}>{run(place)}</w:moveFrom>"))


def deleted_row(truth, prose):
    header, rows = prose.quarter_table(3)
    truth.table(header, rows)
    gone = truth.forbid(prose.forbidden())
    cell = lambda text: f"<w:tc><w:tcPr><w:tcW w:w='0' w:type='auto'/></w:tcPr>{paragraph(run(text))}</w:tc>"
    lines = ["<w:tr>" + "".join(map(cell, row)) + "</w:tr>" for row in [header, *rows]]
    deleted = f"<w:tr><w:trPr><w:del {BY.format(7)}/></w:trPr>" + "".join(
        f"<w:tc><w:tcPr><w:tcW w:w='0' w:type='auto'/></w:tcPr><w:p><w:del {BY.format(8)}><w:r><w:delText>{gone}</w:delText></w:r></w:del></w:p></w:tc>"
        for _ in header) + "</w:tr>"
    return f"<w:tbl><w:tblPr/><w:tblGrid/>{''.join(lines)}{deleted}</w:tbl>" + paragraph()


def hidden(truth, prose):
    return paragraph(run(truth.say(prose.sentence())), run(truth.forbid(prose.forbidden()), "<w:vanish/>"), run(" " + truth.say(prose.sentence())))


def math(truth, prose):
    first, second = truth.say(prose.decimal()), truth.say(prose.integer())
    truth.allow("m", "c", "E", "x", "2")
    before = prose.sentence()
    truth.text.insert(len(truth.text) - 2, before)
    return (paragraph(run(before))
            + f"<w:p><m:oMathPara {MATH}><m:oMath><m:r><m:t>E=</m:t></m:r><m:f><m:num><m:r><m:t>{first}</m:t></m:r></m:num><m:den><m:r><m:t>{second}</m:t></m:r></m:den></m:f>"
            + "<m:sSup><m:e><m:r><m:t>x</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath></m:oMathPara></w:p>")


def dropdowns(truth, prose):
    """A legacy drop-down shows the entry that is chosen; a content control shows what stands in it."""
    items = prose.some("items", 3)
    regions = prose.some("regions", 3)
    truth.say(prose.words["columns"][0], items[1], regions[2])
    truth.allow(*items, *regions)
    entries = "".join(f'<w:listEntry w:val="{item}"/>' for item in items)
    legacy = (f'<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:name w:val="D"/><w:enabled/><w:ddList><w:result w:val="1"/>{entries}</w:ddList></w:ffData></w:fldChar></w:r>'
              '<w:r><w:instrText> FORMDROPDOWN </w:instrText></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>')
    listed = "".join(f'<w:listItem w:displayText="{region}" w:value="{region}"/>' for region in regions)
    control = f"<w:sdt><w:sdtPr><w:dropDownList>{listed}</w:dropDownList></w:sdtPr><w:sdtContent>{run(regions[2])}</w:sdtContent></w:sdt>"
    return paragraph(run(prose.words["columns"][0] + ": "), legacy) + paragraph(control)


def legacy_text(truth, prose):
    """A legacy text field, and a result of a field with its instruction beside it."""
    label, value, number = truth.say(prose.one("columns")), truth.say(prose.one("people")), truth.say(prose.integer())
    word = truth.forbid(prose.forbidden())
    field = lambda instruction, result: ('<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
                                         f'<w:r><w:instrText xml:space="preserve"> {instruction} </w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>'
                                         f'{run(result)}<w:r><w:fldChar w:fldCharType="end"/></w:r>')
    return paragraph(run(label + ": "), field("FORMTEXT", value)) + paragraph(field(f"REF {word}", number))


def text_box(truth, prose):
    """A text box, said twice by the file: a drawing and the fallback for old readers."""
    outside, inside = truth.say(prose.sentence()), truth.say_anywhere(prose.sentence())
    content = f"<w:txbxContent>{paragraph(run(inside))}</w:txbxContent>"
    return paragraph(run(outside)) + (
        '<w:p><w:r><mc:AlternateContent xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><mc:Choice Requires="wps">'
        '<w:drawing><wp:anchor xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"><a:graphic xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">'
        '<a:graphicData uri="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"><wps:wsp xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape">'
        f'<wps:txbx>{content}</wps:txbx></wps:wsp></a:graphicData></a:graphic></wp:anchor></w:drawing></mc:Choice>'
        f'<mc:Fallback><w:pict><v:shape xmlns:v="urn:schemas-microsoft-com:vml"><v:textbox>{content}</v:textbox></v:shape></w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>')


def tabs(truth, prose):
    """Tabs of both kinds, hyphens that are elements, line breaks: none of them may glue two words."""
    first, second, third, fourth = (truth.say(prose.integer()) for _ in range(4))
    parted, whole = truth.say(prose.one("items")), prose.one("places")
    truth.say(whole)
    return paragraph(run(first), "<w:r><w:tab/></w:r>", run(second), '<w:r><w:ptab w:relativeTo="margin" w:alignment="right" w:leader="none"/></w:r>', run(third),
                     "<w:r><w:br/></w:r>", run(fourth)) + paragraph(run(parted), "<w:r><w:cr/></w:r>", run(whole[:3]), "<w:r><w:softHyphen/></w:r>", run(whole[3:]))


def cdata(truth, prose):
    first, second = truth.say(prose.sentence()), truth.say(f"{prose.integer()} < {prose.integer()} & {prose.integer()}")
    return paragraph(f"<w:r><w:t><![CDATA[{first}]]></w:t></w:r>") + paragraph(f"<w:r><w:t><![CDATA[{second}]]></w:t></w:r>")


def wrapped(truth, prose):
    """Runs inside elements that only group: links, tags, custom XML, content controls in content controls."""
    texts = [truth.say(prose.sentence()) for _ in range(5)]
    link, tag, custom, control, block = (run(text + " ") for text in texts)
    return (paragraph(f'<w:hyperlink w:anchor="a">{link}</w:hyperlink>') + paragraph(f'<w:smartTag w:uri="u" w:element="e">{tag}</w:smartTag>')
            + paragraph(f'<w:customXml w:uri="u" w:element="e">{custom}</w:customXml>')
            + paragraph(f"<w:sdt><w:sdtContent><w:sdt><w:sdtContent>{control}</w:sdtContent></w:sdt></w:sdtContent></w:sdt>")
            + f"<w:sdt><w:sdtContent>{paragraph(block)}</w:sdtContent></w:sdt>")


def formatted(truth, prose):
    """A number in several runs, as an editor leaves it: parts must not come apart."""
    number, word = prose.decimal(), prose.one("places")
    truth.say(f"{prose.words['section']} {number} {word}")
    return paragraph(run(prose.words["section"] + " "), run(number[:2], "<w:b/>"), run(number[2:]), run(" "), *(run(letter, "<w:i/>") for letter in word))


BODIES = {"revisions": revisions, "deleted-row": deleted_row, "hidden": hidden, "math": math, "drop-downs": dropdowns, "fields": legacy_text, "text-box": text_box, "tabs": tabs,
          "cdata": cdata, "wrapped": wrapped, "split-runs": formatted}


def with_body(corpus, language, name, change):
    document = report(language, f"docx {name}", 1)
    truth = document.tell(corpus.truth(f"{name}.{language}.docx", KIND, language))
    files = parts(blocks.docx(document))
    extra = change(truth, document.prose)
    files[MAIN] = files[MAIN].decode().replace("<w:sectPr", extra + "<w:sectPr", 1).encode()
    corpus.put(truth, packed(files))


# --- the package ---


def main_renamed(files, truth, prose):
    """The main part is what the relationship says."""
    for name in ("_rels/.rels", "[Content_Types].xml"):
        files[name] = files[name].replace(b"word/document.xml", b"word/document2.xml")
    files["word/document2.xml"] = files.pop(MAIN)
    files["word/_rels/document2.xml.rels"] = files.pop("word/_rels/document.xml.rels")


def main_elsewhere(files, truth, prose):
    for name in ("_rels/.rels", "[Content_Types].xml"):
        files[name] = files[name].replace(b"word/document.xml", b"content/main.xml")
    files["content/main.xml"] = files.pop(MAIN)
    files["content/_rels/main.xml.rels"] = files.pop("word/_rels/document.xml.rels").replace(b'Target="', b'Target="../word/').replace(b"../word/../", b"../")


def absolute_targets(files, truth, prose):
    files["_rels/.rels"] = files["_rels/.rels"].replace(b'Target="word/', b'Target="/word/')


def other_prefix(files, truth, prose):
    files[MAIN] = re.sub(rb"(</?|\s)w:", rb"\1ns0:", files[MAIN]).replace(b"xmlns:w=", b"xmlns:ns0=")


def strict(files, truth, prose):
    """ISO 29500 strict: other namespaces for the same things."""
    for name in (MAIN, "_rels/.rels", "word/_rels/document.xml.rels", "word/styles.xml"):
        files[name] = (files[name].replace(b"http://schemas.openxmlformats.org/wordprocessingml/2006/main", b"http://purl.oclc.org/ooxml/wordprocessingml/main")
                       .replace(b"http://schemas.openxmlformats.org/officeDocument/2006/relationships", b"http://purl.oclc.org/ooxml/officeDocument/relationships"))


def backslashes(files, truth, prose):
    for name in list(files):
        files[name.replace("/", "\\")] = files.pop(name)


def alternative(files, truth, prose):
    """A chunk of HTML inside the document, as mail merges make them."""
    sentence, number = truth.say(prose.sentence()), truth.say(prose.integer())
    files["word/chunk1.html"] = f"<html><body><p>{sentence}</p><p>{number}</p></body></html>".encode()
    add_relation(files, "rIdChunk", f"{RELATIONS}/aFChunk", "chunk1.html")
    files["[Content_Types].xml"] = files["[Content_Types].xml"].replace(b"<Default ", b'<Default Extension="html" ContentType="text/html"/><Default ', 1)
    files[MAIN] = files[MAIN].decode().replace("<w:sectPr", f'<w:altChunk xmlns:r="{RELATIONS}" r:id="rIdChunk"/><w:sectPr', 1).encode()


def add_relation(files, identity, kind, target):
    name = "word/_rels/document.xml.rels"
    relation = f'<Relationship Id="{identity}" Type="{kind}" Target="{target}"/></Relationships>'
    files[name] = files[name].replace(b"</Relationships>", relation.encode())


PACKAGES = {"main-part-renamed": main_renamed, "main-part-elsewhere": main_elsewhere, "absolute-targets": absolute_targets, "other-prefix": other_prefix, "strict": strict,
            "backslashes": backslashes, "alt-chunk": alternative}


def with_package(corpus, language, name):
    document = report(language, f"docx {name}", 2)
    truth = document.tell(corpus.truth(f"{name}.{language}.docx", KIND, language))
    files = parts(blocks.docx(document))
    PACKAGES[name](files, truth, document.prose)
    corpus.put(truth, packed(files))


# --- with python-docx ---


def headers(corpus, language):
    """A contract number in the header, another on the first page, page numbers in the footer."""
    document = report(language, "docx headers", 4)
    prose = document.prose
    truth = document.tell(corpus.truth(f"headers.{language}.docx", KIND, language, 2))
    out = blocks.docx(document)
    section = out.sections[0]
    section.different_first_page_header_footer = True
    section.first_page_header.paragraphs[0].text = truth.say_anywhere(f"{prose.one('companies')} {prose.code()}")
    section.header.paragraphs[0].text = truth.say_anywhere(f"{prose.words['section']} {prose.code()}")
    section.first_page_footer.paragraphs[0].text = truth.say_anywhere(prose.date())
    foot = section.footer.paragraphs[0]
    foot.text = truth.say_anywhere(prose.one("places")) + ", "
    add_field(foot, "PAGE", "3")
    truth.allow("3")
    corpus.put(truth, saved(out))


def notes(corpus, language):
    """Footnotes and comments in parts of their own."""
    document = report(language, "docx notes", 1)
    prose = document.prose
    truth = document.tell(corpus.truth(f"notes.{language}.docx", KIND, language))
    files = parts(blocks.docx(document))
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    place, note = truth.say(prose.sentence()), truth.say_anywhere(prose.sentence())
    end, comment = truth.say_anywhere(prose.sentence()), truth.say_anywhere(prose.sentence())
    truth.allow("1", "2", "A", "i", "comment")
    separator = lambda kind: f'<w:{kind} w:type="separator" w:id="-1"><w:p><w:r><w:separator/></w:r></w:p></w:{kind}>'
    for kind, text in (("footnote", note), ("endnote", end)):
        files[f"word/{kind}s.xml"] = f'<w:{kind}s {space}>{separator(kind)}<w:{kind} w:id="1">{paragraph(run(text))}</w:{kind}></w:{kind}s>'.encode()
        add_relation(files, f"rId{kind}", f"{RELATIONS}/{kind}s", f"{kind}s.xml")
    files["word/comments.xml"] = f'<w:comments {space}><w:comment w:id="1" w:author="A">{paragraph(run(comment))}</w:comment></w:comments>'.encode()
    add_relation(files, "rIdComments", f"{RELATIONS}/comments", "comments.xml")
    types = "".join(f'<Override PartName="/word/{name}.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.{name}+xml"/>'
                    for name in ("footnotes", "endnotes", "comments"))
    files["[Content_Types].xml"] = files["[Content_Types].xml"].replace(b"</Types>", types.encode() + b"</Types>")
    references = '<w:r><w:footnoteReference w:id="1"/></w:r><w:r><w:endnoteReference w:id="1"/></w:r><w:r><w:commentReference w:id="1"/></w:r>'
    files[MAIN] = files[MAIN].decode().replace("<w:sectPr", paragraph(run(place), references) + "<w:sectPr", 1).encode()
    corpus.put(truth, packed(files))


def tables(corpus, language):
    """Merged cells, a table in a cell, cells of several paragraphs, empty cells."""
    document = report(language, "docx tables", 1)
    prose = document.prose
    truth = document.tell(corpus.truth(f"tables.{language}.docx", KIND, language))
    out = blocks.docx(document)
    header, rows = prose.quarter_table(4)
    rows[1][2] = ""
    truth.table(header, rows)
    blocks.docx_table(out, header, rows)
    out.add_paragraph(truth.say(prose.sentence()))
    wide = out.add_table(rows=2, cols=3)
    wide.cell(0, 0).merge(wide.cell(0, 2)).text = truth.say(prose.heading())
    truth.allow(*truth.text[-1:])
    for cell in wide.rows[1].cells:
        cell.text = truth.say(prose.integer())
        cell.add_paragraph(truth.say(prose.integer()))
    out.add_paragraph(truth.say(prose.sentence()))
    outer = out.add_table(rows=1, cols=2)
    outer.cell(0, 0).text = truth.say(prose.sentence())
    inner = blocks.docx_table(outer.cell(0, 1), *(table := prose.price_table(2)))
    for row in [table[0], *table[1]]:
        truth.say(*row)
    corpus.put(truth, saved(out))
