"""Chooses the weight format of a model for this computer: the one with the most expected tokens per second of those
that stay near the original.

What the expectation is, and which text the outputs are compared on, is the caller's to say (`Judgement`): both belong
to rooms above this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from localspec.config import cache_folder, default_threads
from localspec.errors import ModelError, ModelFileError
from localspec.models.decode_times import interpolate, measure
from localspec.models.files.catalogue import ModelEntry
from localspec.models.files.check import check
from localspec.models.files.header import read_header
from localspec.models.llama import LlamaModel, LoadSettings, Weights
from localspec.models.quantization import formats, tuned
from localspec.models.quantization.formats import ATTENTION, FEED_FORWARD, HEAD, Format, layout
from localspec.models.quantization.needs import make_sure_of_memory, make_sure_of_space
from localspec.models.quantization.quality import GIVE_UP_FACTOR, Quality, Reference, compare
from localspec.models.quantization.tuned import Figures, Tuning
from localspec.models.quantization.tuning_run import Interruptions

MAX_DIVERGENCE = 0.01
"""Largest mean KL divergence from the original, in nats: about what 8-bit weights cost (docs/log.md)."""
MIN_GAIN = 1.03
"""Times as fast that another format must be: below, the noise of measuring would decide."""
SHOWN_ROWS = (1, 2, 4, 8, 16)
"""Row counts whose times people are shown."""
ORIGINAL, CHOSEN, SLOWER, TOO_FAR = "original", "chosen", "slower", "loses too much"
NO_GAIN = "gains too little"
_CONTEXT = 1024
"""Positions of the contexts that are measured in: enough for `measure`, with little memory."""
_MAX_TEXT_TOKENS = 100
"""Tokens of each piece of held text that are compared: about 3,000 in all."""
_PATIENCE_SECONDS = 24 * 3600.0
"""For the check of the chosen file: this process may be halted meanwhile."""
_REMEASURED = 2
"""Further measurements of the original and of the best, in turn, before they are compared."""
_MIXED_TYPES = 3
"""Types, the fastest first, that are tried for one class of the best format."""


@dataclass(frozen=True, slots=True)
class TuningProgress:
    """Where the work stands."""

    done: int  # formats tried
    total: int  # formats that are tried at most
    format: str  # the one at work


@dataclass(frozen=True, slots=True)
class Judgement:
    """By what formats are judged."""

    expected_tokens_per_second: Callable[[NDArray[np.float64]], float]
    """of decoding with drafts where T(k) is [65 + 1] seconds by rows (index 0 unused)"""
    held_tokens: Callable[[LlamaModel], Iterable[NDArray[np.int32]]]
    """token ids [n] of each piece of held text, in the model's own tokens"""


def tune(
    entry: ModelEntry,
    settings: LoadSettings,
    judgement: Judgement,
    *,
    again: bool = False,
    thorough: bool = False,
    report: Callable[[TuningProgress], None] = lambda progress: None,
    interruptions: Interruptions | None = None,
) -> Tuning:
    """Measure the formats of a model and keep the best one's file. What was chosen before is not measured again, unless
    `again`. `thorough` compares the outputs of every format, also of those that are too slow to be chosen.

    The result is not in use until `tuned.use` says so. Raises ModelError, OutOfMemoryError.
    """
    fingerprint = check(entry.path, cache_folder()).weights_fingerprint
    with tuned.locked(fingerprint):
        tuned.clean(fingerprint)
        known = tuned.read(fingerprint, settings)
        if known is not None and not again:
            return restore(known, entry, settings)
        search = _Search(entry, fingerprint, settings, judgement, thorough, report, interruptions or Interruptions())
        try:
            found = search.run()
            tuned.write(found)
        finally:
            search.close()
            tuned.clean(fingerprint)
    return found


def restore(known: Tuning, entry: ModelEntry, settings: LoadSettings) -> Tuning:
    """Make the chosen file again, where it is gone. The caller holds `tuned.locked`. Raises ModelError."""
    if not known.file or known.path is not None:
        return known
    wanted = Format(*(kind if kind != "same" else "" for kind in Path(known.file).stem.split("-")))
    destination = tuned.folder_of(known.fingerprint) / known.file
    make_sure_of_space(destination, layout(entry.path).bytes(wanted))
    formats.convert(entry.path, destination, wanted, settings.threads or default_threads())
    check(destination, cache_folder(), seconds=_PATIENCE_SECONDS)
    found = replace(known, file_bytes=destination.stat().st_size)
    tuned.write(found)
    return found


@dataclass(eq=False)
class _Search:
    """One search: first all weights in one type, then other types for the head, then for one class of layers."""

    entry: ModelEntry
    fingerprint: str
    settings: LoadSettings
    judgement: Judgement
    thorough: bool
    report: Callable[[TuningProgress], None]
    interruptions: Interruptions

    def __post_init__(self) -> None:
        self._threads = self.settings.threads or default_threads()
        self.settings = replace(self.settings, context=0, threads=self._threads, original=True)
        self._source = layout(self.entry.path)
        self._figures: dict[Format, Figures] = {}
        self._best = Format()
        self._best_file: Path | None = None
        self._original: Weights | None = None
        self._reference: Reference | None = None
        self._texts: list[NDArray[np.int32]] = []
        self._total = 1

    def run(self) -> Tuning:
        """Raises ModelError, OutOfMemoryError."""
        self._measure_original()
        source, size = self._source, self.entry.bytes
        bodies, heads = formats.whole_formats(source, size), formats.candidate_types(source, HEAD, size)
        self._total = 1 + len(bodies) + len(heads) + 2 * _MIXED_TYPES
        for wanted in bodies:
            self._consider(wanted)
        for kind in heads:
            self._consider(self._basis().with_type(HEAD, kind))
        for name in (ATTENTION, FEED_FORWARD):
            for kind in self._fastest_types(name):
                self._consider(self._basis().with_type(name, kind))
        self._measure_again()
        return self._result()

    def close(self) -> None:
        """Free what is loaded."""
        if self._reference is not None:
            self._reference.close()
        if self._original is not None:
            self._original.close()
            self._original = None

    def _measure_original(self) -> None:
        self.report(TuningProgress(0, self._total, ORIGINAL))
        seconds = self._times(self.entry.path)
        self._figures[Format()] = Figures(
            self._source.format.name if self._source.uniform else f"{self._source.format.name} (mixed)",
            self.entry.bytes, seconds, self._speed(seconds), 0.0, 1.0, note=ORIGINAL,
        )  # fmt: skip

    def _consider(self, wanted: Format) -> None:
        """Make and measure a format; when it is faster than the best one and near the original, it is the best one."""
        if wanted in self._figures or (self._source.uniform and wanted == self._source.format):
            return
        self.report(TuningProgress(len(self._figures), self._total, wanted.name))
        expected_bytes = self._source.bytes(wanted)
        path = tuned.work_file(self.fingerprint, wanted.file_name)
        empty = Figures(wanted.name, expected_bytes, {}, 0.0, None, None)
        try:
            make_sure_of_space(path, expected_bytes)
            make_sure_of_memory(wanted.name, expected_bytes)
            formats.convert(self.entry.path, path, wanted, self._threads)
            self._figures[wanted] = self._judged(wanted, path)
        except ModelError as error:  # of this format: another may do
            self._figures[wanted] = replace(empty, note=error.message)
        finally:
            if path != self._best_file:
                path.unlink(missing_ok=True)

    def _judged(self, wanted: Format, path: Path) -> Figures:
        seconds = self._times(path)
        speed = self._speed(seconds)
        found = Figures(wanted.name, path.stat().st_size, seconds, speed, None, None, note=SLOWER)
        faster = speed > self._figures[self._best].tokens_per_second
        if not faster and not self.thorough:
            return found
        quality = self._quality(path)
        found = replace(
            found,
            mean_divergence=quality.mean_divergence,
            agreement=quality.agreement,
            positions=quality.positions,
            note=TOO_FAR if quality.mean_divergence > MAX_DIVERGENCE else SLOWER,
        )
        if faster and found.note != TOO_FAR:
            if self._best_file is not None:
                self._best_file.unlink(missing_ok=True)
            self._best, self._best_file = wanted, path
        return found

    def _times(self, path: Path) -> dict[int, float]:
        """T(k), measured without an interruption, by the smallest of what each count showed."""
        context = min(_CONTEXT, read_header(path).context or _CONTEXT)
        with closing(LlamaModel(path, replace(self.settings, context=context))) as model:
            if not model.has_tokenizer:
                raise ModelFileError(f"{path.name} is a draft model: it cannot chat.", "Tune a chat model.")
            if not self._texts:
                self._texts = [
                    tokens[: min(_MAX_TEXT_TOKENS, model.context_size)] for tokens in self.judgement.held_tokens(model)
                ]
            return self.interruptions.undisturbed(lambda: measure(model))

    def _speed(self, seconds: dict[int, float]) -> float:
        return self.judgement.expected_tokens_per_second(interpolate(seconds))

    def _quality(self, path: Path) -> Quality:
        size = path.stat().st_size
        make_sure_of_memory(path.name, size + (self.entry.bytes if self._original is None else 0))
        if self._original is None:
            self._original = Weights(self.entry.path, self.settings.gpu_layers)
        if self._reference is None:
            self._reference = Reference(self._original, self._texts, self._threads)
        with closing(Weights(path, self.settings.gpu_layers)) as candidate:
            return compare(self._reference, candidate, MAX_DIVERGENCE)

    def _fastest_types(self, name: str) -> list[str]:
        """Types for one class, by how fast all layers were in them; left out are what the best format has, and types
        that are so far from the original that a part of them is, too."""
        named = self._source.format if self._source.uniform else Format()
        measured = {
            wanted.of(name) or named.of(name): found.tokens_per_second
            for wanted, found in self._figures.items()
            if found.tokens_per_second > 0
            and wanted.attention == wanted.feed_forward
            and (found.mean_divergence or 0.0) <= GIVE_UP_FACTOR * MAX_DIVERGENCE
        }
        own = self._best.of(name) or named.of(name)
        return sorted(measured.keys() - {own}, key=lambda kind: -measured[kind])[:_MIXED_TYPES]

    def _basis(self) -> Format:
        """The best format so far, with the names of the types that the file has itself."""
        if self._best == Format() and self._source.uniform:
            return self._source.format
        return self._best

    def _measure_again(self) -> None:
        """Measure the original and the best in turn: a machine that slowed down in between must not decide."""
        if self._best_file is None:
            return
        for _ in range(_REMEASURED):
            for wanted, path in ((Format(), self.entry.path), (self._best, self._best_file)):
                found = self._figures[wanted]
                times = self._times(path)
                seconds = {rows: min(value, times.get(rows, value)) for rows, value in found.seconds.items()}
                self._figures[wanted] = replace(found, seconds=seconds, tokens_per_second=self._speed(seconds))

    def _result(self) -> Tuning:
        best, original = self._figures[self._best], self._figures[Format()]
        file, file_bytes, chosen = "", 0, ""
        if self._best_file is not None and best.tokens_per_second >= MIN_GAIN * original.tokens_per_second:
            destination = tuned.folder_of(self.fingerprint) / self._best.file_name
            with tuned.writing(destination):
                self._best_file.replace(destination)
            check(destination, cache_folder(), seconds=_PATIENCE_SECONDS)
            file, file_bytes, chosen = destination.name, destination.stat().st_size, best.format
            self._figures[self._best] = replace(best, note=CHOSEN)
        elif self._best_file is not None:
            self._figures[self._best] = replace(best, note=NO_GAIN)
        device, figures = tuned.device_key(self.settings), tuple(self._figures.values())
        return Tuning(self.entry.name, self.fingerprint, device, figures, chosen, file, file_bytes)
