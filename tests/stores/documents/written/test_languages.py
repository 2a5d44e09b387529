"""Every word of every language is found in every file that holds it, through the real store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localspec.errors import EmbedderError
from localspec.stores.library import Library
from tests.stores.documents.written import content, test_handbooks, test_talks, test_workbooks
from tests.stores.documents.written.files import NAMES, marks, one_line, path_of
from tests.stores.libraries import BrokenEmbedder, open_library

FILES = [name for name in NAMES if not marks(name)]
LANGUAGES = {name: expected.languages for name, expected in test_handbooks.EXPECTED.items()}
LANGUAGES |= {
    name: tuple(content.LANGUAGES)
    for expected in (test_workbooks.EXPECTED, test_talks.EXPECTED)
    for name, one in expected.items()
    if "languages" not in one.without
}
"""What each file holds."""
NOT_FOUND = {
    ("handbook-tex-columns.pdf", "de"): "accents beside their letters",
    ("handbook-chromium.pdf", "th"): "marks twice",
    ("handbook-chromium.pdf", "hi"): "spaces inside of words",
}
"""Languages of files whose words are not all found yet, and what is read."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[Library]:
    """All files, searched by words alone."""
    opened = open_library(tmp_path_factory.mktemp("matrix") / "library", embedder=BrokenEmbedder())
    for name in FILES:
        opened.add(path_of(name, folder))
    with pytest.raises(EmbedderError):
        opened.ingest()
    yield opened
    opened.close()


@pytest.mark.parametrize("language", content.LANGUAGES)
def test_each_word_is_found_in_each_file(language: str, library: Library) -> None:
    texts = {
        document.name: {one_line(passage.text) for passage in library.passages.of(document.id)}
        for document in library.documents()
    }
    assert texts.keys() == set(FILES)
    holding = {name for name in FILES if language in LANGUAGES.get(name, ())}
    missed: set[str] = set()
    for word in content.LANGUAGES[language].words:
        # Passages with one text are found as one.
        found = {one_line(passage.text) for passage in library.passages.search(word, 2 * len(holding))}
        missed |= {name for name in holding if not any(word in text for text in texts[name] & found)}
    assert missed == {name for name, other in NOT_FOUND if other == language}


def test_what_is_not_found_is_held() -> None:
    assert all(language in LANGUAGES[name] for name, language in NOT_FOUND)
