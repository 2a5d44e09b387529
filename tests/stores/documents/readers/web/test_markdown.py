"""Markdown: blocks as a person reads them, code as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localspec.stores.documents.blocks import Block
from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits
from localspec.stores.documents.readers.plain import read_text
from localspec.stores.documents.readers.web.markdown import read_markdown


def content(text: str) -> Content:
    return read_text(text.encode(), "markdown", ParseLimits())


def blocks(text: str) -> list[Block]:
    return content(text).blocks


def kinds(text: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in blocks(text)]


def test_a_table_has_its_header_and_every_cell() -> None:
    rows = "".join(f"| K-{number:03} | {number} |  | a \\| b |\n" for number in range(300))
    (block,) = blocks(f"| item | weight | note | more |\n| --- | ---: | --- | :-: |\n{rows}")
    assert block.table is not None
    assert (block.table.header_rows, len(block.table.rows)) == (1, 301)
    assert block.table.rows[0] == ("item", "weight", "note", "more")
    assert block.table.rows[218] == ("K-217", "217", "", "a | b")
    assert "---" not in block.text


def test_tables_drawn_with_rules_and_grids_are_tables() -> None:
    """As pandoc writes them, with a caption below."""
    simple = "  Item    Weight\n  ------ --------\n  K-1    *7* kg\n  K-2    8 | 9\n\n  : Stock\n"
    several = (
        "  ---------------\n  Item   Note\n  ------ --------\n  K-1    two\\\n         lines\n\n"
        "  K-2    one\n  ---------------\n"
    )
    grid = "+-----+-----+\n| a   | b   |\n+=====+=====+\n| 1   | 2   |\n+-----+-----+\n| 3   | 4   |\n+-----+-----+\n"
    found = blocks(f"Before\n\n{simple}\n{several}\n{grid}\nAfter\n")
    assert [block.table.rows for block in found if block.table is not None] == [
        (("Item", "Weight"), ("K-1", "7 kg"), ("K-2", "8 | 9")),
        (("Item", "Note"), ("K-1", "two lines"), ("K-2", "one")),
        (("a", "b"), ("1", "2"), ("3", "4")),
    ]
    assert [block.text for block in found if block.table is None] == ["Before", "Stock", "After"]
    fenced = f"```\n{simple}```\n"
    assert [block.kind for block in blocks(fenced)] == ["code"]


def test_headings_of_both_kinds_and_none_in_code() -> None:
    text = "Intro\n\n# One `code` # {#id}\n\n```\n# no heading\n```\n\nTwo *words*\n===\n\n### Deep\nText\n"
    assert [(block.kind, block.level, block.section, block.text) for block in blocks(text)] == [
        ("paragraph", 0, "", "Intro"),
        ("heading", 1, "One code", "One code"),
        ("code", 0, "One code", "# no heading"),
        ("heading", 1, "Two words", "Two words"),
        ("heading", 3, "Deep", "Deep"),
        ("paragraph", 0, "Deep", "Text"),
    ]


def test_code_is_exact_and_keeps_its_language() -> None:
    code = "def f():\n\n    return '\u00a0*x*  <b>'  # &amp;"
    assert kinds(f"```python title=a\n{code}\n```") == [("code", f"```python\n{code}\n```")]
    assert kinds(f"~~~\n{code}\n~~~") == [("code", code)]
    assert kinds("    a  *b*\n\n      c\n") == [("code", "a  *b*\n\n  c")]
    assert kinds("- item\n\n  ```sh\n  ls\n  ```\n") == [("list item", "- item"), ("code", "```sh\nls\n```")]


def test_lists_keep_numbers_levels_and_ticks() -> None:
    found = blocks("3. three\n4. four\n   - deep\n     more\n\n- [x] done\n- [ ] open\n* * *\n1) one\n")
    assert [(block.level, block.text) for block in found] == [
        *((0, "3. three"), (0, "4. four"), (1, "- deep more"), (0, "- [x] done"), (0, "- [ ] open"), (0, "1. one"))
    ]
    assert {block.kind for block in found} == {"list item"}


def test_notes_definitions_quotes_and_pictures() -> None:
    assert kinds("Fact[^a].\n\n[^a]: The note\n    goes on.\n\nTerm\n: Meaning\n\n> said\n\n![A cat](cat.png)\n") == [
        ("paragraph", "Fact[a]."),
        ("note", "[a] The note goes on."),
        ("list item", "Term: Meaning"),
        ("paragraph", "said"),
        ("caption", "A cat"),
    ]


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("**bold** and _it_ and `a  b`", "bold and it and a b"),
        ("[here](https://example.org/a) [top](#top) <https://b.org>", "here (https://example.org/a) top https://b.org"),
        ("[same][x]\n\n[x]: docs/a.md 'Title'", "same (docs/a.md)"),
        ("snake_case_name and 2 * 3 * 4", "snake_case_name and 2 * 3 * 4"),
        ("use Vec<String> or List<int>", "use Vec<String> or List<int>"),
        ("x <script>alert(1)</script>", "x <script>alert(1)</script>"),
        ("x<sup>2</sup> <!-- no --> &copy; <kbd>Ctrl</kbd>", "x^2 © Ctrl"),
        ("$x_1 * y_1$ costs $5 and $6", "$x_1 * y_1$ costs $5 and $6"),
        ("one\ntwo  \nthree", "one two\nthree"),
        ("日本\n語", "日本語"),
        ("~~old~~ new", "~~old~~ new"),
    ],
)
def test_text_is_what_a_person_reads(markup: str, text: str) -> None:
    assert [block.text for block in blocks(markup)] == [text]


def test_front_matter_names_the_document() -> None:
    found = content('---\ntitle: "My paper"\nauthor: Ann\n---\n\n# Start\n')
    assert found.title == "My paper"
    assert [block.text for block in found.blocks] == ['title: "My paper"\nauthor: Ann', "Start"]
    assert content("# Start\n\nText").title == "Start"
    assert [block.text for block in blocks("---\n\nwords\n\n---\n\nmore")] == ["words", "more"]
    assert content("+++\ntitle = 'T'\n+++\nwords").title == "T"


def test_html_between_paragraphs() -> None:
    text = "# A\n\n<details>\n<summary>More</summary>\n\nHidden *text*.\n\n</details>\n\nAfter\n\n"
    text += "<table><tr><th rowspan=2>a<th>b<tr><th>c<tr><td>1<td>2</table>\n\n<style>\np {}\n</style>\n"
    found = blocks(text)
    assert [(block.section, block.text) for block in found] == [
        ("A", "A"),
        ("A › More", "More"),
        ("A › More", "Hidden text."),
        ("A", "After"),
        ("A", "a | b\na | c\n1 | 2"),
    ]
    assert found[-1].table is not None
    assert found[-1].table.header_rows == 2


def test_tabs_and_boxes_of_documentation_programs() -> None:
    text = '# A\n\n=== "Linux"\n\n    Run apt.\n\n=== "Mac"\n\n    Run brew.\n\nAfter\n\n!!! note "Care"\n    Hot.\n'
    assert [(block.section, block.text) for block in blocks(text + "\n::: tip\nCold\n:::\n")] == [
        *(("A", "A"), ("A › Linux", "Linux"), ("A › Linux", "Run apt."), ("A › Mac", "Mac")),
        *(("A › Mac", "Run brew."), ("A", "After"), ("A", "note: Care"), ("A", "Hot."), ("A", "Cold")),
    ]


def test_the_projects_own_documents_lose_no_word(request: pytest.FixtureRequest) -> None:
    text = Path(request.config.rootpath, "README.md").read_text(encoding="utf-8")
    found = " ".join(block.text for block in blocks(text))
    words = set(re_words(text)) - set(re_words(found))
    assert len(words) <= len(set(re_words(text))) / 200, words


def re_words(text: str) -> list[str]:
    return "".join(sign if sign.isalnum() else " " for sign in text).split()


MARKUP = st.lists(
    st.sampled_from(
        [
            *("# a\n", "- b\n", "1. c\n", "  ", "    ", "\n", "```\n", "|a|b|\n", "|-|-|\n", "> ", "<div>", "</div>\n"),
            *(
                "<td>",
                "</p>",
                "<li>",
                "<details>\n",
                "</details>",
                "<summary>",
                "<table>\n",
                "</table>",
                "*",
                "`",
                "[",
                "]",
            ),
            *(
                "(x)",
                "[^1]",
                "[^1]: n\n",
                ": d\n",
                "!!! t\n",
                '=== "T"\n',
                "$",
                "$$\n",
                ":::\n",
                "<!--",
                "word ",
                "<pre>",
            ),
            *("<dt>", "<dd>", "<caption>", "<figure>", "<sup>", "<label>", "<th rowspan=0>", "</tr>", "---\n", "\\"),
        ]
    ),
    max_size=60,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(MARKUP)
def test_any_markup_is_read(text: str) -> None:
    writer = BlockWriter(ParseLimits())
    read_markdown(text, writer)
    for block in writer.blocks:
        assert block.text.strip()


@pytest.mark.parametrize("text", ["[" * 5000, "> " * 5000, "- " * 5000, "<div>\n\n" * 2000, "*a " * 5000, "|a" * 3000])
def test_hostile_markup_ends(text: str) -> None:
    assert blocks(text) is not None


def test_directives_of_myst_hold_markdown_or_code() -> None:
    text = "```{warning}\nTurn it *off*.\n\n- first\n```\n\n"
    text += "````{admonition} Why\n:class: tip\n```{note}\nInner.\n```\n````\n"
    code = "```{code-block} python\n:linenos:\nx = 1\n```\n"
    assert kinds(text + code) == [
        ("paragraph", "warning"),
        ("paragraph", "Turn it off."),
        ("list item", "- first"),
        ("paragraph", "Why"),
        ("paragraph", "note"),
        ("paragraph", "Inner."),
        ("code", "```python\nx = 1\n```"),
    ]
