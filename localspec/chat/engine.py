"""A loaded target with what belongs to it: lock, decode times, chat template, reader of states, what replies taught."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from localspec import texts
from localspec.chat.reply_stream import Marks
from localspec.chat.sampling_defaults import METADATA, recommend
from localspec.chat.template import template_of
from localspec.config import cache_folder
from localspec.errors import LocalSpecError, ModelError, ModelFileError
from localspec.models.decode_times import MeasuredDecodeTimes, decode_times, fastest_attention, remember
from localspec.models.draft import DraftModel
from localspec.models.files import catalogue
from localspec.models.files.catalogue import AUTOMATIC, ModelEntry
from localspec.models.files.check import Verdict, check
from localspec.models.llama import LlamaModel, LoadSettings, StateReader, StopSignal, gpu_offload_available
from localspec.models.quantization.tuned import Tuning, read
from localspec.speculation.acceptance import Acceptance
from localspec.speculation.cost import ThroughputAverage
from localspec.speculation.drafters.auto import Gates, new_gates
from localspec.speculation.drafters.recycling import RecycledTokens

_LOOK_SECONDS = 0.05
"""How often a request that waits for its turn looks whether it was stopped."""


class EngineStates:
    """The target's hidden states of texts, for the stores: read between replies, and given up when one begins."""

    def __init__(self, model: LlamaModel, fingerprint: str, lock: threading.Lock) -> None:
        self.fingerprint = fingerprint
        """target weights and format"""
        self.dimension = model.state_size
        self._model = model
        self._lock = lock
        self._reader: StateReader | None = None
        self._closed = False

    def read(self, tokens: NDArray[np.int32], should_yield: Callable[[], bool]) -> NDArray[np.float16] | None:
        """Hidden states [n, dimension] of `tokens` [n]; None once `should_yield` is true. Raises ModelError."""
        with self._lock:
            if self._closed:
                raise ModelError("The model was closed while a text was read.", "Load it again.")
            if self._reader is None:
                self._reader = StateReader(self._model, self._model.threads)
            return self._reader.read(tokens, should_yield)

    def close(self) -> None:
        """Free the reader's context. The caller holds the lock."""
        self._closed = True
        if self._reader is not None:
            self._reader.close()
            self._reader = None


class Engine:
    """The one model of a process. Requests take turns; `busy` tells background work to give way.

    Raises ModelError when the model cannot be loaded. A draft model that cannot be used is no error: `draft` is None
    then, and `draft_problem` says why.
    """

    def __init__(
        self,
        model: str = "",
        settings: LoadSettings | None = None,
        draft: str = AUTOMATIC,
        report: Callable[[str], None] = lambda stage: None,
    ) -> None:
        """`draft`: name or file of the model that drafts for it, "auto" for the one that belongs to it, or "none".
        `report` is told what is being done, a key of `texts.LOADING_STAGES`."""
        entry = catalogue.resolve(model)
        report("checking")
        verdict = check(entry.path, cache_folder())
        self.name = entry.name
        self.entry = entry
        """the model as it is listed, whatever format of it is loaded"""
        self.original_fingerprint = verdict.weights_fingerprint
        """SHA-256 of the file that is listed"""
        self.tuning: Tuning | None = None
        """the weight format that is in use in place of the file's own"""
        self.format_problem = ""
        """why the format that was chosen for this computer cannot be used"""
        self.settings = settings or LoadSettings()
        self.listed = not catalogue.names_a_file(model)
        """False where a file was named, which is meant as it is"""
        as_chosen = self.listed and not self.settings.original
        chosen = read(verdict.weights_fingerprint, self.settings) if as_chosen else None
        report("reading")
        verdict, self.model = self._load_weights(entry, verdict, chosen, self.settings)
        self.tokenizer_fingerprint = verdict.tokenizer_fingerprint
        self.weights_fingerprint = verdict.weights_fingerprint
        report("measuring")
        self.times = self._measured()
        names = f"{self.model.names} {entry.name} {entry.path.stem}"
        self.recommended = recommend(
            names, self.model.parameters, self.model.sampling_metadata(METADATA), catalogue.sampling_of(entry)
        )
        """how answers are drawn where the person has not chosen"""
        self.draft: DraftModel | None = None
        self.draft_name = ""
        self.draft_problem = ""
        self._loaded_draft: DraftModel | None = None
        report("draft")
        self._load_draft(draft, entry, self.settings)
        self.template = template_of(self.model)
        self.marks = Marks(self.model, self.model.chat_template)
        self._acceptance_file = cache_folder() / f"acceptance-{self.weights_fingerprint[:16]}.json"
        self.acceptance = Acceptance.load(self._acceptance_file)
        self.throughput = ThroughputAverage()
        self.gates: Gates = new_gates()
        self.recycled = RecycledTokens(self.model.likeliest)
        """what replies teach for as long as the model is loaded: its throughput, what each source brings and costs, and
        which tokens it held to be likely"""
        self._lock = threading.Lock()
        self.state_reader = EngineStates(self.model, self.weights_fingerprint, self._lock)
        self._wanted = 0
        self._count_lock = threading.Lock()

    def _load_weights(
        self, entry: ModelEntry, verdict: Verdict, chosen: Tuning | None, settings: LoadSettings
    ) -> tuple[Verdict, LlamaModel]:
        """The model in the format that was chosen for it, or as it is where there is none that can be used."""
        if chosen is not None and chosen.in_use and chosen.file:
            path = chosen.path
            try:
                if path is None:
                    raise ModelFileError(f"The file {chosen.file} is gone.", "Tune the model again.")
                other = check(path, cache_folder())
                model = _load(path, settings)
            except ModelError as error:
                self.format_problem = str(error)
            else:
                self.tuning = chosen
                return other, model
        return verdict, _load(entry.path, settings)

    def _measured(self) -> MeasuredDecodeTimes:
        """Its decode times; where that fails, or it cannot chat, it is freed again."""
        try:
            if not self.model.has_tokenizer:
                raise ModelFileError(
                    f"{self.entry.path.name} is a draft model and cannot chat.",
                    "Choose a chat model, with this one as its draft model.",
                )
            return decode_times(self.model, cache_folder())
        except BaseException:
            self.model.close()
            raise

    def _load_draft(self, wanted: str, target: ModelEntry, settings: LoadSettings) -> None:
        if wanted == catalogue.NO_DRAFT:
            return
        if not self.model.can_rewind:
            self.draft_problem = texts.NO_REWIND.format(model=self.name, kind=self.model.memory_kind)
            return
        automatic = wanted in ("", AUTOMATIC)
        try:
            candidates = catalogue.drafts_for(target) if automatic else [catalogue.resolve_draft(wanted)]
        except LocalSpecError as error:
            self.draft_problem = str(error)
            return
        for entry in candidates:
            try:
                check(entry.path, cache_folder())
                self.draft = DraftModel(
                    entry.path, self.model, self.model.context_size, self.model.threads, settings.gpu_layers
                )
            except LocalSpecError as error:
                self.draft_problem = str(error)
                continue
            self._loaded_draft = self.draft
            self.draft_name, self.draft_problem = entry.name, ""
            return

    def give_up_draft(self, error: Exception) -> None:
        """The draft model failed: replies go on without it."""
        self.draft = None
        self.draft_problem = str(error)

    @property
    def busy(self) -> bool:
        """True while a reply is being written or waits for its turn."""
        return self._wanted > 0

    @contextmanager
    def turn(self, stop: StopSignal | None = None) -> Iterator[LlamaModel]:
        """The model, for one request at a time. Waiting for it, and what the models compute inside, end by StoppedError
        soon after `stop` is set."""
        with self._count_lock:
            self._wanted += 1
        try:
            while not self._lock.acquire(timeout=_LOOK_SECONDS if stop is not None else -1):
                if stop is not None:
                    stop.check()
            try:
                self._heed(stop)
                yield self.model
            finally:
                self._heed(None)
                self._lock.release()
        finally:
            with self._count_lock:
                self._wanted -= 1

    def _heed(self, stop: StopSignal | None) -> None:
        self.model.stopping.heed(stop)
        if self._loaded_draft is not None:
            self._loaded_draft.heed(stop)

    def tokenize(self, text: str) -> NDArray[np.int32]:
        """Ids of what people or documents say; needs no turn."""
        return self.model.tokenize(text)

    @property
    def format_name(self) -> str:
        """The weight format in use in place of the file's own, with what it brings as far as that was measured; ""
        where there is none."""
        if self.tuning is None:
            return ""
        gain = self.tuning.speedup
        return f"{self.tuning.chosen}, {gain:.2f}×" if gain > 0 else self.tuning.chosen

    @property
    def decode_seconds(self) -> NDArray[np.float64]:
        """T(k) in seconds for k = 0 … 65 (index 0 unused) at the shortest context that was measured."""
        return self.times.at(0)

    def remember(self) -> None:
        """Keep what replies taught of acceptance and decode times; where that fails, it is learnt again."""
        with contextlib.suppress(OSError):
            self.acceptance.save(self._acceptance_file)
            remember(self.model, cache_folder(), self.times)

    @property
    def plain_seconds(self) -> float:
        """Measured T(1) in seconds at the shortest context that was measured."""
        return self.plain_seconds_at(0)

    def reading_seconds(self, tokens: int, *, states: bool) -> float:
        """How long so many tokens of a prompt take, by those read before, else by the widest batch measured."""
        widest = len(self.decode_seconds) - 1
        otherwise = float(self.decode_seconds[widest]) / widest
        return self.times.reading.estimate(tokens, states=states, otherwise=otherwise)

    def plain_seconds_at(self, cached: int) -> float:
        """T(1) in seconds below a text of `cached` positions: a longer one takes longer to attend to."""
        return float(self.times.at(cached)[1])

    def close(self) -> None:
        """Wait for the running request and free the model."""
        with self.turn() as model:
            self.state_reader.close()
            if self._loaded_draft is not None:
                self._loaded_draft.close()
            self.draft = None
            model.close()


def _load(path: Path, settings: LoadSettings) -> LlamaModel:
    """The model, attending as is fastest here; with layers on a GPU there is no choice."""
    if not settings.attention and (settings.gpu_layers == 0 or not gpu_offload_available()):
        settings = replace(settings, attention=fastest_attention(path, settings, cache_folder()))
    return LlamaModel(path, settings)
