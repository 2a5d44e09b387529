"""Another embedder is chosen: documents are cut for it and embedded anew beside what there is of them."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from numpy.typing import ArrayLike

from localspec.stores.library import IngestionProgress, Library
from localspec.stores.vectors import VectorIndex
from tests.stores.libraries import INGEST_UNTIL_KILLED, WordEmbedder, contents, long_text, open_library, statuses

NAMES = ("one.txt", "two.md", "short.txt")


class ShortEmbedder(WordEmbedder):
    """One that reads shorter texts."""

    longest = 40
    languages = ()
    relevance = (0.9, 0.0, 0.0)

    def __init__(self, fingerprint: str = "short") -> None:
        super().__init__(fingerprint)


@pytest.fixture
def folder(tmp_path: Path, write: Callable[..., Path]) -> Path:
    """A library that `WordEmbedder` has embedded."""
    library = open_library(tmp_path / "library")
    library.add(write("one.txt", long_text("one", 400)))
    library.add(write("two.md", "# Lighthouse\n\n" + long_text("two", 300) + "\n\nAda Torrent built the lighthouse."))
    library.add(write("short.txt", "A xylophone is an instrument."))
    library.ingest()
    library.close()
    return tmp_path / "library"


def fresh(folder: Path, embedder: WordEmbedder) -> dict[str, object]:
    """What the same files give in a library that is begun with an embedder."""
    made = open_library(folder.with_name("fresh"), embedder=embedder)
    source = open_library(folder, embedder=embedder)
    for info in source.documents():
        (sha256,) = source._database.row("SELECT sha256 FROM documents WHERE id = ?", [info.id])
        (copy,) = (folder / "files").glob(f"{sha256}*")
        made.add(copy, name=info.name)
    source.close()
    made.ingest()
    expected = contents(made)
    made.close()
    return expected


def passages_of(library: Library) -> dict[str, list[tuple[object, ...]]]:
    return {
        info.name: [(p.ordinal, p.page, p.section, p.text) for p in library.passages.of(info.id)]
        for info in library.documents()
    }


def vectors_by(library: Library) -> dict[str, int]:
    rows = library._database.rows(
        "SELECT fingerprint, count(*) FROM text_vectors JOIN embedders ON id = embedder GROUP BY fingerprint"
    )
    return dict(rows)


def test_passages_are_cut_for_the_new_one(folder: Path) -> None:
    embedder = ShortEmbedder()
    expected = fresh(folder, embedder)
    library = open_library(folder, embedder=embedder, other_embedders=lambda: [WordEmbedder()])
    before, vectors = contents(library), vectors_by(library)
    ngrams = library.ngrams.count()
    assert before != expected
    assert library.rebuild_needed() != []
    library.rebuild()
    assert library.rebuild_needed() == []
    while_made: list[IngestionProgress] = []

    def watch(progress: IngestionProgress) -> None:
        if progress.stage == "anew":
            while_made.append(progress)
            found = library.passages.look_up("who built the lighthouse, Ada Torrent?")
            assert any("Ada Torrent" in one.text for one in found.passages)
            assert found.similarity is not None, "by the vectors that there are"
            kept = contents(library)
            assert all(kept[name] in (before[name], expected[name]) for name in NAMES), "whole, old or new"

    library.ingest(progress=watch)
    assert len(while_made) > 5
    assert [one.fraction for one in while_made] == sorted(one.fraction for one in while_made)
    assert {one.documents_total for one in while_made} <= {2, 3}
    assert contents(library) == expected
    assert statuses(library) == dict.fromkeys(NAMES, "ready")
    assert set(vectors_by(library)) == {"short"} != set(vectors)
    assert library.ngrams.count() == ngrams, "they are of the target's tokenizer and stay"
    texts = [one.text for info in library.documents() for one in library.passages.of(info.id)]
    assert max(embedder.count_tokens(texts)) <= ShortEmbedder.longest
    found = library.passages.look_up("xylophone instrument")
    assert (found.embedded, found.relevance) == (True, ShortEmbedder.relevance)
    assert library.progress.done
    library.close()


def test_passages_that_are_the_same_stay(folder: Path) -> None:
    library = open_library(folder, embedder=WordEmbedder("as long"))
    ids = [one.id for info in library.documents() for one in library.passages.of(info.id)]
    library.rebuild()
    assert {info.name for info in library.ingest()} == set(NAMES)
    assert [one.id for info in library.documents() for one in library.passages.of(info.id)] == ids
    assert set(vectors_by(library)) == {"as long"}
    library.close()


def test_the_former_vectors_serve_until_then(folder: Path) -> None:
    old = open_library(folder)
    expected = old.passages.look_up("xylophone instrument")
    old.close()
    library = open_library(folder, embedder=ShortEmbedder(), other_embedders=lambda: [WordEmbedder()])
    library.rebuild()
    found = library.passages.look_up("xylophone instrument")
    assert [one.id for one in found.passages][:3] == [one.id for one in expected.passages][:3]
    assert (found.similarity, found.relevance) == (expected.similarity, WordEmbedder.relevance)
    assert not found.embedded
    library.remove(3)
    again = library.passages.look_up("xylophone instrument")
    assert all(one.document != 3 for one in again.passages)
    library.close()
    # Without the other model the words find it.
    library = open_library(folder, embedder=ShortEmbedder())
    assert library.passages.look_up("lighthouse").similarity is None
    assert library.passages.look_up("lighthouse").passages
    library.close()


def test_the_former_index_is_not_built_anew_at_each_opening(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []
    add = VectorIndex.add

    def counted(index: VectorIndex, labels: list[int], vectors: ArrayLike) -> None:
        built.append(len(labels))
        add(index, labels, vectors)

    def reopened() -> Library:
        return open_library(folder, embedder=ShortEmbedder(), other_embedders=lambda: [WordEmbedder()])

    monkeypatch.setattr(VectorIndex, "add", counted)
    former = folder / "former-passages.hnsw"
    for step in range(3):
        library = reopened()
        built.clear()
        assert library.passages.look_up("xylophone instrument").relevance == WordEmbedder.relevance
        assert sum(built) == 0
        library._vectors.embed(library._database.rows("SELECT id, 'text' FROM embedded_texts WHERE id = ?", [step + 1]))
        library._vectors.prepare()
        library.close()
        assert former.exists()
    library = reopened()
    library.remove(1)
    assert not former.exists()
    library.passages.look_up("xylophone instrument")
    library._vectors.prepare()
    assert former.exists()
    library.rebuild()
    library.ingest()
    assert not former.exists()
    assert library.passages.look_up("xylophone instrument").relevance == ShortEmbedder.relevance
    library.close()


def test_a_kill_costs_one_step(folder: Path) -> None:
    embedder = ShortEmbedder()
    whole = fresh(folder, embedder)
    library = open_library(folder, embedder=embedder)
    before = passages_of(library)
    library.rebuild()
    library.close()
    program = textwrap.dedent(INGEST_UNTIL_KILLED).replace(
        "open_library(Path(sys.argv[1]))",
        "open_library(Path(sys.argv[1]), embedder=test_embedding_anew.ShortEmbedder())",
    )
    expected = {name: parts[4] for name, parts in whole.items()}  # type: ignore[index]
    seen: list[tuple[int, int]] = []
    for commits, statements in ((3, 3), (6, 4), (9, 2), (6, 9), (12, 1), (14, 30)):
        child = subprocess.run(
            [
                *(sys.executable, "-c", f"from tests.stores.ingestion import test_embedding_anew\n{program}"),
                *(str(folder), str(commits), str(statements)),
            ],
            capture_output=True,
            check=False,
        )
        assert b"Traceback" not in child.stderr
        assert child.returncode in (-getattr(signal, "SIGKILL", 9), 1, 15)
        library = open_library(folder, embedder=embedder)
        for name, passages in passages_of(library).items():
            assert passages in (before[name], expected[name]), "whole, old or new"
        ((made,),) = library._database.rows("SELECT count(*) FROM renewed_passages WHERE vector IS NOT NULL")
        seen.append((-library.renewal.left(), made))
        library.close()
    assert seen == sorted(seen), "it goes on where it was"
    assert len(set(seen)) > 3
    library = open_library(folder, embedder=embedder)
    library.ingest()
    assert contents(library) == whole
    assert set(vectors_by(library)) == {"short"}
    library.close()


def test_a_third_one_is_chosen_meanwhile(folder: Path) -> None:
    class ThirdEmbedder(ShortEmbedder):
        longest = 60

    third = ThirdEmbedder("third")
    expected = fresh(folder, third)
    library = open_library(folder, embedder=ShortEmbedder())
    library.rebuild()
    document = library.renewal.next()
    assert document is not None
    for _ in range(3):
        library.renewal.step(document[0], 5)
    library.close()
    library = open_library(folder, embedder=third)
    library.rebuild()
    library.ingest()
    assert contents(library) == expected
    assert set(vectors_by(library)) == {"third"}
    library.close()


def test_the_first_one_is_chosen_again_meanwhile(folder: Path) -> None:
    library = open_library(folder)
    before = contents(library)
    library.close()
    library = open_library(folder, embedder=ShortEmbedder())
    library.rebuild()
    document = library.renewal.next()
    assert document is not None
    for _ in range(3):
        library.renewal.step(document[0], 5)
    library.close()
    library = open_library(folder)
    if library.rebuild_needed():
        library.rebuild()
    library.ingest()
    assert contents(library) == before
    assert set(vectors_by(library)) == {"words"}
    library.close()


def test_a_document_is_read_again_meanwhile(folder: Path) -> None:
    embedder = ShortEmbedder()
    expected = fresh(folder, embedder)
    library = open_library(folder, embedder=embedder)
    # As an earlier reader had it.
    library._database.change("UPDATE blocks SET text = replace(text, 'Paragraph', 'Pragraph')")
    library.rebuild()
    document = library.renewal.next()
    assert document is not None
    library.renewal.step(document[0], 5)
    library.index_again(document[0])
    library.ingest()
    assert contents(library)["one.txt"] == expected["one.txt"]
    library.close()


def test_what_was_not_embedded_yet_is_cut_first(tmp_path: Path, write: Callable[..., Path]) -> None:
    library = open_library(tmp_path / "library")
    library.add(write("one.txt", long_text("one", 400)))
    library._vectors.missing = lambda limit: []  # type: ignore[method-assign]
    library._vectors.finish_documents = lambda texts=None: None  # type: ignore[method-assign]
    library.ingest()
    assert statuses(library) == {"one.txt": "ngrams"}
    library.close()
    embedder = ShortEmbedder()
    library = open_library(tmp_path / "library", embedder=embedder)
    assert library.rebuild_needed() != []
    library.rebuild()
    library.ingest()
    assert statuses(library) == {"one.txt": "ready"}
    passages = library.passages.of(1)
    assert max(embedder.count_tokens([one.text])[0] for one in passages) <= ShortEmbedder.longest
    assert sum(embedder.calls) == len({one.text for one in passages}), "nothing is embedded in vain"
    library.close()
