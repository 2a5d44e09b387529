"""All files of the matrix: those that are kept, and those that are written when the tests run."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.mark.structures import MarkDecorator

from localspec.stores.documents.blocks import Block
from localspec.stores.documents.parse import ParsedDocument, parse
from tests.stores.documents.written.programs import MADE, WRITTEN
from tests.stores.documents.written.sheet_writers import WORKBOOKS
from tests.stores.documents.written.slide_writers import TALKS
from tests.stores.documents.written.text_writers import HANDBOOKS

WRITERS: dict[str, Callable[[Path], Path]] = {**HANDBOOKS, **WORKBOOKS, **TALKS}
NAMES = (*MADE, *WRITERS)


def marks(name: str) -> tuple[MarkDecorator, ...]:
    """Of a test that needs the file: whether it is written by Chromium now."""
    return (pytest.mark.browser, pytest.mark.slow) if name in WRITERS and "chromium" in name else ()


@functools.cache
def path_of(name: str, folder: Path) -> Path:
    """Where the file is; it is written into the folder where it is not kept."""
    return WRITERS[name](folder / name) if name in WRITERS else WRITTEN / name


@functools.cache
def read(name: str, folder: Path) -> ParsedDocument:
    """The file as the store reads it."""
    return parse(path_of(name, folder))


def one_line(text: str) -> str:
    """Without line ends, curled apostrophes and composed otherwise."""
    return " ".join(unicodedata.normalize("NFC", text).replace("’", "'").split())


def holding(found: ParsedDocument, text: str) -> Block:
    """The one block that says a text."""
    blocks = [block for block in found.blocks if text in one_line(block.text)]
    assert len(blocks) == 1, [block.text for block in blocks]
    return blocks[0]
