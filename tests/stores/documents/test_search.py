"""Passages found by a question, by meaning and by words, and by their place; on real SQLite and hnswlib."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localspec.errors import EmbedderError
from localspec.models.embedder import Embedder
from localspec.stores.documents.search import RANK_OFFSET, fuse, words_query
from localspec.stores.library import Library
from localspec.stores.overview import library_identity
from tests.builders import make_pdf
from tests.stores.libraries import MANUAL, BrokenEmbedder, open_library


def test_search_by_meaning_and_words_finds_the_right_passage(tmp_path: Path, write: Callable[..., Path]) -> None:
    library = open_library(tmp_path / "library", embedder=Embedder())
    library.add(write("manual.md", MANUAL))
    library.ingest()
    for question, expected in (
        ("How do I give up a package that I have no time for?", "Orphaning a package"),
        ("NMU", "Non-maintainer uploads"),
        ("Who deals with vulnerabilities?", "Security updates"),
        ("What is the way to prepare basmati as a side dish?", "Cooking rice"),
    ):
        found = library.passages.search(question, 2)
        assert len(found) == 2
        assert expected in found[0].section + found[0].text
        assert found[0].name == "manual.md"
        assert 2 / (RANK_OFFSET + 1) >= found[0].score >= found[1].score > 0
    best = library.passages.search("NMU", 1)[0]
    rest = library.passages.search("NMU", 10, exclude=[best.id])
    assert best.id not in {passage.id for passage in rest}
    assert rest
    library.close()


def test_search_with_nothing_to_find(library: Library, write: Callable[..., Path]) -> None:
    assert library.passages.search("anything") == []
    library.add(write("manual.md", MANUAL))
    library.ingest()
    assert library.passages.search("") == library.passages.search(" \n") == library.passages.search("rice", 0) == []
    # No word of the question occurs: the vectors alone answer.
    assert len(library.passages.search("xylophone ?!", 3)) == 3


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    question=st.text(st.characters(exclude_categories=[]), max_size=60) | st.text('"*():^-+{}NEAROT AND', max_size=30)
)
def test_any_text_is_a_question(question: str, searchable: Library) -> None:
    for passage in searchable.passages.search(question, 3):
        assert passage.name == "manual.md"


@pytest.fixture(scope="module")
def searchable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    folder = tmp_path_factory.mktemp("searchable")
    (folder / "manual.md").write_text(MANUAL)
    library = open_library(folder / "library", embedder=BrokenEmbedder())
    library.add(folder / "manual.md")
    with pytest.raises(EmbedderError):
        library.ingest()
    yield library
    library.close()


def test_a_broken_embedder_leaves_the_search_by_words(searchable: Library) -> None:
    assert "NMU" in searchable.passages.search('what is an "NMU"?', 1)[0].text
    assert "not installed" in searchable.progress.problem
    assert not searchable.progress.done
    assert [document.status for document in searchable.documents()] == ["ngrams"]
    assert searchable.ngrams.count() > 0
    assert any("not installed" in reason for reason in searchable.rebuild_needed())


def test_questions_become_quoted_words() -> None:
    assert words_query('Say "NEAR(p q)" NOT col:x* ^y') == '"say" OR "near" OR "p" OR "q" OR "col" OR "x" OR "y"'
    assert words_query("Who is with the NMU?") == '"nmu"'
    assert words_query("Who is it?") == '"who" OR "is" OR "it"'
    assert words_query("?! \x00 \ud800") == ""
    assert words_query("same SAME same") == '"same"'
    assert words_query(" ".join(f"w{number}" for number in range(500))).count(" OR ") == 63


def test_rank_fusion() -> None:
    assert fuse([[1, 2], [2, 3]]) == pytest.approx({1: 1 / 61, 2: 1 / 62 + 1 / 61, 3: 1 / 62})
    assert fuse([[], []]) == {}


def test_a_cited_passage_is_found_among_its_neighbours(library: Library, write: Callable[..., Path]) -> None:
    pages = [
        f"Page {number} tells of {word * 60}." for number, word in enumerate(("tea ", "salt ", "rope ", "tar "), 1)
    ]
    first = library.add(make_pdf(library.folder.parent / "stores.pdf", pages))
    library.ingest()
    passages = library.passages.of(first.id)
    assert len(passages) == 4
    made = passages[1]
    assert library.passages.around(made.id, made.text, made.name, 1) == passages[:3]
    assert library.passages.around(passages[0].id, passages[0].text, made.name) == passages[:3]
    # Another text has its id, or its document was added anew: what was cited counts.
    assert library.passages.around(made.id, "Another text.", made.name) == []
    library.remove(first.id)
    assert library.passages.around(made.id, made.text, made.name) == []
    again = library.add(make_pdf(library.folder.parent / "stores.pdf", pages))
    library.ingest()
    found = library.passages.around(made.id, made.text, made.name, 1)
    assert [one.ordinal for one in found] == [0, 1, 2]
    assert {one.document for one in found} == {again.id}
    assert library.passages.around(made.id, made.text, "other.pdf") == []
    assert library_identity(library.folder) == library.identity
