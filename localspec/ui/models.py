"""What happens when people pick, load, unload and download models."""

from __future__ import annotations

import shutil
import time
from typing import Any

import gradio as gr

from localspec import texts
from localspec.application.downloads import UNDER_WAY, arrived
from localspec.application.model_manager import fit_sentence
from localspec.application.remembered import Choice
from localspec.application.state import Application, Conversation
from localspec.config import models_folder
from localspec.errors import LocalSpecError, ModelFileError, OutOfMemoryError, SettingsError
from localspec.models.files.catalogue import (
    AUTOMATIC,
    DEFAULT_MODEL,
    NO_DRAFT,
    CatalogueEntry,
    find_offer,
    resolve,
    resolve_draft,
)
from localspec.models.files.catalogue import offers as offered
from localspec.models.files.hub import endpoint
from localspec.models.files.inventory import ModelInventory, look_through
from localspec.models.fit.fitting import Fit, ways
from localspec.models.fit.fitting import fit as fit_into
from localspec.models.fit.memory import Room, draft_of, footprint
from localspec.models.llama import LoadSettings
from localspec.models.pairing import compare_files
from localspec.ui import markup, model_parts
from localspec.ui.conversations import Update
from localspec.ui.model_parts import OfferState, Question, draft_status, read_button, status
from localspec.ui.options import Number, load_settings
from localspec.ui.page import Page, draft_choices, fields_of

MODEL_PARTS = ("status", "draft", "formats", "alone")
"""The parts of the page that tell of the loaded models."""
PICKING_PARTS = ("fit", "downloads", "offers", "unusable")
"""Those that tell of models that could be loaded."""
_LOOK_SECONDS = 4.0
"""The folder and the free memory are looked at so often."""
_SPARE_DISK = 64 * 2**20
_OTHERS = 2
"""Models that are named in place of one that does not fit."""


class ModelPart:
    """The handlers, over one application."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._shelf: ModelInventory | None = None
        self._looked = 0.0
        self._offers: tuple[tuple[object, ...], str] = ((), "")
        self._fits: dict[Choice, tuple[tuple[object, ...], str]] = {}

    def connect(self, page: Page, quick: dict[str, Any]) -> None:
        """Tie the handlers to the components; `quick` are the options of every handler on the page."""
        fields = [page.model, page.model_file, page.draft, page.context, page.gpu_layers, page.threads]
        told = [page.status, page.draft_status, page.fit]
        page.load.click(self.load, fields, told, **quick)
        page.unload.click(self.unload, None, page.status, **quick)
        page.draft.input(self.look_at_draft, fields[:3], page.draft_status, **quick)
        # Whoever picks from the list means that, and not the path that was typed before.
        page.model.input(self.pick, fields, [page.model_file, page.fit], trigger_mode="always_last", **quick)
        for field in (page.model_file, page.draft, page.context, page.gpu_layers, page.threads):
            field.input(self.look, fields, page.fit, trigger_mode="always_last", **quick)
        page.press.change(
            self.press, [page.press, *fields], [*fields, *told, page.downloads, page.offers],
            trigger_mode="multiple", **quick,
        )  # fmt: skip

    # -- choosing -----------------------------------------------------------------------------------------------

    def open(self, request: gr.Request, *fields: Any) -> tuple[Update, ...]:  # noqa: ANN401
        """A tab was opened: its fields say what is loaded, if they do not already."""
        used = self.application.models.used
        wanted = fields_of(used, self._names()) if used is not None else fields
        self._conversation(request).picked = used or _picked(*wanted)
        return tuple(
            gr.skip() if now == before else gr.update(value=now) for now, before in zip(wanted, fields, strict=True)
        )

    def pick(self, request: gr.Request, *fields: Any) -> tuple[Update, Update]:  # noqa: ANN401
        """A model of the list was picked."""
        return "", self.look(request, fields[0], "", *fields[2:])

    def look(self, request: gr.Request, *fields: Any) -> str:  # noqa: ANN401
        """Whether what stands in the fields fits."""
        try:
            choice, settings = chosen(*fields)
        except SettingsError as error:
            return model_parts.fit_problem(str(error))
        self._conversation(request).picked = choice
        return self._fit(choice, settings)

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

    def load(self, request: gr.Request, *fields: Any) -> tuple[Update, ...]:  # noqa: ANN401
        """Load what stands in the fields, with the draft model beside it, unless there is no memory for it."""
        return self._load(request, fields, anyway=False)

    def unload(self, request: gr.Request) -> Update:
        """Give the model's memory back."""
        try:
            self.application.unload()
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
        self._tell_again(request)
        return status(self.application)

    def press(self, request: gr.Request, wanted: str, *fields: Any) -> tuple[Update, ...]:  # noqa: ANN401
        """One of the buttons of this part; those of others are left alone."""
        pressed = read_button(wanted.partition(" ")[0])
        same: list[Update] = [gr.skip() for _ in fields]
        if pressed is None:
            return (*same, *(gr.skip() for _ in range(5)))
        action, what = pressed
        conversation = self._conversation(request)
        told: tuple[Update, ...] = (gr.skip(), gr.skip(), gr.skip())
        try:
            now = self._changed(action, what, fields)
            if now is not None:
                same = [gr.skip() if new == old else gr.update(value=new) for new, old in zip(now, fields, strict=True)]
                told = (gr.skip(), gr.skip(), self.look(request, *now))
            if action in ("use", "anyway"):
                told = self._load(request, now or fields, anyway=action == "anyway")
            self._download(conversation, action, what)
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
        parts = self.parts(conversation)
        conversation.seen.update({part: parts[part] for part in ("downloads", "offers")})
        return (*same, *told, parts["downloads"], parts["offers"])

    # -- what changes by itself ---------------------------------------------------------------------------------

    def parts(self, conversation: Conversation) -> dict[str, str]:
        """What there is to say about models that could be loaded, as `PICKING_PARTS` names it."""
        picked = conversation.picked
        shelf = self.shelf()
        return {
            "fit": self._fit(picked, settings_of(picked)) if picked is not None else "",
            "downloads": model_parts.downloads(self.application.downloads.states()),
            "offers": self._offered(conversation.offered),
            "unusable": model_parts.unusable(shelf.unusable),
        }

    def choices(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """What can be picked as model and as draft: a name for each list, and its entries."""
        shelf = self.shelf()
        return [
            ("models", [(entry.name, entry.name) for entry in shelf.models]),
            ("drafts", draft_choices(shelf.drafts)),
        ]

    def shelf(self) -> ModelInventory:
        """What lies in the folder, looked at again every few seconds."""
        if self._shelf is None or time.monotonic() - self._looked > _LOOK_SECONDS:
            self._shelf = look_through()
            self._looked = time.monotonic()
        return self._shelf

    def _names(self) -> list[str]:
        return [entry.name for entry in self.shelf().models]

    # -- helpers ------------------------------------------------------------------------------------------------

    def _load(self, request: gr.Request, fields: tuple[Any, ...], *, anyway: bool) -> tuple[Update, Update, Update]:
        models = self.application.models
        shown: Update = gr.skip()
        try:
            choice, settings = chosen(*fields)
            try:
                found = models.fit(choice, settings)
            except ModelFileError as error:
                models.refuse(error)  # what is loaded stays
            else:
                _check(found, choice)
                if not found.fits and not (anyway and found.could_be_tried):
                    shown = self._fit(choice, settings)
                    advice = texts.FIT_REFUSED_ADVICE.format(model=texts.MODEL)
                    raise OutOfMemoryError(fit_sentence(found), advice)
                models.load(choice.model, settings, choice.draft, keep=True)
        except LocalSpecError as error:
            gr.Warning(markup.lines(str(error)))
            return gr.skip(), gr.skip(), shown
        self._tell_again(request)
        return status(self.application), draft_status(models.draft), gr.skip()

    def _tell_again(self, request: gr.Request) -> None:
        """A load that fails at once may be over, and told by a tick, before what a handler gives arrives: the next tick
        tells it again."""
        for part in (*MODEL_PARTS, "fit"):
            self._conversation(request).seen.pop(part, None)

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
            self._looked = 0.0  # it may have arrived just now
            return fields_of(Choice(resolve(what).name, threads=int(threads or 0)), self._names())
        return None

    def _download(self, conversation: Conversation, action: str, what: str) -> None:
        """Buttons about downloads. Raises LocalSpecError."""
        downloads = self.application.downloads
        if action == "ask":
            conversation.offered = find_offer(what).name
        elif action == "not":
            conversation.offered = ""
        elif action in ("get", "both"):
            offer = find_offer(what)
            draft = _missing_draft(offer) if action == "both" else None
            downloads.begin([offer, *([draft] if draft is not None else [])])
            conversation.offered = ""
        elif action == "stop":
            downloads.stop(what)
        elif action in ("close", "use"):
            downloads.dismiss(what)

    def _fit(self, choice: Choice, settings: LoadSettings) -> str:
        """The part about a choice; made anew every few seconds, for other programs take and give memory."""
        models = self.application.models
        known = (models.engine, models.loading, models.unloading, int(time.monotonic() / _LOOK_SECONDS))
        before = self._fits.get(choice)
        if before is not None and before[0] == known:
            return before[1]
        made = self._made_fit(choice, settings)
        self._fits = {**dict(list(self._fits.items())[-8:]), choice: (known, made)}
        return made

    def _made_fit(self, choice: Choice, settings: LoadSettings) -> str:
        models = self.application.models
        if models.loading or models.unloading:
            return ""
        try:
            found = models.fit(choice, settings)
            _check(found, choice)
        except (LocalSpecError, OSError) as error:
            return model_parts.fit_problem(str(error))
        loaded, used = models.engine, models.used
        same = loaded is not None and used is not None and _means_the_same(choice, used)
        possible, others = None, []
        if not found.fits:
            possible, others = ways(found), self._others(found)
        return model_parts.fit(found, possible, others, loaded=same, counts_loaded=loaded is not None)

    def _others(self, found: Fit) -> list[str]:
        """The largest models on this computer that fit with what is automatic."""
        fitting = []
        for entry in self.shelf().models:
            try:
                size = footprint(entry)
            except (ModelFileError, OSError):
                continue
            if size.name != found.target.name and fit_into(size, None, found.room, embedder=found.embedder).fits:
                fitting.append((size.file_bytes, size.name))
        return [name for _, name in sorted(fitting, reverse=True)[:_OTHERS]]

    def _offered(self, asked: str) -> str:
        """The list of what can be downloaded; made anew where something of it has changed."""
        downloads = self.application.downloads.states()
        under_way = tuple(state.offer.name for state in downloads if state.state in UNDER_WAY)
        shelf = self.shelf()
        known = (asked, under_way, tuple(state.state for state in downloads), shelf, int(self._looked / 30))
        before, made = self._offers  # one tab may replace them while another looks
        if before == known:
            return made
        room, models = self.application.models.room(), offered()
        here = {entry.path for entry in (*shelf.models, *shelf.drafts)}
        states = [
            OfferState(
                offer,
                (found := _fit_of_offer(offer, room)).report.needed,
                "fits" if found.fits else "close" if found.could_ever_fit else "never",
                offer.path(models_folder()) in here,
                arrived(offer),
                offer.name in under_way,
            )
            for offer in models
        ]
        question, problem = None, ""
        if asked:
            try:
                question = _question(find_offer(asked))
            except LocalSpecError as error:
                problem = str(error)
        made = model_parts.offers(states, question, problem)
        self._offers = (known, made)
        return made

    def _conversation(self, request: gr.Request) -> Conversation:
        return self.application.conversation(str(request.session_hash))


def chosen(
    name: str | None, file: str | None, draft: str | None, context: Number, gpu_layers: Number, threads: Number
) -> tuple[Choice, LoadSettings]:
    """What the fields stand for. Raises SettingsError that names the field."""
    settings = load_settings(context, gpu_layers, threads)
    wanted, with_draft = _typed(file) or name or "", _typed(draft) or AUTOMATIC
    return Choice(wanted, with_draft, settings.context, settings.gpu_layers, settings.threads), settings


def settings_of(choice: Choice) -> LoadSettings:
    """How a choice is loaded."""
    return LoadSettings(choice.context, choice.threads, choice.gpu_layers)


def _picked(*fields: Any) -> Choice | None:  # noqa: ANN401
    try:
        return chosen(*fields)[0]
    except SettingsError:
        return None


def _check(found: Fit, choice: Choice) -> None:
    """Raises SettingsError for a context that the model cannot have."""
    trained = found.target.context
    if trained and choice.context > trained:
        raise SettingsError(texts.FIT_CONTEXT_LONG.format(name=found.target.name, trained=f"{trained:,}"))


def _means_the_same(choice: Choice, used: Choice) -> bool:
    names = {choice.model or DEFAULT_MODEL, used.model or DEFAULT_MODEL}
    return len(names) == 1 and (choice.draft, choice.context, choice.gpu_layers, choice.threads) == (
        used.draft,
        used.context,
        used.gpu_layers,
        used.threads,
    )


def _fit_of_offer(offer: CatalogueEntry, room: Room) -> Fit:
    return fit_into(footprint(offer), draft_of(offer, offered()), room)


def _missing_draft(offer: CatalogueEntry) -> CatalogueEntry | None:
    """The model that drafts for an offer, where it has to be downloaded, too."""
    if not offer.draft or offer.draft == DEFAULT_MODEL:
        return None
    draft = find_offer(offer.draft)
    return None if draft.path(models_folder()).is_file() else draft


def _question(offer: CatalogueEntry) -> Question:
    """Raises SettingsError where the hub's address is none."""
    draft = _missing_draft(offer)
    host = endpoint().partition("://")[2]
    missing = max(0, offer.bytes - arrived(offer))
    missing_draft = max(0, draft.bytes - arrived(draft)) if draft is not None else 0
    free = shutil.disk_usage(models_folder()).free
    return Question(
        offer, draft, host, missing, missing_draft, free,
        missing + _SPARE_DISK <= free, missing + missing_draft + _SPARE_DISK <= free,
    )  # fmt: skip


def _typed(path: str | None) -> str:
    """A path or name as typed; people paste paths in quotes."""
    return (path or "").strip().strip('"')


def _number(text: str) -> int:
    """A number that the page sent; 0 for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
