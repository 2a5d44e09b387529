"""Splits documents into passages: pieces of one page and section that are long enough to answer from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from semantic_text_splitter import MarkdownSplitter, TextSplitter

from localspec.stores.documents.blocks import Block, joined
from localspec.stores.documents.parse import ParsedDocument

_PIECE_CHARACTERS = 20_000
"""The splitter looks at the whole text it is given; pieces keep its time proportional to the length."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document with the place where it starts."""

    text: str
    page: int | None  # 1-based page or slide; None where the format has none
    section: str
    ordinal: int  # 0-based position among the document's passages


def split(document: ParsedDocument, characters: tuple[int, int] = (400, 900)) -> list[Passage]:
    """Passages of at most `characters[1]` characters in the document's order; no text but white space is lost. Cuts
    fall between headings, paragraphs, sentences or words, in this order of preference. What is shorter than a quarter
    of `characters[0]`, such as a lone heading, joins what follows it on the same page."""
    lower, upper = characters
    if not 0 < lower <= upper:
        raise ValueError(f"characters must be two sizes in rising order, not {characters}")
    # Code keeps the indentation of a passage's first line.
    splitter = (
        MarkdownSplitter(upper) if document.kind == "markdown" else TextSplitter(upper, trim=document.kind != "code")
    )
    passages: list[Passage] = []
    for block in _merged(document.blocks, lower // 4):
        for piece in _pieces(block.text):
            for chunk in splitter.chunks(piece):
                text = chunk.strip("\n").rstrip()
                if text.strip():
                    passages.append(Passage(text, block.page, block.section, len(passages)))
    return passages


def _merged(blocks: tuple[Block, ...], tiny: int) -> Iterator[Block]:
    """Blocks of one place as one block; tiny ones under the section that follows on the same page."""
    run: list[Block] = []
    page: int | None = None
    section = ""
    length = 0
    for block in blocks:
        if run and (block.page != page or (block.section != section and length >= tiny)):
            yield Block(joined(run), page, section)
            run, length = [], 0
        run.append(block)
        length += len(block.text)
        page, section = block.page, block.section
    if run:
        yield Block(joined(run), page, section)


def _pieces(text: str) -> Iterator[str]:
    """`text` in large pieces, cut at empty lines, else at line ends, else at spaces, else anywhere."""
    start = 0
    while len(text) - start > _PIECE_CHARACTERS:
        end = start + _PIECE_CHARACTERS
        for mark in ("\n\n", "\n", " "):
            cut = text.rfind(mark, start + _PIECE_CHARACTERS // 2, end)
            if cut > 0:
                end = cut
                break
        yield text[start:end]
        start = end
    yield text[start:]
