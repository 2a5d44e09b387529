"""Only what a reader sees: crop box, layers that are off, invisible text unless it is that of a scan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf
from tests.builders import make_pdf


def text(path: Path) -> str:
    return " ".join(" ".join(block.text for block in read_pdf(path, ParseLimits()).blocks).split())


def shown(words: str, y: int) -> bytes:
    return f" BT /F1 12 Tf 60 {y} Td ({words}) Tj ET ".encode()


@pytest.mark.parametrize("rotation", [0, 90])
@pytest.mark.parametrize("within_form", [False, True])
def test_text_outside_of_the_crop_box_is_left_out(tmp_path: Path, rotation: int, within_form: bool) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(600, 800))
    if within_form:
        canvas.beginForm("all")
    for x, y, words in ((60, 780, "printer's mark"), (60, 400, "inside the page"), (460, 300, "cut here gone")):
        canvas.drawString(x, y, words)
    if within_form:
        canvas.endForm()
        canvas.translate(10, 0)
        canvas.doForm("all")
    canvas.save()
    with pikepdf.open(tmp_path / "a.pdf", allow_overwriting_input=True) as pdf:
        pdf.pages[0].CropBox = Array([50, 50, 505 + 10 * within_form, 750])
        pdf.pages[0].Rotate = rotation
        pdf.save(tmp_path / "a.pdf")
    assert sorted(text(tmp_path / "a.pdf").split()) == ["cut", "here", "inside", "page", "the"]


def layered(path: Path, default: Any, membership: Any = None, usage: Any = None) -> Path:
    """Words in layers Draft and Live, in a form object of Draft, and in a membership of the two."""
    make_pdf(path, ["Base"])
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        draft = pdf.make_indirect(Dictionary(Type=Name.OCG, Name="Draft", **({"Usage": usage} if usage else {})))
        live = pdf.make_indirect(Dictionary(Type=Name.OCG, Name="Live"))
        groups = {"draft": draft, "live": live}
        pdf.Root.OCProperties = Dictionary(OCGs=Array([draft, live]), D=Dictionary(default(groups)))
        page = pdf.pages[0]
        fonts = page.Resources.Font
        member = Dictionary(Type=Name.OCMD, **(membership(groups) if membership else {"OCGs": live}))
        inner = Dictionary(Font=fonts, Properties=Dictionary(A=draft))
        box = Array([0, 0, 600, 800])
        more = {"Type": Name.XObject, "Subtype": Name.Form, "BBox": box, "Resources": inner}
        nested = shown("nested-on", 500) + b"/OC /A BDC" + shown("nested-draft", 480) + b"EMC"
        page.Resources.XObject = Dictionary(
            X=pdf.make_stream(shown("object-draft", 460), OC=draft, **more), Y=pdf.make_stream(nested, **more)
        )
        page.Resources.Properties = Dictionary(A=draft, B=live, C=member)
        parts = [("A", "draft", 600), ("B", "live", 580), ("C", "member", 560)]
        content = b"".join(b"/OC /%s BDC%sEMC " % (key.encode(), shown(words, y)) for key, words, y in parts)
        page.contents_add(content + b" /X Do /Y Do")
        pdf.save(path)
    return path


DRAFT = {"draft", "object-draft", "nested-draft"}


@pytest.mark.parametrize(
    ("default", "membership", "usage", "hidden"),
    [
        (lambda groups: {}, None, None, set()),
        (lambda groups: {"/OFF": [groups["draft"]]}, None, None, DRAFT),
        (lambda groups: {"/BaseState": Name.OFF, "/ON": [groups["live"]]}, None, None, DRAFT),
        (lambda groups: {"/OFF": [groups["live"]]}, None, None, {"live", "member"}),
        (lambda g: {"/OFF": [g["draft"]]}, lambda g: {"OCGs": [g["draft"], g["live"]]}, None, DRAFT),
        (
            lambda g: {"/OFF": [g["draft"]]},
            lambda g: {"OCGs": [g["draft"], g["live"]], "P": Name.AllOn},
            None,
            DRAFT | {"member"},
        ),
        (lambda g: {"/OFF": [g["draft"]]}, lambda g: {"OCGs": g["draft"], "P": Name.AllOff}, None, DRAFT),
        (
            lambda g: {"/OFF": [g["draft"]]},
            lambda g: {"VE": [Name.And, g["live"], [Name.Not, g["draft"]]]},
            None,
            DRAFT,
        ),
        (
            lambda g: {"/OFF": [g["draft"]]},
            lambda g: {"VE": [Name.Not, [Name.Or, g["live"], g["draft"]]]},
            None,
            DRAFT | {"member"},
        ),
        (
            lambda g: {"/AS": [Dictionary(Event=Name.View, Category=[Name.View], OCGs=[g["draft"]])]},
            None,
            Dictionary(View=Dictionary(ViewState=Name.OFF)),
            DRAFT,
        ),
        (
            lambda g: {"/AS": [Dictionary(Event=Name.Print, Category=[Name.Print], OCGs=[g["draft"]])]},
            None,
            Dictionary(Print=Dictionary(PrintState=Name.OFF)),
            set(),
        ),
    ],
)
def test_layers_that_are_off_are_left_out(
    tmp_path: Path, default: Any, membership: Any, usage: Any, hidden: set[str]
) -> None:
    path = layered(tmp_path / "a.pdf", default, membership, usage)
    everything = {"Base", "draft", "live", "member", "object-draft", "nested-on", "nested-draft"}
    assert set(text(path).split()) == everything - hidden


def test_layers_are_found_in_compressed_files_too(tmp_path: Path) -> None:
    path = layered(tmp_path / "a.pdf", lambda groups: {"/OFF": [groups["draft"]]})
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        pdf.save(path, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    assert b"/OCProperties" not in path.read_bytes()
    assert DRAFT.isdisjoint(text(path).split())


@pytest.mark.parametrize("width", [595, 200, 0])
@pytest.mark.parametrize("clear", [False, True])
def test_invisible_text_is_kept_only_over_a_picture(tmp_path: Path, width: int, clear: bool) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(595, 842))
    canvas.drawString(60, 800, "seen")
    if width:
        canvas.drawImage(ImageReader(Image.new("L", (40, 60), 200)), 0, 0, width, 842 if width > 500 else 400)
    if clear:
        canvas.setFillAlpha(0)
    layer = canvas.beginText(60, 300)
    layer.setTextRenderMode(0 if clear else 3)
    layer.textOut("recognized")
    canvas.drawText(layer)
    canvas.save()
    assert text(tmp_path / "a.pdf") == ("seen recognized" if width else "seen")


def test_white_text_is_kept(tmp_path: Path) -> None:
    canvas = Canvas(str(tmp_path / "a.pdf"))
    canvas.drawString(60, 700, "black")
    canvas.setFillGray(1)
    canvas.drawString(60, 600, "white")
    canvas.save()
    assert text(tmp_path / "a.pdf") == "black white"
