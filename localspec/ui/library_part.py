"""The components about libraries: the line by the entry, and the part of the page with documents and folders."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from localspec import texts
from localspec.stores.documents.folders import MOST_FILES
from localspec.stores.documents.parse import SUPPORTED_SUFFIXES, ParseLimits
from localspec.ui.markup import literal

LIBRARY_PARTS = ("indexing", "meaning", "documents", "learnt", "active", "shelf", "folders")
"""The parts of the page that tell of the library. The box "learning" is apart: its person may just be ticking it."""


@dataclass(slots=True)
class FolderFields:
    """What is typed to add a folder."""

    path: gr.Textbox
    watched: gr.Checkbox
    removes: gr.Checkbox
    add: gr.Button


@dataclass(slots=True)
class LibraryPanel:
    """Libraries, beyond the list of documents."""

    active: gr.Markdown
    """By the entry: the library that the next question uses"""
    manage: gr.Markdown
    folders: gr.Markdown
    fields: FolderFields
    act: gr.Textbox
    """The button about libraries that was pressed, as JSON that `libraries.js` writes"""


def active_line() -> gr.Markdown:
    """The library's name by the entry."""
    return gr.Markdown(sanitize_html=False, elem_id="active-library")


def manage() -> gr.Markdown:
    """New, rename, delete."""
    return gr.Markdown(sanitize_html=False, elem_id="shelf")


def folder_fields() -> tuple[gr.Markdown, FolderFields]:
    """Where a folder's path is typed, and the list of folders."""
    # `False` would make the fields only when the part is first opened: see `page.py`.
    closed: bool = 0  # type: ignore[assignment]
    with gr.Accordion(texts.FOLDER_ADD, open=closed, elem_id="folder-part"):
        path = gr.Textbox(
            label=texts.FOLDER_PATH,
            info=texts.FOLDER_PATH_INFO,
            placeholder=texts.FOLDER_PLACEHOLDER,
            max_lines=1,
            elem_id="folder-path",
        )
        watched = gr.Checkbox(False, label=texts.FOLDER_WATCH, info=texts.FOLDER_WATCH_INFO, elem_id="folder-watch")
        removes = gr.Checkbox(False, label=texts.FOLDER_REMOVES, elem_id="folder-removes")
        add = gr.Button(texts.FOLDER_GO, size="sm", elem_id="folder-add")
        gr.Markdown(_rules(), sanitize_html=False)
    folders = gr.Markdown(sanitize_html=False, elem_id="folders")
    return folders, FolderFields(path, watched, removes, add)


def _rules() -> str:
    """The limits in words, and for `libraries.js`, which looks through folders that are dropped."""
    said = texts.FOLDER_RULES.format(most=f"{MOST_FILES:,}")
    kinds = literal(" ".join(sorted(SUPPORTED_SUFFIXES)))
    words = "".join(
        f' data-{name}="{literal(text)}"'
        for name, text in (
            ("reading", texts.FOLDER_READING),
            ("uploading", texts.FOLDER_UPLOADING),
            ("failed", texts.FOLDER_NOT_SENT),
        )
    )
    return (
        f'<p class="quiet" id="folder-rules" data-kinds="{kinds}" data-most="{MOST_FILES}"'
        f' data-largest="{ParseLimits().file_bytes}"{words}>{literal(said)}</p>'
    )
