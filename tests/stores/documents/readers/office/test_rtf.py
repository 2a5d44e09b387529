"""Rich Text files: letters of all code pages, lists, tables and what stands beside the text."""

from __future__ import annotations

from pathlib import Path

import pytest

from localspec.stores.documents.blocks import Span
from localspec.stores.documents.parse import ParsedDocument, parse

DATA = Path(__file__).parents[4] / "data" / "documents"
HEAD = rb"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fcharset0 Arial;}{\f1\fcharset204{\*\falt x;}Arial CYR;}"
HEAD += rb"{\f2\fcharset128 MS Gothic;}{\f3\fcharset2 Symbol;}}{\colortbl;\red0\green0\blue0;}"
HEAD += rb"{\stylesheet{\s0 Normal;}{\s3\f1\outlinelevel0 \'dcberschrift;}{\*\cs9\f3 Strong;}{\s5 heading 2;}}"


def made(folder: Path, body: bytes) -> ParsedDocument:
    path = folder / "a.rtf"
    path.write_bytes(HEAD + body + b"}")
    return parse(path)


def texts(document: ParsedDocument) -> list[str]:
    return [block.text for block in document.blocks]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rb"caf\'e9 \u8364? \uc2\u8364 ??x", "café € €x"),
        (rb"\f1 \'cf\'f0\'e8\'e2\'e5\'f2\f0  \'e9", "Привет é"),
        (rb"\f2 \'93\'fa\'96\'7b", "日本"),
        (rb"\u-10179?\u-8704?", "😀"),
        (rb"{\uc0\u20013\u25991}", "中文"),
        (rb"a\~b\_c\-d\endash e\line f\tab g\{\}\\", "a b-cd–e\nf\tg{}\\"),
        (rb"{\f3 a\'b3}", "α≥"),
        (rb"seen{\v not} {\deleted old}new{\v0  too}", "seen new too"),
        (rb"{\pict\pngblip 89504e47}{\*\unknown lost}{\object{\*\objdata 0102}{\result shown}}", "shown"),
        (rb"a{\bin4 }{\}b", "ab"),
        (rb"see {\field{\*\fldinst REF a}{\fldrslt clause 4.2}}.", "see clause 4.2."),
        (rb"{\field{\*\fldinst FORMCHECKBOX {\*\formfield{\fftype1\ffres25\ffdefres1}}}{\fldrslt}} smoker", "☒ smoker"),
        (
            rb"{\field{\*\fldinst FORMDROPDOWN {\*\formfield{\fftype2\ffres1{\*\ffl red}{\*\ffl blue}}}}{\fldrslt}}",
            "blue",
        ),
    ],
)
def test_letters_and_fields(tmp_path: Path, body: bytes, expected: str) -> None:
    assert texts(made(tmp_path, body + rb"\par")) == [expected]


def test_headings_lists_and_the_title(tmp_path: Path) -> None:
    found = made(
        tmp_path,
        rb"{\info{\title A \'fcber}{\author Ann}}\pard\s3{\listtext\pard\plain 2.\tab}Scope\par\pard\s5 Terms\par"
        rb"\pard{\listtext\pard\plain (a)\tab}\ilvl1 first\par{\pntext\f3\'b7\tab}dot\par"
        rb"\pard 1.\tab typed\par\pard plain\par",
    )
    assert found.title == "A über"
    assert [(block.text, block.kind, block.level) for block in found.blocks] == [
        ("2. Scope", "heading", 1),
        ("Terms", "heading", 2),
        ("(a) first", "list item", 1),
        ("- dot", "list item", 1),
        ("1. typed", "list item", 0),
        ("plain", "paragraph", 0),
    ]
    assert found.blocks[-1].section == "Terms"


def test_items_that_stand_where_their_number_belongs(tmp_path: Path) -> None:
    """As AbiWord writes them."""
    found = made(
        tmp_path,
        rb"{\listtext\pard\fi-340\li1133{\f0\tab Words}{\f0\par}\n}{\listtext\pard\li1700{2.\tab Water}{\par}}"
        rb"\pard after\par",
    )
    assert [(block.text, block.kind) for block in found.blocks] == [
        ("- Words", "list item"),
        ("2. Water", "list item"),
        ("after", "paragraph"),
    ]


def test_levels_by_indentation_and_captions_by_style(tmp_path: Path) -> None:
    """As pandoc writes lists, and LibreOffice what stands above a table."""
    items = rb"\pard\li360 \bullet\tab one\par\pard\li720 \endash\tab two\par\pard\li360 \bullet\tab three\par"
    found = made(tmp_path, items).blocks
    assert [(block.text, block.level) for block in found] == [("- one", 0), ("- two", 1), ("- three", 0)]
    styles = rb"{\stylesheet{\s22\sbasedon0 Caption;}{\s25\sbasedon22 Table;}}"
    row = rb"\trowd\cellx1000\cellx2000\pard\intbl a\cell b\cell\row"
    above, table, _ = made(tmp_path, styles + rb"\pard\s25 Table 1: Weights\par" + row + rb"\pard end\par").blocks
    assert (above.kind, table.table.title if table.table else "") == ("caption", "Table 1: Weights")
    table, below, _ = made(tmp_path, styles + row + rb"\pard\s25 Table 1: Weights\par\pard end\par").blocks
    assert (below.kind, table.table.title if table.table else "") == ("caption", "Table 1: Weights")


def test_tables_with_merged_cells(tmp_path: Path) -> None:
    by_edges = (
        rb"\trowd\trhdr\clvmgf\cellx1000\cellx3000\pard\intbl Item\cell Weight\cell\row"
        rb"\trowd\trhdr\clvmrg\cellx1000\cellx2000\cellx3000\pard\intbl\cell net\cell gross\cell\row"
        rb"\trowd\cellx1000\cellx2000\cellx3000\pard\intbl K-1\cell\cell 7\par kg\cell\row\pard after\par"
    )
    by_marks = rb"\trowd\clmgf\cellx1000\clmrg\cellx2000\pard\intbl both\cell\cell\row"
    by_marks += rb"\trowd\cellx1000\cellx2000 1\cell 2\cell\row"
    found = made(tmp_path, by_edges + by_marks).blocks
    first, after, second = found
    assert first.table is not None
    assert first.table.rows == (("Item", "Weight", "Weight"), ("Item", "net", "gross"), ("K-1", "", "7 kg"))
    assert (first.table.header_rows, set(first.table.spans)) == (2, {Span(0, 0, 2, 1), Span(0, 1, 1, 2)})
    assert after.text == "after"
    assert second.table is not None
    assert second.table.rows == (("both", "both"), ("1", "2"))


def test_what_stands_beside_the_text(tmp_path: Path) -> None:
    found = made(
        tmp_path,
        rb"{\header\pard Meridian\par}{\footer\pard Page {\field{\*\fldinst PAGE}{\fldrslt 1}} of \chpgn\tab IBAN\par}"
        rb"One{\super\chftn{\footnote\pard{\super\chftn} below\par}} two{\*\atnid A}{\*\atnauthor Ann}\chatn"
        rb"{\*\annotation\pard shorter?\par}{\shp{\*\shpinst\shpleft0{\sp{\sn fill}{\sv 1}}{\shptxt\pard boxed\par}}"
        rb"{\shprslt second copy}}\par Two\par",
    )
    assert texts(found) == ["Meridian", "One[1] two", "[1] below", "Comment by Ann: shorter?", "boxed", "Two", "IBAN"]
    kinds = ["running", "paragraph", "note", "note", "paragraph", "paragraph", "running"]
    assert [block.kind for block in found.blocks] == kinds


def test_files_that_end_too_early_are_read_so_far(tmp_path: Path) -> None:
    path = tmp_path / "cut.rtf"
    path.write_bytes(HEAD + rb"first\par\trowd\cellx1000\pard\intbl a\cell\row{\b second")
    assert texts(parse(path)) == ["first", "a\nsecond"]


def test_a_file_of_libreoffice() -> None:
    found = parse(DATA / "libreoffice.rtf")
    assert (found.kind, found.title) == ("rtf", "Flat sample")
    lines = texts(found)
    expected = ["1.1 Late goods", "The price is 620 euros.", "(b) letter b", "III. Roman three"]
    assert [one for one in expected if one not in lines] == []
    assert lines[0] == "Meridian Ltd · Ref 7"
    assert "Item | Weight | Weight\nItem | net | gross\nK-1 |  | 7" in lines
    assert lines.count("Boxed text once") == 1


def test_a_file_of_pandoc() -> None:
    lines = texts(parse(DATA / "pandoc.rtf"))
    expected = ["b. noch einer", "(2) Beispiel zwei", "- ☒ erledigt", "[1] Die Fußnote sagt etwas Wichtiges."]
    assert [one for one in expected if one not in lines] == []
    assert "Teil | Preis | Menge\nPumpe | 18 | \nRohr |  | 4" in lines
