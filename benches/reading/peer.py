"""One peer as a program: reads names of files from standard input, answers each with a line of JSON. Runs in the peers' own environment.

    peer.py NAME        one of READERS; imports are done before the first file, so that they count for no document
"""
import json
import sys
import time
import warnings

warnings.filterwarnings("ignore")
TEXT = {".md", ".txt", ".py", ".yaml", ".yml", ".sh", ".sql", ".ini", ".csv", ".log", ".json", ".toml", ".rs"}


def pdfium(path):
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        if document.get_formtype():
            document.init_forms()
        return "\n\n".join(page.get_textpage().get_text_range().replace("\r\n", "\n") for page in document)


def markitdown():
    from markitdown import MarkItDown

    converter = MarkItDown(enable_plugins=False)
    return lambda path: converter.convert(path).text_content


def pypdf(path):
    import pypdf

    return "\n\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)


def python_docx(path):
    import docx

    document = docx.Document(path)
    out = []
    for item in document.iter_inner_content():
        rows = getattr(item, "rows", None)
        out.append(item.text if rows is None else "\n".join(" | ".join(cell.text for cell in row.cells) for row in rows))
    return "\n\n".join(out)


# Name: (what makes the function, the endings that it reads).
READERS = {
    "pdfium": (lambda: pdfium, {".pdf"}),
    "markitdown": (markitdown, {".pdf", ".docx", ".html", ".xhtml", ".htm"} | TEXT),
    "pypdf": (lambda: pypdf, {".pdf"}),
    "python-docx": (lambda: python_docx, {".docx"}),
}


def main():
    make, _ = READERS[sys.argv[1]]
    read = make()
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    for line in sys.stdin:
        path = line.rstrip("\n")
        started = time.perf_counter()
        try:
            answer = {"text": read(path)}
        except Exception as error:  # whatever a peer throws is its refusal
            answer = {"error": f"{type(error).__name__}: {error}"[:200]}
        answer["seconds"] = time.perf_counter() - started
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
