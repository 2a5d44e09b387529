"""Annotations: notes, comments on marked words, replies and texts typed onto a page; and what they leave out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name

from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.pdf.pdf_reader import read_pdf
from tests.builders import make_pdf


def annotated(path: Path, *annotations: dict[str, Any], text: str = "The total price is 120 crowns.") -> Path:
    """A page with a line of text at a height of 780 points, and these annotations."""
    make_pdf(path, [text])
    with pikepdf.open(path, allow_overwriting_input=True) as pdf:
        made: list[Any] = []
        for values in annotations:
            box = values.get("Rect", [60, 700, 80, 720])
            answers = values.pop("answers", None)
            one = Dictionary(Type=Name.Annot, Rect=Array(box), **{k: v for k, v in values.items() if k != "Rect"})
            if answers is not None:
                one.IRT = made[answers]
            made.append(pdf.make_indirect(one))
        pdf.pages[0].Annots = Array(made)
        pdf.save(path)
    return path


def read(path: Path) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in read_pdf(path, ParseLimits()).blocks]


def notes(path: Path) -> list[str]:
    return [text for kind, text in read(path) if kind == "note"]


def marked(left: float, right: float, bottom: float = 777, top: float = 790) -> list[float]:
    return [left, top, right, top, left, bottom, right, bottom]


def test_notes_say_who_wrote_them(tmp_path: Path) -> None:
    path = annotated(
        tmp_path / "a.pdf",
        {"Subtype": Name.Text, "Contents": "Is this gross?", "T": "Ann Lee", "Rect": [60, 600, 80, 620]},
        {"Subtype": Name.Text, "Contents": "No author\rand two lines"},
        {"Subtype": Name.Square, "Contents": "Around the table"},
        {"Subtype": Name.Ink, "Contents": "Größe prüfen", "T": "Jörg"},
        {"Subtype": Name.Caret, "Contents": "net"},
    )
    assert sorted(notes(path)) == [
        *("Note by Ann Lee: Is this gross?", "Note by Jörg: Größe prüfen", "Note: Around the table"),
        *("Note: No author\nand two lines", "Note: net"),
    ]


def test_comments_name_the_words_they_mark(tmp_path: Path) -> None:
    words = marked(82, 130)  # "total price"
    path = annotated(
        tmp_path / "a.pdf",
        {"Subtype": Name.Highlight, "Contents": "Check this", "T": "Ann", "QuadPoints": Array(words)},
        {"Subtype": Name.StrikeOut, "QuadPoints": Array(words)},
        {"Subtype": Name.Underline, "Contents": "total price", "QuadPoints": Array(words)},
    )
    assert notes(path) == ['Note by Ann on "total price": Check this', 'Marked: "total price"']


def test_replies_follow_what_they_answer(tmp_path: Path) -> None:
    path = annotated(
        tmp_path / "a.pdf",
        {"Subtype": Name.Text, "Contents": "First?", "T": "Ann", "Rect": [60, 700, 80, 720]},
        {"Subtype": Name.Text, "Contents": "Second?", "T": "Ann", "Rect": [60, 500, 80, 520]},
        {"Subtype": Name.Text, "Contents": "Yes.", "T": "Bob", "answers": 0},
        {"Subtype": Name.Text, "Contents": "Thanks.", "T": "Ann", "answers": 2},
        {"Subtype": Name.Text, "Contents": "Accepted set by Bob", "StateModel": "Review", "answers": 0},
    )
    assert notes(path) == [
        *("Note by Ann: First?", "Reply by Bob: Yes.", "Reply by Ann: Thanks.", "Note by Ann: Second?")
    ]


def test_typed_texts_are_notes_or_the_values_of_a_form_without_fields(tmp_path: Path) -> None:
    look = {"Subtype": Name.FreeText, "DA": "/Helv 11 Tf 0 g"}
    path = annotated(
        tmp_path / "a.pdf",
        {**look, "Contents": "Ada Lovelace", "Rect": [105, 776, 200, 794]},
        {**look, "Contents": "VOID", "Rect": [300, 400, 380, 420], "T": "Ann"},
        text="Name: __________________________",
    )
    assert read(path) == [("field", "Name: Ada Lovelace"), ("note", "Note by Ann: VOID")]


def test_hidden_annotations_links_and_popups_are_left_out(tmp_path: Path) -> None:
    path = annotated(
        tmp_path / "a.pdf",
        {"Subtype": Name.Text, "Contents": "unseen", "F": 2},
        {"Subtype": Name.Text, "Contents": "unseen either", "F": 32},
        {"Subtype": Name.Link, "Contents": "a link"},
        {"Subtype": Name.Popup, "Contents": "the window of a note"},
        {"Subtype": Name.Stamp, "Contents": "Approved on 3 May"},
        {"Subtype": Name.Text, "RC": "<body><p>Rich <b>words</b></p></body>"},
    )
    assert sorted(notes(path)) == ["Note: Approved on 3 May", "Note: Rich words"]


def test_a_page_of_notes_alone_is_read(tmp_path: Path) -> None:
    path = annotated(tmp_path / "a.pdf", {"Subtype": Name.Text, "Contents": "Only this"}, text="")
    assert read(path) == [("note", "Note: Only this")]
