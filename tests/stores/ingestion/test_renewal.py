"""Documents that an older version has read are read again beside what there is of them."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from localspec.stores.documents.parse import ParsedDocument, parse
from localspec.stores.ingestion import pipeline
from localspec.stores.library import IngestionProgress, Library
from tests.stores.libraries import (
    INGEST_UNTIL_KILLED,
    BrokenEmbedder,
    WordEmbedder,
    cached_vectors,
    contents,
    long_text,
    open_library,
    statuses,
)

OLD = Path(__file__).parents[2] / "data" / "library-before-blocks.zip"
"""A library as the version before blocks had kinds made it, with `WordEmbedder`: of a manual in Markdown, a table in
CSV, a PDF of two pages and a broken file."""
READY = {"manual.md": "ready", "stock.csv": "ready", "harbour.pdf": "ready", "broken.pdf": "failed"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with zipfile.ZipFile(OLD) as archive:
        archive.extractall(tmp_path / "library")
    return tmp_path / "library"


@pytest.fixture
def old(folder: Path) -> Iterator[Library]:
    opened = open_library(folder)
    yield opened
    opened.close()


def outdated(library: Library) -> list[str]:
    return [info.name for info in library.documents() if info.outdated]


def made_now(library: Library, folder: Path) -> dict[str, object]:
    """What the same files give in a library that is begun now."""
    fresh = open_library(folder)
    for info in library.documents():
        (copy,) = (library.folder / "files").glob(f"{_hash(library, info.id)}*")
        fresh.add(copy, name=info.name)
    fresh.ingest()
    expected = contents(fresh)
    fresh.close()
    return expected


def _hash(library: Library, document: int) -> str:
    (sha256,) = library._database.row("SELECT sha256 FROM documents WHERE id = ?", [document])
    return str(sha256)


def test_an_old_library_opens_and_is_marked(old: Library) -> None:
    assert statuses(old) == READY
    assert outdated(old) == list(READY)
    old.ingest()
    assert outdated(old) == list(READY), "nobody has asked for it"
    assert old.passages.search("who built the lighthouse")[0].name == "harbour.pdf"
    assert "Ada Torrent" in old.document_text(3)


def test_it_is_read_again_on_one_press(old: Library, tmp_path: Path) -> None:
    before = contents(old)
    old.renewal.want()
    assert outdated(old) == [], "it is under way"
    stages: dict[str, int] = {}
    while_read: list[dict[str, object]] = []

    def watch(progress: IngestionProgress) -> None:
        stages[progress.stage] = stages.get(progress.stage, 0) + 1
        if progress.stage == "again" and progress.documents_done == 0:
            assert not progress.done
            while_read.append({name: kept for name, kept in contents(old).items() if name != "broken.pdf"})
            assert old.passages.search("who built the lighthouse")

    old.ingest(progress=watch)
    assert stages["again"] > 5
    assert while_read
    assert all(one == {name: before[name] for name in one} for one in while_read), "the old stays till then"
    assert statuses(old) == READY
    assert outdated(old) == []
    assert contents(old) == made_now(old, tmp_path / "fresh")
    assert contents(old) != before
    assert old.ngrams.documents() == {1, 2, 3}
    assert cached_vectors(old) == sum(info.passages for info in old.documents())
    assert old.progress.done
    assert old.rebuild_needed() == []


def test_vectors_of_equal_passages_are_kept(old: Library, folder: Path) -> None:
    old.renewal.want()
    old.ingest()
    old.close()
    embedder = WordEmbedder()
    again = open_library(folder, embedder=embedder)
    again._database.change("UPDATE documents SET reader = 0")
    again.renewal.want()
    again.ingest()
    assert embedder.calls == []
    assert outdated(again) == []
    again.close()


def test_a_kill_costs_one_step_and_nothing_of_the_old(folder: Path, tmp_path: Path) -> None:
    library = open_library(folder)
    before = contents(library)
    expected = made_now(library, tmp_path / "fresh")
    library.renewal.want()
    library.close()
    seen = []
    for commits, statements in ((3, 3), (6, 30), (8, 1), (8, 60), (10, 90)):
        child = subprocess.run(
            [
                *(sys.executable, "-c", textwrap.dedent(INGEST_UNTIL_KILLED)),
                *(str(folder), str(commits), str(statements)),
            ],
            capture_output=True,
            check=False,
        )
        assert child.stderr == b""
        assert child.returncode in (0, -getattr(signal, "SIGKILL", 9), 1, 15)
        library = open_library(folder)
        found = contents(library)
        seen.append(library.renewal.left())
        for name, kept in found.items():
            if name != "broken.pdf":
                assert kept in (before[name], expected[name]), "whole, old or new"
        assert library.passages.search("who built the lighthouse")[0].name == "harbour.pdf"
        library.close()
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) > 1
    library = open_library(folder)
    library.ingest()
    assert contents(library) == expected
    assert outdated(library) == []
    library.close()


def test_what_cannot_be_read_any_more_stays_as_it_was(old: Library) -> None:
    before = contents(old)
    for copy in (old.folder / "files").glob("*.pdf"):
        copy.unlink()
    old.renewal.want()
    old.ingest()
    assert contents(old)["harbour.pdf"] == before["harbour.pdf"]
    assert outdated(old) == []
    assert old.renewal.left() == 0


def test_a_document_that_goes_meanwhile_is_left_out(old: Library) -> None:
    old.renewal.want()
    old.remove(1)
    old.index_again(2)
    old.ingest()
    assert statuses(old) == {name: status for name, status in READY.items() if name != "manual.md"}
    assert old.renewal.left() == 0


def test_without_an_embedder_the_old_stays(folder: Path) -> None:
    library = open_library(folder, embedder=BrokenEmbedder())
    before = contents(library)
    library.renewal.want()
    library.start()
    assert library.wait(30)
    assert "not installed" in library.progress.problem
    assert {name: kept for name, kept in contents(library).items() if name != "broken.pdf"} == {
        name: kept for name, kept in before.items() if name != "broken.pdf"
    }
    library.close()
    library = open_library(folder)
    library.ingest()
    assert library.renewal.left() == 0
    library.close()


def test_a_pause_halts_it(old: Library) -> None:
    old.pause(True)
    old.renewal.want()
    old.start()
    assert old.wait(10)
    assert old.renewal.left() == 3
    old.pause(False)
    assert old.wait(30)
    assert old.renewal.left() == 0


def test_a_citation_from_before_is_found_by_its_text(old: Library) -> None:
    cited = next(one for one in old.passages.of(2) if "K-050" in one.text)
    lighthouse = old.passages.of(3)[0]
    old.renewal.want()
    old.ingest()
    for one, words in ((cited, "K-050"), (lighthouse, "Ada Torrent")):
        found = old.passages.around(one.id, one.text, one.name)
        assert any(words in passage.text for passage in found)
    assert old.passages.around(cited.id, "Something else altogether, of which nothing is there.", cited.name) == []


def test_a_new_library_is_not_outdated(library: Library, write: Callable[..., Path]) -> None:
    library.add(write("one.txt", long_text("one", 3)))
    library.add(write("broken.pdf", "%PDF-1.4 this is no PDF"))
    library.ingest()
    assert outdated(library) == []
    library.renewal.want()
    assert library.renewal.left() == 0


@pytest.mark.parametrize("where", ["reading", "n-grams"])
def test_one_that_breaks_this_program_stays_alone_as_it_was(
    old: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    before, expected = contents(old), made_now(old, tmp_path / "fresh")
    read, tokenize = parse, old._pipeline._tokenize
    (csv,) = (old.folder / "files").glob("*.csv")

    def broken_parse(path: Path, **rest: Any) -> ParsedDocument:
        if where == "reading" and path == csv:
            raise ZeroDivisionError("a reader's mistake")
        return read(path, **rest)

    def broken_tokenize(text: str) -> NDArray[np.int32]:
        if where == "n-grams" and "K-050" in text:
            raise KeyError("a tokenizer's mistake")
        return tokenize(text)

    monkeypatch.setattr(pipeline, "parse", broken_parse)
    monkeypatch.setattr(old._pipeline, "_tokenize", broken_tokenize)
    old.renewal.want()
    old.ingest()
    assert contents(old) == {**expected, "stock.csv": before["stock.csv"]}
    assert outdated(old) == []
    assert old.renewal.left() == 0
    assert old.progress.done
