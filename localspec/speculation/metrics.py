"""What the live panel and the benchmarks show, added up from the steps of a reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from math import inf, sqrt
from statistics import fmean, median, stdev
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from localspec.speculation.interface import Drafter, DraftTimes, Retrieval, Step, retrieval_of
from localspec.speculation.paired import PairedSpeed
from localspec.speculation.tree import SOURCE_NAMES, credited, source_names

_BINS = 10
ENOUGH_PLAIN_STEPS = 5
"""From so many undrafted steps on, a reply's own plain step time is trusted more than the table's."""
_OUTLIER = 3.0
"""An undrafted step counts as at most so many medians of them: one held up by another program is no measure."""
FEW_TOKENS = 16
"""Of a reply with drafts: so few tell nothing about its speed."""
MOST_ERROR = 0.1
"""Standard error of a reply's own plain step time, as a part of it, beyond which no speedup can be told."""
FEW, DISTURBED = "few", "disturbed"
"""Why a speedup cannot be told: too few tokens; other programs held the computer"""


@dataclass(slots=True)
class ReplyMetrics:
    """Counts and seconds of one reply. `plain_seconds` is T(1) as known on this device before the reply, at its
    prompt's length."""

    plain_seconds: float = 0.0
    tokens: int = 0
    steps: int = 0
    drafted_steps: int = 0
    drafted: int = 0
    accepted: int = 0
    propose_seconds: float = 0.0
    decode_seconds: float = 0.0
    sample_seconds: float = 0.0
    rest_seconds: float = 0.0
    prefill_seconds: float = 0.0
    prompt_tokens: int = 0
    reused_tokens: int = 0
    by_source: dict[str, int] = field(default_factory=dict)
    accepted_per_step: list[int] = field(default_factory=list)
    step_seconds: list[float] = field(default_factory=list)
    """of the same steps; none where an earlier version kept the reply"""
    disturbed_steps: int = 0  # while other programs held the processor
    paired: PairedSpeed | None = None
    """the reply decoded again in turns with plain decoding, where that was measured and could be told"""
    idle_tokens: int = 0  # tokens since the last step with a draft
    retrieval: Retrieval | None = None  # of dense retrieval, where the method makes use of it
    times: DraftTimes | None = None  # of proposing, where a draft model takes part in it
    drafted_by_source: dict[str, int] = field(default_factory=dict)
    accepted_by_source: dict[str, int] = field(default_factory=dict)
    """nodes by who proposed them; one that several proposed counts for each"""
    tried: NDArray[np.float64] = field(default_factory=lambda: np.zeros((_BINS, 2)), compare=False)
    """[10, 2] nodes whose parent was visited, by tenths of expected acceptance: count, sum of expected − accepted"""
    _plain_steps: list[float] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """Count one step."""
        self.tokens += len(step.emitted)
        self.steps += 1
        self.drafted_steps += len(step.tree) > 0
        self.drafted += len(step.tree)
        self.accepted += step.accepted
        self.propose_seconds += step.propose_seconds
        self.decode_seconds += step.decode_seconds
        self.sample_seconds += step.sample_seconds
        self.rest_seconds += step.rest_seconds
        self.disturbed_steps += step.disturbed
        self.accepted_per_step.append(step.accepted)
        self.step_seconds.append(step.seconds)
        for bits in step.source.tolist():
            for name in source_names(bits)[:1]:
                self.by_source[name] = self.by_source.get(name, 0) + 1
        sources = credited(step.tree.source)
        _count(self.drafted_by_source, sources)
        _count(self.accepted_by_source, sources[step.path])
        self.idle_tokens = 0 if len(step.tree) else self.idle_tokens + len(step.emitted)
        if len(step.tree):
            self._calibrate(step)
        else:
            self._plain_steps.append(step.seconds - step.propose_seconds)

    def _calibrate(self, step: Step) -> None:
        visited = {-1, *step.path.tolist()}
        accepted = visited - {-1}
        pairs = zip(step.tree.parents.tolist(), step.tree.probability.tolist(), strict=True)
        for node, (parent, expected) in enumerate(pairs):
            if parent in visited:
                bin_ = self.tried[min(int(expected * _BINS), _BINS - 1)]
                bin_[0] += 1.0
                bin_[1] += expected - (node in accepted)

    def take(self, drafters: Sequence[Drafter]) -> None:
        """Take over what the drafters tell of the reply so far."""
        self.retrieval = retrieval_of(drafters)
        self.times = next((times for drafter in drafters if (times := drafter.times) is not None), None)

    def merge(self, other: ReplyMetrics) -> None:
        """Add another reply's counts and seconds."""
        if self.times is not None or other.times is not None:
            self.times = _sum(self._proposing(), other._proposing())
        for name in _ADDED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in _BY_SOURCE:
            counts = getattr(self, name)
            for source, count in getattr(other, name).items():
                counts[source] = counts.get(source, 0) + count
        self.accepted_per_step += other.accepted_per_step
        self.step_seconds += other.step_seconds
        self.idle_tokens = other.idle_tokens if other.drafted_steps else self.idle_tokens + other.idle_tokens
        if other.retrieval is not None:
            self.retrieval = _sum(self.retrieval or Retrieval(), other.retrieval)
        self.tried = self.tried + other.tried
        self.paired = None  # of another text
        self._plain_steps += other._plain_steps

    @property
    def calibration_error(self) -> float:
        """Expected calibration error of the acceptance estimates (Naeini et al. 2015): over equal bins of the expected
        acceptance, its mean distance from the actual one, weighted by nodes; 0 where nothing was drafted."""
        count = self.tried[:, 0].sum()
        return float(np.abs(self.tried[:, 1]).sum() / count) if count else 0.0

    @property
    def unread_tokens(self) -> int:
        """Tokens of the prompt that the KV cache did not hold before."""
        return self.prompt_tokens - self.reused_tokens

    @property
    def seconds(self) -> float:
        """Decoding time, prefill not included."""
        return self.propose_seconds + self.decode_seconds + self.sample_seconds + self.rest_seconds

    def _proposing(self) -> DraftTimes:
        """Where proposing went; without a draft model all of it was searching."""
        return self.times if self.times is not None else DraftTimes(retrieval=self.propose_seconds)

    @property
    def drafting_seconds(self) -> float:
        """The draft model at work."""
        return self._proposing().drafting

    @property
    def retrieval_seconds(self) -> float:
        """Searches; without a draft model, all of proposing."""
        return self._proposing().retrieval

    @property
    def tokens_per_second(self) -> float:
        """Tokens per second of decoding; 0 before the first step."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def acceptance_rate(self) -> float:
        """Accepted ÷ drafted nodes; 0 where nothing was drafted."""
        return self.accepted / self.drafted if self.drafted else 0.0

    @property
    def accepted_length(self) -> float:
        """Accepted nodes per verification step, steps without a draft included. The recovered or bonus token that
        follows them is not counted, unlike in `mean_acceptance_length`."""
        return self.accepted / self.steps if self.steps else 0.0

    @property
    def mean_acceptance_length(self) -> float:
        """As vLLM gives it: tokens per step that verified a draft, the recovered or bonus token included (1 + accepted
        nodes ÷ drafted steps); 0 where nothing was drafted."""
        return 1.0 + self.accepted / self.drafted_steps if self.drafted_steps else 0.0

    @property
    def tokens_per_step(self) -> float:
        """Tokens emitted per verification step."""
        return self.tokens / self.steps if self.steps else 0.0

    @property
    def _has_own_baseline(self) -> bool:
        """Its own undrafted steps tell what plain decoding takes; where nothing was drafted they are plain decoding."""
        return len(self._plain_steps) >= ENOUGH_PLAIN_STEPS or bool(self._plain_steps and not self.drafted_steps)

    @property
    def baseline_kind(self) -> str:
        """What `baseline_seconds` is: "paired" (measured in turns on this text), "own" (of its undrafted steps),
        "before" (T(1) at its length, by all decodes before it) or "" where it is not known."""
        if self.paired is not None:
            return "paired"
        return "own" if self._has_own_baseline else "before" if self.plain_seconds > 0 else ""

    @property
    def baseline_seconds(self) -> float:
        """Seconds per token of plain decoding here: by a measurement in turns; else the mean of this reply's own
        undrafted steps when there are enough of them (same context length, same load of the machine); else T(1).

        The mean, because a load of the machine that comes and goes lengthens drafted and plain steps alike: against
        their median Plain itself would be slower than plain. Steps that were held up count whole where nothing was
        drafted: the reply itself is plain decoding then, whatever its length.
        """
        if self.paired is not None and self.tokens:
            return self.paired.factor * self.seconds / self.tokens
        return fmean(self._capped_plain_steps()) if self._has_own_baseline else self.plain_seconds

    def _capped_plain_steps(self) -> list[float]:
        most = _OUTLIER * median(self._plain_steps) if self.drafted_steps else inf
        return [min(seconds, most) for seconds in self._plain_steps]

    @property
    def _baseline_error(self) -> float:
        """Standard error of its own plain step time, as a part of it."""
        steps = self._capped_plain_steps()
        return stdev(steps) / sqrt(len(steps)) / fmean(steps) if len(steps) > 1 and fmean(steps) > 0 else 0.0

    @property
    def untold(self) -> str:
        """Why its speed against plain decoding cannot be told: `FEW`, `DISTURBED`; "" where it can."""
        if self.paired is not None or not self.drafted_steps:
            return ""
        if self.tokens < FEW_TOKENS:
            return FEW
        if self._has_own_baseline:
            return DISTURBED if self._baseline_error > MOST_ERROR else ""
        return DISTURBED if 2 * self.disturbed_steps > self.steps else ""

    @property
    def speedup(self) -> float:
        """Speed against plain decoding on this device; 0 where that cannot be told, or there is no baseline. Without a
        draft it is 1 but for what looking for drafts took."""
        return self.tokens_per_second * self.baseline_seconds if not self.untold else 0.0

    def figures(self) -> dict[str, float | int]:
        """The figures under the names that the command line's JSON uses."""
        found = self.retrieval
        searched = {"neighbours_kept": found.kept_per_search, "mean_similarity": found.mean_similarity} if found else {}
        return {
            **{name: getattr(self, name) for name in _FIGURES},
            "overlapped_seconds": self._proposing().overlapped,
            "draft_prefill_seconds": self._proposing().prefill,
            "verification_seconds": self.decode_seconds + self.sample_seconds,
            "calibration_error": self.calibration_error,
            **searched,
        }

    def record(self) -> dict[str, Any]:
        """All that is needed to show the figures again, as JSON holds it; `of_record` reads it."""
        own = self._has_own_baseline
        return {
            **{name: getattr(self, name) for name in (*_ADDED, "plain_seconds", "idle_tokens")},
            "own_plain_seconds": fmean(self._capped_plain_steps()) if own else 0.0,
            "own_plain_error": self._baseline_error if own else 0.0,
            "paired": self.paired.record() if self.paired is not None else None,
            **{name: dict(getattr(self, name)) for name in _BY_SOURCE},
            "accepted_per_step": list(self.accepted_per_step),
            "step_times": [round(seconds / _TICK) for seconds in self.step_seconds],
            "retrieval": asdict(self.retrieval) if self.retrieval is not None else None,
            "times": asdict(self.times) if self.times is not None else None,
            "tried": [[round(value, 6) for value in row] for row in self.tried.tolist()],
        }

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> ReplyMetrics:
        """The metrics that `record` gave; what is missing is 0. Raises ValueError for what cannot be."""
        made = cls()
        for name in (*_ADDED, "plain_seconds", "idle_tokens"):
            like = getattr(made, name)
            setattr(made, name, type(like)(_quantity(record.get(name, 0), name, whole=isinstance(like, int))))
        own = float(_quantity(record.get("own_plain_seconds", 0), "own_plain_seconds"))
        error = float(_quantity(record.get("own_plain_error", 0), "own_plain_error"))
        made._plain_steps = _steps_like(own, error) if own else []
        if record.get("paired") is not None:
            made.paired = PairedSpeed.of_record(_mapping(record["paired"], "paired"))
        for name in _BY_SOURCE:
            counts = _mapping(record.get(name, {}), name)
            known = [source for source in SOURCE_NAMES.values() if source in counts]
            setattr(made, name, {source: int(_quantity(counts[source], name, whole=True)) for source in known})
        made.accepted_per_step = [
            int(_quantity(value, "accepted_per_step", whole=True))
            for value in _row(record.get("accepted_per_step", []), "accepted_per_step", _MAX_STEPS)
        ]
        made.step_seconds = [
            _quantity(value, "step_times", whole=True) * _TICK
            for value in _row(record.get("step_times", []), "step_times", _MAX_STEPS)
        ]
        for name, kind in (("retrieval", Retrieval), ("times", DraftTimes)):
            if record.get(name) is not None:
                parts = _mapping(record[name], name)
                amounts: dict[str, Any] = {
                    each.name: _quantity(parts.get(each.name, 0), each.name, whole=isinstance(each.default, int))
                    for each in fields(kind)
                }
                setattr(made, name, kind(**amounts))
        rows = _row(record.get("tried", []), "tried", _BINS)
        if rows:
            values = [[_quantity(value, "tried", signed=True) for value in _row(row, "tried", 2)] for row in rows]
            if [len(row) for row in values] != [2] * _BINS:
                raise ValueError(f"tried must be {_BINS} rows of 2 numbers")
            made.tried = np.array(values, np.float64)
        return made


_ADDED = (
    "tokens", "steps", "drafted_steps", "drafted", "accepted", "propose_seconds", "decode_seconds", "sample_seconds",
    "rest_seconds", "prefill_seconds", "prompt_tokens", "reused_tokens", "disturbed_steps",
)  # fmt: skip
_FIGURES = (
    "tokens", "seconds", "tokens_per_second", "steps", "tokens_per_step", "drafted", "accepted", "acceptance_rate",
    "accepted_length", "mean_acceptance_length", "drafting_seconds", "retrieval_seconds",
)  # fmt: skip
_BY_SOURCE = ("by_source", "drafted_by_source", "accepted_by_source")
_MAX_STEPS = 1_000_000
_TICK = 1e-4
"""Seconds; times of steps are kept as whole numbers of these."""
_MAX = 1e12
"""Whatever is counted or timed is less."""
_Summed = TypeVar("_Summed", Retrieval, DraftTimes)


def _sum(one: _Summed, other: _Summed) -> _Summed:
    return type(one)(*(getattr(one, each.name) + getattr(other, each.name) for each in fields(one)))


def proposing_share(metrics: ReplyMetrics) -> float:
    """Part of a reply's time that went into looking for drafts."""
    return metrics.propose_seconds / metrics.seconds if metrics.seconds > 0 else 0.0


def _steps_like(mean: float, error: float) -> list[float]:
    """Plain step times of this mean, and of this standard error as a part of it (up to 0.44: then one is 0)."""
    # Three times m - d and m + d have the sample variance 6/5 d², so the error of their mean is d / √5.
    distance = mean * min(1.0, sqrt(5.0) * error)
    return [mean - distance, mean + distance] * 3


def _quantity(value: object, name: str, *, whole: bool = False, signed: bool = False) -> float | int:
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ValueError(f"{name} must be a {'whole ' if whole else ''}number")
    if not (-_MAX if signed else 0) <= value <= _MAX:  # also false for NaN
        raise ValueError(f"{name} is out of range")
    return value


def _mapping(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be an object")
    return value


def _row(value: object, name: str, longest: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > longest:
        raise ValueError(f"{name} must be a list of at most {longest}")
    return value


def _count(counts: dict[str, int], source: NDArray[np.uint8]) -> None:
    for bit, name in SOURCE_NAMES.items():
        nodes = int(np.count_nonzero(source & bit)) if bit else 0
        if nodes:
            counts[name] = counts.get(name, 0) + nodes
