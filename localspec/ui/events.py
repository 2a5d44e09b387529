"""What happens when people do something on the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from localspec.chat.engine import Engine
from localspec.chat.methods import METHODS
from localspec.chat.presets import SETTINGS
from localspec.errors import LocalSpecError
from localspec.models.catalogue import AUTOMATIC, NO_DRAFT, resolve, resolve_draft
from localspec.models.llama import MAX_ROWS
from localspec.models.pairing import compare_files
from localspec.stores.library import Library, library_name
from localspec.ui import endpoint, formats, markup, texts, whole
from localspec.ui.citing import Citing
from localspec.ui.conversations import CHAT_PARTS, Chats, Update
from localspec.ui.options import SAMPLING_ORDER, Number, load_settings
from localspec.ui.page import Page
from localspec.ui.presets import PresetEvents
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
        self.citing = Citing(application)
        self.presets = PresetEvents(lambda: application.presets)

    def connect(self, page: Page) -> None:
        """Tie the handlers to the components. Inside the Blocks that holds them."""
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": None}
        # One limit per handler: what happens beside a running reply never waits for it.
        self.chats.connect(page, quick)
        self.citing.connect(page, quick)
        fields = dict(zip(SAMPLING_ORDER, page.settings, strict=True))
        self.presets.connect(page.presets, [fields[name] for name in SETTINGS], quick)
        page.method.change(explain, page.method, page.method, **quick)
        shown = [page.indexing, page.meaning, page.documents, page.learnt]
        page.library.input(self.pick_library, page.library, [page.library, *shown], **quick)
        page.removal.change(self.remove, [page.removal, page.method], shown, **quick)
        page.press.change(self.press, [page.press, page.method], shown, **quick)
        page.learning.input(self.set_learning, [page.learning, page.method], shown, trigger_mode="always_last", **quick)
        page.load.click(
            self.load_model,
            [page.model, page.model_file, page.draft, page.context, page.gpu_layers, page.threads],
            [page.status, page.draft_status],
            **quick,
        )
        page.draft.input(self.look_at_draft, [page.model, page.model_file, page.draft], page.draft_status, **quick)
        told = [
            *(page.status, page.draft_status, page.formats, page.alone, page.endpoint, *shown),
            *(page.below, page.chats, page.system, page.learning, page.library, page.read),
        ]
        page.timer.tick(self.refresh, page.method, told, **quick)

    # -- documents ----------------------------------------------------------------------------------------------

    def pick_library(self, name: str, request: gr.Request) -> tuple[Update, ...]:
        """Switch to a library, or begin one. What was shown of the one before goes; the next tick shows this one."""
        conversation = self._conversation(request)
        try:
            conversation.use_library(library_name(name or ""))
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
            conversation.use_library(conversation.library)
        return conversation.library, *("" for _ in LIBRARY_PARTS)

    def remove(self, wanted: str, method: str, request: gr.Request) -> tuple[Update, ...]:
        """Remove a document; `wanted` is its id as `pressed` reads it."""
        conversation = self._conversation(request)
        identity, own = pressed(wanted)
        if not identity.isdecimal() or own != conversation.library:
            return tuple(gr.skip() for _ in LIBRARY_PARTS)
        return self._change(conversation, own, method, lambda library: library.remove(int(identity)))

    def press(self, wanted: str, method: str, request: gr.Request) -> tuple[Update, ...]:
        """One of the buttons inside markup; `wanted` is its name as `pressed` reads it."""
        conversation = self._conversation(request)
        name, own = pressed(wanted)
        if name in TUNING_PRESSES:
            try:
                self.application.tuner.press(name)  # what comes of it is told by the next tick
            except LocalSpecError as error:
                gr.Warning(markup.lines(str(error)))
        elif name in endpoint.PRESSES:
            endpoint.press(self.application.endpoint, name)
        if own != conversation.library or name in (*TUNING_PRESSES, *endpoint.PRESSES):
            return tuple(gr.skip() for _ in LIBRARY_PARTS)

        def change(library: Library) -> None:
            sure = conversation.forgetting == library.name
            conversation.forgetting = library.name if name == "ask" else ""
            if name in ("build", "unbuild"):
                library.want_states(name == "build")
            elif name == "forget" and sure:
                library.forget_replies()

        return self._change(conversation, own, method, change)

    def set_learning(self, on: bool, method: str, request: gr.Request) -> tuple[Update, ...]:
        """Learn the answers given with this library, or not."""
        conversation = self._conversation(request)
        seen = conversation.seen
        shown = self._change(conversation, conversation.library, method, lambda library: library.set_learning(on))
        # What the box shows. Where the change failed, the next tick sets it back.
        seen["learning"] = _box(on)
        return shown

    def _change(
        self, conversation: Conversation, name: str, method: str, change: Callable[[Library], None]
    ) -> tuple[Update, ...]:
        """Change the library `name` and show the tab's; a problem is said."""
        try:
            with self.application.models.use() as engine:
                if engine is not None:
                    change(self.application.library(name, engine))
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
        parts = self._library_parts(conversation, method)
        # A tick under way may send older ones after these: the next one sends them all again.
        for part in LIBRARY_PARTS:
            conversation.seen.pop(part, None)
        return tuple(parts.get(part, gr.skip()) for part in LIBRARY_PARTS)

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
            **self._library_parts(conversation, method),
            **self.chats.beside(conversation),
        }
        names = self.application.library_names()
        updates: list[Update] = []
        for part in (*MODEL_PARTS, *OTHER_PARTS, *LIBRARY_PARTS, *CHAT_PARTS, "learning"):
            # The system prompt is empty at first, and somebody may be typing it already.
            known = seen.get(part, "" if part == "system" else None)
            changed = part in parts and known != parts[part]
            told: Update = parts.get(part)
            if part == "learning":
                told = told == _box(True)
            updates.append(told if changed else gr.skip())
        listed = "\n".join(names)
        updates.append(gr.Dropdown(choices=names) if seen.get("libraries") != listed else gr.skip())
        updates.append(self._read(conversation))
        seen.update({**parts, "libraries": listed})
        return tuple(updates)

    def _read(self, conversation: Conversation) -> Update:
        """What can be read whole, where that has changed. A choice made for another library goes."""
        seen, name = conversation.seen, conversation.library
        library = self.application.opened(name)
        try:
            choices = whole.choices(name, library.documents() if library is not None else ())
        except LocalSpecError:  # told beside the documents
            return gr.skip()
        known = repr(choices)
        if seen.get("read") == known:
            return gr.skip()
        seen["read"] = known
        own = conversation.reading == name
        conversation.reading = name
        return gr.Dropdown(choices=choices) if own else gr.Dropdown(choices=choices, value=whole.PASSAGES)

    def _library_parts(self, conversation: Conversation, method: str) -> dict[str, str]:
        models = self.application.models
        if models.loading or not models.is_ready:
            return {}
        try:
            # Nor does a tick wait for a load that began just now: it has to tell of it.
            with models.use(lambda: bool(models.loading)) as engine:
                if engine is None:
                    return {}
                library = self.application.library(conversation.library, engine)
                replies, tokens = library.replies()
                asking = conversation.forgetting == library.name
                return {
                    "indexing": markup.indexing(library.progress),
                    "meaning": _meaning(library, engine) if METHODS[method].uses_states else "",
                    "documents": _documents(library),
                    "learnt": markup.learnt(library.name, replies, tokens, learns=library.learns, asking=asking),
                    "learning": _box(library.learns),
                }
        except LocalSpecError as error:
            return {"indexing": markup.note(str(error), "problem"), "meaning": "", "documents": "", "learnt": ""}

    def leave(self, request: gr.Request) -> None:
        """The tab was closed."""
        self.application.leave(str(request.session_hash))

    def _conversation(self, request: gr.Request) -> Conversation:
        return self.application.conversation(str(request.session_hash))


def pressed(wanted: str) -> tuple[str, str]:
    """What a button inside markup stands for, and the library that it was made for.

    `page.js` writes both, with a count between them that makes every press different.
    """
    what, _, rest = wanted.partition(" ")
    return what, rest.partition(" ")[2]


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


def _meaning(library: Library, engine: Engine) -> str:
    """What there is to say about drafts by meaning where they are chosen."""
    missing = library.states_missing()
    reading = library.states_wanted and not library.progress.problem
    # As many rows at once as were measured; reading takes more, which is no slower.
    seconds = missing * float(engine.decode_seconds[MAX_ROWS]) / MAX_ROWS
    states = library.states.count() if library.states is not None else None
    return markup.meaning(library.name, states, missing, reading=reading, seconds=seconds)


def _documents(library: Library) -> str:
    documents = library.documents()
    read = library.states.positions() if library.states is not None else {}
    # Nothing follows a document's last token, so it has no state.
    complete = {info.id for info in documents if 0 < info.tokens - 1 <= read.get(info.id, 0)}
    return markup.documents(library.name, documents, complete)


def _box(ticked: bool) -> str:
    """A box as `Conversation.seen` remembers it."""
    return "on" if ticked else "off"
