"""The page: which components there are and where they stand. What they do is in `events.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from localspec import texts
from localspec.application.remembered import Choice
from localspec.chat.material import PLAIN_SYSTEM
from localspec.chat.methods import DEFAULT_METHOD, METHODS, SIZINGS, listed
from localspec.chat.session import ReplyOptions
from localspec.config import DEFAULT_LIBRARY
from localspec.models.files.catalogue import AUTOMATIC, DEFAULT_MODEL, NO_DRAFT, ModelEntry, available, drafts
from localspec.models.llama import MAX_ROWS
from localspec.models.llama.sampling import SamplingSettings
from localspec.stores.documents.parse import SUPPORTED_SUFFIXES
from localspec.ui import library_part, markup, maths, panel, presets, trials, whole
from localspec.ui.library_part import LibraryPanel
from localspec.ui.options import SAMPLING_ORDER


@dataclass(slots=True)
class Page:
    """The components that events read or write."""

    status: gr.Markdown
    chat: gr.Chatbot
    entry: gr.MultimodalTextbox
    below: gr.Markdown
    """Between chat and entry: what can be done about the last answer"""
    new_chat: gr.Button
    search: gr.Textbox
    chats: gr.Markdown
    """The list of those that are kept"""
    act: gr.Textbox
    """A count, the name of the button about chats that was pressed, and what it is about"""
    importing: gr.UploadButton
    method: gr.Radio
    alone: gr.Markdown
    """Why the chosen method goes without the draft model that it needs"""
    panel: gr.Markdown
    library: gr.Dropdown
    indexing: gr.Markdown
    meaning: gr.Markdown
    documents: gr.Markdown
    removal: gr.Textbox
    learning: gr.Checkbox
    learnt: gr.Markdown
    press: gr.Textbox
    """The name of the button that was pressed, of those inside markup, a count and the library"""
    model: gr.Dropdown
    model_file: gr.Textbox
    draft: gr.Dropdown
    draft_status: gr.Markdown
    formats: gr.Markdown
    context: gr.Number
    gpu_layers: gr.Number
    threads: gr.Number
    fit: gr.Markdown
    """Whether what is picked fits into memory"""
    load: gr.Button
    unload: gr.Button
    unusable: gr.Markdown
    downloads: gr.Markdown
    offers: gr.Markdown
    settings: list[gr.components.Component]
    """As `SAMPLING_ORDER` says."""
    endpoint: gr.Markdown
    timer: gr.Timer
    origins: gr.Checkbox
    """Whether answers show where each word came from"""
    measure: gr.Button
    compare: gr.Button
    measured: gr.Markdown
    """What was measured besides the chat"""
    shelf: LibraryPanel
    cite: gr.Textbox
    """A count and the name of the button of a cited passage that was pressed"""
    passage: gr.Markdown
    """That passage, in a dialog"""
    read: gr.Dropdown
    """What the next question is read with"""
    system: gr.Textbox
    presets: presets.PresetParts

    @property
    def library_parts(self) -> list[gr.components.Component]:
        """The components that tell of the library, in the order of `LIBRARY_PARTS`."""
        shelf = self.shelf
        return [
            *(self.indexing, self.meaning, self.documents, self.learnt),
            *(shelf.active, shelf.manage, shelf.folders),
        ]


def build(choice: Choice | None = None) -> Page:
    """Make the components inside the current Blocks. `choice` is what is loaded first."""
    settings: dict[str, gr.components.Component] = {}
    with gr.Row(elem_id="columns"):
        with gr.Column(scale=0, min_width=200, elem_id="chats-column"):
            search = gr.Textbox(
                label=texts.SEARCH_CHATS,
                show_label=False,
                placeholder=texts.SEARCH_CHATS,
                container=False,
                max_lines=1,
                elem_id="search-chats",
            )
            chats = gr.Markdown(sanitize_html=False, elem_id="chats")
            act = gr.Textbox(visible="hidden", elem_id="act")
            with gr.Row(elem_id="chats-foot"):
                gr.Markdown(
                    f'<div class="exports">{texts.EXPORT_ALL} <a href="/export/all.md" download>Markdown</a>'
                    ' <a href="/export/all.json" download>JSON</a></div>',
                    sanitize_html=False,
                )
                importing = gr.UploadButton(
                    texts.IMPORT, file_types=[".json"], size="sm", scale=0, min_width=70, elem_id="import-chats"
                )
        with gr.Column(scale=7, min_width=320, elem_id="chat-column"):
            with gr.Row(elem_id="heading"):
                gr.Button(texts.CHATS, size="sm", scale=0, min_width=70, elem_id="toggle-chats")
                gr.Markdown(f"<h1>{texts.TITLE}</h1>", sanitize_html=False, elem_id="title")
                status = gr.Markdown(sanitize_html=False, elem_id="status")
                new_chat = gr.Button(texts.NEW_CHAT, size="sm", scale=0, min_width=90, elem_id="new-chat")
                gr.Markdown(markup.keys(), sanitize_html=False, elem_id="keys")
                gr.Markdown(markup.quitting(), sanitize_html=False, elem_id="quit")
                gr.Markdown(markup.watching(), sanitize_html=False, elem_id="watch")
            chat = gr.Chatbot(
                elem_id="chat",
                show_label=False,
                height="100%",
                placeholder=texts.PLACEHOLDER,
                sanitize_html=True,
                allow_tags=False,
                feedback_options=None,
                buttons=["copy"],
                layout="bubble",
                latex_delimiters=maths.DELIMITERS,
            )
            cite = gr.Textbox(visible="hidden", elem_id="cite")
            passage = gr.Markdown(sanitize_html=False, elem_id="passage")
            below = gr.Markdown(sanitize_html=False, elem_id="below")
            with gr.Row(elem_id="asking"):
                active = library_part.active_line()
                read = settings["read"] = gr.Dropdown(
                    whole.choices("", ()),
                    value=whole.PASSAGES,
                    label=texts.READ,
                    show_label=False,
                    container=False,
                    allow_custom_value=True,
                    scale=0,
                    min_width=190,
                    elem_id="read",
                )
            entry = gr.MultimodalTextbox(
                elem_id="entry",
                show_label=False,
                placeholder=texts.ASK,
                file_count="multiple",
                file_types=sorted(SUPPORTED_SUFFIXES),
                sources=["upload"],
                autofocus=True,
                max_lines=8,
            )
        with gr.Column(scale=4, min_width=300, elem_id="side-column"):
            method = settings["method"] = gr.Radio(
                [(METHODS[name].label, name) for name in listed()],
                value=DEFAULT_METHOD,
                label=texts.METHOD,
                info=METHODS[DEFAULT_METHOD].explanation,
                elem_id="method",
            )
            alone = gr.Markdown(sanitize_html=False, elem_id="alone")
            panel_html = gr.Markdown(panel.empty(), sanitize_html=False, elem_id="panel")
            origins = gr.Checkbox(False, label=texts.SHOW_ORIGINS, container=False, elem_id="show-origins")
            with gr.Row(elem_id="measures"):
                measure = gr.Button(texts.MEASURE_PLAIN, size="sm", min_width=110, elem_id="measure-plain")
                compare = gr.Button(texts.COMPARE, size="sm", min_width=110, elem_id="compare-methods")
            measured = gr.Markdown(trials.hint(), sanitize_html=False, elem_id="measured")
            with gr.Accordion(texts.DOCUMENTS, open=True, elem_id="documents-part"):
                library = gr.Dropdown(
                    [DEFAULT_LIBRARY],
                    value=DEFAULT_LIBRARY,
                    allow_custom_value=True,
                    label=texts.LIBRARY,
                    info=texts.LIBRARY_INFO,
                    elem_id="library",
                )
                manage = library_part.manage()
                indexing = gr.Markdown(sanitize_html=False, elem_id="indexing")
                meaning = gr.Markdown(sanitize_html=False, elem_id="meaning")
                documents = gr.Markdown(sanitize_html=False, elem_id="documents")
                removal = gr.Textbox(visible="hidden", elem_id="removal")
                folders, fields = library_part.folder_fields()
                shelf_act = gr.Textbox(visible="hidden", elem_id="shelf-act")
                learning = gr.Checkbox(True, label=texts.LEARN, info=texts.LEARN_INFO, elem_id="learning")
                learnt = gr.Markdown(sanitize_html=False, elem_id="learnt")
                press = gr.Textbox(visible="hidden", elem_id="press")
            with _closed(texts.MODEL, "model-part"):
                names = [entry.name for entry in available()]
                model, file, with_draft, tokens, layers, cores = fields_of(choice or Choice(), names)
                model_list = gr.Dropdown(
                    names, value=model, allow_custom_value=True, label=texts.MODEL, elem_id="model"
                )
                model_file = gr.Textbox(file, label=texts.MODEL_FILE, placeholder="model.gguf", elem_id="model-file")
                draft = gr.Dropdown(
                    draft_choices(),
                    value=with_draft,
                    allow_custom_value=True,
                    label=texts.DRAFT,
                    info=texts.DRAFT_INFO,
                    elem_id="draft",
                )
                draft_status = gr.Markdown(sanitize_html=False, elem_id="draft-status")
                formats = gr.Markdown(sanitize_html=False, elem_id="formats")
                with gr.Row():
                    context = gr.Number(
                        tokens,
                        label=texts.CONTEXT,
                        info=texts.CONTEXT_INFO,
                        precision=0,
                        min_width=90,
                        elem_id="context",
                    )
                    threads = gr.Number(cores, label=texts.THREADS, info=texts.THREADS_INFO, precision=0, min_width=90)
                gpu_layers = gr.Number(
                    layers, label=texts.GPU_LAYERS, info=texts.GPU_LAYERS_INFO, precision=0, elem_id="gpu-layers"
                )
                fit = gr.Markdown(sanitize_html=False, elem_id="fit")
                with gr.Row():
                    load = gr.Button(texts.LOAD, elem_id="load", min_width=90)
                    unload = gr.Button(texts.UNLOAD, elem_id="unload", scale=0, min_width=90)
                unusable = gr.Markdown(sanitize_html=False, elem_id="unusable")
            downloads = gr.Markdown(sanitize_html=False, elem_id="downloads")
            with _closed(texts.GET_MODELS, "offers-part"):
                offers = gr.Markdown(sanitize_html=False, elem_id="offers")
            with _closed(texts.SYSTEM, "system-part"):
                system = settings["system"] = gr.Textbox(
                    label=texts.SYSTEM,
                    show_label=False,
                    info=texts.SYSTEM_INFO,
                    placeholder=PLAIN_SYSTEM,
                    lines=3,
                    max_lines=12,
                    max_length=8000,
                    elem_id="system",
                )
            with _closed(texts.ADVANCED, "advanced-part"):
                preset_parts = presets.build()
                _advanced(settings)
            with _closed(texts.ENDPOINT, "endpoint-part"):
                endpoint = gr.Markdown(sanitize_html=False, elem_id="endpoint")
    return Page(
        status, chat, entry, below, new_chat, search, chats, act, importing, method, alone, panel_html, library,
        indexing, meaning, documents, removal, learning, learnt, press, model_list, model_file, draft, draft_status,
        formats, context, gpu_layers, threads, fit, load, unload, unusable, downloads, offers,
        [settings[name] for name in SAMPLING_ORDER], endpoint, gr.Timer(1.5), origins, measure, compare, measured,
        LibraryPanel(active, manage, folders, fields, shelf_act), cite, passage, read, system, preset_parts,
    )  # fmt: skip


def fields_of(choice: Choice, names: Sequence[str]) -> tuple[str | None, str, str, int, int, int]:
    """What the fields of the part about models hold for a choice: model of the list, path, draft, context, GPU layers,
    threads."""
    model = choice.model or DEFAULT_MODEL
    listed = model in names
    return (
        model if listed else None,
        "" if listed else choice.model,
        choice.draft,
        choice.context,
        choice.gpu_layers,
        choice.threads,
    )


def draft_choices(entries: Sequence[ModelEntry] | None = None) -> list[tuple[str, str]]:
    """What can be picked as a draft: label and value; `entries` are all draft models where they are not given."""
    special = [(texts.DRAFT_AUTOMATIC, AUTOMATIC), (texts.DRAFT_NONE, NO_DRAFT)]
    names = dict.fromkeys(entry.name for entry in (drafts() if entries is None else entries))
    return special + [(name, name) for name in names if name not in (AUTOMATIC, NO_DRAFT)]


def _closed(label: str, name: str) -> gr.Accordion:
    """A closed accordion whose fields are in the page from the start.

    With `open=False` Gradio makes the fields when it is first opened and, frames later, gives them their first values
    again: what was typed meanwhile is lost. It compares with `false` itself, so that 0 is closed and keeps them.
    """
    closed: Any = 0
    return gr.Accordion(label, open=closed, elem_id=name)


def _advanced(settings: dict[str, gr.components.Component]) -> None:
    usual, longest = SamplingSettings(), ReplyOptions().max_tokens
    with gr.Row():
        settings["temperature"] = gr.Number(
            usual.temperature, label="Temperature", info=texts.TEMPERATURE_INFO, step=0.1, min_width=120
        )
        settings["max_tokens"] = gr.Number(
            longest, label="Longest answer", info="In tokens.", precision=0, min_width=120, elem_id="max-tokens"
        )
    with gr.Row():
        settings["top_k"] = gr.Number(usual.top_k, label="Top-k", info="0 is off.", precision=0, min_width=80)
        settings["top_p"] = gr.Number(usual.top_p, label="Top-p", info="1 is off.", step=0.05, min_width=80)
        settings["min_p"] = gr.Number(usual.min_p, label="Min-p", info="0 is off.", step=0.01, min_width=80)
    with gr.Row():
        settings["repeat_penalty"] = gr.Number(
            usual.repeat_penalty, label="Repeat penalty", info="1 is off.", step=0.05, min_width=120
        )
        settings["seed"] = gr.Number(None, label="Seed", info=texts.SEED_INFO, precision=0, min_width=120)
    settings["grammar"] = gr.Textbox("", label="Grammar", info=texts.GRAMMAR_INFO, lines=2, max_lines=8)
    with gr.Row():
        settings["preset"] = gr.Radio(list(SIZINGS), value=SIZINGS[0], label="Draft size", info=texts.PRESET_INFO)
        settings["rows"] = gr.Number(
            0, label="Rows", info=texts.ROWS_INFO, precision=0, minimum=0, maximum=MAX_ROWS, min_width=100
        )
