from __future__ import annotations

import hashlib
import io
import itertools
import os
import socket
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from localspec.errors import DocumentError
from localspec.stores.documents.blocks import joined
from localspec.stores.documents.parse import (
    SUPPORTED_SUFFIXES,
    ParsedDocument,
    ParseLimits,
    ReadingStopped,
    content_hash,
    parse,
)
from tests.builders import change_member, make_docx, make_epub, make_pdf, make_pptx, make_scanned_pdf, make_xlsx

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def written(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def refusal(path: Path, limits: ParseLimits | None = None) -> str:
    """The error's text, checked for the file's name and advice."""
    with pytest.raises(DocumentError) as caught:
        parse(path, limits or ParseLimits())
    assert path.name in str(caught.value)
    assert caught.value.reason
    assert caught.value.advice
    return str(caught.value)


# --- formats ---------------------------------------------------------------------------------------------------------


def by_place(parsed: ParsedDocument) -> tuple[tuple[str, int | None, str], ...]:
    """(text, page, section) of each run of blocks at one place."""
    runs = itertools.groupby(parsed.blocks, key=lambda block: (block.page, block.section))
    return tuple((joined(blocks), page, section) for (page, section), blocks in runs)


def test_pdf_has_pages_sections_paragraphs_and_title(tmp_path: Path) -> None:
    pages = ["First words of the guide.\n\nSecond paragraph " + "runs over lines " * 20, "On the next page."]
    parsed = parse(make_pdf(tmp_path / "a.pdf", pages, title="The Guide", bookmarks=["Start", "Finish"]))
    assert (parsed.title, parsed.kind, parsed.pages, parsed.warnings) == ("The Guide", "pdf", 2, ())
    assert [(page, section) for _, page, section in by_place(parsed)] == [(1, "Start"), (2, "Finish")]
    first, second, _ = (block.text for block in parsed.blocks)
    assert first == "First words of the guide."
    assert second == "Second paragraph " + " ".join(["runs over lines"] * 20)


def test_pdf_running_headers_go_and_the_body_stays(tmp_path: Path) -> None:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800))
    for number in range(1, 7):
        canvas.drawString(60, 770, "The Company Handbook")
        for line in range(5):
            canvas.drawString(60, 700 - 14 * line, f"Body line {line} of sheet {number} says something.")
        canvas.drawString(300, 30, f"- {number + 4}" if number % 2 else f"{number + 4} -")
        canvas.showPage()
    canvas.save()
    parsed = parse(tmp_path / "a.pdf")
    assert parsed.text.count("Company Handbook") == 1
    assert parsed.text.count("Body line") == 30
    assert "- 5" not in parsed.text


def test_pdf_hyphens_at_line_ends_are_joined_with_sense(tmp_path: Path) -> None:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(tmp_path / "a.pdf"))
    lines = ("A well-known admin-", "istrator is well-", "known and writes the docu-", "mentation every day.")
    for number, line in enumerate(lines):
        canvas.drawString(60, 700 - 14 * number, line)
    canvas.save()
    text = " ".join(parse(tmp_path / "a.pdf").text.split())
    assert text == "A well-known administrator is well-known and writes the documentation every day."


def test_pdf_identical_short_pages_are_kept(tmp_path: Path) -> None:
    parsed = parse(make_pdf(tmp_path / "a.pdf", ["Page 1"] * 6))
    assert parsed.text.count("Page 1") == 6


def test_docx_has_headings_and_tables_in_order(tmp_path: Path) -> None:
    made = make_docx(
        tmp_path / "a.docx",
        ["Before.", "# Chapter", "Naïve text – with ﬁ.", "## Section", "More."],
        title="Report",
        table=[["Name", "Age"], ["Ada", "36"]],
        end="After the table.",
    )
    parsed = parse(made)
    assert (parsed.title, parsed.kind, parsed.pages) == ("Report", "docx", None)
    assert by_place(parsed) == (
        ("Before.", None, ""),
        ("Chapter\n\nNaïve text – with fi.", None, "Chapter"),
        ("Section\n\nMore.\n\nName | Age\nAda | 36\n\nAfter the table.", None, "Section"),
    )


def test_docx_tracked_changes_controls_and_text_boxes(tmp_path: Path) -> None:
    made = make_docx(tmp_path / "a.docx", ["marker"])
    body = (
        b"<w:ins><w:r><w:t>inserted </w:t></w:r></w:ins><w:del><w:r><w:delText>deleted</w:delText></w:r></w:del>"
        b"</w:p><w:sdt><w:sdtContent><w:p><w:r><w:t>in a control</w:t></w:r></w:p></w:sdtContent></w:sdt><w:p>"
    )
    change_member(made, "word/document.xml", (b"<w:r><w:t>marker</w:t></w:r>", body))
    assert parse(made).text == "inserted\n\nin a control"


def test_pptx_has_slides_notes_and_tables(tmp_path: Path) -> None:
    slides = [("Opening", "First point", "Say hello"), ("Numbers", "Look below", "")]
    parsed = parse(make_pptx(tmp_path / "a.pptx", slides, table=[["Year", "Sum"], ["2020", "5"]]))
    assert (parsed.kind, parsed.pages) == ("pptx", 2)
    assert by_place(parsed) == (
        ("Opening\n\n- First point\n\nNotes: Say hello", 1, "Opening"),
        ("Numbers\n\n- Look below\n\nYear | Sum\n2020 | 5", 2, "Numbers"),
    )


def test_xlsx_has_sheets_and_rows(tmp_path: Path) -> None:
    import datetime

    rows: list[list[object]] = [
        ["Item", "Price", None],
        ["Tea", 2.0, True],
        [None, 2.5, datetime.datetime(2024, 3, 1)],
        [None],
    ]
    parsed = parse(make_xlsx(tmp_path / "a.xlsx", {"Prices": rows, "Empty": [], "Notes": [["x"]]}))
    assert parsed.kind == "xlsx"
    assert by_place(parsed) == (
        ("Prices\n\nItem | Price | \nTea | 2 | TRUE\n | 2.5 | 2024-03-01 0:00:00", None, "Prices"),
        ("Notes\n\nx", None, "Notes"),
    )


def test_html_keeps_what_people_see(tmp_path: Path) -> None:
    page = """<!DOCTYPE html><html><head><title>My page</title><style>p{}</style><script>evil()</script></head><body>
    <nav>Menu</nav><h1>Top <a class="headerlink">¶</a></h1><p>One
      <b>bold</b>ly written.</p><p hidden>secret</p><p style="display: none">secret</p><noscript>secret</noscript>
    <ul><li>a</li><li>b</li></ul><table><tr><th>K</th><th>V</th></tr><tr><td>1</td><td>2</td></tr></table>
    <h2>Code</h2><pre>if x:\n    y</pre><img src="http://example.com/x.png" onerror="evil()"></body></html>"""
    parsed = parse(written(tmp_path / "a.html", page))
    assert (parsed.title, parsed.kind) == ("My page", "html")
    assert by_place(parsed) == (
        ("Top\n\nOne boldly written.\n\n- a\n- b\n\nK | V\n1 | 2", None, "Top"),
        ("Code\n\nif x:\n    y", None, "Code"),
    )


def test_html_encoding_comes_from_the_page(tmp_path: Path) -> None:
    page = '<html><head><meta charset="iso-8859-1"></head><body>Größe</body></html>'.encode("cp1252")
    assert parse(written(tmp_path / "a.htm", page)).text == "Größe"


def test_epub_follows_the_spine_and_names_chapters(tmp_path: Path) -> None:
    chapters = [("Dawn", "<p>It began.</p>"), ("Dusk", "<h2>Late</h2><p>It ended.</p>")]
    parsed = parse(make_epub(tmp_path / "a.epub", chapters, title="A Day"))
    assert (parsed.title, parsed.kind) == ("A Day", "epub")
    assert by_place(parsed) == (("It began.", None, "Dawn"), ("Late\n\nIt ended.", None, "Dusk › Late"))


def test_epub_names_that_point_outside_are_never_followed(tmp_path: Path) -> None:
    secret = written(tmp_path / "secret.xhtml", "<p>secret</p>")
    book = make_epub(tmp_path / "a.epub", [("One", "<p>inside</p>")], extra={"../../evil.xhtml": "<p>evil</p>"})
    change_member(book, "OEBPS/content.opf", (b"<spine", f'<item id="x" href="../../{secret}"/><spine'.encode()))
    change_member(book, "OEBPS/content.opf", (b"</spine>", b'<itemref idref="x"/></spine>'))
    before = sorted(tmp_path.rglob("*"))
    parsed = parse(book)
    assert parsed.text == "inside"
    assert parsed.warnings
    assert sorted(tmp_path.rglob("*")) == before


def test_markdown_is_read_here_or_in_the_child_alike(tmp_path: Path) -> None:
    text = "---\ntitle: x\n---\nIntro\n\n# One `code` #\n\n```sh\n# no heading\n```\n\nTwo\n===\n\n- a\n"
    short = parse(written(tmp_path / "a.md", text))
    assert (short.title, short.kind) == ("x", "markdown")
    assert [block.section for block in short.blocks] == ["", "", "One code", "One code", "Two", "Two"]
    long = parse(written(tmp_path / "b.md", text + "\nwords\n" * 10_000))
    assert long.blocks[:6] == short.blocks
    assert len(long.blocks) == 10_006


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.txt", "text"), ("a.py", "code"), ("Makefile", "code"), ("a.unknown", "text"), ("noname", "text")],
)
def test_any_decodable_text_is_read(tmp_path: Path, name: str, kind: str) -> None:
    parsed = parse(written(tmp_path / name, "def f():\r\n\treturn 'ﬁ'\r\n"))
    assert (parsed.kind, parsed.text.rstrip()) == (kind, "def f():\n\treturn 'ﬁ'")


@pytest.mark.parametrize(
    ("data", "text", "warned"),
    [
        ("Größe".encode("utf-8-sig"), "Größe", False),
        ("Größe".encode("utf-16"), "Größe", False),
        (b"\xfe\xff" + "Größe".encode("utf-16-be"), "Größe", False),
        ("Plain words".encode("utf-16-le"), "Plain words", False),
        ("Ein Café für die Größe".encode("cp1252"), "Ein Café für die Größe", True),
        ("Привет, как твои дела сегодня?".encode("cp1251"), "Привет, как твои дела сегодня?", True),
        ("これは日本語のテキストです。".encode("shift_jis"), "これは日本語のテキストです。", True),
        ("Größe Straße".encode() + b" cut \xc3", "Größe Straße cut \ufffd", True),
        (b"broken \xff\xfe here", "broken \ufffd\ufffd here", True),
        (
            b"\xed\xa0\x80 surrogate, caf\xc3\xa9, na\xc3\xafve, \xc3\xa9",
            "\ufffd\ufffd\ufffd surrogate, café, naïve, é",
            True,
        ),
        (b"a log with one NUL\0" + b"." * 200, "a log with one NUL" + "." * 200, False),
    ],
)
def test_encodings(tmp_path: Path, data: bytes, text: str, warned: bool) -> None:
    parsed = parse(written(tmp_path / "a.txt", data))
    assert parsed.text == text
    assert bool(parsed.warnings) == warned


# --- what cannot be read ---------------------------------------------------------------------------------------------


def test_missing_folder_empty_and_links(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "missing.pdf")
    (tmp_path / "folder.pdf").mkdir()
    assert "folder" in refusal(tmp_path / "folder.pdf")
    assert "empty" in refusal(written(tmp_path / "empty.pdf", b""))
    assert "no text" in refusal(written(tmp_path / "blank.txt", " \n\t\n"))
    text = written(tmp_path / "a.txt", "words")
    (tmp_path / "good.txt").symlink_to(text)
    assert parse(tmp_path / "good.txt").text == "words"
    (tmp_path / "dangling.txt").symlink_to(tmp_path / "nothing")
    assert "link" in refusal(tmp_path / "dangling.txt")
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    refusal(tmp_path / "loop.txt")
    refusal(tmp_path / ("x" * 300))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes in folders")
def test_special_files_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    assert "pipe" in refusal(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        refusal(tmp_path / "s")
    refusal(Path("/dev/zero"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "words")
    path.chmod(0)
    assert "permission" in refusal(path)


def test_size_limits(tmp_path: Path) -> None:
    limits = ParseLimits(file_bytes=2000, text_bytes=100, characters=50)
    assert "too large" in refusal(written(tmp_path / "a.pdf", b"%PDF-" + b"x" * 3000), limits)
    assert "too large" in refusal(written(tmp_path / "a.txt", "x" * 101), limits)
    assert "characters" in refusal(written(tmp_path / "b.txt", "x" * 60), limits)
    assert "characters" in refusal(make_pdf(tmp_path / "b.pdf", ["word " * 50]), ParseLimits(characters=50))


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.pdf", PNG, "PNG"),
        ("a.txt", PNG, "PNG"),
        ("a.txt", bytes(range(256)) * 4, "binary"),
        ("a.txt", b"\x7fELF\x02\x01\x01", "program"),
        ("a.bin", b"\x01\x02\x03\x04\x05", "binary"),
        ("a.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old binary Office"),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old binary Office"),
        (
            "a.xlsx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 3_000_000 + "EncryptedPackage".encode("utf-16-le"),
            "password",
        ),
        ("a.rtf", b"just some words", "damaged or something else"),
        ("a.docx", b"just some words", "damaged or something else"),
        ("a.pdf", b"just some words", "damaged or something else"),
        ("a.pdf", b"%PDF-1.4\nrubbish\n%%EOF", "damaged"),
        ("a.pdf", b"%PDF-1.4\n", "cut off"),
        ("a.docx", b"PK\x03\x04rubbish", "damaged"),
        ("a.gguf", b"GGUF\x03\0\0\0", "models folder"),
    ],
)
def test_foreign_and_damaged_files(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    assert words in refusal(written(tmp_path / name, data))


def test_archives_that_are_no_documents(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as archive:
        archive.writestr("photo.txt", "x")
    assert "ZIP archive" in refusal(tmp_path / "a.docx")
    with zipfile.ZipFile(tmp_path / "a.odt", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.formula")
    assert "OpenDocument" in refusal(tmp_path / "a.odt")


def test_misnamed_files_are_read_by_their_true_type(tmp_path: Path) -> None:
    pdf = make_pdf(tmp_path / "a.txt", ["Words inside"])
    docx = make_docx(tmp_path / "a.xlsx", ["Words inside"])
    page = written(tmp_path / "b.txt", "<!DOCTYPE html><p>Words inside</p>")
    for path, kind in ((pdf, "pdf"), (docx, "docx"), (page, "html")):
        parsed = parse(path)
        assert (parsed.kind, parsed.text) == (kind, "Words inside")
        assert kind.upper() in parsed.warnings[0]


def test_protected_scanned_and_mixed_pdfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")  # so that no tesseract is found
    assert "password" in refusal(make_pdf(tmp_path / "locked.pdf", ["secret"], password="open sesame"))
    assert "OCR" in refusal(make_scanned_pdf(tmp_path / "scan.pdf", [None, None]))
    mixed = parse(make_scanned_pdf(tmp_path / "mixed.pdf", ["Readable.", None, None]))
    assert (mixed.text, mixed.pages) == ("Readable.", 3)
    assert "Pages 2 and 3" in mixed.warnings[0]
    assert "no text" in refusal(make_pdf(tmp_path / "blank.pdf", ["", ""]))


Maker = Callable[[Path], Path]
OFFICE: dict[str, Maker] = {
    "docx": lambda path: make_docx(path, ["# Title", "words " * 50]),
    "pptx": lambda path: make_pptx(path, [("Title", "words", "")]),
    "xlsx": lambda path: make_xlsx(path, {"Sheet": [["words", 1]]}),
    "epub": lambda path: make_epub(path, [("One", "<p>words</p>")]),
    "pdf": lambda path: make_pdf(path, ["words " * 50] * 3),
}
MAIN_PART = {
    "docx": "word/document.xml",
    "pptx": "ppt/presentation.xml",
    "xlsx": "xl/workbook.xml",
    "epub": "OEBPS/content.opf",
}


@pytest.mark.parametrize("kind", list(OFFICE))
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_cut_off_documents(tmp_path: Path, kind: str, share: float) -> None:
    path = OFFICE[kind](tmp_path / f"a.{kind}")
    data = path.read_bytes()
    refusal(written(path, data[: int(len(data) * share)]))


@pytest.mark.parametrize("kind", list(MAIN_PART))
@pytest.mark.parametrize("entity", ["file", "laughs", "utf-16"])
def test_xml_entities_are_refused(tmp_path: Path, kind: str, entity: str) -> None:
    secret = written(tmp_path / "secret.txt", "the secret words")
    path = OFFICE[kind](tmp_path / f"a.{kind}")
    with zipfile.ZipFile(path) as archive:
        part = archive.read(MAIN_PART[kind]).decode()
    declared = f'<!ENTITY e SYSTEM "{secret.as_uri()}">'
    if entity == "laughs":
        declared = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
        declared += '<!ENTITY e "&a11;">'
    body = part.partition("?>")[2] if part.startswith("<?xml") else part
    data = f"<!DOCTYPE x [{declared}]>{body.replace('words', '&e;').replace('A book', '&e;')}"
    if entity == "utf-16":
        change_member(path, MAIN_PART[kind], ('<?xml version="1.0" encoding="UTF-16"?>' + data).encode("utf-16"))
    else:
        change_member(path, MAIN_PART[kind], data.encode())
    assert "entities" in refusal(path)


def test_a_document_type_that_is_only_named_is_none(tmp_path: Path) -> None:
    """As OpenOffice 2 and AbiWord name one in the list of a file's parts; it is not fetched."""
    source = Path(__file__).parents[2] / "data" / "documents" / "libreoffice.odt"
    path = written(tmp_path / "old.odt", source.read_bytes())
    named = b'?><!DOCTYPE manifest:manifest PUBLIC "-//OpenOffice.org//DTD Manifest 1.0//EN" "Manifest.dtd">'
    for member in ("META-INF/manifest.xml", "content.xml"):
        change_member(path, member, (b"?>", named))
    assert parse(path).blocks == parse(source).blocks


def test_bombs_are_refused_and_cost_our_process_nothing(tmp_path: Path) -> None:
    zeros = make_docx(tmp_path / "zeros.docx", ["words"])
    with (
        zipfile.ZipFile(zeros, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/media/bomb.bin", "w") as member,
    ):
        for _ in range(100):
            member.write(b"\0" * 1_000_000)
    assert "bomb" in refusal(zeros)
    many = make_docx(tmp_path / "many.docx", ["words"])
    with zipfile.ZipFile(many, "a") as archive:
        for number in range(1001):
            archive.writestr(f"word/{number}", "")
    assert "files inside" in refusal(many, ParseLimits(archive_members=1000))
    stream = zlib.compress(b"BT (words) Tj ET\n" * 20_000_000, 9)
    pdf = written(tmp_path / "bomb.pdf", pdf_with_stream(stream))
    code = (
        "import sys; from pathlib import Path; from localspec.errors import DocumentError;"
        "from localspec.stores.documents.parse import ParseLimits, parse; import resource;"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; before = peak()\n"
        f"try: parse(Path({str(pdf)!r}), ParseLimits(seconds=4, memory_bytes=512 * 1024**2))\n"
        "except DocumentError as error: print(peak() - before, error.advice)"
    )
    pytest.importorskip("resource")
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    grown, _, advice = finished.stdout.partition(" ")
    assert advice
    assert int(grown) < 50 * 1024 * (1024 if sys.platform == "darwin" else 1)


def pdf_with_stream(stream: bytes) -> bytes:
    """A one-page PDF around a deflated content stream."""
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<<>>>>",
        b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(stream), stream),
    ]
    out = io.BytesIO(b"")
    out.write(b"%PDF-1.4\n")
    for number, part in enumerate(parts, 1):
        out.write(b"%d 0 obj%s endobj\n" % (number, part))
    out.write(b"trailer<</Root 1 0 R/Size 5>>\nstartxref\n0\n%%EOF")
    return out.getvalue()


def test_a_lying_archive_size_unpacks_no_further(tmp_path: Path) -> None:
    path = make_docx(tmp_path / "a.docx", ["words"])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/bomb.xml", b"<a>" + b" " * 30_000_000 + b"</a>")
    data = bytearray(path.read_bytes())
    place = data.find(struct.pack("<L", 30_000_007), data.find(b"PK\x01\x02"))
    data[place : place + 4] = struct.pack("<L", 100)
    refusal(written(path, bytes(data)))


def test_deep_nesting_and_slow_files_end_in_time(tmp_path: Path) -> None:
    page = written(tmp_path / "deep.html", "<div>" * 200_000 + "words")
    assert "longer than" in refusal(page, ParseLimits(seconds=1.0))


def test_time_does_not_count_while_it_gives_way(tmp_path: Path) -> None:
    page = written(tmp_path / "deep.html", "<div>" * 200_000 + "words")
    asked = 0

    def gives_way() -> bool:
        nonlocal asked
        asked += 1
        return asked <= 6

    with pytest.raises(DocumentError, match="longer than"):
        parse(page, ParseLimits(seconds=0.5), gives_way=gives_way)
    assert asked > 6


def test_a_reader_lets_others_go_first(tmp_path: Path) -> None:
    if not hasattr(os, "nice"):
        pytest.skip("Windows has classes of priority")
    page = written(tmp_path / "deep.html", "<div>" * 200_000 + "words")
    others = {child.pid for child in psutil.Process().children(recursive=True)}
    seen: list[int] = []

    def should_stop() -> bool:
        children = psutil.Process().children(recursive=True)
        seen.extend(child.nice() for child in children if child.pid not in others)
        return 19 in seen or len(seen) > 200

    with pytest.raises(ReadingStopped):
        parse(page, should_stop=should_stop)
    assert seen[-1] == 19


def test_too_little_memory_is_told(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    if sys.platform == "darwin":
        pytest.skip("macOS does not limit address space")
    page = written(tmp_path / "a.html", "<p>words</p>" * 1_000_000)
    text = refusal(page, ParseLimits(memory_bytes=100 * 1024**2))
    assert "memory" in text


def test_a_huge_sheet_is_capped_with_a_warning(tmp_path: Path) -> None:
    path = make_xlsx(tmp_path / "a.xlsx", {"Data": ([row, "x"] for row in range(3000)), "Rest": [["never"]]})
    parsed = parse(path, ParseLimits(cells=1000))
    assert parsed.text.startswith("Data\n\n0 | x\n1 | x")
    assert "never" not in parsed.text
    assert "1,000" in parsed.warnings[0]


def test_a_sheet_with_a_false_size_is_read(tmp_path: Path) -> None:
    path = make_xlsx(tmp_path / "a.xlsx", {"Data": [["x"]]})
    sheet = b'<c r="XFD1048576" t="inlineStr"><is><t>far</t></is></c></row></sheetData>'
    change_member(path, "xl/worksheets/sheet1.xml", (b"</row></sheetData>", sheet))
    assert "far" in parse(path).text


def test_the_child_imports_nothing_heavy(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf", ["words"])
    code = (
        "import sys; from pathlib import Path; from localspec.stores.documents.parse_child import read, ParseLimits;"
        f"read('pdf', Path({str(path)!r}), ParseLimits());"
        "print(sorted({'numpy', 'torch', 'docx', 'openpyxl', 'pptx', 'PIL'} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"


def test_content_hash(tmp_path: Path) -> None:
    path = written(tmp_path / "a.bin", b"x" * 3_000_000)
    assert content_hash(path) == hashlib.sha256(b"x" * 3_000_000).hexdigest()
    with pytest.raises(DocumentError):
        content_hash(tmp_path / "missing")


def test_supported_suffixes_are_for_pickers() -> None:
    assert {".pdf", ".docx", ".pptx", ".xlsx", ".html", ".epub", ".md", ".txt", ".py"} <= SUPPORTED_SUFFIXES
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in SUPPORTED_SUFFIXES)


def storable(parsed: ParsedDocument) -> bool:
    return "\0" not in parsed.text and bool(parsed.text.encode("utf-8").strip())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=300), st.text(max_size=200).map(lambda text: text.encode("utf-16-le", "surrogatepass"))
    )
)
@example(b"\xff\xfe\x00\xd8")
@example(b"\xef\xbb\xbf")
@example(b"\x80" * 100)
@example("aé".encode("cp1252") * 2000 + b"\xff")
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.py"])
def test_any_bytes_end_in_text_or_a_document_error(tmp_path: Path, name: str, data: bytes) -> None:
    if data[:2] == b"PK" or b"%PDF-" in data or b"<html" in data.lower():
        return  # other readers, tested elsewhere with whole files
    try:
        parsed = parse(written(tmp_path / name, data))
    except DocumentError as error:
        assert name in str(error)
    else:
        assert storable(parsed)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
@pytest.mark.parametrize("kind", ["docx", "pdf"])
def test_flipped_bytes_end_in_text_or_a_document_error(tmp_path: Path, kind: str, data: st.DataObject) -> None:
    path = tmp_path / f"a.{kind}"
    original = tmp_path / f"original.{kind}"
    if not original.exists():
        OFFICE[kind](original)
    content = bytearray(original.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=20)):
        content[place] ^= data.draw(st.integers(1, 255))
    try:
        parsed = parse(written(path, bytes(content)))
    except DocumentError as error:
        assert path.name in str(error)
    else:
        assert storable(parsed)
