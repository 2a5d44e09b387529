"""Forms: each value behind its label, whatever the way the label stands beside the field."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from reportlab.pdfgen.canvas import Canvas

from localspec.stores.documents.blocks import Block
from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf

Draw = Callable[[Canvas], None]


def make_form(path: Path, draw: Draw) -> Path:
    """A page of A4 with what `draw` puts on it."""
    canvas = Canvas(str(path), pagesize=(595, 842), invariant=1)
    canvas.setFont("Helvetica", 11)
    draw(canvas)
    canvas.showPage()
    canvas.save()
    return path


def text(canvas: Canvas, x: float, y: float, value: str = "", name: str = "", width: float = 120, **more: Any) -> None:
    """A text field whose name says nothing unless given."""
    more = {"height": 20, "fontSize": 11, **more}
    canvas.acroForm.textfield(x=x, y=y, width=width, value=value, name=name or f"Text{x:.0f}_{y:.0f}", **more)


def tick(canvas: Canvas, x: float, y: float, checked: bool, name: str = "", **more: Any) -> None:
    canvas.acroForm.checkbox(x=x, y=y, size=12, checked=checked, name=name or f"Check{x:.0f}_{y:.0f}", **more)


def read(path: Path) -> list[Block]:
    return read_pdf(path, ParseLimits()).blocks


def blocks(path: Path) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in read(path)]


def fields(path: Path) -> list[str]:
    return [text for kind, text in blocks(path) if kind == "field"]


def left(canvas: Canvas) -> None:
    for x, y, label, value in (
        (60, 700, "Surname:", "Okafor"),
        (60, 670, "E-mail", "a@b.org"),
        (320, 670, "Phone", ""),
        (60, 640, "Plate no.", "LS 482 TK"),
    ):
        canvas.drawString(x, y + 5, label)
        text(canvas, x + 70, y, value)


def above(canvas: Canvas) -> None:
    for x, y, label, value in (
        (60, 700, "First name", "Ada"),
        (320, 700, "Last name", "Lovelace"),
        (60, 660, "Street", "Byron Rd 4"),
        (320, 660, "Postal code", ""),
    ):
        canvas.drawString(x, y + 23, label)
        text(canvas, x, y, value)


def inside_boxes(canvas: Canvas) -> None:
    """Official forms print a small label into the corner of the box that the field fills."""
    for x, label, value in ((60, "1 Name of the firm", "Acme"), (320, "2 Tax number", "12/345")):
        canvas.rect(x, 700, 200, 40)
        canvas.setFont("Helvetica", 7)
        canvas.drawString(x + 3, 731, label)
        text(canvas, x, 700, value, width=200, height=40)


def sentence(canvas: Canvas) -> None:
    canvas.drawString(60, 705, "I,")
    text(canvas, 75, 700, "Jo March", width=100)
    canvas.drawString(180, 705, ", residing at")
    text(canvas, 250, 700, "", width=100)
    canvas.drawString(355, 705, ", agree.")
    canvas.drawString(60, 675, "Born:")
    for x, value, slash in ((100, "03", "/"), (145, "12", "/"), (190, "1990", "")):
        text(canvas, x, 670, value, width=32)
        canvas.drawString(x + 35, 675, slash)
    canvas.drawString(60, 645, "Weight:")
    text(canvas, 110, 640, "70", width=40)
    canvas.drawString(155, 645, "kg")


def ticks(canvas: Canvas) -> None:
    canvas.drawString(60, 700, "Interests:")
    for x, label, on in ((140, "Music", True), (240, "Sport", False)):
        tick(canvas, x, 698, on)
        canvas.drawString(x + 16, 700, label)
    tick(canvas, 60, 668, True)
    canvas.drawString(80, 670, "I have read the terms of use and I agree to")
    canvas.drawString(80, 656, "all of them.")


def ticks_behind(canvas: Canvas) -> None:
    canvas.drawString(60, 700, "Resident:")
    tick(canvas, 180, 698, True)
    for x, label, on in ((60, "Newsletter", False), (160, "Adverts", True)):
        canvas.drawString(x, 670, label)
        tick(canvas, x + 65, 668, on)


def table_of_ticks(canvas: Canvas) -> None:
    canvas.drawString(300, 720, "Yes")
    canvas.drawString(360, 720, "No")
    for y, question, yes in ((700, "Do you smoke?", False), (680, "Insured?", True)):
        canvas.drawString(60, y, question)
        tick(canvas, 302, y - 2, yes)
        tick(canvas, 362, y - 2, not yes)


def table_of_texts(canvas: Canvas) -> None:
    for x, head in ((60, "Item"), (200, "Qty"), (320, "Price")):
        canvas.drawString(x, 725, head)
    for y, item, quantity, price in ((700, "Bolt M8", "2", "9.50"), (675, "Nut M8", "1", ""), (650, "Rod", "", "")):
        canvas.drawString(60, y + 5, item)
        text(canvas, 200, y, quantity, width=60)
        text(canvas, 320, y, price, width=60)


def printed_lines(canvas: Canvas) -> None:
    canvas.drawString(60, 700, "Signature: ____________________   Place ........................")
    text(canvas, 115, 697, "J. March", width=110)
    text(canvas, 270, 697, "Leeds", width=70)


def lists(canvas: Canvas) -> None:
    canvas.drawString(60, 705, "Favourite:")
    canvas.acroForm.listbox(name="l", x=140, y=690, width=90, height=40, options=["Red", "Green"], value="Green")
    canvas.drawString(300, 705, "Country:")
    options = [("Germany", "de"), ("France", "fr")]
    canvas.acroForm.choice(name="c", x=360, y=700, width=90, height=20, options=options, value="fr")
    canvas.drawString(60, 670, "Remarks")
    text(canvas, 140, 630, "Ring twice\nSecond door", height=50, fieldFlags="multiline")


def without_labels(canvas: Canvas) -> None:
    text(canvas, 60, 700, "C-17", tooltip="Customer number")
    text(canvas, 320, 700, "R-77", name="order.reference")
    tick(canvas, 60, 600, True, tooltip="Paid")
    text(canvas, 60, 500, "words alone")
    text(canvas, 60, 400)


@pytest.mark.parametrize(
    ("draw", "wanted"),
    [
        (left, ["Surname: Okafor", "E-mail: a@b.org", "Phone:", "Plate no: LS 482 TK"]),
        (above, ["First name: Ada", "Last name: Lovelace", "Street: Byron Rd 4", "Postal code:"]),
        (inside_boxes, ["1 Name of the firm: Acme", "2 Tax number: 12/345"]),
        (sentence, ["I, Jo March, residing at ____, agree.", "Born: 03 / 12 / 1990", "Weight: 70 kg"]),
        (ticks, ["Music: [x]", "Sport: [ ]", "I have read the terms of use and I agree to all of them: [x]"]),
        (ticks_behind, ["Resident: [x]", "Newsletter: [ ]", "Adverts: [x]"]),
        (
            table_of_ticks,
            ["Do you smoke?, Yes: [ ]", "Do you smoke?, No: [x]", "Insured?, Yes: [x]", "Insured?, No: [ ]"],
        ),
        (
            table_of_texts,
            [
                *("Bolt M8, Qty: 2", "Bolt M8, Price: 9.50", "Nut M8, Qty: 1", "Nut M8, Price:"),
                *("Rod, Qty:", "Rod, Price:"),
            ],
        ),
        (printed_lines, ["Signature: J. March", "Place: Leeds"]),
        (lists, ["Country: France", "Favourite: Green", "Remarks: Ring twice\nSecond door"]),
        (without_labels, ["Customer number: C-17", "reference: R-77", "Paid: [x]", "words alone"]),
    ],
)
def test_labels_go_before_values(tmp_path: Path, draw: Draw, wanted: list[str]) -> None:
    path = make_form(tmp_path / "a.pdf", draw)
    assert sorted(fields(path)) == sorted(wanted)
    # Each label is said once: in its field, and not as a paragraph as well.
    rest = " ".join(words for kind, words in blocks(path) if kind != "field")
    assert set(rest.split()) <= {"Interests:", "Item"}


@pytest.mark.parametrize("chosen", [None, 0, 1])
@pytest.mark.parametrize("across", [True, False])
def test_radio_buttons_say_what_is_chosen_and_what_else_could_be(
    tmp_path: Path, chosen: int | None, across: bool
) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawString(60, 700, "Payment:")
        for number, label in enumerate(("Cash", "Card")):
            x, y = (140 + 100 * number, 700) if across else (60, 682 - 18 * number)
            canvas.acroForm.radio(name="pay", value=f"v{number}", selected=number == chosen, x=x, y=y - 2, size=12)
            canvas.drawString(x + 16, y, label)

    marks = ["x" if number == chosen else " " for number in (0, 1)]
    words = "" if chosen is None else ("Cash", "Card")[chosen] + " "
    wanted = f"Payment: {words}([{marks[0]}] Cash, [{marks[1]}] Card)"
    assert blocks(make_form(tmp_path / "a.pdf", draw)) == [("field", wanted)]


def test_fields_stand_where_they_are_read(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawString(60, 780, "Please fill in.")
        left(canvas)
        canvas.drawString(60, 600, "Then send it.")

    assert [words for _, words in blocks(make_form(tmp_path / "a.pdf", draw))] == [
        *("Please fill in.", "Surname: Okafor", "E-mail: a@b.org", "Phone:", "Plate no: LS 482 TK", "Then send it.")
    ]


def test_a_value_is_read_without_its_appearance_and_once_where_it_is_printed_as_well(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        left(canvas)
        canvas.drawString(132, 705, "Okafor")

    path = make_form(tmp_path / "a.pdf", draw)
    before = fields(path)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        for annotation in pdf.pages[0].Annots:
            del annotation.AP
        pdf.Root.AcroForm.NeedAppearances = True
        pdf.save(path)
    assert fields(path) == before == ["Surname: Okafor", "E-mail: a@b.org", "Phone:", "Plate no: LS 482 TK"]
    assert " ".join(block.text for block in read(path)).count("Okafor") == 1


def test_what_a_form_hides_stays_hidden(tmp_path: Path) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.drawString(60, 705, "Shown:")
        text(canvas, 120, 700, "seen")
        canvas.drawString(60, 675, "Secret:")
        text(canvas, 120, 670, "opensesame", fieldFlags="password")
        text(canvas, 320, 700, "unseen", annotationFlags="hidden")

    assert fields(make_form(tmp_path / "a.pdf", draw)) == ["Shown: seen", "Secret: ••••••••••"]


def test_a_child_takes_its_name_from_its_parents_and_one_value_shows_in_two_places(tmp_path: Path) -> None:
    path = make_form(tmp_path / "a.pdf", lambda canvas: text(canvas, 60, 700, "Ada", name="x"))
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        page = pdf.pages[0]
        first = page.Annots[0]
        second = pdf.make_indirect(pikepdf.Dictionary(dict(first.items())))
        second.Rect = [60, 500, 180, 520]
        parent = pdf.make_indirect(
            pikepdf.Dictionary(FT=first.FT, T="applicant", V="Ada", Kids=pikepdf.Array([first, second]))
        )
        for kid in (first, second):
            kid.Parent = parent
            for key in ("/FT", "/T", "/V"):
                del kid[key]
        page.Annots.append(second)
        pdf.Root.AcroForm.Fields = pikepdf.Array([parent])
        pdf.save(path)
    assert fields(path) == ["applicant: Ada", "applicant: Ada"]


def test_a_tick_is_what_is_shown(tmp_path: Path) -> None:
    """LibreOffice names the look of a tick otherwise than its value."""
    path = make_form(tmp_path / "a.pdf", ticks_behind)
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        for annotation in pdf.pages[0].Annots:
            looks = annotation.AP.N
            looks[pikepdf.Name("/on")] = looks.Yes
            del looks[pikepdf.Name("/Yes")]
        pdf.save(path)
    assert fields(path) == ["Resident: [x]", "Newsletter: [ ]", "Adverts: [x]"]
