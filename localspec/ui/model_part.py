"""Models: picked, loaded and unloaded, with a draft model beside them."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from localspec import texts
from localspec.application.model_manager import fit_sentence
from localspec.application.remembered import Choice
from localspec.application.state import Application
from localspec.errors import LocalSpecError, ModelFileError, OutOfMemoryError, SettingsError
from localspec.models.files.catalogue import AUTOMATIC, NO_DRAFT, available, resolve, resolve_draft
from localspec.models.fit.fitting import Fit, ways
from localspec.models.fit.fitting import fit as fit_into
from localspec.models.fit.memory import footprint
from localspec.models.llama import graphics, kernels
from localspec.models.pairing import compare_files
from localspec.ui import elements, model_markup
from localspec.ui.catalogue_part import LOOK_SECONDS, CataloguePart, ModelFolder
from localspec.ui.model_fields import (
    FIELDS,
    as_picked,
    check_context,
    chosen,
    draft_choices,
    fields_of,
    mean_the_same,
    number_of,
    typed,
)
from localspec.ui.model_markup import draft_status
from localspec.ui.part import EACH, LATEST, QUICK, Part, Tick, Update, Updates, html, only, remember, warned
from localspec.ui.picker_part import PickerPart

LOADED_PARTS = ("status", "picker", "draft-status", "formats")
"""What tells of the loaded models."""
_OTHERS = 2
"""Models that are named in place of one that does not fit."""


class ModelPart(Part):
    """The fields about models, with the picker of the heading, and what is said between them."""

    told = (*FIELDS, "draft-status", "formats", "fit", "unusable")

    def __init__(self, application: Application) -> None:
        super().__init__(application)
        self.folder = ModelFolder()
        self.catalogue = CataloguePart(application, self.folder)
        self.picker = PickerPart(application, self.folder)
        self._fits: dict[Choice, tuple[tuple[object, ...], str]] = {}
        self._verdicts: dict[tuple[object, ...], str] = {}
        self._answered = (*FIELDS, *PickerPart.told, "draft-status", "fit", *self.catalogue.told)
        """what buttons inside markup may change"""

    def build_status(self) -> None:
        """In the heading: the loaded model, and the menu that picks another one."""
        self.picker.build()

    def build(self, choice: Choice) -> None:
        """All fields, closed at first; `choice` is what is loaded first."""
        with gr.Column(elem_id="model-part"):
            names = [entry.name for entry in available()]
            model, file, draft, context, layers, threads = fields_of(choice, names)
            self.model = gr.Dropdown(names, value=model, allow_custom_value=True, label=texts.MODEL, elem_id="model")
            self.model_file = gr.Textbox(file, label=texts.MODEL_FILE, placeholder="model.gguf", elem_id="model-file")
            self.draft = gr.Dropdown(
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
        self.named |= dict(zip(FIELDS, self.fields, strict=True))

    @property
    def fields(self) -> list[gr.components.Component]:
        """What a load is told, in the order of `FIELDS`."""
        return [self.model, self.model_file, self.draft, self.context, self.gpu_layers, self.threads]

    def connect(self, press: gr.Textbox) -> None:
        """`press` names the button that was pressed, of those inside markup."""
        fields = self.fields
        named = {**self.named, **self.picker.named, **self.catalogue.named}
        answered = [named[name] for name in self._answered]
        verdicts = [named["draft-status"], named["fit"]]
        self.load_button.click(self.load, fields, answered, **QUICK)
        self.unload_button.click(self.unload, None, answered, **QUICK)
        # One of the two names the model: whichever was changed last.
        self.model.input(self.pick, fields, [self.model_file, *verdicts], **LATEST)
        self.model_file.input(self.type_path, fields, [self.model, *verdicts], **LATEST)
        for field in (self.draft, self.context, self.gpu_layers, self.threads):
            field.input(self.look, fields, verdicts, **LATEST)
        press.change(self.press, [press, *fields], answered, **EACH)

    def connect_opening(self, blocks: gr.Blocks) -> None:
        """What a tab is told when it is opened."""
        blocks.load(self.open, self.fields, self.fields, **QUICK)

    def tell(self, tick: Tick) -> None:
        """What is loaded, what could be, and whether what is picked fits."""
        inventory = self.folder.inventory()
        picked = tick.conversation.models.picked
        listed: dict[str, list[tuple[str, str]]] = {
            "models": [(entry.name, entry.name) for entry in inventory.models],
            "drafts": draft_choices(inventory.drafts),
        }
        for name, choices in listed.items():
            tick.tell(name, str(choices), gr.update(choices=choices))
        for name, value in self._following(tick).items():
            tick.updates[name] = {**tick.updates.get(name, {}), **gr.update(value=value)}
            picked = self.application.models.used
        tick.tell("draft-status", self._draft(picked))
        tick.tell("formats", model_markup.formats(self.application.tuner.state()))
        tick.tell("fit", self._fit(picked) if picked is not None else "")
        tick.tell("unusable", model_markup.unusable(inventory.unusable))

    # -- choosing -----------------------------------------------------------------------------------------------

    def open(self, request: gr.Request, *fields: Any) -> Updates:  # noqa: ANN401
        """A tab was opened: its fields say what is loaded, if they do not already."""
        used, shown = self.application.models.used, self.conversation(request).models
        wanted = fields_of(used, self.folder.names()) if used is not None else fields
        shown.picked = shown.followed = used or as_picked(*wanted)
        shown.listed = wanted[0] or ""
        return _changes(wanted, fields)

    def pick(self, request: gr.Request, *fields: Any) -> Updates:  # noqa: ANN401
        """A model of the list was picked, and not the path that was typed before; or the list was only clicked."""
        shown = self.conversation(request).models
        name, file, *rest = fields
        if (name or "") in ("", shown.listed):
            return (gr.skip(), *self.look(request, *fields))
        shown.listed = name
        return ("" if file else gr.skip(), *self.look(request, name, "", *rest))

    def type_path(self, request: gr.Request, *fields: Any) -> Updates:  # noqa: ANN401
        """The path of a file was typed or pasted: it is meant, and no model of the list."""
        name, file, *rest = fields
        if not typed(file):
            return (gr.skip(), *self.look(request, *fields))
        self.conversation(request).models.listed = ""
        return (gr.update(value=None) if name else gr.skip(), *self.look(request, None, file, *rest))

    def look(self, request: gr.Request, *fields: Any) -> tuple[str, str]:  # noqa: ANN401
        """What is to be said of what stands in the fields: about the draft model, and whether it fits."""
        try:
            choice = chosen(*fields)
        except SettingsError as error:
            return self._draft(as_picked(*fields[:3], 0, -1, 0)), model_markup.fit_problem(str(error))
        conversation = self.conversation(request)
        conversation.models.picked = choice
        self.application.models.wanted(choice.model)
        said = self._draft(choice), self._fit(choice)
        remember(conversation, dict(zip(("draft-status", "fit"), said, strict=True)))
        return said

    def load(self, request: gr.Request, *fields: Any) -> Updates:  # noqa: ANN401
        """Load what stands in the fields, with the draft model beside it, unless there is no memory for it."""
        self.conversation(request)  # it is told what goes wrong
        with warned():
            self._load(fields, anyway=False)
        return self._answer(request, fields, fields)

    def unload(self, request: gr.Request) -> Updates:
        """Give the model's memory back."""
        self.conversation(request)
        with warned():
            self.application.unload()
        return self._answer(request)

    def press(self, request: gr.Request, wanted: str, *fields: Any) -> Updates:  # noqa: ANN401
        """One of the buttons of this part; those of others are left alone."""
        pressed = elements.read_model_button(wanted.partition(" ")[0])
        if pressed is None:
            return only(self._answered, {})
        action, what = pressed
        conversation, now = self.conversation(request), fields
        with warned():
            now = self._changed(action, what, fields)
            if action in ("use", "anyway", "file"):
                conversation.models.menu_open = False
                self._load(now, anyway=action == "anyway")
            elif action == "unload":
                conversation.models.menu_open = False
                self.application.unload()
            elif action == "menu":
                self.picker.open(conversation, what == "open")
            elif action == "dismiss":
                self.application.models.dismiss()
            self.catalogue.act(conversation, action, what)
        return self._answer(request, now, fields)

    # -- helpers ------------------------------------------------------------------------------------------------

    def _answer(self, request: gr.Request, now: tuple[Any, ...] = (), before: tuple[Any, ...] = ()) -> Updates:
        """All that a button may have changed; `now` is what is to stand in the fields."""
        conversation = self.conversation(request)
        updates: dict[str, Update] = {}
        if now != before:
            conversation.models.listed = now[0] or ""
            updates |= dict(zip(FIELDS, _changes(now, before), strict=True))
            updates["draft-status"], updates["fit"] = self.look(request, *now)
        told = {"status": self.picker.status(), "picker": self.picker.menu(conversation)}
        told |= self.catalogue.parts(conversation)
        # A load that fails at once may be over, and told by a tick, before this arrives: the next tick tells it again.
        for part in (*LOADED_PARTS, "alone", "fit"):
            conversation.seen.pop(part, None)
        remember(conversation, {name: told[name] for name in self.catalogue.told})
        return only(self._answered, updates | told)

    def _load(self, fields: tuple[Any, ...], *, anyway: bool) -> None:
        """Raises LocalSpecError where that cannot be begun."""
        models = self.application.models
        choice = chosen(*fields)
        try:
            found = models.fit(choice)
        except ModelFileError as error:
            models.refuse(error, choice.model)  # what is loaded stays
            return
        check_context(found, choice)
        if not found.fits and not (anyway and found.could_be_tried):
            advice = texts.FIT_REFUSED_ADVICE.format(tab=texts.SETTINGS_TABS["models"])
            raise OutOfMemoryError(fit_sentence(found), advice)
        models.load(choice.model, choice.settings, choice.draft, keep=True)

    def _following(self, tick: Tick) -> dict[str, Any]:
        """What the fields are to hold because another model is loaded than they say; empty where they stay. What the
        person has changed in them stays, but for a model of the list that could not be loaded."""
        models, shown = self.application.models, tick.conversation.models
        used, picked = models.used, shown.picked
        if used is None or models.loading or picked == used:
            shown.followed = used or shown.followed
            return {}
        is_failed = models.error is not None and picked is not None and picked.model == models.failed != used.model
        is_kept = picked not in (None, shown.followed) or used == shown.followed
        if is_kept and not (is_failed and shown.listed):
            return {}
        values: dict[str, Any] = dict(zip(FIELDS, fields_of(used, self.folder.names()), strict=True))

        def told() -> None:
            shown.picked = shown.followed = used
            shown.listed = values["models"] or ""

        tick.then(told)
        return values

    def _changed(self, action: str, what: str, fields: tuple[Any, ...]) -> tuple[Any, ...]:
        """The fields after a button; the same for one that changes none of them. Raises ModelFileError."""
        model, file, draft, context, gpu_layers, threads = fields
        if action == "context":
            return model, file, draft, number_of(what), gpu_layers, threads
        if action == "layers":
            return model, file, draft, context, number_of(what), threads
        if action == "draft":
            return model, file, NO_DRAFT, context, gpu_layers, threads
        if action in ("model", "use"):
            self.folder.look_again()
            return fields_of(Choice(resolve(what).name, threads=int(threads or 0)), self.folder.names())
        if action == "file":
            return fields_of(Choice(typed(what), threads=int(threads or 0)), ())
        return fields

    def _draft(self, picked: Choice | None) -> str:
        """The line about the draft model that is picked, beside the model that is picked."""
        models = self.application.models
        loaded, used = models.draft, models.used
        if picked is None or loaded is None or used is None:
            # Nothing is loaded: only a draft that was named can be told anything about.
            if picked is None or picked.draft in (AUTOMATIC, NO_DRAFT) or models.loading:
                return draft_status(loaded)
        elif mean_the_same(Choice(picked.model, picked.draft), Choice(used.model, used.draft)):
            return draft_status(loaded)
        if picked.draft in (AUTOMATIC, NO_DRAFT):
            return model_markup.draft_line("pending", texts.DRAFT_PENDING.format(load=texts.LOAD))
        try:
            target, entry = resolve(picked.model), resolve_draft(picked.draft)
            stamps = [(one.path, one.path.stat().st_mtime_ns) for one in (target, entry)]
        except (LocalSpecError, OSError) as error:
            return model_markup.draft_line("unfit", texts.DRAFT_UNFIT.format(problem=error), problem=True)
        key: tuple[object, ...] = (target.name, entry.name, *stamps)
        if key not in self._verdicts:  # comparing two vocabularies takes a while
            try:
                compare_files(target.path, entry.path)
                said = texts.DRAFT_FITS.format(name=entry.name, target=target.name, load=texts.LOAD)
                self._verdicts[key] = model_markup.draft_line("pending", said)
            except LocalSpecError as error:
                said = texts.DRAFT_UNFIT.format(problem=error)
                self._verdicts[key] = model_markup.draft_line("unfit", said, problem=True)
        return self._verdicts[key]

    def _fit(self, choice: Choice) -> str:
        """The part about a choice; made anew every few seconds, for other programs take and give memory."""
        models = self.application.models
        known = (models.engine, models.loading, models.unloading, int(time.monotonic() / LOOK_SECONDS))
        before = self._fits.get(choice)
        # It takes some milliseconds of a core, which would be missed by an answer that is being written.
        answers = models.engine is not None and models.engine.busy
        if before is not None and (before[0] == known or (answers and before[0][:-1] == known[:-1])):
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
            check_context(found, choice)
        except (LocalSpecError, OSError) as error:
            return model_markup.fit_problem(str(error))
        loaded, used = models.engine, models.used
        same = loaded is not None and used is not None and mean_the_same(choice, used)
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


def _changes(now: tuple[Any, ...], before: tuple[Any, ...]) -> Updates:
    """What tells the fields to hold `now` where they do not already."""
    return tuple(gr.skip() if new == old else gr.update(value=new) for new, old in zip(now, before, strict=True))
