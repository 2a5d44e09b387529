"""Libraries: picked, begun, renamed, deleted, and their documents looked after."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from localspec import texts
from localspec.application.conversation import Conversation
from localspec.application.list_states import DOCUMENTS_LISTED
from localspec.application.state import Application
from localspec.config import DEFAULT_LIBRARY
from localspec.errors import LocalSpecError, SettingsError
from localspec.stores.library import Library, library_name
from localspec.stores.naming import library_title
from localspec.ui.folder_part import FolderPart
from localspec.ui.library_updates import LIBRARY_PARTS, LibraryUpdates, box
from localspec.ui.part import EACH, LATEST, QUICK, Part, Tick, Updates, hidden, html, inform, mark, only, warned

_ASKED = ("new", "rename", "delete", "again")
_LONGEST_ACTION = 4_000_000
"""Characters: a dropped folder's files are named in it."""


class LibraryPart(Part):
    """The line by the entry, and the part of the page with documents and folders."""

    told = (*LIBRARY_PARTS, "learning", "library")

    def __init__(self, application: Application, updates: LibraryUpdates) -> None:
        super().__init__(application)
        self.updates = updates
        self.folders = FolderPart(application, updates)

    def build_active(self) -> None:
        """By the entry: the library that the next question uses."""
        self.named["active"] = html("active-library")

    def build(self) -> None:
        """Documents and folders."""
        self.library = self.named["library"] = gr.Dropdown(
            [(library_title(DEFAULT_LIBRARY), DEFAULT_LIBRARY)],
            value=DEFAULT_LIBRARY,
            allow_custom_value=True,
            label=texts.LIBRARY,
            info=texts.LIBRARY_INFO,
            elem_id="library",
        )
        for name in ("shelf", "indexing", "meaning"):
            self.named[name] = html(name)
        self.search = gr.Textbox(
            label=texts.SEARCH_DOCUMENTS,
            show_label=False,
            placeholder=texts.SEARCH_DOCUMENTS,
            container=False,
            max_lines=1,
            elem_id="search-documents",
        )
        self.named["documents"] = html("documents")
        self.removal = hidden("removal")
        self.folders.build()
        self.named |= self.folders.named
        self.act = hidden("shelf-act")
        self.learning = self.named["learning"] = gr.Checkbox(
            True, label=texts.LEARN, info=texts.LEARN_INFO, elem_id="learning"
        )
        self.named["learnt"] = html("learnt")
        self.press = hidden("press")

    def connect(self, method: gr.Dropdown) -> None:
        """What is shown of a library depends on the `method` that is chosen."""
        parts = self.outputs
        shown = [self.library, *parts]
        self.library.input(self.pick, self.library, shown, **QUICK)
        self.search.change(self.find, [self.search, method], parts, **LATEST)
        self.removal.change(self.remove, [self.removal, method], parts, **QUICK)
        self.learning.input(self.set_learning, [self.learning, method], parts, **LATEST)
        self.act.change(self.do, [self.act, method], shown, **EACH)
        self.folders.connect(method, parts)

    @property
    def outputs(self) -> list[gr.components.Component]:
        """The components that tell of the library, as `LIBRARY_PARTS` says."""
        return [self.named[name] for name in LIBRARY_PARTS]

    def tell(self, tick: Tick) -> None:
        """The tab's library, and which others there are."""
        self.updates.tell(tick)
        conversation, names = tick.conversation, self.application.libraries.names()
        listed = [(library_title(one), one) for one in names]
        tick.tell("library", "\n".join(names), gr.update(choices=listed))
        if conversation.switched:
            tick.updates["library"] = gr.update(choices=listed, value=conversation.library)
            tick.then(lambda: setattr(conversation, "switched", False))

    # -- the library --------------------------------------------------------------------------------------------

    def pick(self, name: str, request: gr.Request) -> Updates:
        """Switch to a library, or begin one. What was shown of the one before goes; the next tick shows this one."""
        conversation = self.conversation(request)
        wanted = conversation.library
        with warned():
            wanted = library_name(name or "")
        if wanted == conversation.library:  # the field was only left
            return conversation.library, *(gr.skip() for _ in LIBRARY_PARTS)
        conversation.use_library(wanted)
        return conversation.library, *("" for _ in LIBRARY_PARTS)

    def do(self, wanted: str, method: str, request: gr.Request) -> Updates:
        """One of the buttons inside markup that are about libraries: JSON, which `libraries.js` writes, of its name
        ("do"), the "library" it was made for, what it is "about", and what was typed or dropped."""
        conversation = self.conversation(request)
        action = _read(wanted)
        own = action.get("library")
        name = str(action.get("do", ""))
        if not name or (own != conversation.library and name not in ("use", "dropped")):
            return only(("library", *LIBRARY_PARTS), {})
        before = conversation.library
        with warned():
            self._do(conversation, name, action)
        if conversation.library != before:
            conversation.switched = False
            return conversation.library, *("" for _ in LIBRARY_PARTS)
        return gr.skip(), *self.updates.all(conversation, method)

    def _do(self, conversation: Conversation, do: str, action: dict[str, Any]) -> None:
        name = conversation.library
        text = str(action.get("text", ""))
        about = int(action["about"]) if str(action.get("about", "")).isdecimal() else None
        asked, conversation.asking = conversation.asking, ""
        if do.startswith("ask-"):
            conversation.asking = do.removeprefix("ask-") if do.removeprefix("ask-") in _ASKED else ""
        elif do == "more-documents":
            conversation.documents.limit += DOCUMENTS_LISTED
        elif do == "use":
            self._use(conversation, text, is_asked=not action.get("quiet"))
        elif do == "new":
            new = _kept(conversation, asked, lambda: library_name(text))
            if new in self.application.libraries.names():
                inform(texts.LIBRARY_IS_THERE.format(name=library_title(new)))
            conversation.use_library(new)
        elif do == "rename":
            _kept(conversation, asked, lambda: self.application.rename_library(name, text))
        elif do == "delete" and asked == "delete":
            self.application.delete_library(name)
            inform(texts.LIBRARY_DELETED.format(name=library_title(name)))
        elif do == "dropped":
            own = str(action.get("library", ""))
            self.folders.add_dropped(own if own in self.application.libraries.names() else name, action)
        elif do == "again" and about is None and asked == "again":
            self.updates.change(name, lambda library: library.index_again())
        elif do == "remove-failed":
            self.updates.change(name, lambda library: _remove(conversation, library, library.failed()))
        elif do == "bring-back":
            wanted = [about] if about is not None else conversation.documents.removed
            conversation.documents.removed = ()
            self.updates.change(name, lambda library: library.removed.bring_back(wanted))
        elif do in _CHANGES:
            self.updates.change(name, lambda library: _CHANGES[do](library, about))

    def _use(self, conversation: Conversation, name: str, *, is_asked: bool) -> None:
        """Switch to a library. Where nobody pressed anything, it is what a window remembered, which may be gone."""
        if name in self.application.libraries.names():
            conversation.use_library(name)
        elif is_asked:
            raise SettingsError(texts.LIBRARY_GONE.format(name=library_title(name)))

    def find(self, text: str, method: str, request: gr.Request) -> Updates:
        """Show the documents whose names hold these words."""
        conversation = self.conversation(request)
        listed = conversation.documents
        listed.query, listed.limit = text or "", DOCUMENTS_LISTED
        return self.updates.all(conversation, method)

    # -- its documents and answers ------------------------------------------------------------------------------

    def remove(self, wanted: str, method: str, request: gr.Request) -> Updates:
        """Remove a document; `wanted` is its id as `pressed` reads it."""
        conversation = self.conversation(request)
        number, own = pressed(wanted)
        if not number.isdecimal() or own != conversation.library:
            return only(LIBRARY_PARTS, {})
        return self.updates.changed(conversation, method, lambda library: _remove(conversation, library, [int(number)]))

    def answer_press(self, name: str, own: str, method: str, conversation: Conversation) -> Updates:
        """One of the buttons about drafts by meaning and learnt answers; `own` is the library it was made for."""
        if own != conversation.library:
            return only(LIBRARY_PARTS, {})

        def change(library: Library) -> None:
            sure = conversation.forgetting == library.name
            conversation.forgetting = library.name if name == "ask" else ""
            if name in ("build", "unbuild"):
                library.state_reading.want(name == "build")
            elif name == "forget" and sure:
                library.replies.forget()

        return self.updates.changed(conversation, method, change)

    def set_learning(self, on: bool, method: str, request: gr.Request) -> Updates:
        """Learn the answers given with this library, or not."""
        conversation = self.conversation(request)
        seen = conversation.seen
        shown = self.updates.changed(conversation, method, lambda library: library.replies.set_learning(on))
        # What the box shows. Where the change failed, the next tick sets it back.
        seen["learning"] = mark(box(on))
        return shown


_CHANGES: dict[str, Callable[[Library, int | None], object]] = {
    "pause": lambda library, _: library.pause(True),
    "resume": lambda library, _: library.pause(False),
    "again": lambda library, about: library.index_again(about) if about is not None else None,
    "read-better": lambda library, _: library.renewal.want(),
    "delete-removed": lambda library, about: library.removed.delete([about] if about is not None else None),
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


def _remove(conversation: Conversation, library: Library, documents: Sequence[int]) -> None:
    """Remove documents such that this tab can take it back."""
    conversation.documents.removed = tuple(library.removed.put(documents))


def pressed(wanted: str) -> tuple[str, str]:
    """What a button inside markup stands for, and the library that it was made for.

    `page.js` writes both, with a count between them that makes every press different.
    """
    what, _, rest = wanted.partition(" ")
    return what, rest.partition(" ")[2]


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
