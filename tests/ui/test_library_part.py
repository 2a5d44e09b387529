"""Libraries, documents and folders as markup, and what the page may send about them."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gradio as gr
import pytest
from gradio.utils import get_upload_folder

from localspec import config, texts
from localspec.application.chats import Chat
from localspec.application.conversation import Conversation
from localspec.application.list_states import DocumentListState
from localspec.application.state import Application
from localspec.errors import LibraryInUseError, SettingsError, StoreError
from localspec.stores.library import DocumentInfo, FolderInfo, IngestionProgress, RemovedDocument
from localspec.ui import library_markup
from localspec.ui.folder_part import dropped_files, typed_path
from localspec.ui.library_markup import DocumentParts, Usage, documents, manage
from localspec.ui.library_part import LibraryPart
from localspec.ui.library_updates import LIBRARY_PARTS, LibraryUpdates
from localspec.ui.reading_markup import choices, menu
from localspec.ui.removed_markup import removed
from tests.ui.test_panel import HOSTILE, Tags


def document(identity: int, status: str, **more: Any) -> DocumentInfo:
    known: dict[str, Any] = {"name": "papers/a.pdf", "reason": "", "passages": 8, "tokens": 101, "bytes": 2_340_000}
    known |= more
    return DocumentInfo(
        identity, known["name"], "pdf", status, known["reason"], 3, 9_000, known["passages"], known["tokens"],
        "2026-01-01", known["bytes"], "", known.get("outdated", False), known.get("copies", ()),
    )  # fmt: skip


def folder(**more: Any) -> FolderInfo:
    known: dict[str, Any] = {
        "id": 4, "path": "/home/me/papers", "watched": True, "removes": False, "done": True, "files": 12, "vanished": 0,
        "failures": (), "counts": {},
    }  # fmt: skip
    return FolderInfo(**(known | more))


def steps(info: DocumentInfo, parts: DocumentParts) -> dict[str, str]:
    return dict(re.findall(r'data-step="([^"]+)" data-state="([^"]+)"', documents("x", [info], parts)))


@pytest.mark.parametrize(
    ("status", "embedded", "states", "expected"),
    [
        ("queued", {}, {}, ["not made"] * 4),
        ("parsed", {}, {}, ["not made"] * 4),
        ("passages", {}, {}, ["done", "not made", "not made", "not made"]),
        ("ngrams", {}, {}, ["done", "done", "not made", "not made"]),
        ("ngrams", {7: 5}, {7: 50}, ["done", "done", "being made", "being made"]),
        ("ready", {}, {7: 99}, ["done", "done", "done", "being made"]),
        ("ready", {}, {7: 100}, ["done", "done", "done", "done"]),
    ],
)
def test_every_part_of_a_document_is_done_or_not(
    status: str, embedded: dict[int, int], states: dict[int, int], expected: list[str]
) -> None:
    names = ["passages", "n-grams", "vectors", "states"]
    assert steps(document(7, status), DocumentParts(embedded, states)) == dict(zip(names, expected, strict=True))
    assert "states" not in steps(document(7, status), DocumentParts(embedded))
    shown = html.unescape(documents("x", [document(7, status)], DocumentParts(embedded, states)))
    assert "3 pages · 2.3 MB" in shown
    assert ("vectors 5 of 8" in shown) is bool(embedded)


def test_what_can_be_read_better_is_told_in_one_line() -> None:
    infos = [document(1, "ready", outdated=True), document(2, "ready"), document(3, "failed", outdated=True)]
    shown = documents("x", infos, DocumentParts())
    assert "2 documents were indexed by an older version and can be read better now" in Tags(shown).text
    assert re.findall(r'data-shelf="([^"]+)"', shown)[0] == "read-better"
    one = Tags(documents("x", infos[:2], DocumentParts())).text
    assert "1 document was indexed by an older version and can be read better now" in one
    assert "read-better" not in documents("x", infos[1:2], DocumentParts())


def test_what_failed_says_why_once() -> None:
    infos = [
        document(1, "failed", reason="a.pdf: is empty (0 bytes). Check that it was saved."),
        document(2, "ready", reason="Page 2 is a picture."),
    ]
    shown = documents("x", infos, DocumentParts())
    text = Tags(shown).text
    assert "is empty (0 bytes). Check" in text
    assert "a.pdf: is empty" not in text
    assert "Page 2 is a picture." in text
    assert "1 document · 1 not readable" in text
    assert re.findall(r'data-shelf="([^"]+)"', shown) == ["ask-again", "remove-failed", "again", "again"]
    assert "remove-failed" not in documents("x", infos[1:], DocumentParts())
    many = [document(number, "ready") for number in range(1, 251)]
    assert "Show more (50 left)" in Tags(documents("x", many, DocumentParts())).text


def listed(infos: list[DocumentInfo], query: str, limit: int = 200) -> list[str]:
    shown = documents("x", infos, DocumentParts(), DocumentListState(query, limit))
    return re.findall(r'data-document="([^"]+)"', shown)


def test_documents_are_found_by_words_of_their_names_and_shown_in_parts() -> None:
    named = {"name": "papers/Hérons à l'été.pdf", "copies": ("old/REIHER.md",)}
    infos = [document(number, "ready", name=f"papers/note {number}.md") for number in range(1, 451)]
    infos += [document(451, "failed", **named), document(452, "ready", name="papers/Note twelve.txt")]
    assert listed(infos, "")[:3] == ["452", "451", "450"]
    assert len(listed(infos, "")) == 200
    assert listed(infos, "", 400)[-1] == "53"
    assert listed(infos, "  note 45") == ["450", "445", "345", "245", "145", "45"]
    assert listed(infos, "TWELVE note") == ["452"]
    assert listed(infos, "he\u0301rons e\u0301te\u0301") == ["451"]
    assert listed(infos, "reiher") == ["451"], "another place of the same content"
    assert listed(infos, "papers reiher") == [], "words of one name"
    shown = documents("x", infos, DocumentParts(), DocumentListState("note 45"))
    assert "6 of 451 documents · 1 not readable" in Tags(shown).text
    assert "more-documents" not in shown
    assert "No documents found." in Tags(documents("x", infos, DocumentParts(), DocumentListState("zz"))).text
    assert "Show more (52 left)" in Tags(documents("x", infos, DocumentParts(), DocumentListState("", 400))).text


def test_hostile_names_do_nothing() -> None:
    bad = folder(path=HOSTILE, failures=(f"{HOSTILE}: bad",), problem=HOSTILE, counts={"hidden": 2, "truncated": 1})
    parts = [
        menu(HOSTILE, [HOSTILE, f"{HOSTILE}2"], 3, "", choices(HOSTILE, [document(1, "ready", name=HOSTILE)], 9)),
        removed(HOSTILE, [RemovedDocument(1, HOSTILE, "2026-01-01", 5)], [1]),
        *(manage(HOSTILE, asking, 3, 2, Usage(5, 6)) for asking in ("", "new", "rename", "delete", "again")),
        library_markup.indexing(HOSTILE, IngestionProgress(0, 1, HOSTILE, "reading", 0.5)),
        library_markup.indexing(HOSTILE, IngestionProgress(paused=True, problem=HOSTILE)),
        documents(HOSTILE, [document(1, "failed", name=HOSTILE, reason=HOSTILE)], DocumentParts()),
        library_markup.folders(HOSTILE, [bad], paused=False),
    ]
    for part in parts:
        tags = Tags(part)
        assert not tags.open
        assert not {"img", "script", "a"} & set(tags.tags)
        assert not any(name.startswith("on") for name in tags.attributes)
        assert not re.search(r"\n\n|!\[|\$\$", part)
        named = re.search(r'^<[^>]* data-library="([^"<>]*)"', part)
        assert named
        assert html.unescape(named.group(1)) == HOSTILE


def test_what_is_just_removed_can_be_undone() -> None:
    kept = [RemovedDocument(number, f"{number}.pdf", "2026-01-01", 2_000_000) for number in (3, 2, 1)]
    one, many, none = removed("x", kept, [3]), removed("x", kept, [3, 2]), removed("x", kept, [])
    assert "3.pdf was removed. Undo" in Tags(one).text
    assert "2 documents were removed. Undo" in Tags(many).text
    assert "Undo" not in Tags(none).text
    assert "Removed: 3 documents · 6.0 MB" in Tags(none).text
    assert "30 days" in Tags(none).text
    assert re.findall(r'data-shelf="([^"]+)" data-about="([^"]+)"', none)[:2] == [
        ("bring-back", "3"),
        ("delete-removed", "3"),
    ]
    assert removed("x", [], [3]) == ""


def test_what_does_not_fit_cannot_be_picked() -> None:
    infos = [document(1, "ready", name="guide.pdf", tokens=3200), document(2, "ngrams", name="long.pdf", tokens=9000)]
    infos += [document(3, "failed", name="broken.pdf"), document(4, "queued", name="new.pdf", tokens=0)]
    found = choices("work", infos, 4000)
    assert [(one.label, one.value, bool(one.reason)) for one in found] == [
        ("No documents", "none", False),
        ("Best passages", "", False),
        ("long.pdf (whole, 9,000 tokens)", "2 work", True),
        ("guide.pdf (whole, 3,200 tokens)", "1 work", False),
        ("All documents (12,200 tokens)", "all", True),
    ]
    assert found[2].reason == "too long: 4,000 tokens left"
    drawn = menu("work", ["work"], 2, "1 work", found)
    assert 'data-read="1 work" aria-pressed="true"' in html.unescape(drawn)
    assert drawn.count("disabled") == 2
    assert "guide.pdf (whole, 3,200 tokens) · work" in Tags(drawn).text
    # What was picked before and fits no more is not said to be read.
    assert "Best passages · work" in Tags(menu("work", ["work"], 2, "2 work", found)).text
    assert all(not one.reason for one in choices("work", infos, 20_000))


def test_the_library_by_the_entry_and_what_can_be_done_with_it() -> None:
    line = menu("work", ["documents", "work", "old"], 1, "", choices("work", (), 0))
    assert "Best passages · work · 1 document" in Tags(line).text
    assert "My documents" in Tags(line).text
    assert re.findall(r'data-text="([^"]+)"', line) == ["documents", "old"]
    assert "document" not in Tags(menu("work", ["work"], None, "", ())).text.replace("No documents", "")
    plain = Tags(manage("work", "", 2, 0, Usage(2_500_000, 0))).text
    assert "2.5 MB on disk" in plain
    assert "memory" not in plain
    assert "about 12 KB in memory" in Tags(manage("work", "", 2, 0, Usage(10, 12_000))).text
    sure = Tags(manage("work", "delete", 2, 1, None)).text
    assert "Delete the library “work” permanently, with 2 documents and 1 learnt answer? Your own files" in sure
    assert "permanently? Your own" in Tags(manage("work", "delete", 0, 0, None)).text
    # Nothing changes under a name that is being typed.
    assert manage("work", "rename", 1, 2, Usage(1, 1)) == manage("work", "rename", 3, 4, Usage(9, 9))
    assert 'value="work"' in manage("work", "rename", 1, 2, None)


def test_pause_and_go_on() -> None:
    assert library_markup.indexing("x", IngestionProgress()) == ""
    at_work = library_markup.indexing("x", IngestionProgress(0, 2, "a.pdf", "reading", 0.3, 4.0))
    assert "ready in about 4.0 s" in Tags(at_work).text
    assert 'data-shelf="pause"' in at_work
    assert 'data-shelf="resume"' in library_markup.indexing("x", IngestionProgress(0, 2, paused=True))


def test_folders_say_how_they_stand() -> None:
    def text(**more: Any) -> str:
        return Tags(library_markup.folders("x", [folder(**more)], paused=bool(more.get("id") == 5))).text

    assert library_markup.folders("x", [], paused=False) == ""
    assert "watched · 12 documents" in text()
    assert "Documents stay when their files are deleted." in text()
    assert "Documents are removed when" in text(removes=True)
    assert "added once · 1 document" in text(watched=False, files=1)
    assert "scanning · 12 documents · 3 of 9 files added" in text(done=False, taken=3, wanted=9)
    assert "waiting: indexing is paused" in text(id=5, done=False)
    assert "Skipped: 2 hidden, 1,200 unsupported." in text(counts={"hidden": 2, "unsupported": 1_200, "links": 0})
    assert texts.FOLDER_TOO_MUCH in text(counts={"truncated": 1})
    assert "1 file was deleted; its document is still in the library." in text(vanished=1)
    assert "3 files were deleted" in text(vanished=3)
    failures = text(failures=tuple(f"{number}.md: bad" for number in range(7)))
    assert "7 could not be added" in failures
    assert "… and 2 more." in failures
    assert "The folder is not there" in text(problem="The folder is not there now.")
    assert "not added yet" in text(done=False, problem="The folder is not there now.")
    assert "not there" not in text(problem="not there now", watched=False)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1 KB"),
        (999_600, "1.0 MB"),
        (12_345_678, "12 MB"),
        (3e12, "3000 GB"),
    ],
)
def test_sizes(number: int, said: str) -> None:
    assert texts.size(int(number)) == said


# -- what the page sends ----------------------------------------------------------------------------------------------


class Page:
    """One tab over an application without a model."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOCALSPEC_HOME", str(home))
        self.application = Application()
        self.libraries = LibraryPart(self.application, LibraryUpdates(self.application))
        self.conversation = self.application.conversation("tab")

    @property
    def said(self) -> list[str]:
        """What the person was told, the newest last."""
        return [notice.text for notice in self.conversation.notices]

    def act(self, **action: object) -> tuple[Any, ...]:
        action = {"count": 1, "library": self.conversation.library, "about": "", "text": "", **action}
        return self.send(json.dumps(action))

    def send(self, wanted: str) -> tuple[Any, ...]:
        request = cast("gr.Request", SimpleNamespace(session_hash="tab"))
        return self.libraries.do(wanted, "auto", request)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(tmp_path, monkeypatch)


def make(name: str) -> Path:
    made = config.stores_folder() / name
    made.mkdir(parents=True)
    (made / "library.db").write_bytes(b"")
    return made


def test_what_is_no_action_changes_nothing(page: Page) -> None:
    nothing = tuple(gr.skip() for _ in ("library", *LIBRARY_PARTS))
    for sent in ("", "x", "[]", "null", "{}", '{"do": "delete", "library": "another"}', "{" * 100, " " * 5_000_000):
        assert page.send(sent) == nothing
    assert page.act(do="ask-everything")[0] == gr.skip()
    assert page.conversation.asking == ""
    assert page.said == []


def test_libraries_are_begun_renamed_and_deleted_by_what_is_asked(page: Page) -> None:
    tab = page.conversation
    other = page.application.conversation("other")
    make("old")
    page.act(do="ask-new")
    assert tab.asking == "new"
    page.act(do="new", text="a/b")
    assert (tab.asking, tab.library) == ("new", "documents"), "it can be typed again"
    assert page.act(do="new", text=" work ")[0] == "work"
    assert (tab.asking, tab.library) == ("", "work")
    assert page.act(do="new", text="old")[0] == "old"
    assert "already exists" in page.said[-1]
    page.act(do="use", text="absent")
    assert "library “absent” no longer exists" in page.said[-1]
    said = len(page.said)
    page.act(do="use", text="absent", quiet=True)
    assert (len(page.said), tab.library) == (said, "old")

    other.use_library("old")
    chat = Chat(library="old")
    other.show(chat)
    page.act(do="ask-rename")
    assert page.act(do="rename", text="new name")[0] == "new name"
    assert (tab.library, other.library, chat.library) == ("new name", "new name", "new name")
    assert (tab.switched, other.switched) == (False, True)
    assert page.application.libraries.names() == ["documents", "new name"]

    page.act(do="delete")  # nobody was asked
    assert page.application.libraries.names() == ["documents", "new name"]
    page.act(do="ask-delete")
    page.act(do="keep")
    page.act(do="delete")
    assert page.application.libraries.names() == ["documents", "new name"]
    page.act(do="ask-delete")
    assert page.act(do="delete")[0] == "documents"
    assert page.application.libraries.names() == ["documents"]
    assert (tab.library, other.library) == ("documents", "documents")
    assert "was deleted" in page.said[-1]


def test_a_library_is_not_taken_from_under_an_answer(page: Page) -> None:
    make("old")
    with page.application.libraries.question("old"):
        for change in (page.application.delete_library, lambda name: page.application.rename_library(name, "other")):
            with pytest.raises(LibraryInUseError, match="while an answer is being written"):
                change("old")
    with pytest.raises(SettingsError, match="something called"):
        make("taken")
        page.application.rename_library("old", "taken")
    assert page.application.rename_library("old", "other") == "other"


def test_chats_follow_a_renamed_library(page: Page) -> None:
    make("old")
    history = page.application.history
    kept = history.store.begin("A chat", "old")
    elsewhere = history.store.begin("Another", "documents")
    page.application.rename_library("old", "new")
    assert page.application.chats.get(kept).library == "new"
    assert page.application.chats.get(elsewhere).library == "documents"
    history.close()


def test_typed_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    read = typed_path
    assert read(f' "{tmp_path}" ') == tmp_path
    assert read("~/papers") == tmp_path / "papers"
    for wrong in ("", "  ", "papers", "../x", "a\0b", "~nobody-of-this-name/x"):
        with pytest.raises(SettingsError):
            read(wrong)


def test_only_what_was_uploaded_is_taken_for_dropped(tmp_path: Path) -> None:
    uploads = Path(get_upload_folder())
    inside = uploads / "0123" / "a.md"
    inside.parent.mkdir(parents=True, exist_ok=True)
    inside.write_text("x")
    outside = tmp_path / "secret.md"
    outside.write_text("x")
    link = inside.with_name("link.md")
    link.unlink(missing_ok=True)
    link.symlink_to(outside)
    read: Callable[[object], list[tuple[Path, str]]] = dropped_files
    real = inside.resolve()
    assert read([{"path": str(inside), "name": "papers/more/a.md"}]) == [(real, "papers/more/a.md")]
    assert read([{"path": str(inside), "name": "/../../etc/a.md"}]) == [(real, "etc/a.md")]
    assert read([{"path": str(inside), "name": ""}]) == [(real, "a.md")]
    wrong = [str(outside), str(link), f"{uploads}/../secret.md", str(uploads), "", "a.md"]
    assert read([*({"path": path, "name": "a.md"} for path in wrong), 3, None, {}]) == []
    assert read("no list") == []
    inside.unlink()
    link.unlink()


def test_a_tab_over_a_library_that_cannot_be_read_can_still_leave_it(page: Page) -> None:
    def broken(name: str, engine: object) -> None:
        raise StoreError("The database is damaged.", "Move the folder aside.")

    page.application.libraries.get = broken  # type: ignore[method-assign, assignment]
    page.application.models._engine = cast("Any", SimpleNamespace(busy=False))
    parts = page.libraries.updates.parts(Conversation(library="bad"), "auto")
    assert "The database is damaged" in Tags(parts["indexing"]).text
    assert "ask-delete" in parts["shelf"]
    assert "bad" in parts["active"]
