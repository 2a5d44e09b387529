"""What tests of libraries share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localspec.stores.library import Library
from tests.stores.libraries import open_library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = open_library(tmp_path / "library")
    yield opened
    opened.close()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    (tmp_path / "sources").mkdir()

    def write_text(name: str, text: str) -> Path:
        path = tmp_path / "sources" / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_text
