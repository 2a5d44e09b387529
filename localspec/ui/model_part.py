"""Models: picked, loaded and unloaded, with a draft model beside them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from localspec import texts
from localspec.application.model_manager import fit_sentence
from localspec.application.remembered import Choice
from localspec.application.state import Application
from localspec.errors import LocalSpecError, ModelFileError, OutOfMemoryError, SettingsError
from localspec.models.files.catalogue import (
    AUTOMATIC,
    DEFAULT_MODEL,
    NO_DRAFT,
    ModelEntry,
    available,
    drafts,
    resolve,
    resolve_draft,
)
from localspec.models.fit.fitting import Fit, ways
from localspec.models.fit.fitting import fit as fit_into
from localspec.models.fit.memory import footprint
from localspec.models.llama import graphics, kernels
from localspec.models.pairing import compare_files
from localspec.ui import elements, model_markup
from localspec.ui.catalogue_part import LOOK_SECONDS, CataloguePart, ModelFolder
from localspec.ui.model_markup import draft_status, status
from localspec.ui.options import Number, load_settings
from localspec.ui.part import EACH, LATEST, QUICK, Part, Tick, Update, Updates, html, remember, warn, warned

LOADED_PARTS = ("status", "draft-status", "formats")
"""What tells of the loaded models."""
_OTHERS = 2
"""Models that are named in place of one that does not fit."""


class ModelPart(Part):
    """The fields about models, the line in the heading, and what is said between them."""

    told = (*LOADED_PARTS, "fit", "unusable", "models", "drafts")

    def __init__(self, application: Application) -> None:
        super().__init__(application)
        self.folder = ModelFolder()
        self.catalogue = CataloguePart(application, self.folder)
        self._fits: dict[Choice, tuple[tuple[object, ...], str]] = {}

    def build_status(self) -> None:
        """In the heading: the loaded model."""
        self.named["status"] = html("status")

    def build(self, choice: Choice) -> None:
        """All fields, closed at first; `choice` is what is loaded first."""
        with gr.Column(elem_id="model-part"):
            names = [entry.name for entry in available()]
            model, file, draft, context, layers, threads = fields_of(choice, names)
            self.model = self.named["models"] = gr.Dropdown(
                names, value=model, allow_custom_value=True, label=texts.MODEL, elem_id="model"
            )
            self.model_file = gr.Textbox(file, label=texts.MODEL_FILE, placeholder="model.gguf", elem_id="model-file")
            self.draft = self.named["drafts"] = gr.Dropdown(
                draft_choices(),
                value=draft,
                allow_custom_value=True,
                label=texts.DRAFT,
                info=texts.DRAFT_INFO,
                elem_id="draft",
            )
            self.named["draft-status"] = html("draft-status")
            self.named["formats"] = html("formats")
            # Both the same as long as the application runs.
            html("kernels", model_markup.kernels(kernels()))
            html("graphics", model_markup.graphics(graphics()))
            with gr.Row():
                self.context = gr.Number(
                    context, label=texts.CONTEXT, info=texts.CONTEXT_INFO, precision=0, min_width=90, elem_id="context"
                )
                self.threads = gr.Number(
                    threads, label=texts.THREADS, info=texts.THREADS_INFO, precision=0, min_width=90
                )
            self.gpu_layers = gr.Number(
                layers, label=texts.GPU_LAYERS, info=texts.GPU_LAYERS_INFO, precision=0, elem_id="gpu-layers"
            )
            self.named["fit"] = html("fit")
            with gr.Row():
                self.load_button = gr.Button(texts.LOAD, elem_id="load", min_width=90)
                self.unload_button = gr.Button(texts.UNLOAD, elem_id="unload", scale=0, min_width=90)
            self.named["unusable"] = html("unusable")

    @property
    def fields(self) -> list[gr.components.Component]:
        """What a load is told, in the order that handlers take."""
        return [self.model, self.model_file, self.draft, self.context, self.gpu_layers, self.threads]

    def connect(self, press: gr.Textbox) -> None:
        """`press` names the button that was pressed, of those inside markup."""
        fields, named = self.fields, self.named
        told = [named["status"], named["draft-status"], named["fit"]]
        self.load_button.click(self.load, fields, told, **QUICK)
        self.unload_button.click(self.unload, None, named["status"], **QUICK)
        self.draft.input(self.look_at_draft, fields[:3], named["draft-status"], **QUICK)
        # Whoever picks from the list means that, and not the path that was typed before.
        self.model.input(self.pick, fields, [self.model_file, named["fit"]], **LATEST)
        for field in (self.model_file, self.draft, self.context, self.gpu_layers, self.threads):
            field.input(self.look, fields, named["fit"], **LATEST)
        downloads = [self.catalogue.named[name] for name in self.catalogue.told]
        press.change(self.press, [press, *fields], [*fields, *told, *downloads], **EACH)

    def connect_opening(self, blocks: gr.Blocks) -> None:
        """What a tab is told when it is opened."""
        blocks.load(self.open, self.fields, self.fields, **QUICK)

    def tell(self, tick: Tick) -> None:
        """What is loaded, what could be, and whether what is picked fits."""
        picked = tick.conversation.picked
        inventory = self.folder.inventory()
        tick.tell("status", status(self.application))
        tick.tell("draft-status", draft_status(self.application.models.draft))
        tick.tell("formats", model_markup.formats(self.application.tuner.state()))
        tick.tell("fit", self._fit(picked) if picked is not None else "")
        tick.tell("unusable", model_markup.unusable(inventory.unusable))
        for name, listed in (
            ("models", [(entry.name, entry.name) for entry in inventory.models]),
            ("drafts", draft_choices(inventory.drafts)),
        ):
            tick.tell(name, str(listed), gr.update(choices=listed))

    # -- choosing -----------------------------------------------------------------------------------------------

    def open(self, request: gr.Request, *fields: Any) -> Updates:  # noqa: ANN401
        """A tab was opened: its fields say what is loaded, if they do not already."""
        used = self.application.models.used
        wanted = fields_of(used, self.folder.names()) if used is not None else fields
        self.conversation(request).picked = used or _picked(*wanted)
        return tuple(
            gr.skip() if now == before else gr.update(value=now) for now, before in zip(wanted, fields, strict=True)
        )

    def pick(self, request: gr.Request, *fields: Any) -> tuple[Update, Update]:  # noqa: ANN401
        """A model of the list was picked."""
        return "", self.look(request, fields[0], "", *fields[2:])

    def look(self, request: gr.Request, *fields: Any) -> str:  # noqa: ANN401
        """Whether what stands in the fields fits."""
        try:
            choice = chosen(*fields)
        except SettingsError as error:
            return model_markup.fit_problem(str(error))
        self.conversation(request).picked = choice
        return self._fit(choice)

    def look_at_draft(self, name: str | None, file: str, draft: str | None) -> str:
        """Whether the draft that was picked fits the target that is picked, as far as their files tell."""
        wanted, loaded = _typed(draft) or AUTOMATIC, self.application.models.draft
        if loaded is not None and loaded.wanted == wanted:
            return draft_status(loaded)
        if wanted in (AUTOMATIC, NO_DRAFT):
            return model_markup.draft_line("pending", texts.DRAFT_PENDING.format(load=texts.LOAD))
        try:
            target, entry = resolve(_typed(file) or name or ""), resolve_draft(wanted)
            compare_files(target.path, entry.path)
        except LocalSpecError as error:
            return model_markup.draft_line("unfit", texts.DRAFT_UNFIT.format(problem=error), problem=True)
        said = texts.DRAFT_FITS.format(name=entry.name, target=target.name, load=texts.LOAD)
        return model_markup.draft_line("pending", said)

    def load(self, request: gr.Request, *fields: Any) -> Updates:  # noqa: ANN401
        """Load what stands in the fields, with the draft model beside it, unless there is no memory for it."""
        return self._load(request, fields, anyway=False)

    def unload(self, request: gr.Request) -> Update:
        """Give the model's memory back."""
        with warned():
            self.application.unload()
        self._tell_again(request)
        return status(self.application)

    def press(self, request: gr.Request, wanted: str, *fields: Any) -> Updates:  # noqa: ANN401
        """One of the buttons of this part; those of others are left alone."""
        pressed = elements.read_model_button(wanted.partition(" ")[0])
        same: list[Update] = [gr.skip() for _ in fields]
        if pressed is None:
            return (*same, *(gr.skip() for _ in range(3 + len(self.catalogue.told))))
        action, what = pressed
        conversation = self.conversation(request)
        told: Updates = (gr.skip(), gr.skip(), gr.skip())
        with warned():
            now = self._changed(action, what, fields)
            if now is not None:
                same = [gr.skip() if new == old else gr.update(value=new) for new, old in zip(now, fields, strict=True)]
                told = (gr.skip(), gr.skip(), self.look(request, *now))
            if action in ("use", "anyway"):
                told = self._load(request, now or fields, anyway=action == "anyway")
            self.catalogue.act(conversation, action, what)
        parts = self.catalogue.parts(conversation)
        remember(conversation, parts)
        return (*same, *told, *(parts[name] for name in self.catalogue.told))

    # -- helpers ------------------------------------------------------------------------------------------------

    def _load(self, request: gr.Request, fields: tuple[Any, ...], *, anyway: bool) -> tuple[Update, Update, Update]:
        models = self.application.models
        shown: Update = gr.skip()
        try:
            choice = chosen(*fields)
            try:
                found = models.fit(choice)
            except ModelFileError as error:
                models.refuse(error)  # what is loaded stays
            else:
                _check(found, choice)
                if not found.fits and not (anyway and found.could_be_tried):
                    shown = self._fit(choice)
                    advice = texts.FIT_REFUSED_ADVICE.format(model=texts.MODEL)
                    raise OutOfMemoryError(fit_sentence(found), advice)
                models.load(choice.model, choice.settings, choice.draft, keep=True)
        except LocalSpecError as error:
            warn(str(error))
            return gr.skip(), gr.skip(), shown
        self._tell_again(request)
        return status(self.application), draft_status(models.draft), gr.skip()

    def _tell_again(self, request: gr.Request) -> None:
        """A load that fails at once may be over, and told by a tick, before what a handler gives arrives: the next tick
        tells it again."""
        for part in (*LOADED_PARTS, "alone", "fit"):
            self.conversation(request).seen.pop(part, None)

    def _changed(self, action: str, what: str, fields: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The fields after a button that changes one of them; None for other buttons. Raises ModelFileError."""
        model, file, draft, context, gpu_layers, threads = fields
        if action == "context":
            return model, file, draft, _number(what), gpu_layers, threads
        if action == "layers":
            return model, file, draft, context, _number(what), threads
        if action == "draft":
            return model, file, NO_DRAFT, context, gpu_layers, threads
        if action in ("model", "use"):
            self.folder.look_again()
            return fields_of(Choice(resolve(what).name, threads=int(threads or 0)), self.folder.names())
        return None

    def _fit(self, choice: Choice) -> str:
        """The part about a choice; made anew every few seconds, for other programs take and give memory."""
        models = self.application.models
        known = (models.engine, models.loading, models.unloading, int(time.monotonic() / LOOK_SECONDS))
        before = self._fits.get(choice)
        if before is not None and before[0] == known:
            return before[1]
        made = self._made_fit(choice)
        self._fits = {**dict(list(self._fits.items())[-8:]), choice: (known, made)}
        return made

    def _made_fit(self, choice: Choice) -> str:
        models = self.application.models
        if models.loading or models.unloading:
            return ""
        try:
            found = models.fit(choice)
            _check(found, choice)
        except (LocalSpecError, OSError) as error:
            return model_markup.fit_problem(str(error))
        loaded, used = models.engine, models.used
        same = loaded is not None and used is not None and _means_the_same(choice, used)
        possible, others = None, []
        if not found.fits:
            possible, others = ways(found), self._others(found)
        return model_markup.fit(found, possible, others, loaded=same, counts_loaded=loaded is not None)

    def _others(self, found: Fit) -> list[str]:
        """The largest models on this computer that fit with what is automatic."""
        fitting = []
        for entry in self.folder.inventory().models:
            try:
                size = footprint(entry)
            except (ModelFileError, OSError):
                continue
            if size.name != found.target.name and fit_into(size, None, found.room, embedder=found.embedder).fits:
                fitting.append((size.file_bytes, size.name))
        return [name for _, name in sorted(fitting, reverse=True)[:_OTHERS]]


def fields_of(choice: Choice, names: Sequence[str]) -> tuple[str | None, str, str, int, int, int]:
    """What the fields hold for a choice: model of the list, path, draft, context, GPU layers, threads."""
    model = choice.model or DEFAULT_MODEL
    listed = model in names
    model_fields = (model, "") if listed else (None, choice.model)
    return *model_fields, choice.draft, choice.context, choice.gpu_layers, choice.threads


def draft_choices(entries: Sequence[ModelEntry] | None = None) -> list[tuple[str, str]]:
    """What can be picked as a draft: label and value; `entries` are all draft models where they are not given."""
    special = [(texts.DRAFT_AUTOMATIC, AUTOMATIC), (texts.DRAFT_NONE, NO_DRAFT)]
    names = dict.fromkeys(entry.name for entry in (drafts() if entries is None else entries))
    return special + [(name, name) for name in names if name not in (AUTOMATIC, NO_DRAFT)]


def chosen(
    name: str | None, file: str | None, draft: str | None, context: Number, gpu_layers: Number, threads: Number
) -> Choice:
    """What the fields stand for. Raises SettingsError that names the field."""
    settings = load_settings(context, gpu_layers, threads)
    wanted, with_draft = _typed(file) or name or "", _typed(draft) or AUTOMATIC
    return Choice(wanted, with_draft, settings.context, settings.gpu_layers, settings.threads)


def _picked(*fields: Any) -> Choice | None:  # noqa: ANN401
    try:
        return chosen(*fields)
    except SettingsError:
        return None


def _check(found: Fit, choice: Choice) -> None:
    """Raises SettingsError for a context that the model cannot have."""
    trained = found.target.context
    if trained and choice.context > trained:
        raise SettingsError(texts.FIT_CONTEXT_LONG.format(name=found.target.name, trained=f"{trained:,}"))


def _means_the_same(choice: Choice, used: Choice) -> bool:
    first, second = (replace(one, model=one.model or DEFAULT_MODEL) for one in (choice, used))
    return first == second


def _typed(path: str | None) -> str:
    """A path or name as typed; people paste paths in quotes."""
    return (path or "").strip().strip('"')


def _number(text: str) -> int:
    """A number that the page sent; 0 for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
