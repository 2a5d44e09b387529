"""The one model of the process: loaded and unloaded in the background, never taken away while someone uses it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from localspec import texts
from localspec.application import remembered
from localspec.application.remembered import Choice
from localspec.chat.engine import Engine
from localspec.errors import LocalSpecError, ModelError, ModelFileError, NoModelError, SettingsError
from localspec.models.choice import default_model, fit_of
from localspec.models.files.catalogue import AUTOMATIC, DEFAULT_MODEL, NO_DRAFT
from localspec.models.fit.fitting import NONE_FITS, SHORTENED, SOME, Fit
from localspec.models.fit.memory import Room, measure_room
from localspec.models.llama import LoadSettings
from localspec.models.offload import proven

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DraftState:
    """What there is to say about the draft model beside the loaded target."""

    target: str
    wanted: str = AUTOMATIC  # What was asked for: a name, a file, "auto" or "none"
    name: str = ""  # The draft in use; "" where there is none
    knows: int = 0  # Tokens it can propose
    tokens: int = 0  # Tokens the target has
    problem: str = ""  # Why what was wanted is not in use; file-controlled text stands in it
    possible: bool = True  # False for a target that can take no drafts back


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What there is to say about the loaded model, found out once."""

    name: str
    path: Path  # of the file as it is listed
    parameters: int  # weights
    bytes: int  # of its file or files, in the format that is in use
    description: str  # all in a line: architecture, format, context, threads


class ModelManager:
    """The one engine of the process: loaded in the background, never taken away while someone uses it."""

    def __init__(self, released: Callable[[], None]) -> None:
        """`released` is called before an engine is closed, when nobody uses it any more."""
        self._released = released
        self._condition = threading.Condition()
        self._engine: Engine | None = None
        self._used_with: tuple[str, LoadSettings | None, str] = ("", None, AUTOMATIC)
        self._users = 0
        self._closing = False
        self.changed: Callable[[], None] = lambda: None
        """Called in any thread, with nothing locked, whenever anything below, `loaded`, `used` or `draft` has
        changed."""
        self.loading = ""
        """Name of the model being loaded, or ""."""
        self.stage = ""
        """What is done while one is loaded: a key of `texts.LOADING_STAGES`, or ""."""
        self.unloading = False
        """True until what was unloaded has given its memory back."""
        self.error: LocalSpecError | None = None
        """Why the last load failed, or was refused."""
        self.failed = ""
        """The model, as it was asked for, that `error` is about"""
        self._loaded: LoadedModel | None = None
        self.notice = ""
        """What is to be said about the loaded model: why it is not the one that was wanted."""
        self.has_embedder: Callable[[], bool] = lambda: False
        """Tells whether the embedding model has its memory already."""
        self.offload_notice = ""
        """What is to be said about the loaded model's GPU layers: why they are not those that were to be expected."""
        self._taken: tuple[int, tuple[int, ...]] = (0, ())
        """Bytes of main memory, and of each GPU's, that closing the loaded model gives back, about"""

    def load(
        self,
        model: str = "",
        settings: LoadSettings | None = None,
        draft: str = AUTOMATIC,
        *,
        keep: bool = False,
        or_default: bool = False,
        notice: str = "",
    ) -> None:
        """Load in a background thread, with a draft model beside it; what the settings leave open is chosen by the
        memory that is free, and so is the model where none is named. When that fails, the model used before comes back
        and `error` says why; a draft model that cannot be used is told by `draft`. `keep`: the next start loads it,
        too. `or_default`: where there was none before, the default model is loaded when this one cannot be. `notice` is
        what is to be said about it.

        Raises SettingsError while another load is under way.
        """
        with self._condition:
            if self.loading or self.unloading or self._closing:
                raise SettingsError(texts.ALREADY_LOADING, texts.ALREADY_LOADING_ADVICE)
            self.loading, self.stage = model or texts.DEFAULT_MODEL, ""
            self.error, self.notice, self.failed = None, notice, model
        self.changed()
        threading.Thread(
            target=self._load, args=[model, settings, draft, keep, or_default], name="load", daemon=True
        ).start()

    def unload(self) -> None:
        """Close the model in a background thread, once replies being written have ended. Nothing can be asked then.

        Raises SettingsError while one is being loaded, and when none is there.
        """
        with self._condition:
            if self.loading or self.unloading or self._closing:
                raise SettingsError(texts.ALREADY_LOADING, texts.ALREADY_LOADING_ADVICE)
            if self._engine is None:
                raise SettingsError(texts.NOTHING_TO_UNLOAD)
            self.unloading = True
            self.error, self.notice, self.failed = None, "", ""
        self.changed()
        threading.Thread(target=self._unload, name="unload", daemon=True).start()

    def refuse(self, error: LocalSpecError, model: str) -> None:
        """Say why `model` is not loaded; what is loaded stays."""
        self.error, self.failed = error, model
        self.changed()

    def dismiss(self) -> None:
        """The person has read what is said about the last load."""
        self.error, self.notice, self.offload_notice, self.failed = None, "", "", ""
        self.changed()

    def wanted(self, model: str) -> None:
        """The person thinks of `model` now: why another one was not loaded is said no more."""
        if self.error is not None and not self.loading and model != self.failed:
            self.error, self.failed = None, ""
            self.changed()

    def room(self) -> Room:
        """The memory that is free for the next model: with what closing the loaded one gives back."""
        return measure_room().with_back(*self._taken)

    def fit(self, choice: Choice) -> Fit:
        """Whether a choice fits into that. Raises ModelFileError."""
        room, embedder = self.room(), not self.has_embedder()
        model = choice.model or default_model(lambda: room, embedder=embedder).name
        return fit_of(model, choice.draft, choice.settings, room, embedder=embedder)

    @property
    def used(self) -> Choice | None:
        """What is loaded, or being loaded again, as it was asked for, with the name of the model where none was named;
        None while there is nothing."""
        with self._condition:
            if self._engine is None:
                return None
            model, settings, draft = self._used_with
            settings = settings or LoadSettings()
            return Choice(model, draft, settings.context, settings.gpu_layers, settings.threads)

    @contextmanager
    def use(self, cancelled: Callable[[], bool] = lambda: False) -> Iterator[Engine | None]:
        """The engine, kept open inside the block; waits while one is loading, and gives None once `cancelled` is true.

        Raises the error of the load when there is no model.
        """
        with self._condition:
            while self.loading and not cancelled():
                self._condition.wait(0.1)
            engine = None if self.loading or self._closing else self._engine
            if engine is None and not cancelled():
                raise self.error or NoModelError(f"{texts.NO_MODEL}.", texts.NO_MODEL_ADVICE)
            self._users += engine is not None
        try:
            yield engine
        finally:
            with self._condition:
                self._users -= engine is not None
                self._condition.notify_all()

    @property
    def is_ready(self) -> bool:
        """True when there is a model to ask."""
        return self._engine is not None and not self.loading

    @property
    def engine(self) -> Engine | None:
        """The loaded model, to be looked at; `use` keeps it open. None while one is loading."""
        with self._condition:
            return None if self.loading or self._closing else self._engine

    def reload(self) -> None:
        """Load what is loaded again, in the format that is chosen now. Like `load`."""
        self.load(*self._used_with)

    @property
    def loaded(self) -> LoadedModel | None:
        """The loaded model; None where there is none, or one is being loaded."""
        with self._condition:
            return None if self._engine is None or self.loading else self._loaded

    @property
    def description(self) -> str:
        """The loaded model in a line; empty when there is none."""
        loaded = self.loaded
        return loaded.description if loaded is not None else ""

    @property
    def draft(self) -> DraftState | None:
        """The draft model beside the loaded target; None while there is no target."""
        with self._condition:
            engine = self._engine
            if engine is None or self.loading:
                return None
            draft = engine.draft
            return DraftState(
                engine.name,
                self._used_with[2],
                engine.draft_name if draft is not None else "",
                draft.vocabulary_size if draft is not None else 0,
                engine.model.vocabulary_size,
                engine.draft_problem if draft is None else "",
                engine.model.can_rewind,
            )

    def close(self) -> None:
        """Free the model when its users are done."""
        with self._condition:
            self._closing = True
            self._condition.wait_for(lambda: not self.loading and not self.unloading, timeout=10)
        self._free()

    def _unload(self) -> None:
        try:
            self._free()
        finally:
            with self._condition:
                self.unloading = False
                self._condition.notify_all()
            self.changed()

    def _load(self, model: str, settings: LoadSettings | None, draft: str, keep: bool, or_default: bool) -> None:
        previous = self._used_with if self._engine is not None else None
        try:
            self._free()
            self._open(model or self._default(), settings, draft)
            if keep and (used := self.used) is not None:
                remembered.keep(replace(used, model=model))
        except LocalSpecError as error:
            self.error = error
            if previous is not None:
                self._restore(previous)
            elif or_default:
                self._open_default(texts.LAST_GONE.format(model=model, problem=error))
            elif not model and self.loading != DEFAULT_MODEL:
                said = texts.DEFAULT_FAILED.format(model=self.loading, problem=error, default=DEFAULT_MODEL)
                self._open_default(said)
        except Exception as error:
            _logger.exception("Loading failed")
            self.error = ModelError(texts.UNEXPECTED.format(kind=type(error).__name__, error=error))
            raise
        finally:
            with self._condition:
                self.loading = self.stage = ""
                self._condition.notify_all()
            self.changed()

    def _reached(self, stage: str) -> None:
        self.stage = stage
        self.changed()

    def _open(self, model: str, settings: LoadSettings | None, draft: str) -> None:
        before = measure_room()
        asked = settings or LoadSettings()
        chosen, fitted = self._chosen(model, asked, draft, before)
        crowds = fitted is not None and bool(fitted.gave_way)
        beside = NO_DRAFT if crowds else draft
        tried = proven(model, beside, chosen, automatic=asked.gpu_layers < 0, room=measure_room)
        engine = Engine(model, tried.settings, beside, self._reached)
        if fitted is not None and crowds:
            engine.draft_problem = texts.DRAFT_GAVE_WAY.format(draft=fitted.gave_way, context=f"{fitted.context:,}")
        after = measure_room()
        with self._condition:
            self._engine, self._loaded = engine, _describe(engine)
            self._used_with = (model, settings, draft)
            self.offload_notice = tried.notice
            if fitted is not None:  # other programs take and give memory meanwhile
                main = min(max(0, before.main - after.main), fitted.report.needed)
                devices = zip(before.devices, after.devices, strict=False)
                self._taken = (main, tuple(max(0, first.free - now.free) for first, now in devices))

    def _chosen(self, model: str, settings: LoadSettings, draft: str, room: Room) -> tuple[LoadSettings, Fit | None]:
        """The settings with what they leave open filled in, where what it usually means does not fit."""
        try:
            fitted = fit_of(model, draft, settings, room, embedder=not self.has_embedder())
        except ModelFileError:
            return settings, None  # loading says what is wrong with it
        if fitted.context_why == SHORTENED:
            settings = replace(settings, context=fitted.context)
        if fitted.layers_why in (SOME, NONE_FITS):
            settings = replace(settings, gpu_layers=fitted.gpu_layers)
        return settings, fitted

    def _restore(self, previous: tuple[str, LoadSettings | None, str]) -> None:
        try:
            self._open(*previous)
        except LocalSpecError as error:
            self.error = error
            return
        if self.error is not None:
            self.error = ModelError(texts.MODEL_KEPT.format(error=self.error))
        self.changed()

    def _default(self) -> str:
        """The name of the model where none was named."""
        found = default_model(measure_room, embedder=not self.has_embedder())
        self.loading, self.notice = found.name, f"{self.notice} {found.notice}".strip()
        self.changed()
        return found.name

    def _open_default(self, said: str) -> None:
        """Load the model that comes with LocalSpec in place of one that failed; `said` tells why."""
        try:
            self._open(DEFAULT_MODEL, None, AUTOMATIC)
        except LocalSpecError:
            return  # what was wanted is what matters
        self.error, self.notice = None, said

    def _free(self) -> None:
        """Close the engine, first: two models at once may not fit into memory."""
        with self._condition:
            engine, self._engine = self._engine, None
            self._loaded = None
            self.stage = "closing" if engine is not None and self.loading else self.stage
        self.changed()
        with self._condition:
            self._condition.wait_for(lambda: self._users == 0)
        self._released()
        if engine is not None:
            engine.close()
        self._taken, self.offload_notice = (0, ()), ""


def _describe(engine: Engine) -> LoadedModel:
    model = engine.model
    threads = texts.counted(model.threads, "thread")
    tuned = f" · {texts.TUNED.format(format=engine.format_name)}" if engine.format_name else ""
    said = f"{engine.name} · {model.description}{tuned} · context {model.context_size:,} · {threads}"
    size = engine.tuning.file_bytes if engine.tuning is not None else engine.entry.bytes
    return LoadedModel(engine.name, engine.entry.path, model.parameters, size, said)


def fit_sentence(found: Fit) -> str:
    """Whether a choice fits into memory, in a sentence."""
    report = found.report
    if not report.fits_on_gpu and report.needed <= report.free:
        full = report.fullest
        needed, free = texts.gib(full.needed), texts.gib(full.free)
        return texts.FIT_GPU_NOT.format(name=found.target.name, device=full.name, needed=needed, free=free)
    said = texts.FIT if found.fits else texts.FIT_NOT
    return said.format(name=found.target.name, needed=texts.gib(report.needed), free=texts.gib(report.free))
