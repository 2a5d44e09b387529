"""Plain text and code: lines as they are, sections where headings are sure, drawn tables as tables."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localspec.stores.documents.blocks import Block
from localspec.stores.documents.readers.content import ParseLimits
from localspec.stores.documents.readers.plain import read_text


def blocks(text: str, suffix: str = ".txt", kind: str = "text") -> list[Block]:
    return read_text(text.encode(), kind, ParseLimits(), suffix).blocks


def outline(text: str, suffix: str = ".txt") -> list[tuple[int, str]]:
    """(level, text) of each heading."""
    return [(block.level, block.text) for block in blocks(text, suffix) if block.kind == "heading"]


def test_code_stays_as_it_is() -> None:
    code = "def f():\n\n\n    '''\n    Title\n    =====\n    '''\n\treturn 1\n"
    (block,) = blocks(code, ".py", "code")
    assert (block.kind, block.text) == ("code", code)


def test_paragraphs_keep_their_lines() -> None:
    poem = "The sea\n    is wide\n  and deep"
    assert [(block.kind, block.text) for block in blocks(f"{poem}\n\n\n\nNext one.\n")] == [
        ("paragraph", poem),
        ("paragraph", "Next one."),
    ]


def test_underlined_headings_are_sections() -> None:
    text = "=====\nGuide\n=====\n\nIntro\n\nSetup\n-----\nDo this.\n\nMore\n~~~~\n\n"
    text += "x\n\nLast\n----\n\n日本語の章\n----------\n\ny\n"
    assert outline(text, ".rst") == [(1, "Guide"), (2, "Setup"), (3, "More"), (2, "Last"), (2, "日本語の章")]
    assert [block.section for block in blocks(text, ".rst")][-1] == "日本語の章"
    assert read_text(text.encode(), "text", ParseLimits(), ".rst").title == "Guide"


@pytest.mark.parametrize(
    "text",
    [
        *(
            "Name    Age\n----    ---\nAnn     36\n",
            "a\n\n-----\n\nb\n",
            "  quoted\n  ======\n",
            "-----\n=====\nwords\n",
        ),
        *(
            "Total of all the things that were counted\n---\n",
            "3.5 million people live here.\n\nYes\n",
            "1.5 kg\n\nx\n",
        ),
        *("1. First thing\n\n2. Second thing\n\n3. Third thing\n", "10:30 Lunch\n\nx\n", "NO!\n\nx\n", "OK\n\nx\n"),
        *("words\n\n3.2 Method .......... 12\n\nx\n", "2024-01-01 ERROR BROKEN\n2024-01-02 AGAIN\n"),
    ],
)
def test_what_only_looks_like_a_heading(text: str) -> None:
    assert outline(text) == []


def test_headings_without_marks() -> None:
    text = (
        "ANNUAL REPORT\n\nw\n\n1. Introduction\n\nw\n\n3.2 The Method\n\nw\n\n3.2.1. Details\n\nw\n\nChapter IV\n\nw\n"
    )
    assert outline(text) == [
        *((1, "ANNUAL REPORT"), (1, "1. Introduction"), (2, "3.2 The Method"), (3, "3.2.1. Details"), (1, "Chapter IV"))
    ]
    assert outline("NAME\n       ls - list\n\nSYNOPSIS\n       ls [OPTION]\n") == [(1, "NAME"), (1, "SYNOPSIS")]


def test_marks_of_other_formats() -> None:
    text = "= Guide\n\nIntro\n\n== Setup\n\n----\n== no heading\n\ncode\n----\n\nEnd\n"
    assert outline(text, ".adoc") == [(1, "Guide"), (2, "Setup")]
    assert ("code", "== no heading\n\ncode") in [(block.kind, block.text) for block in blocks(text, ".adoc")]
    text = "#+TITLE: Guide\n\n* Setup\nwords\n** Deep\n#+BEGIN_SRC python\n* no heading\n#+END_SRC\n"
    assert outline(text, ".org") == [(1, "Guide"), (1, "Setup"), (2, "Deep")]
    text = "\\section{One}\nwords\n\n\\subsection*{Two}\n\nmore\n"
    assert outline(text, ".tex") == [(2, "One"), (3, "Two")]


def test_lists_keep_their_marks_and_levels() -> None:
    found = blocks("- one\n  goes on\n- two\n    * deep\n\n1. first\n2. second\n")
    assert [(block.kind, block.level, block.text) for block in found] == [
        ("list item", 0, "- one\ngoes on"),
        ("list item", 0, "- two"),
        ("list item", 1, "* deep"),
        ("list item", 0, "1. first"),
        ("list item", 0, "2. second"),
    ]


@pytest.mark.parametrize(
    ("drawing", "rows", "header_rows"),
    [
        (  # of a database
            "+----+------+\n| id | name |\n+----+------+\n|  1 | ann  |\n|  2 |      |\n+----+------+",
            [("id", "name"), ("1", "ann"), ("2", "")],
            1,
        ),
        (  # reStructuredText: a row can have several lines
            "+------+-----+\n| Name | Age |\n+======+=====+\n| Ann  | 36  |\n| B.   |     |\n+------+-----+\n"
            "| Bea  |     |\n+------+-----+",
            [("Name", "Age"), ("Ann B.", "36"), ("Bea", "")],
            1,
        ),
        (
            "=====  =====\nA      B\n=====  =====\n1      2\nx      y z\n=====  =====",
            [("A", "B"), ("1", "2"), ("x", "y z")],
            1,
        ),
        ("Name    Age\n----    ---\nAnn     36\nBea", [("Name", "Age"), ("Ann", "36"), ("Bea", "")], 1),
        ("┌────┬───┐\n│ a  │ b │\n├────┼───┤\n│ 1  │ 2 │\n└────┴───┘", [("a", "b"), ("1", "2")], 1),
        ("| a | b |\n| - | - |\n| 1 |   |", [("a", "b"), ("1", "")], 1),
    ],
)
def test_drawn_tables(drawing: str, rows: list[tuple[str, ...]], header_rows: int) -> None:
    (block,) = blocks(f"{drawing}\n")
    assert block.table is not None
    assert block.table.rows == tuple(rows)
    assert block.table.header_rows == header_rows


def test_a_drawing_that_is_no_plain_table_keeps_its_lines() -> None:
    drawing = "+---+---+\n| a     |\n+---+---+\n| 1 | 2 |\n+---+---+"
    assert [(block.kind, block.text) for block in blocks(drawing)] == [("code", drawing)]


def test_a_log_is_one_text() -> None:
    log = "2024 START\n\nA\n-\n- b\n"
    assert [block.text for block in blocks(log, ".log")] == [log]


def signs(text: str) -> str:
    return "".join(text.split())


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["- a\n", "  b\n", "\n", "===\n", "---\n", "1. c\n", "WORDS\n", "Text", "\t", "\n\n", "2.1 De\n"]
        )
    ).map("".join),
    st.sampled_from([".txt", ".rst", ".org", ""]),
)
def test_nothing_but_rules_is_lost(text: str, suffix: str) -> None:
    found = signs("".join(block.text for block in blocks(text, suffix)))
    assert found.replace("=", "").replace("-", "").replace("|", "") == signs(text).replace("=", "").replace("-", "")


def test_code_below_two_colons_is_code() -> None:
    text = (
        "It runs so::\n\n   run()\n\n     wait()\n\nThen.\n\n.. code-block:: c\n   :linenos:\n\n   int a;\n\n   An end."
    )
    assert [(block.kind, block.text) for block in blocks(text, ".rst")] == [
        ("paragraph", "It runs so::"),
        ("code", "   run()\n     wait()"),
        ("paragraph", "Then."),
        ("paragraph", ".. code-block:: c\n   :linenos:"),
        ("code", "   int a;\n   An end."),
    ]
    assert [block.kind for block in blocks(".. note::\n\n   A text.", ".rst")] == ["paragraph", "paragraph"]


@pytest.mark.parametrize(
    ("text", "rows", "header_rows"),
    [
        ("|===\n|A |B\n\n|1 |2\n|3 |\n|===", (("A", "B"), ("1", "2"), ("3", "")), 1),
        ("|===\n|A |B\n\n|1\n|2\n\n|3\n|4\n|===", (("A", "B"), ("1", "2"), ("3", "4")), 1),
        ("|===\n|1 a|2\n|3 |4\n|===", (("1", "2"), ("3", "4")), 0),
    ],
)
def test_tables_of_asciidoc(text: str, rows: tuple[tuple[str, ...], ...], header_rows: int) -> None:
    (block,) = blocks(text, ".adoc")
    assert block.table is not None
    assert (block.table.rows, block.table.header_rows) == (rows, header_rows)


def test_a_table_of_asciidoc_that_is_none_keeps_its_lines() -> None:
    for inner in ("|A |B\n\n|1", "|A |B\nfurther words |2", "words"):
        (block,) = blocks(f"|===\n{inner}\n|===", ".adoc")
        assert (block.kind, block.text) == ("code", inner)


def test_a_table_of_org_needs_no_empty_line() -> None:
    assert [block.kind for block in blocks("- item\n| A | B |\n|---+---|\n| 1 | 2 |\nMore.", ".org")] == [
        "list item",
        "table",
        "paragraph",
    ]
