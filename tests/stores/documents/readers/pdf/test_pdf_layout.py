"""Layout of PDF pages: columns, running lines, kinds of blocks and right-to-left lines, as the reader gives them."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportlab.lib.enums import TA_JUSTIFY
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, SimpleDocTemplate

from localspec.stores.documents.readers.content import Content, ParseLimits
from localspec.stores.documents.readers.pdf.pdf_direction import DrawnCharacter, plain_forms, reading_order
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf

HARBOUR = "The harbour keeps its boats in winter and"
FOREST = "the forest grows its oaks and ferns behind"


def read(path: Path) -> Content:
    """What the reader gives."""
    return read_pdf(path, ParseLimits())


def texts(path: Path, *kinds: str) -> list[str]:
    """Texts of the blocks of these kinds, or of all."""
    return [block.text for block in read(path).blocks if not kinds or block.kind in kinds]


def two_columns(path: Path, *, by_lines: bool, gutter: float, shift: float = 0.0, count: int = 2) -> Path:
    """A page with a title over columns of 20 lines each, written line by line or column by column."""
    canvas = Canvas(str(path), pagesize=(700, 800), invariant=1)
    canvas.setFont("Helvetica", 16)
    canvas.drawString(60, 760, "A title that stands over all of the columns of this page")
    canvas.setFont("Times-Roman", 10)
    width = canvas.stringWidth(f"{HARBOUR} 00", "Times-Roman", 10)
    order = [(line, column) for line in range(20) for column in range(count)]
    for line, column in order if by_lines else sorted(order, key=lambda one: (one[1], one[0])):
        text = f"{(HARBOUR, FOREST)[column % 2]} {line + 20 * column:02}"
        canvas.drawString(60 + column * (width + gutter), 730 - 12 * line - shift * column, text)
    canvas.drawString(
        60, 420, "A line of text that runs below all of the columns from the left margin to the right one of it."
    )
    canvas.save()
    return path


@pytest.mark.parametrize("gutter", [10.0, 24.0])
@pytest.mark.parametrize("shift", [0.0, 5.0])
@pytest.mark.parametrize("count", [2, 3])
def test_columns_are_read_one_after_another_whichever_way_they_were_written(
    tmp_path: Path, gutter: float, shift: float, count: int
) -> None:
    lines = two_columns(tmp_path / "a.pdf", by_lines=True, gutter=gutter, shift=shift, count=count)
    columns = two_columns(tmp_path / "b.pdf", by_lines=False, gutter=gutter, shift=shift, count=count)
    assert texts(lines) == texts(columns)
    words = " ".join(texts(lines)).split()
    numbers = [int(word) for word in words if word.isdigit()]
    assert numbers == list(range(20 * count))
    assert words[:2] == ["A", "title"]
    assert words[-3:] == ["one", "of", "it."]


def test_a_word_broken_at_the_end_of_a_column_is_whole(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), invariant=1)
    for number in range(12):
        end = "admin-" if number == 11 else "boats"
        canvas.drawString(60, 700 - 14 * number, f"The left column tells of its {end}")
        start = "istrators" if number == 0 else "captains"
        canvas.drawString(320, 700 - 14 * number, f"{start} of the right column tell")
    canvas.save()
    assert "tells of its administrators of the right" in " ".join(" ".join(texts(tmp_path / "a.pdf")).split())


def test_numbers_at_the_right_stay_with_their_lines(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), invariant=1)
    for number in range(8):
        canvas.drawString(60, 700 - 14 * number, f"Costs of the department number {number} in the first year")
        canvas.drawRightString(500, 700 - 14 * number, f"{1000 + number},00")
    canvas.save()
    text = " ".join(" ".join(texts(tmp_path / "a.pdf")).replace("|", "").split())
    for number in range(8):
        assert f"number {number} in the first year {1000 + number},00" in text


def test_running_lines_stand_once_and_page_numbers_not_at_all(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    for number in range(6):
        canvas.drawString(60, 770, "Manual of the pump")
        canvas.drawString(300, 30, str(number + 1))
        for line in range(10):
            canvas.drawString(60, 700 - 14 * line, f"Line {line} of page {'abcdef'[number]} tells about the pump.")
        canvas.showPage()
    canvas.save()
    blocks = read(tmp_path / "a.pdf").blocks
    assert [(block.text, block.page) for block in blocks if block.kind == "running"] == [("Manual of the pump", 1)]
    assert not any(block.text.isdigit() for block in blocks)


def test_kinds_of_blocks(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    canvas.setFont("Helvetica-Bold", 18)
    canvas.drawString(60, 750, "Using the pump")
    canvas.setFont("Helvetica-Bold", 14)
    canvas.drawString(60, 720, "First steps")
    canvas.setFont("Helvetica", 10)
    for number in range(5):
        canvas.drawString(60, 700 - 12 * number, f"Sentence {number} says how the pump is used by its owner every day")
    for number, text in enumerate(("• Open the valve.", "• Start the motor.", "• Wait.")):
        canvas.drawString(70, 630 - 12 * number, text)
    canvas.drawString(60, 580, "Figure 3: The pump from the left.")
    canvas.setFont("Courier", 10)
    for number, text in enumerate(("for pump in pumps:", "    pump.start()", "    pump.wait(  5)")):
        canvas.drawString(60, 550 - 12 * number, text)
    canvas.setFont("Helvetica", 7)
    canvas.drawString(60, 90, "1 The owner may be a firm.")
    canvas.save()
    blocks = read(tmp_path / "a.pdf").blocks
    assert [(block.kind, block.level, block.text) for block in blocks if block.kind != "paragraph"] == [
        ("heading", 1, "Using the pump"),
        ("heading", 2, "First steps"),
        ("list item", 0, "• Open the valve."),
        ("list item", 0, "• Start the motor."),
        ("list item", 0, "• Wait."),
        ("caption", 0, "Figure 3: The pump from the left."),
        ("code", 0, "for pump in pumps:\n    pump.start()\n    pump.wait(  5)"),
        ("note", 0, "1 The owner may be a firm."),
    ]
    assert {block.section for block in blocks[2:]} == {"First steps"}


def test_bookmarks_give_levels(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), invariant=1)
    canvas.bookmarkHorizontal("one", 0, 715)
    canvas.addOutlineEntry("Pumps", "one", level=0)
    canvas.bookmarkHorizontal("two", 0, 665)
    canvas.addOutlineEntry("Small pumps", "two", level=1)
    for height, text in ((700, "Pumps"), (680, "They move water."), (650, "1.1 Small pumps"), (630, "They move less.")):
        canvas.drawString(60, height, text)
    canvas.save()
    found = [(block.kind, block.level, block.section) for block in read(tmp_path / "a.pdf").blocks]
    assert found == [
        ("heading", 1, "Pumps"),
        ("paragraph", 0, "Pumps"),
        ("heading", 2, "Small pumps"),
        ("paragraph", 0, "Small pumps"),
    ]


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_pages_are_read_as_upright_ones(tmp_path: Path, turn: int) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(800, 800), invariant=1)
    canvas.translate(400, 400)
    canvas.rotate(turn)
    canvas.translate(-400, -400)
    for number in range(6):
        canvas.drawString(100, 600 - 14 * number, f"Line {number} of the page that was turned in the printer and so on")
    canvas.save()
    numbers = [word for word in " ".join(texts(tmp_path / "a.pdf")).split() if word.isdigit()]
    assert numbers == list("012345")


def drawn(text: str, *, step: float = 6.0) -> list[DrawnCharacter]:
    """Characters of a text as they are seen from left to right."""
    return [DrawnCharacter(one, step * place, step * (place + 1)) for place, one in enumerate(text)]


@pytest.mark.parametrize(
    ("seen", "read_as"),
    [
        ("םלוע םולש", "שלום עולם"),
        (".123 רפסמ", "מספר 123."),
        ("הלעמו version 2.5 הסרג", "גרסה version 2.5 ומעלה"),
        ("(אב) 12/05/2024", "12/05/2024 (בא)"),
        ("see םולש there, hello", "see שלום there, hello"),
        ("50% " + "הנחה"[::-1], "הנחה 50%"),
    ],
)
def test_right_to_left_lines_come_in_the_order_of_reading(seen: str, read_as: str) -> None:
    words = reading_order(drawn(seen), 10.0)
    assert " ".join("".join(one.text for one in word) for word in words) == read_as


def test_presentation_forms_become_letters_and_other_text_stays() -> None:
    assert plain_forms("\ufee3\ufeae\ufea3\ufe92\ufe8e ½ ﬁ ①") == "مرحبا ½ ﬁ ①"
    assert plain_forms("\ufefb") == "لا"


def test_ruled_tables_beside_each_other_are_columns(tmp_path: Path) -> None:
    """Reference cards: each column has headings and tables of its own."""
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 400), invariant=1)
    for column, shift in enumerate((0.0, 4.0)):
        left = 40 + 290 * column
        for part in range(2):
            top = 360 - shift - 150 * part
            canvas.drawString(left + 60, top, f"Part {column}{part}")
            for row in range(5):
                y = top - 25 - 18 * row
                canvas.drawString(left + 4, y, f"name{column}{part}{row}")
                canvas.drawString(left + 104, y, f"what {column}{part}{row} does")
                canvas.rect(left, y - 5, 100, 18)
                canvas.rect(left + 100, y - 5, 150, 18)
    canvas.save()
    blocks = read(tmp_path / "a.pdf").blocks
    assert [block.text for block in blocks if block.table is None] == ["Part 00", "Part 01", "Part 10", "Part 11"]
    order = [block.text if block.table is None else block.table.rows[0][0] for block in blocks]
    assert order == ["Part 00", "name000", "Part 01", "name010", "Part 10", "name100", "Part 11", "name110"]
    assert all(len(block.table.rows[0]) == 2 for block in blocks if block.table is not None)


def test_text_goes_on_beside_and_below_side_notes(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    for line in range(14):
        canvas.setFont("Times-Roman", 11)
        y = 700 - 14 * line - (30 if line > 11 else 0)
        canvas.drawString(60, y, f"{HARBOUR} {FOREST} {line:02}")
    for line in range(5):
        canvas.setFont("Times-Roman", 8)
        canvas.drawString(510, 686 - 10 * line, f"{line + 20} remarks on boats")
    canvas.save()
    numbers = [int(word) for word in " ".join(texts(tmp_path / "a.pdf")).split() if word.isdigit()]
    assert numbers == [*range(14), *range(20, 25)]


def test_a_footnote_of_several_paragraphs_stays_whole(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    canvas.setFont("Times-Roman", 11)
    for line in range(20):
        canvas.drawString(60, 700 - 14 * line, f"{HARBOUR} {FOREST}")
    canvas.setFont("Times-Roman", 8)
    notes = ["1 The first note is short.", "2 Names that are used in the archive are:", "unstable", "stable"]
    for number, text in enumerate(notes):
        canvas.drawString(60, 160 - 16 * number, text)
    canvas.save()
    assert "\n".join(texts(tmp_path / "a.pdf", "note")).split("\n") == notes


def test_a_small_line_of_code_at_the_foot_is_no_note(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    canvas.setFont("Times-Roman", 11)
    for line in range(20):
        canvas.drawString(60, 700 - 14 * line, f"{HARBOUR} {FOREST}")
    canvas.setFont("Helvetica", 8)
    canvas.drawString(60, 160, "linux the kernel with its root and its options")
    canvas.setFont("Times-Roman", 11)
    canvas.drawString(60, 120, "The last line of the page follows the small one.")
    canvas.save()
    assert texts(tmp_path / "a.pdf")[-2:] == [
        "linux the kernel with its root and its options",
        "The last line of the page follows the small one.",
    ]


def test_titles_of_chapters_beside_page_numbers_stand_once(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800), invariant=1)
    for page in range(12):
        canvas.setFont("Times-Roman", 10)
        title = ("The Harbour", "The Forest", "The Road")[page // 4]
        canvas.drawString(60, 770, title)
        canvas.drawString(520, 770, str(page + 1))
        for line in range(10):
            canvas.drawString(60, 700 - 14 * line, f"{HARBOUR} {FOREST} {page}{line}")
        canvas.showPage()
    canvas.save()
    assert texts(tmp_path / "a.pdf", "running") == ["The Harbour", "The Forest", "The Road"]
    assert not texts(tmp_path / "a.pdf", "heading")


def test_a_quotation_between_narrower_margins_runs_on(tmp_path: Path) -> None:
    path = tmp_path / "a.pdf"
    style = ParagraphStyle("text", fontName="Times-Roman", fontSize=10, leading=12, alignment=TA_JUSTIFY)
    quoted = ParagraphStyle("quoted", parent=style, leftIndent=60, rightIndent=60, spaceBefore=8, spaceAfter=8)
    sentences = f"{HARBOUR} {FOREST} the road that nobody knows. " * 6
    story = [Paragraph(sentences, one) for one in (style, quoted, style)]
    SimpleDocTemplate(str(path), invariant=1).build(story)
    assert "\n" not in " ".join(texts(path))
