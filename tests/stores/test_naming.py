"""Libraries named, renamed and deleted, on real folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localspec.errors import LibraryInUseError, SettingsError, StoreError
from localspec.stores.library import library_name, list_libraries
from localspec.stores.naming import delete_library, library_title, rename_library, sweep_deleted
from tests.builders import make_pdf
from tests.stores.libraries import contents, long_text, open_library, statuses


def test_names_of_libraries(tmp_path: Path) -> None:
    assert library_name("  My papers (2024) ") == "My papers (2024)"
    assert library_name("Bücher") == library_name("Bu\u0308cher") == "Bücher"
    bad = ["", "  ", ".", "..", "../up", "a/b", "a\\b", "C:", ".cache", "end.", "con", "NUL.txt", "com1", "LPT9 .x"]
    bad += ["a\0b", "a\nb", "\ud800", "a\u202eb", "x" * 65, "中" * 200, "what?", "a*", "<b>", "p|q", '"quoted"']
    for text in bad:
        with pytest.raises(SettingsError) as caught:
            library_name(text)
        assert caught.value.advice
    assert list_libraries(tmp_path) == []
    for name in ("zoo", "Bücher", "console"):
        open_library(tmp_path / library_name(name)).close()
    (tmp_path / "no library").mkdir()
    (tmp_path / ".cache").mkdir()
    assert list_libraries(tmp_path) == ["Bücher", "console", "zoo"]


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(exclude_categories=[]), max_size=80))
def test_every_accepted_name_is_one_folder(text: str) -> None:
    try:
        name = library_name(text)
    except SettingsError:
        return
    assert (Path("stores") / name).parent == Path("stores")
    assert Path(name).name == name == library_name(name)
    assert len(name.encode()) <= 255


def test_a_renamed_library_has_all_it_had(tmp_path: Path) -> None:
    library = open_library(tmp_path / "papers")
    library.add(make_pdf(tmp_path / "birds.pdf", ["The heron eats fish."]))
    library.ingest()
    library.replies.add(np.arange(5, dtype=np.int32), None, origin="chat")
    library.pause(True)
    before, identity = contents(library), library.identity
    with pytest.raises(LibraryInUseError):
        rename_library(tmp_path, "papers", "other")
    with pytest.raises(LibraryInUseError):
        delete_library(tmp_path, "papers")
    library.close()
    (tmp_path / "taken").mkdir()
    for wanted in ("taken", "a/b", "", ".x"):
        with pytest.raises(SettingsError):
            rename_library(tmp_path, "papers", wanted)
    with pytest.raises(SettingsError, match="no library called 'absent'"):
        rename_library(tmp_path, "absent", "other")
    assert rename_library(tmp_path, "papers", "papers") == "papers"
    assert rename_library(tmp_path, "papers", " Vögel 2 ") == "Vögel 2"
    assert list_libraries(tmp_path) == ["Vögel 2"]
    library = open_library(tmp_path / "Vögel 2")
    assert (contents(library), library.identity, library.replies.count()) == (before, identity, (1, 5))
    assert library.paused
    assert library.passages.search("heron", 1)[0].name == "birds.pdf"
    library.close()


@pytest.mark.skipif(sys.platform == "win32", reason="folders with open files cannot be moved")
def test_a_library_is_safe_to_rename_in_the_middle_of_indexing(tmp_path: Path, write) -> None:
    library = open_library(tmp_path / "busy")
    for name in ("one", "two", "three"):
        library.add(write(f"{name}.txt", long_text(name, 100)))
    library.start()
    library.close()
    rename_library(tmp_path, "busy", "calm")
    library = open_library(tmp_path / "calm")
    library.ingest()
    assert set(statuses(library).values()) == {"ready"}
    library.close()


def test_a_deleted_library_leaves_nothing_but_the_persons_files(tmp_path: Path) -> None:
    stores, theirs = tmp_path / "stores", tmp_path / "theirs"
    theirs.mkdir()
    pdf = make_pdf(theirs / "birds.pdf", ["The heron eats fish."])
    content = pdf.read_bytes()
    library = open_library(stores / "papers")
    library.watching.add(theirs, watched=True, removes=True)
    os.utime(pdf, (1, 1))
    library.watching.look()
    library.ingest()
    assert statuses(library) == {"theirs/birds.pdf": "ready"}
    library.close()
    delete_library(stores, "papers")
    assert list(stores.iterdir()) == []
    assert pdf.read_bytes() == content
    with pytest.raises(SettingsError, match="no library called 'papers'"):
        delete_library(stores, "papers")
    # What a kill left of one is no library, and goes.
    left = stores / ".deleted-0123"
    (left / "files").mkdir(parents=True)
    (left / "library.db").write_bytes(b"x")
    assert list_libraries(stores) == []
    sweep_deleted(stores)
    assert not left.exists()


def test_a_closed_library_of_another_name_gives_an_error_and_no_new_folder(tmp_path: Path) -> None:
    library = open_library(tmp_path / "papers")
    library.close()
    delete_library(tmp_path, "papers")
    with pytest.raises(StoreError):
        library.documents()
    assert list(tmp_path.iterdir()) == []


def test_the_default_library_has_a_title(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    assert library_title("documents") == "My documents"
    assert library_title("work") == "work"
    assert [library_name(text) for text in ("My documents", "my Documents ", "documents", "work")] == [
        *("documents", "documents", "documents", "work")
    ]
    # One that has the title as its name keeps it.
    (tmp_path / "stores" / "My documents").mkdir(parents=True)
    assert library_title("documents") == "documents"
    assert library_title("My documents") == "My documents"
    assert [library_name(text) for text in ("My documents", "documents")] == ["My documents", "documents"]
