"""Folders: a path that is typed, or a folder that is dropped on the page."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from localspec import texts
from localspec.application.state import Application
from localspec.errors import DocumentError, SettingsError
from localspec.stores.documents.folders import MAX_FILES
from localspec.stores.documents.parse import SUPPORTED_SUFFIXES, ParseLimits
from localspec.stores.library import Library
from localspec.ui import elements, library_markup
from localspec.ui.library_updates import LibraryUpdates
from localspec.ui.part import QUICK, Part, Update, Updates, closed, html, inform, warn


class FolderPart(Part):
    """Where a folder's path is typed, and the list of folders."""

    def __init__(self, application: Application, updates: LibraryUpdates) -> None:
        super().__init__(application)
        self.updates = updates

    def build(self) -> None:
        """The fields, closed at first, and the list below them."""
        with closed(texts.FOLDER_ADD, "folder-part"):
            self.path = gr.Textbox(
                label=texts.FOLDER_PATH,
                info=texts.FOLDER_PATH_INFO,
                placeholder=texts.FOLDER_PLACEHOLDER,
                max_lines=1,
                elem_id="folder-path",
            )
            self.watched = gr.Checkbox(
                False, label=texts.FOLDER_WATCH, info=texts.FOLDER_WATCH_INFO, elem_id="folder-watch"
            )
            self.removes = gr.Checkbox(False, label=texts.FOLDER_REMOVES, elem_id="folder-removes")
            self.add = gr.Button(texts.FOLDER_GO, size="sm", elem_id="folder-add")
            gr.Markdown(_rules(), sanitize_html=False)
        self.named["folders"] = html("folders")

    def connect(self, method: gr.Dropdown, shown: list[gr.components.Component]) -> None:
        """`shown` as `LIBRARY_PARTS` says."""
        fields: list[gr.components.Component] = [self.path, self.watched, self.removes]
        gr.on([self.add.click, self.path.submit], self.add_folder, [*fields, method], [*fields, *shown], **QUICK)

    def add_folder(self, path: str, watched: bool, removes: bool, method: str, request: gr.Request) -> Updates:
        """Take in the folder, or the one file, whose path was typed."""
        conversation = self.conversation(request)
        typed: list[Update] = [gr.skip()] * 3

        def change(library: Library) -> None:
            nonlocal typed
            wanted = typed_path(path)
            if wanted.is_file():
                info = library.add(wanted, keeps_source=True)
                inform(texts.FILE_ADDED.format(name=info.name))
            else:
                library.watching.add(wanted, watched=watched, removes=removes)
            typed = ["", False, False]

        shown = self.updates.changed(conversation, method, change)
        return *typed, *shown

    def add_dropped(self, name: str, action: dict[str, Any]) -> None:
        """The files of a folder that was dropped on the page, which Gradio has taken in already, into the library
        `name`. Raises LocalSpecError."""
        problem = action.get("problem")
        if problem:
            warn(texts.FOLDER_NOT_SENT.format(problem=str(problem)))
            return
        files = dropped_files(action.get("files"))
        counts = action.get("counts")
        counts = counts if isinstance(counts, dict) else {}
        left = texts.left_out({key: number for key, number in counts.items() if isinstance(number, int)})
        if not files:
            warn(f"{texts.FOLDER_SENT_NONE} {left}".strip())
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
            inform(f"{said} {left}".strip())

        self.updates.change(name, change)
        if failures:
            told = failures[: library_markup.SHOWN_FAILURES]
            more = len(failures) - len(told)
            warn("\n".join([*told, *([texts.MORE.format(number=more)] if more else [])]))


def typed_path(text: str) -> Path:
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


def dropped_files(sent: object) -> list[tuple[Path, str]]:
    """The files that the page names, each with the name to show; only those that Gradio has taken in."""
    uploads = Path(get_upload_folder()).resolve()
    found = []
    for one in sent[:MAX_FILES] if isinstance(sent, list) else []:
        if not isinstance(one, dict):
            continue
        path = Path(str(one.get("path", ""))).resolve()
        parts = [part for part in PurePosixPath(str(one.get("name", ""))).parts if part not in ("/", "..", ".")]
        if path.is_relative_to(uploads) and path.is_file():
            found.append((path, str(PurePosixPath(*parts)) if parts else path.name))
    return found


def _rules() -> str:
    """The limits in words, and for `libraries.js`, which looks through folders that are dropped."""
    said = texts.FOLDER_RULES.format(most=f"{MAX_FILES:,}")
    kinds = elements.literal(" ".join(sorted(SUPPORTED_SUFFIXES)))
    words = "".join(
        f' data-{name}="{elements.literal(text)}"'
        for name, text in (
            ("reading", texts.FOLDER_READING),
            ("uploading", texts.FOLDER_UPLOADING),
            ("failed", texts.FOLDER_NOT_SENT),
        )
    )
    return (
        f'<p class="quiet" id="folder-rules" data-kinds="{kinds}" data-most="{MAX_FILES}"'
        f' data-largest="{ParseLimits().file_bytes}"{words}>{elements.literal(said)}</p>'
    )
