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
from statistics import median

import numpy as np
from numpy.typing import NDArray

from localspec.config import cache_folder, default_threads
from localspec.errors import ModelError, ModelFileError
from localspec.models.decode_times import interpolate, measure_all
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
from localspec.models.quantization.turn_taking import (
    CHOSEN,
    SLOWER,
    MeasuredRound,
    TurnComparison,
    middle_times,
    take_turns,
)

MAX_DIVERGENCE = 0.01
"""Largest mean KL divergence from the original, in nats: about what 8-bit weights cost (docs/log.md)."""
SHOWN_ROWS = (1, 2, 4, 8, 16)
"""Row counts whose times people are shown."""
ORIGINAL, TOO_FAR, NOT_FASTEST = "original", "loses too much", "not the fastest"
_CONTEXT = 1024
"""Positions of the contexts that are measured in: enough for decode times, with little memory."""
_MAX_TEXT_TOKENS = 100
"""Tokens of each piece of held text that are compared: about 3,000 in all."""
_PATIENCE_SECONDS = 24 * 3600.0
"""For the check of the chosen file: this process may be halted meanwhile."""
_LOOKS, _LOOKS_TRIED = 1, 2
"""Pairs of the original and a format that say whether it is looked at further, and how many are tried for them."""
_PAIRS, _PAIRS_TRIED = 5, 10
"""Pairs of the original and the best format that decide, and how many are tried for them. They are new ones: the best
of many looks is the luckiest, too."""
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
        self._rounds: list[MeasuredRound] = []
        """of the original"""
        self._best = Format()
        self._best_file: Path | None = None
        self._original: LlamaModel | None = None
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
        self._decide()
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
        # It stays loaded: every other format is measured in turn with it.
        self._original = self._open(self.entry.path)
        if not self._original.has_tokenizer:
            raise ModelFileError(f"{self.entry.path.name} is a draft model and cannot chat.", "Tune a chat model.")
        self._texts = [
            tokens[: min(_MAX_TEXT_TOKENS, self._original.context_size)]
            for tokens in self.judgement.held_tokens(self._original)
        ]
        self._rounds.append(self._round(self._original))
        self._figures[Format()] = Figures(
            self._source.format.name if self._source.uniform else f"{self._source.format.name} (mixed)",
            *(self.entry.bytes, self._rounds[0].seconds, self._rounds[0].speed, 0.0, 1.0),
            *(0, ORIGINAL, 1.0, 1.0, 1.0),
        )

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
        shown = self._in_turn(path, _LOOKS, _LOOKS_TRIED)
        note = NOT_FASTEST if shown.gain > 1.0 else SLOWER
        found = replace(self._figures_of(wanted.name, path, shown), note=note)
        faster = shown.gain > self._figures[self._best].gain
        if not faster and not self.thorough:
            return found
        quality = self._quality(path)
        found = replace(
            found,
            mean_divergence=quality.mean_divergence,
            agreement=quality.agreement,
            positions=quality.positions,
            note=TOO_FAR if quality.mean_divergence > MAX_DIVERGENCE else note,
        )
        if faster and found.note != TOO_FAR:
            if self._best_file is not None:
                self._best_file.unlink(missing_ok=True)
            self._best, self._best_file = wanted, path
        return found

    def _open(self, path: Path) -> LlamaModel:
        context = min(_CONTEXT, read_header(path).context or _CONTEXT)
        return LlamaModel(path, replace(self.settings, context=context))

    def _round(self, model: LlamaModel) -> MeasuredRound:
        """T(k), measured without an interruption, by the smallest of what each count showed."""
        found = self.interruptions.undisturbed(lambda: measure_all(model, longer=()))
        seconds = next(iter(found.measured.values()))
        return MeasuredRound(seconds, self.judgement.expected_tokens_per_second(interpolate(seconds)), found.calm)

    def _in_turn(self, path: Path, wanted: int, tries: int) -> TurnComparison:
        """The original and the file at `path`, measured in turn."""
        assert self._original is not None  # the first thing that is measured
        original = self._original
        with closing(self._open(path)) as other:
            found = take_turns(lambda: self._round(original), lambda: self._round(other), wanted, tries)
        self._rounds += [first for first, _ in found.pairs]
        return found

    def _figures_of(self, name: str, path: Path, shown: TurnComparison) -> Figures:
        """Its tokens per second are what the original has, times its gain: what is said agrees with the table."""
        ratios = shown.ratios or [0.0]
        seconds = middle_times([other for _, other in shown.pairs])
        speed = self._figures[Format()].tokens_per_second * shown.gain
        return Figures(
            *(name, path.stat().st_size, seconds, speed, None, None),
            gain=shown.gain, least_gain=min(ratios), most_gain=max(ratios),
        )  # fmt: skip

    def _quality(self, path: Path) -> Quality:
        assert self._original is not None  # it is measured first
        make_sure_of_memory(path.name, path.stat().st_size)
        if self._reference is None:
            self._reference = Reference(self._original, self._texts, self._threads)
        with closing(Weights(path, self.settings.gpu_layers)) as candidate:
            return compare(self._reference, candidate, MAX_DIVERGENCE)

    def _fastest_types(self, name: str) -> list[str]:
        """Types for one class, by how fast all layers were in them; left out are what the best format has, and types
        that are so far from the original that a part of them is, too."""
        named = self._source.format if self._source.uniform else Format()
        measured = {
            wanted.of(name) or named.of(name): found.gain
            for wanted, found in self._figures.items()
            if found.gain > 0
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

    def _decide(self) -> None:
        """Measure the original and the best in turn once more, and say what that tells. The figures of all are held
        against what the original showed over the whole time."""
        if self._best_file is not None:
            self.report(TuningProgress(len(self._figures), self._total, self._best.name))
            shown = self._in_turn(self._best_file, _PAIRS, _PAIRS_TRIED)
            before = self._figures[self._best]
            self._figures[self._best] = replace(
                self._figures_of(before.format, self._best_file, shown),
                mean_divergence=before.mean_divergence,
                agreement=before.agreement,
                positions=before.positions,
                note=shown.verdict,
            )
        seconds = middle_times(self._rounds)
        speed = median(one.speed for one in self._rounds)
        self._figures[Format()] = replace(self._figures[Format()], seconds=seconds, tokens_per_second=speed)
        for wanted, one in self._figures.items():
            self._figures[wanted] = replace(one, tokens_per_second=speed * one.gain)

    def _result(self) -> Tuning:
        best = self._figures[self._best]
        file, file_bytes, chosen = "", 0, ""
        if self._best_file is not None and best.note == CHOSEN:
            destination = tuned.folder_of(self.fingerprint) / self._best.file_name
            with tuned.writing(destination):
                self._best_file.replace(destination)
            check(destination, cache_folder(), seconds=_PATIENCE_SECONDS)
            file, file_bytes, chosen = destination.name, destination.stat().st_size, best.format
        device, figures = tuned.device_key(self.settings), tuple(self._figures.values())
        return Tuning(self.entry.name, self.fingerprint, device, figures, chosen, file, file_bytes)
