"""Folders that documents come from, on a real file system and real SQLite."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from localspec.errors import DocumentError
from localspec.stores.documents import folders, watching
from localspec.stores.documents.folders import contents
from localspec.stores.library import FolderInfo, Library
from tests.builders import make_pdf
from tests.stores.libraries import bytes_of, open_library

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and permissions")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The person's folder."""
    path = tmp_path / "papers"
    path.mkdir()
    return path


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    opened = open_library(tmp_path / "stores" / "library")
    yield opened
    opened.close()


def write(path: Path, text: str, age: float = 100.0) -> Path:
    """A file that was written `age` seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    aged(path, age)
    return path


def aged(path: Path, age: float = 100.0) -> Path:
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def names(library: Library) -> list[str]:
    return sorted(info.name for info in library.documents())


def only(library: Library) -> FolderInfo:
    (folder,) = library.watching.folders()
    return folder


# -- what is in a folder ----------------------------------------------------------------------------------------------


def test_a_folder_gives_its_documents_and_counts_the_rest(home: Path) -> None:
    write(home / "b.md", "b")
    write(home / "a.pdf", "a")
    write(home / "deep" / "er" / "C.TXT", "c")
    for left in (".hidden.md", ".git/config.md", "~$letter.docx", "photo.jpg", "deep/song.mp3", "no-suffix"):
        write(home / left, "x")
    found = contents(home)
    assert [file.inside for file in found.files] == ["a.pdf", "b.md", "deep/er/C.TXT"]
    assert found.files[2].path == home / "deep" / "er" / "C.TXT"
    assert found.files[2].size == 1
    assert found.counts() == {"hidden": 3, "unsupported": 3, "links": 0, "unreadable": 0, "truncated": 0}
    with pytest.raises(DocumentError, match="is missing"):
        contents(home / "absent")
    with pytest.raises(DocumentError, match="is not a folder"):
        contents(home / "b.md")
    assert contents(home, excluded=[home / "deep"]).counts()["unsupported"] == 2


@posix
def test_links_lead_neither_in_circles_nor_out_of_the_folder(home: Path, tmp_path: Path) -> None:
    write(home / "inside" / "a.md", "a")
    elsewhere = write(tmp_path / "elsewhere" / "b.md", "b")
    (home / "inside" / "up").symlink_to(home)
    (home / "out").symlink_to(elsewhere.parent)
    (home / "file.md").symlink_to(elsewhere)
    (home / "broken.md").symlink_to(home / "nothing.md")
    (home / "self.md").symlink_to(home / "self.md")
    os.mkfifo(home / "pipe.md")
    found = contents(home)
    assert [file.inside for file in found.files] == ["file.md", "inside/a.md"]
    assert found.links == 2
    assert found.unsupported == 1
    assert sorted(found.unreadable) == ["broken.md", "self.md"]


def test_a_huge_folder_is_cut_and_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        write(home / f"{number:02}.md", "x")
    monkeypatch.setattr(folders, "MAX_FILES", 10)
    found = contents(home)
    assert ([file.inside for file in found.files][-1], found.truncated) == ("09.md", True)
    monkeypatch.setattr(folders, "MAX_FILES", 200_000)
    assert not contents(home).truncated
    monkeypatch.setattr(folders, "MAX_ENTRIES", 10)
    assert contents(home).truncated
    deep = home
    for _ in range(folders.MAX_DEPTH + 2):
        deep = deep / "d"
    monkeypatch.setattr(folders, "MAX_ENTRIES", 1_000)
    write(deep / "lost.md", "x")
    found = contents(home)
    assert (len(found.files), found.truncated) == (30, True)


# -- once -------------------------------------------------------------------------------------------------------------


def test_a_folder_is_taken_in_once(library: Library, home: Path) -> None:
    aged(make_pdf(home / "birds.pdf", ["The heron eats fish."]))
    write(home / "more" / "notes.md", "The badger eats worms.")
    write(home / "empty.md", "")
    write(home / "photo.jpg", "x")
    library.watching.add(home)
    assert not library.watching.look()
    library.ingest()
    assert names(library) == ["papers/birds.pdf", "papers/empty.md", "papers/more/notes.md"]
    assert {info.source for info in library.documents()} == {
        str(home / "birds.pdf"), str(home / "empty.md"), str(home / "more" / "notes.md")
    }  # fmt: skip
    folder = only(library)
    assert (folder.path, folder.watched, folder.done, folder.files) == (str(home), False, True, 3)
    assert folder.counts["unsupported"] == 1
    assert library.passages.search("badger", 1)[0].name == "papers/more/notes.md"
    # Not watched: nothing more comes from it, and nothing goes, until it is added again.
    write(home / "later.md", "later")
    (home / "birds.pdf").unlink()
    library.watching.look()
    assert len(names(library)) == 3
    library.watching.add(home)
    library.watching.look()
    assert "papers/later.md" in names(library)
    assert only(library).vanished == 1
    library.watching.forget(folder.id)
    assert library.watching.folders() == []
    assert len(names(library)) == 4


def test_folders_that_cannot_be_added(library: Library, home: Path, tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "absent", "is missing"),
        (write(home / "a.md", "a"), "is not a folder"),
        (library.folder, "keeps its own files"),
        (tmp_path / "stores", "keeps its own files"),
    ):
        with pytest.raises(DocumentError, match=said):
            library.watching.add(path)
    assert library.watching.folders() == []
    # A folder around it is looked through without it.
    library.watching.add(tmp_path)
    library.add(home / "a.md")
    library.watching.look()
    assert names(library) == [f"{tmp_path.name}/papers/a.md"], "the same content: one document, now with its place"


@posix
def test_a_file_that_cannot_be_read_is_named_and_tried_when_it_changes(library: Library, home: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    locked = write(home / "locked.md", "text")
    locked.chmod(0)
    library.watching.add(home, watched=True)
    library.watching.look()
    (failure,) = only(library).failures
    assert "locked.md" in failure
    locked.chmod(0o600)
    aged(locked, 50)
    library.watching.look()
    assert only(library).failures == ()
    assert names(library) == ["papers/locked.md"]


# -- watched ----------------------------------------------------------------------------------------------------------


def test_new_changed_and_vanished_files(library: Library, home: Path) -> None:
    write(home / "a.md", "The first text.")
    write(home / "b.md", "The second text.")
    library.watching.add(home, watched=True)
    library.watching.look()
    library.ingest()
    first = {info.name: info.id for info in library.documents()}
    changes = library.changes
    library.watching.look()
    assert library.changes - changes <= 1
    assert {info.name: info.id for info in library.documents()} == first

    write(home / "c.md", "The third text.")
    write(home / "a.md", "The first text, written anew.", age=50)
    library.watching.look()
    library.ingest()
    assert names(library) == ["papers/a.md", "papers/b.md", "papers/c.md"]
    now = {info.name: info.id for info in library.documents()}
    assert now["papers/b.md"] == first["papers/b.md"]
    assert library.document_text(now["papers/a.md"]) == "The first text, written anew."
    assert library.document_text(first["papers/a.md"]) == ""

    # Touched, with the same content: nothing is made anew.
    aged(home / "b.md", 10)
    library.watching.look()
    assert {info.name: info.id for info in library.documents()} == now

    (home / "b.md").unlink()
    library.watching.look()
    assert only(library).vanished == 1
    assert "papers/b.md" in names(library), "it is told, and stays"
    write(home / "b.md", "The second text.", age=20)
    library.watching.look()
    assert (only(library).vanished, only(library).files) == (0, 3)
    (home / "b.md").unlink()
    library.watching.look()
    library.watching.settle_vanished(only(library).id, remove=False)
    assert (only(library).vanished, len(names(library))) == (0, 3)
    (home / "c.md").unlink()
    library.watching.look()
    library.watching.settle_vanished(only(library).id, remove=True)
    assert names(library) == ["papers/a.md", "papers/b.md"]

    # Where the person chose that, documents go with their files.
    library.watching.set_removes(only(library).id, True)
    write(home / "d.md", "The fourth text.")
    library.watching.look()
    (home / "a.md").unlink()
    library.watching.look()
    assert names(library) == ["papers/b.md", "papers/d.md"]


def test_a_moved_file_keeps_its_document(library: Library, home: Path) -> None:
    write(home / "a.md", "The text.")
    library.watching.add(home, watched=True, removes=True)
    library.watching.look()
    library.ingest()
    (document,) = library.documents()
    (home / "sub").mkdir()
    (home / "a.md").rename(home / "sub" / "b.md")
    library.watching.look()
    (moved,) = library.documents()
    assert (moved.id, moved.name, moved.source) == (document.id, "papers/sub/b.md", str(home / "sub" / "b.md"))
    # Two files with one content are one document, which stays while one of them does.
    write(home / "copy.md", "The text.")
    library.watching.look()
    (home / "sub" / "b.md").unlink()
    library.watching.look()
    assert [info.id for info in library.documents()] == [document.id]
    write(home / "copy.md", "Another text.", age=30)
    library.watching.look()
    assert [info.id == document.id for info in library.documents()] == [False]


def test_what_the_person_removed_does_not_come_back_by_itself(library: Library, home: Path) -> None:
    path = write(home / "a.md", "The text.")
    library.watching.add(home, watched=True)
    library.watching.look()
    library.remove(library.documents()[0].id)
    library.watching.look()
    assert names(library) == []
    write(path, "Another text.", age=10)
    library.watching.look()
    assert names(library) == ["papers/a.md"]


def test_a_file_that_is_being_written_is_left_for_later(library: Library, home: Path) -> None:
    path = write(home / "a.md", "half", age=0)
    library.watching.add(home)
    assert library.watching.look()
    assert names(library) == []
    assert not only(library).done
    write(path, "half, and the other half", age=0)
    assert library.watching.look()
    assert not library.watching.look(), "it was the same at two looks"
    assert [info.bytes for info in library.documents()] == [24]
    assert only(library).done


def test_a_folder_that_is_gone_or_empty_removes_nothing(library: Library, home: Path, tmp_path: Path) -> None:
    write(home / "a.md", "The text.")
    library.watching.add(home, watched=True, removes=True)
    library.watching.look()
    away = tmp_path / "away"
    home.rename(away)
    for _ in range(2):
        library.watching.look()
        assert "is missing" in only(library).problem
        assert names(library) == ["papers/a.md"]
    home.mkdir()  # as the mount point of a disk that is not connected
    library.watching.look()
    assert "is empty now: nothing is removed" in only(library).problem
    assert names(library) == ["papers/a.md"]
    home.rmdir()
    away.rename(home)
    library.watching.look()
    assert only(library).problem == ""
    assert only(library).files == 1


@posix
def test_what_cannot_be_seen_is_not_taken_for_gone(library: Library, home: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    write(home / "sub" / "a.md", "The text.")
    write(home / "b.md", "b")
    library.watching.add(home, watched=True, removes=True)
    library.watching.look()
    (home / "sub").chmod(0)
    library.watching.look()
    assert len(names(library)) == 2
    assert only(library).counts["unreadable"] == 1
    (home / "sub").chmod(0o700)


def test_watching_goes_on_after_a_restart_and_gives_way(tmp_path: Path, home: Path, monkeypatch) -> None:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.05)
    library = open_library(tmp_path / "stores" / "library")
    library.watching.add(home, watched=True)
    library.close()
    write(home / "a.md", "The text.")
    replying = threading.Event()
    replying.set()
    library = open_library(tmp_path / "stores" / "library")
    library.start(should_yield=replying.is_set)
    time.sleep(0.3)
    assert names(library) == []
    replying.clear()
    wait_for(lambda: names(library) == ["papers/a.md"])
    write(home / "b.md", "More text.")
    wait_for(lambda: names(library) == ["papers/a.md", "papers/b.md"])
    assert library.wait(30)
    wait_for(lambda: {info.status for info in library.documents()} == {"ready"})

    library.pause(True)
    write(home / "c.md", "Even more text.")
    time.sleep(0.3)
    assert len(names(library)) == 2
    library.pause(False)
    wait_for(lambda: len(names(library)) == 3)
    shutil.rmtree(home)
    wait_for(lambda: "is missing" in only(library).problem)
    library.close()


def wait_for(reached) -> None:
    limit = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_two_places_of_one_content_are_both_named_and_go_one_by_one(library: Library, home: Path) -> None:
    write(home / "a.md", "The heron eats fish.")
    write(home / "inside" / "b.md", "The heron eats fish.")
    library.watching.add(home, watched=True, removes=True)
    library.watching.look()
    library.ingest()
    (document,) = library.documents()
    assert (document.name, document.copies) == ("papers/a.md", ("papers/inside/b.md",))
    assert [passage.name for passage in library.passages.search("heron", 5)] == ["papers/a.md"]
    (home / "a.md").unlink()
    library.watching.look()
    (left,) = library.documents()
    assert (left.id, left.name, left.copies) == (document.id, "papers/inside/b.md", ())
    assert left.source == str(home / "inside" / "b.md")
    assert library.passages.search("heron", 1)[0].name == "papers/inside/b.md"
    (home / "inside" / "b.md").unlink()
    write(home / "c.md", "another")
    library.watching.look()
    assert names(library) == ["papers/c.md"]


def test_one_of_two_places_gets_another_content(library: Library, home: Path) -> None:
    write(home / "a.md", "The heron eats fish.")
    write(home / "b.md", "The heron eats fish.")
    library.watching.add(home, watched=True)
    library.watching.look()
    aged(write(home / "a.md", "The heron sleeps."), 50)
    library.watching.look()
    assert {(info.name, info.copies) for info in library.documents()} == {("papers/b.md", ()), ("papers/a.md", ())}


def test_two_places_of_one_content_get_another_one_at_once(library: Library, home: Path) -> None:
    for name in ("a.md", "b.md"):
        write(home / name, "The heron eats fish.")
    library.watching.add(home, watched=True)
    library.watching.look()
    library.ingest()
    for name, animal in (("a.md", "badger"), ("b.md", "weasel")):
        write(home / name, f"The {animal} eats worms.", age=50)
    library.watching.look()
    library.ingest()
    assert names(library) == ["papers/a.md", "papers/b.md"]
    assert [info.copies for info in library.documents()] == [(), ()]
    assert all("heron" not in found.text for found in library.passages.search("heron fish"))


@pytest.mark.parametrize(("before", "after"), [("log.txt", "log.txt.txt"), ("log.txt", "earlier.txt")])
def test_a_file_whose_content_another_one_takes_over(library: Library, home: Path, before: str, after: str) -> None:
    write(home / before, "The heron eats fish.")
    library.watching.add(home, watched=True, removes=True)
    library.watching.look()
    (home / before).rename(home / after)
    write(home / before, "The badger eats worms.", age=50)
    library.watching.look()
    library.ingest()
    found = {info.name: (library.document_text(info.id), info.copies) for info in library.documents()}
    assert found == {
        f"papers/{before}": ("The badger eats worms.", ()),
        f"papers/{after}": ("The heron eats fish.", ()),
    }
    assert only(library).files == 2


def test_two_files_change_their_names(library: Library, home: Path) -> None:
    write(home / "a.md", "The heron eats fish.")
    write(home / "b.md", "The badger eats worms.")
    library.watching.add(home, watched=True, removes=True)
    library.watching.look()
    write(home / "a.md", "The badger eats worms.", age=50)
    write(home / "b.md", "The heron eats fish.", age=50)
    library.watching.look()
    library.ingest()
    found = {info.name: (library.document_text(info.id), info.copies) for info in library.documents()}
    assert found == {"papers/a.md": ("The badger eats worms.", ()), "papers/b.md": ("The heron eats fish.", ())}


def test_a_thousand_copies_are_listed_and_found_once(library: Library, home: Path) -> None:
    for number in range(1000):
        write(home / f"{number % 10}" / f"{number}.md", "The heron eats fish.")
    write(home / "other.md", "The badger eats worms.")
    library.watching.add(home, watched=True)
    assert not library.watching.look()
    library.ingest()
    heron, badger = sorted(library.documents(), key=lambda info: -len(info.copies))
    assert len({heron.name, *heron.copies}) == 1000
    assert (badger.name, badger.copies) == ("papers/other.md", ())
    found = [passage.text for passage in library.passages.search("heron badger", 10)]
    assert sorted(found) == ["The badger eats worms.", "The heron eats fish."]
    (cited,) = library.passages.around(*next((one.id, one.text, one.name) for one in library.passages.of(heron.id)))
    assert set(cited.copies) == {*heron.copies}
    assert only(library).files == 1001
    shutil.rmtree(home / "3")
    library.watching.look()
    assert only(library).vanished == 0
    assert max(len(info.copies) for info in library.documents()) == 899


def test_a_file_that_changes_while_it_is_taken_leaves_no_second_document(
    library: Library, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(home / "a.md", "The heron eats fish.")
    library.watching.add(home, watched=True)
    library.watching.look()
    write(path, "The heron eats frogs.", age=50)
    found = contents

    def written_meanwhile(*arguments, **rest):
        there = found(*arguments, **rest)
        write(path, "The heron eats newts.", age=20)
        return there

    monkeypatch.setattr(watching, "contents", written_meanwhile)
    assert library.watching.look()
    monkeypatch.setattr(watching, "contents", found)
    write(path, "The heron eats voles and newts.", age=10)
    assert not library.watching.look()
    library.ingest()
    (document,) = library.documents()
    assert library.document_text(document.id) == "The heron eats voles and newts."


def test_changed_files_are_removed_together(library: Library, home: Path) -> None:
    for number in range(20):
        write(home / f"{number}.md", f"Zyxo{number}marker swims.")
    library.watching.add(home, watched=True)
    library.watching.look()
    library.ingest()
    statements: list[str] = []
    library._database._connection.set_trace_callback(statements.append)
    for number in range(20):
        write(home / f"{number}.md", f"Number {number} flies.", age=50)
    library.watching.look()
    library._database._connection.set_trace_callback(None)
    assert len({one for one in statements if one.startswith("DELETE FROM passages WHERE")}) == 1
    library.ingest()
    left = bytes_of(library.folder)
    assert b"Zyxo" not in left
    assert b"zyxo" not in left
    assert len(library.documents()) == 20


def test_what_a_person_gave_under_another_name_stays_without_the_folder(
    library: Library, home: Path, tmp_path: Path
) -> None:
    library.add(write(tmp_path / "given.md", "The heron eats fish."))
    write(home / "a.md", "The heron eats fish.")
    write(home / "other.md", "other")
    library.watching.add(home, watched=True, removes=True)
    library.watching.look()
    assert ("papers/a.md", ("given.md",)) in {(info.name, info.copies) for info in library.documents()}
    (home / "a.md").unlink()
    library.watching.look()
    assert names(library) == ["given.md", "papers/other.md"]


def test_many_files_are_taken_in_few_transactions(library: Library, home: Path) -> None:
    for number in range(100):
        write(home / f"{number:03}.md", f"Text number {number}.")
    library.watching.add(home, watched=True)
    before = library.changes
    library.watching.look()
    assert library.changes - before < 10
    assert len(names(library)) == 100
    assert only(library).files == 100


LOOK_UNTIL_KILLED = """
import os, signal, sys
from pathlib import Path
from localspec.stores.documents import watching
from tests.stores.libraries import open_library

watching._TAKEN_AT_ONCE = 2
library = open_library(Path(sys.argv[1]))
left = int(sys.argv[2])

def count_down(statement):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

library._database._connection.set_trace_callback(count_down)
library.watching.look()
"""


def test_a_kill_while_a_folder_is_taken_in_costs_a_few_files_at_most(tmp_path: Path, home: Path) -> None:
    for number in range(12):
        write(home / f"{number:02}.md", f"Text number {number}.")
    folder = tmp_path / "stores" / "library"
    library = open_library(folder)
    library.watching.add(home, watched=True)
    library.close()
    seen = []
    for statements in (2, 9, 17, 25, 33):
        child = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(LOOK_UNTIL_KILLED), str(folder), str(statements)],
            capture_output=True,
            check=False,
        )
        assert child.returncode in (-getattr(signal, "SIGKILL", 9), 1), child.stderr.decode()
        assert child.stderr == b""
        library = open_library(folder)
        seen.append(len(library.documents()))
        library.close()
    assert seen == sorted(seen)
    assert seen[-1] > 0
    library = open_library(folder)
    library.watching.look()
    library.ingest()
    assert names(library) == [f"papers/{number:02}.md" for number in range(12)]
    assert {info.status for info in library.documents()} == {"ready"}
    assert only(library).files == 12
    library.close()
