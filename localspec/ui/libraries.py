"""What happens when people use their libraries: pick, begin, rename, delete and fill them, and look after documents."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from localspec import texts
from localspec.application.state import Application, Conversation
from localspec.chat.engine import Engine
from localspec.chat.methods import METHODS
from localspec.errors import DocumentError, EmbedderError, LocalSpecError, SettingsError
from localspec.models.llama import MAX_ROWS
from localspec.stores.documents.folders import MOST_FILES
from localspec.stores.library import Library, library_name
from localspec.ui import markup, shelf
from localspec.ui.conversations import Update
from localspec.ui.library_part import LIBRARY_PARTS
from localspec.ui.page import Page
from localspec.ui.shelf import Parts, Usage

USAGE_SECONDS = 15.0
"""What a library takes is measured so often, and not while an answer is written."""
_ASKED = ("new", "rename", "delete", "again")
_LONGEST_ACTION = 4_000_000
"""Characters: a dropped folder's files are named in it."""


@dataclass(slots=True)
class _Shown:
    """What was last made of a library's documents; true while `changes` is."""

    library: Library
    changes: int = -1
    count: int = 0
    documents: str = ""
    usage: Usage | None = None
    measured: float = 0.0


class Libraries:
    """The handlers, over one application."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._lock = threading.Lock()
        self._shown: dict[str, _Shown] = {}

    def connect(self, page: Page, quick: dict[str, Any]) -> None:
        """Tie the handlers to the components; `quick` are the options of every handler on the page."""
        shown = [page.library, *page.library_parts]
        fields = page.shelf.fields
        page.library.input(self.pick, page.library, shown, **quick)
        page.removal.change(self.remove, [page.removal, page.method], page.library_parts, **quick)
        page.learning.input(
            self.set_learning, [page.learning, page.method], page.library_parts, trigger_mode="always_last", **quick
        )
        page.shelf.act.change(self.act, [page.shelf.act, page.method], shown, trigger_mode="multiple", **quick)
        gr.on(
            [fields.add.click, fields.path.submit],
            self.add_folder,
            [fields.path, fields.watched, fields.removes, page.method],
            [fields.path, fields.watched, fields.removes, *page.library_parts],
            **quick,
        )

    # -- the library ------------------------------------------------------------------------------------------------

    def pick(self, name: str, request: gr.Request) -> tuple[Update, ...]:
        """Switch to a library, or begin one. What was shown of the one before goes; the next tick shows this one."""
        conversation = self._conversation(request)
        try:
            conversation.use_library(library_name(name or ""))
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
            conversation.use_library(conversation.library)
        return conversation.library, *("" for _ in LIBRARY_PARTS)

    def act(self, wanted: str, method: str, request: gr.Request) -> tuple[Update, ...]:
        """One of the buttons inside markup that are about libraries: JSON of its name ("do"), the "library" it was made
        for, what it is "about", and what was typed or dropped."""
        conversation = self._conversation(request)
        action = _read(wanted)
        own = action.get("library")
        do = str(action.get("do", ""))
        if not do or (own != conversation.library and do not in ("use", "dropped")):
            return tuple(gr.skip() for _ in ("library", *LIBRARY_PARTS))
        before = conversation.library
        try:
            self._act(conversation, do, action)
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
        if conversation.library != before:
            conversation.switched = False
            return conversation.library, *("" for _ in LIBRARY_PARTS)
        return gr.skip(), *self._all(conversation, method)

    def _act(self, conversation: Conversation, do: str, action: dict[str, Any]) -> None:
        name = conversation.library
        text = str(action.get("text", ""))
        about = int(action["about"]) if str(action.get("about", "")).isdecimal() else None
        asked, conversation.asking = conversation.asking, ""
        if do.startswith("ask-"):
            conversation.asking = do.removeprefix("ask-") if do.removeprefix("ask-") in _ASKED else ""
        elif do == "use":
            if text not in self.application.library_names():
                if action.get("quiet"):  # nobody pressed anything: it is what a window remembered
                    return
                raise SettingsError(texts.LIBRARY_GONE.format(name=text))
            conversation.use_library(text)
        elif do == "new":
            wanted = _kept(conversation, asked, lambda: library_name(text))
            if wanted in self.application.library_names():
                gr.Info(markup.lines(texts.LIBRARY_IS_THERE.format(name=wanted)))
            conversation.use_library(wanted)
        elif do == "rename":
            _kept(conversation, asked, lambda: self.application.rename_library(name, text))
        elif do == "delete" and asked == "delete":
            self.application.delete_library(name)
            gr.Info(markup.lines(texts.LIBRARY_DELETED.format(name=name)))
        elif do == "dropped":
            own = str(action.get("library", ""))
            self._add_dropped(own if own in self.application.library_names() else name, action)
        elif do == "again" and about is None and asked == "again":
            self._change(name, lambda library: library.index_again())
        elif do in _CHANGES:
            self._change(name, lambda library: _CHANGES[do](library, about))

    # -- documents and folders ----------------------------------------------------------------------------------------

    def remove(self, wanted: str, method: str, request: gr.Request) -> tuple[Update, ...]:
        """Remove a document; `wanted` is its id as `pressed` reads it."""
        conversation = self._conversation(request)
        identity, own = pressed(wanted)
        if not identity.isdecimal() or own != conversation.library:
            return tuple(gr.skip() for _ in LIBRARY_PARTS)
        return self._changed(conversation, method, lambda library: library.remove(int(identity)))

    def press(self, name: str, own: str, method: str, conversation: Conversation) -> tuple[Update, ...]:
        """One of the buttons about drafts by meaning and learnt answers."""
        if own != conversation.library:
            return tuple(gr.skip() for _ in LIBRARY_PARTS)

        def change(library: Library) -> None:
            sure = conversation.forgetting == library.name
            conversation.forgetting = library.name if name == "ask" else ""
            if name in ("build", "unbuild"):
                library.want_states(name == "build")
            elif name == "forget" and sure:
                library.forget_replies()

        return self._changed(conversation, method, change)

    def set_learning(self, on: bool, method: str, request: gr.Request) -> tuple[Update, ...]:
        """Learn the answers given with this library, or not."""
        conversation = self._conversation(request)
        seen = conversation.seen
        shown = self._changed(conversation, method, lambda library: library.set_learning(on))
        # What the box shows. Where the change failed, the next tick sets it back.
        seen["learning"] = box(on)
        return shown

    def add_folder(
        self, path: str, watched: bool, removes: bool, method: str, request: gr.Request
    ) -> tuple[Update, ...]:
        """Take in the folder, or the one file, whose path was typed."""
        conversation = self._conversation(request)
        typed: list[Update] = [gr.skip()] * 3

        def change(library: Library) -> None:
            nonlocal typed
            wanted = _typed_path(path)
            if wanted.is_file():
                info = library.add(wanted, keeps_source=True)
                gr.Info(markup.lines(texts.FILE_ADDED.format(name=info.name)))
            else:
                library.watching.add(wanted, watched=watched, removes=removes)
            typed = ["", False, False]

        shown = self._changed(conversation, method, change)
        return *typed, *shown

    def _add_dropped(self, name: str, action: dict[str, Any]) -> None:
        """The files of a folder that was dropped on the page, which Gradio has taken in already."""
        problem = action.get("problem")
        if problem:
            gr.Warning(markup.lines(texts.FOLDER_NOT_SENT.format(problem=str(problem))))
            return
        files = _dropped_files(action.get("files"))
        counts = action.get("counts")
        counts = counts if isinstance(counts, dict) else {}
        left = texts.left_out({key: number for key, number in counts.items() if isinstance(number, int)})
        if not files:
            gr.Warning(markup.lines(f"{texts.FOLDER_SENT_NONE} {left}".strip()))
            return
        failures: list[str] = []

        def change(library: Library) -> None:
            before = {info.id for info in library.documents()}
            added: set[int] = set()
            for path, shown in files:
                try:
                    added.add(library.add(path, name=shown).id)
                except DocumentError as error:
                    failures.append(str(error))
            sent = texts.FOLDER_SENT if not added & before else texts.FOLDER_SENT_KNOWN
            said = sent.format(documents=texts.counted(len(added), "document"), library=library.name)
            gr.Info(markup.lines(f"{said} {left}".strip()))

        self._change(name, change)
        if failures:
            shown = failures[: shelf.SHOWN_FAILURES]
            more = len(failures) - len(shown)
            gr.Warning(markup.lines("\n".join([*shown, *([texts.MORE.format(number=more)] if more else [])])))

    # -- what is shown ------------------------------------------------------------------------------------------------

    def parts(self, conversation: Conversation, method: str) -> dict[str, str]:
        """What there is to see of the tab's library, as `LIBRARY_PARTS` names it, and "learning"."""
        models, name = self.application.models, conversation.library
        names = self.application.library_names()
        first = {"active": shelf.active(name, names, None)}
        if models.loading or not models.is_ready:
            return first
        try:
            # Nor does a tick wait for a load that began just now: it has to tell of it.
            with models.use(lambda: bool(models.loading)) as engine:
                if engine is None:
                    return first
                library = self.application.library(name, engine)
                replies, tokens = library.replies()
                shown = self._look(library, engine)
                progress = library.progress
                return {
                    "indexing": shelf.indexing(name, progress),
                    "meaning": _meaning(library, engine) if METHODS[method].uses_states else "",
                    "documents": shown.documents,
                    "learnt": markup.learnt(
                        name, replies, tokens, learns=library.learns, asking=conversation.forgetting == name
                    ),
                    "active": shelf.active(name, names, shown.count),
                    "shelf": shelf.shelf(name, conversation.asking, shown.count, replies, shown.usage),
                    "folders": shelf.folders(name, library.watching.folders(), paused=progress.paused),
                    "learning": box(library.learns),
                }
        except LocalSpecError as error:
            empty = dict.fromkeys(("meaning", "documents", "learnt", "folders"), "")
            managed = shelf.shelf(name, conversation.asking, 0, 0, None)
            return {**first, **empty, "shelf": managed, "indexing": markup.note(str(error), "problem")}

    def _look(self, library: Library, engine: Engine) -> _Shown:
        """The documents as markup, made anew only where something has changed, and what the library takes."""
        with self._lock:
            shown = self._shown.get(library.name)
            if shown is None or shown.library is not library:
                shown = self._shown[library.name] = _Shown(library)
        changes = library.changes
        if shown.changes != changes:
            infos = library.documents()
            try:
                embedded = library.embedded()
            except EmbedderError:  # the progress says so
                embedded = {}
            states = library.states.positions() if library.states is not None else None
            shown.documents = shelf.documents(library.name, infos, Parts(embedded, states))
            shown.count, shown.changes = len(infos), changes
        now = time.monotonic()
        if shown.usage is None or (now - shown.measured > USAGE_SECONDS and not engine.busy):
            shown.usage, shown.measured = Usage(library.disk_bytes(), library.memory_bytes()), now
        return shown

    # -- helpers ------------------------------------------------------------------------------------------------------

    def _change(self, name: str, change: Callable[[Library], object]) -> None:
        """Change the library `name`. Raises LocalSpecError."""
        with self.application.models.use() as engine:
            if engine is not None:
                change(self.application.library(name, engine))

    def _changed(
        self, conversation: Conversation, method: str, change: Callable[[Library], None]
    ) -> tuple[Update, ...]:
        """Change the tab's library and show it; a problem is said."""
        try:
            self._change(conversation.library, change)
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
        return self._all(conversation, method)

    def _all(self, conversation: Conversation, method: str) -> tuple[Update, ...]:
        parts = self.parts(conversation, method)
        # A tick under way may send older ones after these: the next one sends them all again.
        for part in LIBRARY_PARTS:
            conversation.seen.pop(part, None)
        return tuple(parts.get(part, gr.skip()) for part in LIBRARY_PARTS)

    def _conversation(self, request: gr.Request) -> Conversation:
        return self.application.conversation(str(request.session_hash))


_CHANGES: dict[str, Callable[[Library, int | None], object]] = {
    "pause": lambda library, _: library.pause(True),
    "resume": lambda library, _: library.pause(False),
    "again": lambda library, about: library.index_again(about) if about is not None else None,
    "remove-failed": lambda library, _: library.remove_failed(),
    "watch": lambda library, about: library.watching.watch(about or 0, True),
    "unwatch": lambda library, about: library.watching.watch(about or 0, False),
    "look": lambda library, about: library.watching.again(about or 0),
    "removes-on": lambda library, about: library.watching.set_removes(about or 0, True),
    "removes-off": lambda library, about: library.watching.set_removes(about or 0, False),
    "forget-folder": lambda library, about: library.watching.forget(about or 0),
    "vanished-keep": lambda library, about: library.watching.settle_vanished(about or 0, remove=False),
    "vanished-remove": lambda library, about: library.watching.settle_vanished(about or 0, remove=True),
}
"""What the buttons about documents and folders do; their ids are never 0."""


def pressed(wanted: str) -> tuple[str, str]:
    """What a button inside markup stands for, and the library that it was made for.

    `page.js` writes both, with a count between them that makes every press different.
    """
    what, _, rest = wanted.partition(" ")
    return what, rest.partition(" ")[2]


def box(ticked: bool) -> str:
    """A box as `Conversation.seen` remembers it."""
    return "on" if ticked else "off"


def _kept(conversation: Conversation, asked: str, change: Callable[[], str]) -> str:
    """Do what a name was typed for; where that fails, it is still asked for."""
    try:
        return change()
    except LocalSpecError:
        conversation.asking = asked
        raise


def _read(wanted: str) -> dict[str, Any]:
    """An action that the page sent; empty for anything else."""
    if len(wanted) > _LONGEST_ACTION:
        return {}
    try:
        action = json.loads(wanted)
    except ValueError:
        return {}
    return action if isinstance(action, dict) else {}


def _typed_path(text: str) -> Path:
    """A path as typed; people paste paths in quotes. Raises SettingsError."""
    clean = (text or "").strip().strip("\"'")
    if not clean or "\0" in clean:
        raise SettingsError(texts.FOLDER_NONE)
    try:
        path = Path(clean).expanduser()
    except RuntimeError:  # the home of a user that there is not
        path = Path(clean)
    if not path.is_absolute():
        raise SettingsError(texts.FOLDER_WHOLE_PATH)
    return path


def _dropped_files(sent: object) -> list[tuple[Path, str]]:
    """The files that the page names, each with the name to show; only those that Gradio has taken in."""
    uploads = Path(get_upload_folder()).resolve()
    found = []
    for one in sent[:MOST_FILES] if isinstance(sent, list) else []:
        if not isinstance(one, dict):
            continue
        path = Path(str(one.get("path", ""))).resolve()
        parts = [part for part in PurePosixPath(str(one.get("name", ""))).parts if part not in ("/", "..", ".")]
        if path.is_relative_to(uploads) and path.is_file():
            found.append((path, str(PurePosixPath(*parts)) if parts else path.name))
    return found


def _meaning(library: Library, engine: Engine) -> str:
    """What there is to say about drafts by meaning where they are chosen."""
    missing = library.states_missing()
    reading = library.states_wanted and not library.progress.problem and not library.paused
    # As many rows at once as were measured; reading takes more, which is no slower.
    seconds = missing * float(engine.decode_seconds[MAX_ROWS]) / MAX_ROWS
    states = library.states.count() if library.states is not None else None
    return markup.meaning(library.name, states, missing, reading=reading, seconds=seconds)
