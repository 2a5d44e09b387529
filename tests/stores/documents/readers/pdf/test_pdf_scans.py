"""Scanned pages: recognized where tesseract is installed, told by their numbers where it is not."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from localspec.errors import DocumentError
from localspec.stores.documents.parse import ReadingStopped, parse
from localspec.stores.documents.readers.content import Content, ParseLimits, UnreadableError
from localspec.stores.documents.readers.pdf.pdf_ocr import languages
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf
from localspec.stores.documents.readers.pdf.pdf_scans import page_names
from tests.builders import make_pdf, make_scanned_pdf

needs_tesseract = pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
WORDS = "The harbour fills within three hours and boats wait outside the mole."


@pytest.fixture
def no_tesseract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def scan(path: Path, texts: Sequence[str | None], *, degrees: int = 0, stamp: str = "") -> Path:
    """A PDF of page-sized pictures of these texts, lying on their side by so many degrees; None is a page of text."""
    make_pdf(path, [text or "" for text in texts])
    document = pypdfium2.PdfDocument(path)
    pictures = [page.render(scale=150 / 72).to_pil().convert("L") for page in document]
    document.close()
    canvas = Canvas(str(path), invariant=1)
    for text, picture in zip(texts, pictures, strict=True):
        turned = picture.rotate(degrees, expand=True)
        size = turned.width * 72 / 150, turned.height * 72 / 150
        canvas.setPageSize(size)
        if text is None:
            canvas.drawString(60, 700, "Typed text on this page.")
        else:
            canvas.drawImage(ImageReader(turned), 0, 0, *size)
        if stamp:
            canvas.drawString(60, 20, stamp)
        canvas.showPage()
    canvas.save()
    return path


def read(path: Path) -> Content:
    return read_pdf(path, ParseLimits())


@pytest.mark.usefixtures("no_tesseract")
def test_pages_that_cannot_be_read_are_told_by_number(tmp_path: Path) -> None:
    texts = [None, "picture", None, "picture", "picture", "picture", None, "picture"]
    content = read(scan(tmp_path / "a.pdf", texts))
    assert [block.page for block in content.blocks] == [1, 3, 7]
    (warning,) = content.warnings
    assert warning.startswith("Pages 2, 4 to 6 and 8 are pictures of text, which were not read. Install tesseract")
    assert "OCRmyPDF" in warning
    assert "Page 2 is a picture of text" in read(scan(tmp_path / "b.pdf", [None, "picture"])).warnings[0]


@pytest.mark.usefixtures("no_tesseract")
def test_a_document_of_pictures_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="OCR") as told:
        parse(scan(tmp_path / "a.pdf", ["picture", "picture"]))
    assert "tesseract-ocr" in told.value.advice


@pytest.mark.usefixtures("no_tesseract")
def test_a_stamp_on_a_scan_does_not_make_it_a_page_of_text(tmp_path: Path) -> None:
    content = read(scan(tmp_path / "a.pdf", ["picture"], stamp="ACME 000123"))
    assert [block.text for block in content.blocks] == ["ACME 000123"]
    assert "Page 1 is a picture" in content.warnings[0]


@pytest.mark.usefixtures("no_tesseract")
def test_pages_with_a_text_layer_a_small_picture_or_nothing_are_no_scans(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(595, 842), invariant=1)
    picture = ImageReader(Image.new("L", (40, 60), 200))
    canvas.drawImage(picture, 0, 0, 595, 842)
    layer = canvas.beginText(60, 700)
    layer.setTextRenderMode(3)
    layer.textOut("Recognized before.")
    canvas.drawText(layer)
    canvas.showPage()
    canvas.drawImage(picture, 20, 20, 100, 100)
    canvas.showPage()
    canvas.line(0, 0, 100, 100)
    canvas.showPage()
    canvas.save()
    content = read(tmp_path / "a.pdf")
    assert [(block.page, block.text) for block in content.blocks] == [(1, "Recognized before.")]
    assert content.warnings == ()


def test_attached_files_are_told(tmp_path: Path) -> None:
    path = make_pdf(tmp_path / "a.pdf", ["words"])
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        for name in ("a.csv", "b.csv"):
            pdf.attachments[name] = b"1,2"
        pin = pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.FileAttachment, Rect=[9, 9, 20, 20])
        pdf.pages[0].Annots = pikepdf.Array([pdf.make_indirect(pin)])
        pdf.save(path)
    assert "3 attached files, which were not read" in read(path).warnings[0]


@pytest.mark.parametrize(
    ("numbers", "wanted"),
    [
        ([3], "Page 3"),
        ([1, 2], "Pages 1 and 2"),
        ([3, 5, 6, 7, 9], "Pages 3, 5 to 7 and 9"),
        ([4, 5, 6], "Pages 4 to 6"),
    ],
)
def test_names_of_pages(numbers: list[int], wanted: str) -> None:
    assert page_names(numbers) == wanted


@needs_tesseract
@pytest.mark.parametrize("degrees", [0, 90])
def test_scanned_pages_are_recognized_whichever_way_they_lie(tmp_path: Path, degrees: int) -> None:
    text = f"{WORDS} {WORDS} {WORDS}\n\nThe second paragraph speaks of something else. {WORDS}"
    content = parse(scan(tmp_path / "a.pdf", [text], degrees=degrees))
    assert content.text.split() == text.split()
    assert [block.kind for block in content.blocks] == ["paragraph", "paragraph"]
    assert content.warnings == ("Page 1 was read from pictures (OCR); some words may be wrong.",)


@needs_tesseract
def test_scanned_and_typed_pages_stand_in_their_order(tmp_path: Path) -> None:
    content = read(scan(tmp_path / "a.pdf", [None, WORDS, None], stamp="ACME 000123"))
    pages = {page: " ".join(block.text for block in content.blocks if block.page == page) for page in (1, 2, 3)}
    assert pages[1].startswith("Typed text") and pages[3].startswith("Typed text")
    assert "boats wait outside" in pages[2]
    assert pages[2].count("000123") <= 1


@needs_tesseract
def test_pictures_without_text_give_none(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="no text was found"):
        read(make_scanned_pdf(tmp_path / "a.pdf", [None, None]))


@needs_tesseract
def test_pages_that_are_not_reached_in_time_are_told_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = scan(tmp_path / "a.pdf", [None, WORDS, WORDS])
    content = read_pdf(path, ParseLimits(ocr_seconds=0.0))
    assert [block.page for block in content.blocks] == [1]
    assert content.warnings[0].startswith("Pages 2 and 3 were not read: recognizing")
    # The time for text does not count against that for pictures, nor the other way round.
    assert "boats wait" in parse(path, ParseLimits(seconds=120.0, ocr_seconds=300.0)).text


@needs_tesseract
def test_reading_stops_when_it_should(tmp_path: Path) -> None:
    path = scan(tmp_path / "a.pdf", [WORDS] * 30)
    stop = threading.Event()
    threading.Timer(1.0, stop.set).start()
    with pytest.raises(ReadingStopped):
        parse(path, should_stop=stop.is_set)


@pytest.mark.parametrize(
    ("installed", "script", "codes", "wanted"),
    [
        ({"eng"}, "", [], ["eng"]),
        ({"eng", "deu", "osd", "script/Latin"}, "Cyrillic", ["fr"], ["deu", "eng"]),
        ({"eng", "deu", "fra", "rus", "ukr", "osd"}, "Cyrillic", ["", "de_DE", "en"], ["rus", "ukr", "deu", "eng"]),
        ({"eng", "deu", "fra", "rus", "ukr"}, "Latin", ["fr-FR", "de_DE", "en"], ["fra", "deu", "eng"]),
        ({"afr", "amh", "asm", "aze", "bel"}, "Latin", ["en"], ["afr", "amh", "asm", "aze"]),
    ],
)
def test_languages_are_all_of_few_and_the_fitting_of_many(
    installed: set[str], script: str, codes: list[str], wanted: list[str]
) -> None:
    assert languages(installed, script, codes) == wanted
