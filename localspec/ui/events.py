"""What happens when people do something on the page."""

from __future__ import annotations

from typing import Any

import gradio as gr

from localspec.chat.methods import METHODS
from localspec.errors import LocalSpecError
from localspec.models.catalogue import AUTOMATIC, NO_DRAFT, resolve, resolve_draft
from localspec.models.pairing import compare_files
from localspec.ui import endpoint, formats, markup, texts
from localspec.ui.compare import Measures
from localspec.ui.conversations import CHAT_PARTS, Chats, Update
from localspec.ui.libraries import Libraries, box, pressed
from localspec.ui.options import Number, load_settings
from localspec.ui.page import Page
from localspec.ui.state import LIBRARY_PARTS, Application, Conversation, DraftState
from localspec.ui.tuning import PRESSES as TUNING_PRESSES

MODEL_PARTS = ("status", "draft", "formats", "alone")
"""The parts of the page that tell of the loaded models."""
OTHER_PARTS = ("endpoint",)
"""The parts of the page that tell of the application."""


class Events:
    """The handlers, over one application."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.chats = Chats(application)
        self.measures = Measures(application, self.chats)
        self.libraries = Libraries(application)

    def connect(self, page: Page) -> None:
        """Tie the handlers to the components. Inside the Blocks that holds them."""
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        # One limit per handler: what happens beside a running reply never waits for it.
        self.chats.connect(page, quick)
        self.measures.connect(page, quick)
        self.libraries.connect(page, quick)
        page.method.change(explain, page.method, page.method, **quick)
        page.press.change(self.press, [page.press, page.method], page.library_parts, **quick)
        page.load.click(
            self.load_model,
            [page.model, page.model_file, page.draft, page.context, page.gpu_layers, page.threads],
            [page.status, page.draft_status],
            **quick,
        )
        page.draft.input(self.look_at_draft, [page.model, page.model_file, page.draft], page.draft_status, **quick)
        told = [
            *(page.status, page.draft_status, page.formats, page.alone, page.endpoint, *page.library_parts),
            *(page.below, page.chats, page.measured, page.learning, page.library),
        ]
        page.timer.tick(self.refresh, page.method, told, **quick)

    def press(self, wanted: str, method: str, request: gr.Request) -> tuple[Update, ...]:
        """One of the buttons inside markup; `wanted` is its name as `pressed` reads it."""
        name, own = pressed(wanted)
        if name in TUNING_PRESSES:
            try:
                self.application.tuner.press(name)  # what comes of it is told by the next tick
            except LocalSpecError as error:
                gr.Warning(markup.lines(str(error)))
        elif name in endpoint.PRESSES:
            endpoint.press(self.application.endpoint, name)
        else:
            return self.libraries.press(name, own, method, self._conversation(request))
        return tuple(gr.skip() for _ in LIBRARY_PARTS)

    # -- model --------------------------------------------------------------------------------------------------

    def load_model(
        self,
        name: str | None,
        file: str,
        draft: str | None,
        context: Number,
        gpu_layers: Number,
        threads: Number,
        request: gr.Request,
    ) -> tuple[Update, Update]:
        """Load the model that was picked, or the file whose path was typed, and the draft model beside it."""
        wanted = _typed(file) or name or ""
        try:
            settings = load_settings(context, gpu_layers, threads)
            self.application.models.load(wanted, settings, _typed(draft) or AUTOMATIC)
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
            return gr.skip(), gr.skip()
        # A load that fails at once may be over, and told by a tick, before this arrives: the next tick tells it again.
        seen = self._conversation(request).seen
        for part in MODEL_PARTS:
            seen.pop(part, None)
        return status(self.application), draft_status(self.application.models.draft)

    def look_at_draft(self, name: str | None, file: str, draft: str | None) -> str:
        """Whether the draft that was picked fits the target that is picked, as far as their files tell."""
        wanted, loaded = _typed(draft) or AUTOMATIC, self.application.models.draft
        if loaded is not None and loaded.wanted == wanted:
            return draft_status(loaded)
        if wanted in (AUTOMATIC, NO_DRAFT):
            return markup.draft("pending", texts.DRAFT_PENDING.format(load=texts.LOAD))
        try:
            target, entry = resolve(_typed(file) or name or ""), resolve_draft(wanted)
            compare_files(target.path, entry.path)
        except LocalSpecError as error:
            return markup.draft("unfit", texts.DRAFT_UNFIT.format(problem=error), problem=True)
        said = texts.DRAFT_FITS.format(name=entry.name, target=target.name, load=texts.LOAD)
        return markup.draft("pending", said)

    # -- what changes by itself ---------------------------------------------------------------------------------

    def refresh(self, method: str, request: gr.Request) -> tuple[Update, ...]:
        """Status, progress and documents; only what has changed since this tab was last told."""
        conversation = self._conversation(request)
        seen = conversation.seen
        draft = self.application.models.draft
        parts = {
            "status": status(self.application),
            "draft": draft_status(draft),
            "formats": formats.formats(self.application.tuner.state()),
            "alone": alone(draft, method),
            "endpoint": endpoint.shown(self.application.endpoint, draft.target if draft is not None else ""),
            **self.libraries.parts(conversation, method),
            **self.chats.beside(conversation),
        }
        names = self.application.library_names()
        updates: list[Update] = []
        for part in (*MODEL_PARTS, *OTHER_PARTS, *LIBRARY_PARTS, *CHAT_PARTS, "learning"):
            changed = part in parts and seen.get(part) != parts[part]
            told: Update = parts.get(part)
            if part == "learning":
                told = told == box(True)
            updates.append(told if changed else gr.skip())
        known = "\n".join(names)
        if conversation.switched:
            conversation.switched = False
            updates.append(gr.Dropdown(choices=names, value=conversation.library))
        else:
            updates.append(gr.Dropdown(choices=names) if seen.get("libraries") != known else gr.skip())
        seen.update({**parts, "libraries": known})
        return tuple(updates)

    def leave(self, request: gr.Request) -> None:
        """The tab was closed."""
        self.application.leave(str(request.session_hash))

    def _conversation(self, request: gr.Request) -> Conversation:
        return self.application.conversation(str(request.session_hash))


def explain(method: str) -> Update:
    """What the chosen method does, beside the switch."""
    return gr.Radio(info=METHODS[method].explanation)


def status(application: Application) -> str:
    """The line about the model."""
    models = application.models
    # While the model from before is loaded again, it is told already why the other one cannot be.
    problem = markup.note(str(models.error), "problem") if models.error is not None else ""
    if models.loading:
        return f'<span data-model="loading">{markup.literal(texts.LOADING.format(name=models.loading))}</span>{problem}'
    described = models.description
    if not described:
        return f'<span data-model="none">{texts.NO_MODEL}</span>{problem}'
    return f'<span data-model="ready">{markup.literal(described)}</span>{problem}'


def draft_status(draft: DraftState | None) -> str:
    """The line about the draft model, under its picker: which one is in use, or why none is."""
    if draft is None:
        return ""
    if draft.name:
        said = texts.DRAFT_USED.format(
            name=draft.name, target=draft.target, knows=f"{draft.knows:,}", tokens=texts.counted(draft.tokens, "token")
        )
        return markup.draft("used", said)
    if draft.problem:
        # Nobody asked for what was tried by itself: that it does not fit is no trouble.
        picked = draft.wanted != AUTOMATIC
        return markup.draft("problem", texts.DRAFT_PROBLEM.format(problem=draft.problem), problem=picked)
    return markup.draft("none", _no_draft(draft))


def alone(draft: DraftState | None, method: str) -> str:
    """Why the chosen method goes without the draft model that it needs; empty where it does not."""
    if draft is None or draft.name or not METHODS[method].needs_draft:
        return ""
    why = draft.problem or _no_draft(draft)
    if not draft.problem and draft.wanted == NO_DRAFT:
        why = texts.DRAFT_PICK.format(model=texts.MODEL)
    return markup.draft("missing", f"{texts.METHOD_ALONE[method]} {why}", problem=True)


def _no_draft(draft: DraftState) -> str:
    """Why there is no draft model though none has failed."""
    if not draft.possible:
        return texts.DRAFT_IMPOSSIBLE.format(target=draft.target)
    return texts.DRAFT_UNUSED if draft.wanted == NO_DRAFT else texts.DRAFT_UNKNOWN.format(target=draft.target)


def _typed(path: str | None) -> str:
    """A path or name as typed; people paste paths in quotes."""
    return (path or "").strip().strip('"')
