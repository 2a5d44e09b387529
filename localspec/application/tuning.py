"""The weight format of the loaded model: tried in the background, applied where that loses nothing, or when asked."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from localspec.application.model_manager import ModelManager
from localspec.chat.engine import Engine
from localspec.chat.library_setup import states_of
from localspec.errors import LocalSpecError
from localspec.models.files.catalogue import DEFAULT_MODEL, ModelEntry
from localspec.models.quantization import tuned
from localspec.models.quantization.needs import Needs, needs_of
from localspec.models.quantization.tuned import Tuning
from localspec.models.quantization.tuning_run import TuningRun

_logger = logging.getLogger(__name__)

TUNE, MEASURE_AGAIN, STOP, USE_CHOSEN, USE_ORIGINAL = "tune", "retune", "untune", "use-tuned", "use-original"
TUNING_CHILD = "localspec.application.tuning_child"
"""Name of the module that tries formats in a process of its own."""
PRESSES = (TUNE, MEASURE_AGAIN, STOP, USE_CHOSEN, USE_ORIGINAL)
"""Names of the buttons on the page."""
_FRESH_SECONDS = 30.0
"""What is on disk is looked at so often; what is done on the page is seen at once."""
BIG_FILE = 2 * 10**9
"""Bytes from which the page says what disk space is needed; such models are tuned on request only, as all but the
default one are."""


@dataclass(frozen=True, slots=True)
class TuningState:
    """What there is to say about the format of the loaded model."""

    model: str
    possible: bool  # False for a file that was named by its path: it is meant as it is
    big: bool
    needs: Needs | None  # None where no other format can be made
    running: bool
    halted: bool
    fraction: float
    format: str  # being tried
    tuning: Tuning | None  # what was measured
    in_use: bool  # the loaded model is in the chosen format
    waits: bool  # chosen, and used from the next start on, or when the person wants it now
    stale: tuple[str, ...]
    """libraries whose states belong to the original, and are of no use to the chosen format"""
    problem: str


@dataclass(slots=True)
class _Known:
    """What was found out about one loaded engine; it doesn't change while it is loaded."""

    engine: Engine
    needs: Needs | None
    stale: tuple[str, ...] = ()
    read_at: float = 0.0
    tuning: Tuning | None = None


class Tuner:
    """Starts the search, and decides when its result is applied."""

    def __init__(self, models: ModelManager, busy: Callable[[], bool], untouched: Callable[[], bool]) -> None:
        """`busy`: other work for the processor; `untouched`: nobody has asked yet, so that loading again is free."""
        self._models = models
        self._busy = busy
        self._untouched = untouched
        self._lock = threading.Lock()
        self._run: TuningRun | None = None
        self._known: _Known | None = None
        self._problem = ""
        self._closing = threading.Event()
        self.changed: Callable[[], None] = lambda: None
        """Called in any thread whenever `state` may say something else."""

    def begin_by_itself(self) -> None:
        """Once the default model is loaded: try formats, unless that was done before. In the background."""
        threading.Thread(target=self._begin_by_itself, name="tuning-start", daemon=True).start()

    def press(self, name: str) -> None:
        """One of the buttons `PRESSES`. Raises ModelError."""
        if name == STOP:
            self.stop()
        elif name == USE_ORIGINAL:
            self.go_back()
        else:
            self.begin(again=name == MEASURE_AGAIN)

    def begin(self, *, asked: bool = True, again: bool = False) -> None:
        """Try the formats of the loaded model. The result is used at once where the person `asked`. With what is known
        already and not `again`, only the chosen file is made anew, where it is gone."""
        with self._models.use() as engine:
            if engine is None:
                return
            entry, settings = engine.entry, engine.settings
        with self._lock:
            if self._closing.is_set() or (self._run is not None and self._run.running):
                return
            self._problem = ""
            self._known = None
            self._run = TuningRun(
                *(TUNING_CHILD, entry.name, settings, self._busy, lambda run: self._settle(run, entry, asked)),
                again=again,
                changed=lambda: self.changed(),
            )
            self._run.start()
        self.changed()

    def stop(self) -> None:
        """Give the running search up."""
        with self._lock:
            run, self._run = self._run, None
        if run is not None:
            run.stop()
            self.changed()

    def go_back(self) -> None:
        """Use the file as it is, and give the disk space of the other form back. Raises ModelError."""
        self.stop()
        with self._models.use() as engine:
            found = self._tuning_of(engine) if engine is not None else None
            in_use = engine is not None and engine.tuning is not None
        if found is None:
            return
        undone = tuned.use(found, False)
        self._known = None
        self.changed()
        if in_use:
            self._models.reload()
            with self._models.use():
                pass  # the other file can be deleted once it is not loaded any more
        tuned.remove_file(undone)

    def close(self) -> None:
        """The application ends."""
        self._closing.set()
        self.stop()

    @property
    def at(self) -> tuple[object, ...]:
        """Another value whenever the search has come further, or was ended: cheap to ask for."""
        run = self._run
        progress = (run.done, run.format, run.halted) if run is not None and run.running else ()
        return (id(self._known), self._problem, *progress)

    def state(self) -> TuningState | None:
        """None while no model is loaded."""
        engine = self._models.engine
        if engine is None:
            return None
        known = self._known
        if known is None or known.engine is not engine or time.monotonic() - known.read_at > _FRESH_SECONDS:
            known = self._known = self._find_out(engine, known)
        run = self._run if self._run is not None and self._run.running else None
        in_use = engine.tuning is not None
        found = known.tuning
        return TuningState(
            engine.name,
            engine.listed,
            engine.entry.path.exists() and engine.entry.bytes > BIG_FILE,
            known.needs,
            run is not None,
            run is not None and run.halted,
            run.done / run.total if run is not None and run.total else 0.0,
            run.format if run is not None else "",
            found,
            in_use,
            found is not None and bool(found.file) and not in_use,
            known.stale,
            self._problem or engine.format_problem,
        )

    # -- in threads ---------------------------------------------------------------------------------------------

    def _begin_by_itself(self) -> None:
        try:
            with self._models.use(self._closing.is_set) as engine:
                if engine is None or engine.name != DEFAULT_MODEL or not engine.listed or engine.settings.original:
                    return
                found = self._tuning_of(engine)
            if found is None:
                self.begin(asked=False)
            elif found.file and not found.decided:
                self._decide(found)
        except LocalSpecError as error:
            _logger.info("No format is chosen: %s", error)

    def _settle(self, run: TuningRun, entry: ModelEntry, asked: bool) -> None:
        """The search is over: apply what it found."""
        try:
            if run.error is not None:
                self._problem = str(run.error)
                return
            with self._models.use(self._closing.is_set) as engine:
                same = engine is not None and engine.entry == entry
                found = self._tuning_of(engine) if engine is not None and same else None
                in_use = engine is not None and engine.tuning is not None
            self._known = None
            if found is None:
                return
            if not found.file:
                if in_use:  # measured again, and no longer the best: its file is gone
                    self._models.reload()
            elif asked:
                tuned.use(found, True)
                self._models.reload()
            else:
                self._decide(found)
        except LocalSpecError as error:
            self._problem = str(error)
        finally:
            self.changed()

    def _decide(self, found: Tuning) -> None:
        """Of a format that nobody asked for: it is used from the next start on, or now if nobody has asked anything
        yet; not at all by itself where libraries were read for drafts by meaning in the original."""
        if states_of(found.fingerprint):
            return
        tuned.use(found, True)
        self._known = None
        if self._untouched():
            self._models.reload()

    def _tuning_of(self, engine: Engine) -> Tuning | None:
        return tuned.read(engine.original_fingerprint, engine.settings)

    def _find_out(self, engine: Engine, before: _Known | None) -> _Known:
        if before is not None and before.engine is engine:
            needs = before.needs
        else:
            try:
                needs = needs_of(engine.entry)
            except (LocalSpecError, OSError) as error:
                _logger.info("No other format: %s", error)
                needs = None
        found = self._tuning_of(engine)
        stale = tuple(states_of(engine.original_fingerprint)) if found is not None and found.file else ()
        return _Known(engine, needs, stale, time.monotonic(), found)
