"""Files for the next question, over a real library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from localspec.application.attached_files import Attachment, attached, states, take_in, take_off, unsearchable, usable
from localspec.stores.library import Library
from tests.builders import make_pdf
from tests.stores.libraries import MANUAL, open_library


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = open_library(tmp_path / "work")
    yield opened
    opened.close()


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def said(attachments: list[Attachment], library: Library | None) -> list[tuple[str, str]]:
    return [(state.name, state.said) for state in states(attachments, library)]


def test_a_file_is_read_step_by_step(library: Library, tmp_path: Path) -> None:
    files = attached([(written(tmp_path, "upload", MANUAL.encode()), "manual.md")], "work")
    assert files[0].bytes == len(MANUAL)
    assert said(files, None) == [("waiting", "waiting: no model is loaded")]
    assert files[0].is_pending
    take_in(library, files)
    take_in(library, files)
    assert [info.name for info in library.documents()] == ["manual.md"]
    seen = []
    while unsearchable(library, [files[0].document]):
        seen += said(files, library)
        library._pipeline.advance(library._pipeline.next())
    assert seen == [("reading", "reading 0%"), ("reading", "reading 40%"), ("reading", "reading 80%")]
    assert said(files, library) == [("ready", "ready")]
    library.ingest()
    assert said(files, library) == [("ready", "ready")]
    assert usable(files, library, "work") == tuple(files)
    assert usable(files, library, "another") == ()
    library.pause(True)
    assert said(files, library) == [("ready", "ready")]
    library.index_again(files[0].document)
    assert said(files, library) == [("waiting", "waiting: indexing is paused")]
    library.remove(files[0].document)
    assert said(files, library)[0][0] == "waiting"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("photo.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "is a PNG picture."),
        ("data.xyz", bytes(range(256)) * 20, "is a binary file, not text."),
        ("model.gguf", b"GGUF\x03\x00\x00\x00" + bytes(100), "is a model file (GGUF). Put it into the models folder"),
        ("empty.txt", b"", ""),
    ],
)
def test_what_is_no_document_never_joins(library: Library, tmp_path: Path, name: str, content: bytes, why: str) -> None:
    files = attached([(written(tmp_path, "upload", content), name)], "work")
    take_in(library, files)
    library.ingest()
    (state,) = states(files, library)
    assert state.name == "failed"
    assert state.said.startswith(f"could not be read: {why}")
    assert len(state.said) < 200
    assert usable(files, library, "work") == ()
    if why:
        assert library.documents() == []


def test_text_of_a_kind_that_nobody_knows_is_read(library: Library, tmp_path: Path) -> None:
    files = attached([(written(tmp_path, "a", b"Pears are green."), "notes.xyz")], "work")
    files += attached([(written(tmp_path, "b", b"all:\n\techo"), "Makefile")], "work")
    take_in(library, files)
    library.ingest()
    assert said(files, library) == [("ready", "ready")] * 2


def test_a_damaged_document_is_told_with_its_reason(library: Library, tmp_path: Path) -> None:
    pdf = make_pdf(tmp_path / "whole.pdf", ["A page."])
    files = attached([(written(tmp_path, "upload", b"%PDF-1.7\nnothing"), "broken.pdf"), (pdf, "whole.pdf")], "work")
    take_in(library, files)
    library.ingest()
    broken, whole = states(files, library)
    assert broken.name == "failed"
    assert not broken.said.startswith("could not be read: broken.pdf")
    assert whole.name == "ready"
    assert usable(files, library, "work") == (files[1],)


def test_what_was_there_before_stays(library: Library, tmp_path: Path) -> None:
    path = written(tmp_path, "upload", MANUAL.encode())
    library.add(path, name="manual.md")
    again, new = attached([(path, "manual.md"), (written(tmp_path, "b", b"Pears are green."), "pears.txt")], "work")
    take_in(library, [again, new])
    assert (again.was_there, new.was_there) == (True, False)
    for one in (again, new):
        take_off(library, one)
    assert [info.name for info in library.documents()] == ["manual.md"]
    assert [one.name for one in library.removed.all()] == ["pears.txt"]
