"""What a document says: written down while the document is made, never read back from it."""


class Truth:
    """The truth about one file. Text is kept as pieces; score.py cuts them into words."""

    def __init__(self, name, kind, language, pages=1):
        self.name, self.kind, self.language, self.pages = name, kind, language, pages
        self.text, self.anywhere, self.optional, self.forbidden, self.exact, self.tables = [], [], [], [], [], []

    def say(self, *pieces):
        """Must be found, in this order."""
        self.text.extend(pieces)
        return pieces[0] if pieces else ""

    def say_anywhere(self, *pieces):
        """Must be found; a reader may put it where it likes (a header, a note, a form's value)."""
        self.anywhere.extend(pieces)
        return pieces[0] if pieces else ""

    def allow(self, *pieces):
        """May be found, however often (page numbers, repeated headers, marks of lists, addresses of links)."""
        self.optional.extend(pieces)
        return pieces[0] if pieces else ""

    def forbid(self, *words):
        """Must not be found: single words that stand nowhere else in the document."""
        self.forbidden.extend(words)
        return words[0] if words else ""

    def verbatim(self, *strings):
        """Must be found letter by letter, white space apart."""
        self.exact.extend(strings)
        return strings[0] if strings else ""

    def table(self, header, rows, ordered=True):
        """Each value must be found with the heading of its row and its column."""
        for row in [header, *rows]:
            (self.say if ordered else self.say_anywhere)(*row)
        self.relate(header, rows)

    def relate(self, header, rows):
        self.tables.append({"header": header, "rows": rows})

    def as_json(self):
        return {"file": self.name, "kind": self.kind, "language": self.language, "pages": self.pages, "text": self.text, "anywhere": self.anywhere,
                "optional": self.optional, "forbidden": self.forbidden, "exact": self.exact, "tables": self.tables}
