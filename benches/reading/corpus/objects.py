"""PDF written object by object: what other programs leave in files, and what no program of ours writes."""
import base64
import zlib

from . import blocks
from .blocks import report

KIND = "pdf-objects"
LANGUAGES = ("en", "ru")
WIDTH, HEIGHT = 595, 842


def fill(corpus):
    for language in LANGUAGES:
        for name, make in CASES.items():
            truth = corpus.truth(f"{name}.{language}.pdf", KIND, language)
            pdf = Pdf(language)
            data = make(pdf, truth, report(language, f"objects {name}", 0).prose)
            truth.pages = max(len(pdf.pages), 1)
            corpus.put(truth, data or pdf.finish())
    for name, make in ONCE.items():
        truth = corpus.truth(f"{name}.pdf", KIND, "en")
        pdf = Pdf("en")
        data = make(pdf, truth, report("en", f"objects {name}", 0).prose)
        corpus.put(truth, data or pdf.finish())


class Pdf:
    """A file in the making. Text is shown with a font whose codes are our own, with a table to Unicode (as subset fonts are)."""

    def __init__(self, language):
        self.objects = [b"", b"", b"", b"", b""]  # 1 catalog, 2 pages, 3 font, 4 table to Unicode, 5 font below a Type 0
        self.pages, self.codes, self.catalog, self.more_fonts = [], {}, "", ""
        self.unicode = True

    def add(self, body):
        self.objects.append(body.encode("latin-1") if isinstance(body, str) else body)
        return len(self.objects)

    def stream(self, data, dictionary="", packed=True):
        data = data.encode("latin-1") if isinstance(data, str) else data
        if packed:
            data, dictionary = zlib.compress(data), dictionary + "/Filter/FlateDecode"
        return self.add(f"<<{dictionary}/Length {len(data)}>>stream\n".encode() + data + b"\nendstream")

    def show(self, text):
        """The operand of Tj."""
        return "<" + "".join(f"{self.codes.setdefault(c, len(self.codes) + 1):04x}" for c in text) + ">"

    def text(self, x, y, text, size=11, before=""):
        return f"BT {before} /F1 {size} Tf 1 0 0 1 {x} {y} Tm {self.show(text)} Tj ET\n"

    def lines(self, x, y, lines, size=11, step=16):
        return "".join(self.text(x, y - n * step, line, size) for n, line in enumerate(lines))

    def paragraph(self, x, y, text, characters=80):
        lines, line = [], ""
        for word in text.split(" "):
            if len(line) + len(word) > characters:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}".strip()
        return self.lines(x, y, [*lines, line])

    def table(self, y, header, rows, x=60, step=18, widths=None):
        widths = widths or [170] + [85] * (len(header) - 1)
        out = ""
        for n, row in enumerate([header, *rows]):
            at = x
            for cell, width in zip(row, widths):
                if cell:
                    out += self.text(at, y - n * step, cell)
                at += width
        return out

    def page(self, content="", more="", resources="", stream=None):
        stream = stream or self.stream(content)
        self.pages.append(self.add(f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {WIDTH} {HEIGHT}]/Contents {stream} 0 R{more}"
                                   f"/Resources<</Font<</F1 3 0 R{self.more_fonts}>>{resources}>>>>"))
        return self.pages[-1]

    def fonts(self):
        self.objects[2] = (f"<</Type/Font/Subtype/Type0/BaseFont/AAAAAA+Body/Encoding/Identity-H/DescendantFonts[5 0 R]{'/ToUnicode 4 0 R' if self.unicode else ''}>>").encode()
        # A width of 560 units suits both alphabets: what is close together must be one word.
        self.objects[4] = b"<</Type/Font/Subtype/CIDFontType2/BaseFont/AAAAAA+Body/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/DW 560>>"
        rows = [f"<{code:04x}> <{char.encode('utf-16-be').hex()}>" for char, code in self.codes.items()]
        blocks_ = "".join(f"{len(part)} beginbfchar\n" + "\n".join(part) + "\nendbfchar\n" for part in (rows[n : n + 100] for n in range(0, len(rows), 100)))
        table = ("/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /T def /CMapType 2 def\n"
                 f"1 begincodespacerange <0000> <ffff> endcodespacerange\n{blocks_}endcmap end end")
        self.objects[3] = f"<</Length {len(table)}>>stream\n{table}\nendstream".encode()

    def finish(self, header=b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", start=None, table=True):
        self.fonts()
        self.objects[0] = f"<</Type/Catalog/Pages 2 0 R{self.catalog}>>".encode()
        self.objects[1] = f"<</Type/Pages/Count {len(self.pages)}/Kids[{' '.join(f'{page} 0 R' for page in self.pages)}]>>".encode()
        out, places = bytearray(header), []
        for number, body in enumerate(self.objects, 1):
            places.append(len(out))
            out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
        at = len(out)
        if table:
            out += f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n".encode() + b"".join(f"{place:010} 00000 n \n".encode() for place in places)
        out += f"trailer\n<</Size {len(places) + 1}/Root 1 0 R>>\n".encode()
        if start != "absent":
            out += f"startxref\n{at if start is None else start}\n%%EOF\n".encode()
        return bytes(out)


# --- the edge of the page ---


def room_number(pdf, truth, prose):
    pdf.page(pdf.text(60, 800, truth.say(prose.one("columns") + ":")) + pdf.text(60, 780, truth.say(prose.integer(100, 999))))


def table_at_top(pdf, truth, prose):
    table = prose.quarter_table()
    truth.table(*table)
    pdf.page(pdf.table(825, *table) + pdf.paragraph(60, 600, truth.say(prose.paragraph(4))))


def table_at_bottom(pdf, truth, prose):
    text = truth.say(prose.paragraph(5))
    table = prose.price_table(5)
    truth.table(*table)
    pdf.page(pdf.paragraph(60, 780, text) + pdf.table(110, *table))


def only_a_table(pdf, truth, prose):
    """Nothing but figures."""
    table = prose.quarter_table()
    truth.table(*table)
    pdf.page(pdf.table(820, *table))


def last_number(pdf, truth, prose):
    """The sum is the last thing on each of two pages."""
    for _ in range(2):
        pdf.page(pdf.paragraph(60, 780, truth.say(prose.paragraph(4))) + pdf.text(500, 40, truth.say(prose.integer(100, 9999))))


def corner_numbers(pdf, truth, prose):
    """Numbers in all corners of a plan of one page."""
    numbers = [truth.say_anywhere(prose.integer(100, 999)) for _ in range(4)]
    middle = truth.say(prose.sentence())
    pdf.page("".join(pdf.text(x, y, number) for number, (x, y) in zip(numbers, [(20, 820), (550, 820), (20, 20), (550, 20)])) + pdf.paragraph(60, 420, middle))


def years_above(pdf, truth, prose):
    """Each page begins with the year that it tells of."""
    for year in range(2019, 2025):
        pdf.page(pdf.text(280, 810, truth.say(str(year)), 16) + pdf.paragraph(60, 760, truth.say(prose.paragraph(4))))


# --- what repeats ---


def repeated_rows(pdf, truth, prose):
    day, room = prose.words["columns"][0], prose.words["section"]
    rows = [[f"{day} {n}" for n in (1, 2, 3)], [f"{room} {n}" for n in (101, 102, 103)]]
    for row in rows:
        truth.say(*row)
    pdf.page(pdf.table(800, *[rows[0], rows[1:]], widths=[150, 150, 150]))


def same_header(pdf, truth, prose):
    """The number of the invoice on both pages: once is enough, never is not."""
    number = f"{prose.words['section']} FV {prose.integer(10, 99)}/2026"
    truth.say_anywhere(number)
    truth.allow(number)
    for _ in range(2):
        pdf.page(pdf.text(60, 810, number) + pdf.paragraph(60, 770, truth.say(prose.paragraph(5))))


def headers_and_page_numbers(pdf, truth, prose):
    header, footer = f"{prose.one('companies')} {prose.code()}", prose.one("places")
    truth.say_anywhere(header, footer)
    truth.allow(header, footer, prose.words["page"], prose.words["of"], *"1234567")
    for number in range(1, 8):
        pdf.page(pdf.text(60, 815, header, 9) + pdf.paragraph(60, 770, truth.say(prose.paragraph(6)))
                 + pdf.text(60, 30, footer, 9) + pdf.text(480, 30, f"{prose.words['page']} {number} {prose.words['of']} 7", 9))


def headers_that_differ(pdf, truth, prose):
    """The same words with another number on each page: no two say the same."""
    word, first = prose.one("items"), prose.random.randint(200, 800)
    for number in range(5):
        pdf.page(pdf.text(60, 815, truth.say(f"{word} A-{first + 7 * number}")) + pdf.paragraph(60, 770, truth.say(prose.paragraph(4))))


def forms_of_one_kind(pdf, truth, prose):
    """Pages that are alike but for their values: labels repeat, values do not. Every label must be there at least once."""
    labels = prose.words["columns"]
    truth.say_anywhere(*labels)
    truth.allow(*labels)
    for _ in range(4):
        values = [prose.one("items"), prose.integer(), prose.decimal(), prose.decimal(1000, 9999)]
        truth.say(*values)
        pdf.page("".join(pdf.text(60, 815 - 30 * n, label) + pdf.text(240, 815 - 30 * n, value) for n, (label, value) in enumerate(zip(labels, values))))


def heading_row_on_each_page(pdf, truth, prose):
    header, rows = prose.price_table(60)
    truth.table(header, rows)
    truth.allow(*header)
    for part in range(2):
        pdf.page(pdf.table(800, header, rows[30 * part : 30 * part + 30]))


# --- what is not in the content stream ---


def appearance(pdf, text):
    return pdf.stream(f"/Tx BMC BT /F1 11 Tf 2 4 Td {pdf.show(text)} Tj ET EMC", "/Type/XObject/Subtype/Form/BBox[0 0 300 20]/Resources<</Font<</F1 3 0 R>>>>")


def string(text):
    return "<" + ("\ufeff" + text).encode("utf-16-be").hex() + ">"


def form_with_appearance(pdf, truth, prose):
    fields, content = [], ""
    for n, label in enumerate(prose.words["columns"]):
        value = [prose.one("people"), prose.integer(), prose.decimal(), prose.code()][n]
        truth.say_anywhere(label, value)
        y = 760 - 40 * n
        content += pdf.text(60, y, label)
        fields.append(pdf.add(f"<</Type/Annot/Subtype/Widget/FT/Tx/F 4/T(field{n})/V{string(value)}/Rect[220 {y - 4} 520 {y + 16}]/DA(/F1 11 Tf)/AP<</N {appearance(pdf, value)} 0 R>>>>"))
    hang(pdf, content, fields, "")


def form_without_appearance(pdf, truth, prose):
    """NeedAppearances: the viewer draws the values itself. Text, choice, a field whose value its parent holds."""
    label = prose.words["columns"]
    text, chosen, parents = prose.one("people"), prose.one("regions"), prose.code()
    truth.say_anywhere(*label[:3], text, chosen, parents)
    content = "".join(pdf.text(60, 760 - 40 * n, label[n]) for n in range(3))
    rect = lambda n: f"/Rect[220 {756 - 40 * n} 520 {776 - 40 * n}]/F 4/DA(/Helv 11 Tf 0 g)"
    first = pdf.add(f"<</Type/Annot/Subtype/Widget/FT/Tx/T(a)/V{string(text)}{rect(0)}>>")
    second = pdf.add(f"<</Type/Annot/Subtype/Widget/FT/Ch/Ff 131072/T(b)/Opt[{string(chosen)}]/V{string(chosen)}{rect(1)}>>")
    parent = len(pdf.objects) + 2
    third = pdf.add(f"<</Type/Annot/Subtype/Widget/Parent {parent} 0 R{rect(2)}>>")
    pdf.add(f"<</FT/Tx/T(c)/V{string(parents)}/Kids[{third} 0 R]>>")
    hang(pdf, content, [first, second, third], "/NeedAppearances true", roots=[first, second, parent])


def hang(pdf, content, fields, more, roots=None):
    pdf.page(content, f"/Annots[{' '.join(f'{field} 0 R' for field in fields)}]")
    pdf.catalog += f"/AcroForm<</Fields[{' '.join(f'{field} 0 R' for field in roots or fields)}]{more}/DR<</Font<</F1 3 0 R>>>>>>"


def notes(pdf, truth, prose):
    """A comment, a text on the page by hand, a hidden note."""
    text = truth.say(prose.paragraph(3))
    comment, typed = truth.say_anywhere(prose.sentence()), truth.say_anywhere(f"{prose.one('items')} {prose.code()}")
    truth.allow("a", "note")
    annots = [pdf.add(f"<</Type/Annot/Subtype/Text/F 4/Rect[500 700 520 720]/Contents{string(comment)}>>"),
              pdf.add(f"<</Type/Annot/Subtype/FreeText/F 4/Rect[60 300 360 320]/Contents{string(typed)}/DA(/F1 11 Tf)/AP<</N {appearance(pdf, typed)} 0 R>>>>"),
              pdf.add(f"<</Type/Annot/Subtype/FreeText/F 2/Rect[60 200 500 230]/Contents{string(truth.forbid(prose.forbidden()))}/DA(/F1 11 Tf)>>")]
    pdf.page(pdf.paragraph(60, 760, text), f"/Annots[{' '.join(f'{annot} 0 R' for annot in annots)}]")


# --- streams ---


def indirect_filter(pdf, truth, prose):
    """Filter, its parameters and the length are objects of their own."""
    data = zlib.compress(pdf.paragraph(60, 760, truth.say(prose.paragraph(5))).encode())
    name, length, parameters = pdf.add("[/FlateDecode]"), pdf.add(str(len(data))), pdf.add("[null]")
    stream = pdf.add(f"<</Filter {name} 0 R/DecodeParms {parameters} 0 R/Length {length} 0 R>>stream\n".encode() + data + b"\nendstream")
    pdf.page(stream=stream)


def indirect_name(pdf, truth, prose):
    data = zlib.compress(pdf.paragraph(60, 760, truth.say(prose.paragraph(5))).encode())
    name = pdf.add("/FlateDecode")
    pdf.page(stream=pdf.add(f"<</Filter {name} 0 R/Length {len(data)}>>stream\n".encode() + data + b"\nendstream"))


def two_filters(pdf, truth, prose):
    data = base64.a85encode(zlib.compress(pdf.paragraph(60, 760, truth.say(prose.paragraph(5))).encode()), adobe=True)[2:]
    pdf.page(stream=pdf.add(f"<</Filter[/ASCII85Decode/FlateDecode]/Length {len(data)}>>stream\n".encode() + data + b"\nendstream"))


def several_streams(pdf, truth, prose):
    """The content in pieces that are cut between two operators, in an array that is an object."""
    content = pdf.paragraph(60, 760, truth.say(prose.paragraph(5)))
    half = content.index("ET\n", len(content) // 2) + 3
    parts = [pdf.stream(content[:half]), pdf.stream(content[half:])]
    pdf.page(stream=pdf.add(f"[{parts[0]} 0 R {parts[1]} 0 R]"))


def form_objects(pdf, truth, prose):
    """Text in a form in a form, with resources that only the page has."""
    first, second = truth.say(prose.sentence()), truth.say(prose.sentence())
    inner = pdf.stream(pdf.paragraph(60, 500, second), f"/Type/XObject/Subtype/Form/BBox[0 0 {WIDTH} {HEIGHT}]")
    outer = pdf.stream("/X1 Do", f"/Type/XObject/Subtype/Form/BBox[0 0 {WIDTH} {HEIGHT}]/Resources<</XObject<</X1 {inner} 0 R>>/Font<</F1 3 0 R>>>>")
    pdf.page(pdf.paragraph(60, 760, first) + "/X0 Do", resources=f"/XObject<</X0 {outer} 0 R>>")


# --- the file around it ---


def body(pdf, truth, prose):
    pdf.page(pdf.paragraph(60, 760, truth.say(prose.paragraph(5))))


def padding(pdf, truth, prose):
    body(pdf, truth, prose)
    return pdf.finish() + bytes(9000)


def no_startxref(pdf, truth, prose):
    body(pdf, truth, prose)
    return pdf.finish(start="absent")


def wrong_startxref(pdf, truth, prose):
    body(pdf, truth, prose)
    return pdf.finish(start=7)


def no_table(pdf, truth, prose):
    body(pdf, truth, prose)
    return pdf.finish(start=0, table=False)


def before_the_header(pdf, truth, prose):
    body(pdf, truth, prose)
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n" + pdf.finish()


def newer_version(pdf, truth, prose):
    """The page was saved again: an update after the first end, which replaces its content."""
    old = truth.forbid(prose.forbidden())
    stream = pdf.stream(pdf.text(60, 760, old))
    pdf.page(stream=stream)
    new = truth.say(prose.sentence())
    content = pdf.paragraph(60, 760, new)
    first = pdf.finish()
    update = f"{stream} 0 obj\n<</Length {len(content)}>>stream\n{content}\nendstream\nendobj\n".encode()
    at = first.rindex(b"startxref") + 10
    previous = int(first[at : first.index(b"\n", at)])
    table = len(first) + len(update)
    return first + update + (f"xref\n{stream} 1\n{len(first):010} 00000 n \ntrailer\n<</Size {len(pdf.objects) + 1}/Root 1 0 R/Prev {previous}>>\nstartxref\n{table}\n%%EOF\n").encode()


# --- what is shown ---


def hidden_layer(pdf, truth, prose):
    """One layer is shown, one is not; what belongs to the second is an object too."""
    on, off = pdf.add("<</Type/OCG/Name(shown)>>"), pdf.add("<</Type/OCG/Name(hidden)>>")
    pdf.catalog += f"/OCProperties<</OCGs[{on} 0 R {off} 0 R]/D<</OFF[{off} 0 R]/ON[{on} 0 R]>>>>"
    words = [truth.forbid(prose.forbidden()) for _ in range(2)]
    form = pdf.stream(pdf.text(60, 300, words[1]), f"/Type/XObject/Subtype/Form/OC {off} 0 R/BBox[0 0 {WIDTH} {HEIGHT}]/Resources<</Font<</F1 3 0 R>>>>")
    content = (pdf.paragraph(60, 760, truth.say(prose.paragraph(2))) + "/OC /L1 BDC\n" + pdf.paragraph(60, 600, truth.say(prose.sentence())) + "EMC\n/OC /L2 BDC\n"
               + pdf.text(60, 400, words[0]) + "EMC\n/X0 Do\n")
    pdf.page(content, resources=f"/Properties<</L1 {on} 0 R/L2 {off} 0 R>>/XObject<</X0 {form} 0 R>>")


def letter_spaced(pdf, truth, prose):
    """Letters apart by character spacing, and each at a place of its own."""
    first, second = prose.one("companies"), prose.one("places")
    content = pdf.text(60, 780, truth.say(first), 14, before="6 Tc") + pdf.text(60, 740, truth.say(prose.one("items")), before="0 Tc")
    truth.say(second)
    content += "BT 0 Tc /F1 14 Tf 1 0 0 1 60 700 Tm [" + " -350 ".join(pdf.show(c) for c in second) + "] TJ ET\n"
    number = truth.say(prose.integer(10000, 99999))
    content += "".join(pdf.text(60 + 8 * n, 660, digit) for n, digit in enumerate(number))
    pdf.page(content + pdf.paragraph(60, 600, truth.say(prose.paragraph(2))))


def single_letters(pdf, truth, prose):
    """Every letter is placed by itself, spaces are only distance (as some printer drivers write)."""
    content, y = "", 780
    for _ in range(4):
        x = 40
        for letter in truth.say(prose.sentence()):
            if letter.strip():
                content += pdf.text(f"{x:.2f}", y, letter, 8)
            x += 8 * 0.56
        y -= 30
    pdf.page(content)


def two_columns(pdf, truth, prose):
    left, right = truth.say(prose.paragraph(8)), truth.say(prose.paragraph(8))
    pdf.page(pdf.paragraph(50, 780, left, 36) + pdf.paragraph(320, 780, right, 36))


def out_of_order(pdf, truth, prose):
    """The lines stand in the file in another order than on the page."""
    lines = [truth.say(prose.one("items") + " " + prose.integer()) for _ in range(12)]
    shown = [pdf.text(60, 780 - 20 * n, line) for n, line in enumerate(lines)]
    prose.random.shuffle(shown)
    pdf.page("".join(shown))


def rotated(pdf, truth, prose):
    """A landscape table on a page that is turned, and a label along the side."""
    table = prose.quarter_table()
    truth.table(*table)
    content = ""
    for n, row in enumerate([table[0], *table[1]]):
        for column, cell in enumerate(row):
            content += f"BT /F1 11 Tf 0 1 -1 0 {100 + 20 * n} {80 + 130 * column} Tm {pdf.show(cell)} Tj ET\n"
    pdf.page(content, "/Rotate 90")
    side, text = truth.say_anywhere(prose.one("items") + " " + prose.code()), truth.say(prose.paragraph(4))
    pdf.page(pdf.paragraph(90, 760, text, 70) + f"BT /F1 11 Tf 0 1 -1 0 40 300 Tm {pdf.show(side)} Tj ET\n")


def shadow(pdf, truth, prose):
    """Bold by printing twice: the words stand there once."""
    heading = truth.say(prose.title())
    pdf.page(pdf.text(60, 780, heading, 16) + pdf.text(60.4, 780, heading, 16) + pdf.paragraph(60, 740, truth.say(prose.paragraph(3))))


def recognised(pdf, truth, prose):
    """A scan with its recognised text laid invisibly below: that is the page's text."""
    image = pdf.stream(bytes(100 * 140), "/Type/XObject/Subtype/Image/Width 100/Height 140/ColorSpace/DeviceGray/BitsPerComponent 8")
    text = pdf.paragraph(60, 760, truth.say(prose.paragraph(5))).replace("BT ", "BT 3 Tr ")
    pdf.page(f"q {WIDTH} 0 0 {HEIGHT} 0 0 cm /I0 Do Q\n" + text, resources=f"/XObject<</I0 {image} 0 R>>")


def actual_text(pdf, truth, prose):
    """A part says itself what it reads as: a number drawn as something else."""
    before, number, after = truth.say(prose.sentence()), truth.say(prose.integer(10000, 99999)), truth.say(prose.sentence())
    marked = f"/Span<</ActualText{string(number)}>>BDC\n" + pdf.text(60, 700, "§§§") + "EMC\n"
    pdf.page(pdf.paragraph(60, 780, before) + marked + pdf.paragraph(60, 660, after))


def soft_hyphens(pdf, truth, prose):
    """Words that were broken at the end of a line, with the usual hyphen."""
    first, second = prose.words["titles"][0].split()[0], prose.words["headings"][0]
    number = prose.integer()
    truth.say(number, first, second)
    truth.say(last := prose.sentence())
    pdf.page(pdf.lines(60, 780, [f"{number} {first[:5]}-", f"{first[5:]} {second[:4]}-", second[4:], last]))


def ruled_table(pdf, truth, prose):
    """A table with lines around its cells, empty cells, negative figures, figures set at the right."""
    header, rows = prose.quarter_table(5)
    rows[0][2], rows[2][1], rows[3][4] = "", f"({rows[2][1]})", f"-{rows[3][4]}"
    title = truth.say(prose.title())
    truth.table(header, rows)
    content = pdf.text(60, 790, title, 14)
    for n, row in enumerate([header, *rows]):
        y = 740 - 22 * n
        for column, cell in enumerate(row):
            x = 60 + 100 * column
            content += f"{x} {y - 6} 100 22 re S\n" + (pdf.text(x + 94 - 11 * 0.56 * len(cell) if column else x + 4, y, cell) if cell else "")
    pdf.page(content + pdf.paragraph(60, 560, truth.say(prose.paragraph(2))))


def cells_of_two_lines(pdf, truth, prose):
    header, rows = prose.price_table(4)
    content = pdf.table(780, header, [], widths=[170, 85, 85, 85])
    truth.say(*header)
    for n, row in enumerate(rows):
        y, code = 750 - 44 * n, prose.code()
        truth.say_anywhere(row[0], code)
        truth.say(*row[1:])
        content += pdf.text(60, y, row[0]) + pdf.text(60, y - 14, code)
        content += "".join(pdf.text(230 + 85 * column, y, cell) for column, cell in enumerate(row[1:]))
    pdf.page(content)


CASES = {f.__name__.replace("_", "-"): f for f in (
    room_number, table_at_top, table_at_bottom, only_a_table, last_number, corner_numbers, years_above, repeated_rows, same_header, headers_and_page_numbers,
    headers_that_differ, forms_of_one_kind, heading_row_on_each_page, form_with_appearance, form_without_appearance, notes, indirect_filter, indirect_name, two_filters,
    several_streams, form_objects, padding, no_startxref, wrong_startxref, no_table, before_the_header, newer_version, hidden_layer, letter_spaced, single_letters, two_columns,
    out_of_order, rotated, shadow, recognised, actual_text, soft_hyphens, ruled_table, cells_of_two_lines)}


# --- once: no matter of language ---


def right_to_left(pdf, truth, prose):
    """Hebrew: the letters stand in the file as they stand on the page, from the left."""
    lines = ["שלום לכולם במחסן", "המשאבה נבדקה היום", "החשבונית נשלחה אתמול"]
    truth.say(*lines)
    pdf.page(pdf.lines(300, 760, [line[::-1] for line in lines]))


def right_to_left_with_numbers(pdf, truth, prose):
    """Hebrew with a figure inside, which is written from the left."""
    number = prose.integer(1000, 9999)
    truth.say(f"מחיר {number} שקל")
    pdf.page(pdf.text(300, 760, "לקש " + number + " ריחמ"))


def check_boxes(pdf, truth, prose):
    """A box that is ticked beside its label: a viewer shows the tick."""
    labels = prose.words["regions"][:2]
    truth.say(*labels)
    yes = pdf.stream("0 0 10 10 re f", "/Type/XObject/Subtype/Form/BBox[0 0 10 10]")
    no = pdf.stream("0 0 10 10 re S", "/Type/XObject/Subtype/Form/BBox[0 0 10 10]")
    truth.allow("yes", "no", "on", "off", "x", "a", "b")
    boxes = [pdf.add(f"<</Type/Annot/Subtype/Widget/FT/Btn/F 4/T({name})/V/{state}/AS/{state}/Rect[40 {y} 50 {y + 10}]/AP<</N<</Yes {yes} 0 R/Off {no} 0 R>>>>>>")
             for name, state, y in (("a", "Yes", 760), ("b", "Off", 730))]
    hang(pdf, pdf.text(60, 760, labels[0]) + pdf.text(60, 730, labels[1]), boxes, "")


def names_of_glyphs(pdf, truth, prose):
    """A simple font that names its glyphs and has no table to Unicode: the names tell."""
    word, number = truth.say("Кран"), truth.say(prose.integer())
    font = pdf.add("<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding<</Type/Encoding/BaseEncoding/WinAnsiEncoding"
                   "/Differences[192/afii10028/afii10082/afii10065/afii10079]>>>>")
    pdf.more_fonts = f"/F2 {font} 0 R"
    pdf.page(f"BT /F2 12 Tf 60 760 Td <C0C1C2C3> Tj 0 -20 Td ({number}) Tj ET\n")


def unreadable_font(pdf, truth, prose):
    """A font whose codes mean nothing to anybody beside one that can be read: no heap of signs, but the rest."""
    font = pdf.add("<</Type/Font/Subtype/Type0/BaseFont/BBBBBB+Secret/Encoding/Identity-H/DescendantFonts[5 0 R]>>")
    pdf.more_fonts = f"/F2 {font} 0 R"
    pdf.page(pdf.paragraph(60, 760, truth.say(prose.paragraph(3))) + "BT /F2 12 Tf 60 400 Td <002500420033004400550066> Tj ET\n")


def standard_fonts(pdf, truth, prose):
    """Helvetica without any encoding, with letters that need none, ligatures and marks that do."""
    text = truth.say(prose.sentence()).replace("(", "\\(").replace(")", "\\)")
    truth.say("Größe", "fine")
    font = pdf.add("<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding<</BaseEncoding/WinAnsiEncoding/Differences[1/fi]>>>>")
    plain = pdf.add("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    pdf.more_fonts = f"/F2 {font} 0 R/F3 {plain} 0 R"
    pdf.page(f"BT /F3 9 Tf 60 760 Td ({text}) Tj ET BT /F2 12 Tf 60 720 Td (Gr\\366\\337e) Tj 0 -20 Td (\\001ne) Tj ET\n")


ONCE = {f.__name__.replace("_", "-"): f for f in (right_to_left, right_to_left_with_numbers, check_boxes, names_of_glyphs, unreadable_font, standard_fonts)}
