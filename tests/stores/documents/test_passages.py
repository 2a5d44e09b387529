from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localspec.stores.documents.blocks import Block
from localspec.stores.documents.parse import ParsedDocument, parse
from localspec.stores.documents.passages import split
from tests.builders import make_pdf

_texts = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=400)
_blocks = st.lists(
    st.builds(Block, _texts, st.one_of(st.none(), st.integers(1, 3)), st.sampled_from(["", "One", "Two"])), max_size=8
)


def document(blocks: list[Block], kind: str = "text") -> ParsedDocument:
    return ParsedDocument("title", kind, tuple(blocks), None, ())


@settings(max_examples=150, deadline=None)
@given(_blocks, st.sampled_from(["text", "markdown", "code", "pdf"]), st.sampled_from([(20, 40), (400, 900), (1, 1)]))
def test_no_text_is_lost_or_reordered(blocks: list[Block], kind: str, characters: tuple[int, int]) -> None:
    parsed = document(blocks, kind)
    passages = split(parsed, characters)
    assert "".join("".join(passage.text for passage in passages).split()) == "".join(parsed.text.split())
    assert [passage.ordinal for passage in passages] == list(range(len(passages)))
    assert all(passage.text.strip() and len(passage.text) <= characters[1] for passage in passages)
    assert passages == split(parsed, characters)


def test_small_blocks_of_one_place_fill_a_passage() -> None:
    blocks = [Block(f"Sentence number {number} of the section.", 1, "Intro") for number in range(100)]
    passages = split(document(blocks))
    assert all(passage.page == 1 and passage.section == "Intro" for passage in passages)
    assert all(len(passage.text) > 700 for passage in passages[:-1])


def test_a_passage_has_the_page_where_it_starts() -> None:
    pages = [f"page{number} " + "some more words here " * 80 for number in range(1, 6)]
    passages = split(document([Block(text, number, "") for number, text in enumerate(pages, 1)]))
    starts = {passage.text.split()[0]: passage.page for passage in passages if passage.text.startswith("page")}
    assert starts == {f"page{number}": number for number in range(1, 6)}
    assert [passage.page for passage in passages] == sorted(passage.page or 0 for passage in passages)


def test_a_lone_heading_joins_the_section_below_it() -> None:
    blocks = [Block("# Part", None, "Part"), Block("## Chapter\n\n" + "Text of it. " * 20, None, "Chapter")]
    passages = split(document(blocks, "markdown"))
    assert [passage.section for passage in passages] == ["Chapter"]
    assert passages[0].text.startswith("# Part\n\n## Chapter")


def test_a_tiny_page_does_not_join_the_next_one() -> None:
    passages = split(document([Block("Cover", 1, ""), Block("Text " * 30, 2, "")]))
    assert [passage.page for passage in passages] == [1, 2]


def test_code_keeps_its_indentation() -> None:
    code = "\n\n".join(f"def function_{number}():\n    if True:\n        return {number}" for number in range(200))
    text = "\n".join(passage.text for passage in split(document([Block(code, None, "")], "code")))
    assert [line for line in text.split("\n") if line] == [line for line in code.split("\n") if line]


@pytest.mark.parametrize("characters", [(0, 10), (500, 400), (-1, 5)])
def test_senseless_sizes_are_refused(characters: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="characters"):
        split(document([Block("text", None, "")]), characters)


@pytest.mark.parametrize("unit", ["A sentence of plain words, as people write them. ", "word", "line\n"])
def test_five_megabytes_take_seconds(unit: str) -> None:
    text = unit * (5_000_000 // len(unit))
    start = time.perf_counter()
    passages = split(document([Block(text, None, "")]))
    assert time.perf_counter() - start < 10
    assert sum(len("".join(passage.text.split())) for passage in passages) == len("".join(text.split()))


def test_a_real_pdf_gives_passages_with_its_pages(tmp_path: Path) -> None:
    pages = [f"Topic {word}. " + "It is explained at some length on this page. " * 30 for word in ("apple", "pear")]
    passages = split(parse(make_pdf(tmp_path / "fruit.pdf", pages)))
    assert {passage.page for passage in passages} == {1, 2}
    assert next(passage for passage in passages if "pear" in passage.text).page == 2
