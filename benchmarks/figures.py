"""What a comparison with peers comes to: groups of prompts, speeds, ratios and how sure they are. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

ALL = "all"
MT_BENCH = "mt_bench"
MT_BENCH_TOPICS = frozenset(
    ("writing", "roleplay", "reasoning", "math", "coding", "extraction", "stem", "humanities")
)  # fmt: skip

SERVER = "llama-server"
LIBRARY = "llama-cpp-python"
OURS = "ours"
PLAIN = "plain"
"""The name of our own baseline."""

PARTS = ("drafting", "retrieval", "verification", "sampling", "rest")
"""Where the time of our own decoding goes."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What one run made of one prompt."""

    prompt_tokens: int
    tokens: int
    """tokens of the reply"""
    decoded: int
    """of those, the ones that `decode_seconds` were spent on"""
    decode_seconds: float
    """prefill excluded"""
    whole_seconds: float
    """from the question's text to the answer's, prefill included"""
    text: str = ""
    steps: int = 0
    """decodes of the target; 0 = not known"""
    drafted: int = 0
    accepted: int = 0
    parts: dict[str, float] = field(default_factory=dict)
    """seconds by PARTS; empty for others' programs"""


@dataclass(frozen=True, slots=True)
class Record:
    """A reply with its place in the comparison."""

    peer_run: str
    prompt: int
    category: str
    reply: Reply
    same_text: bool
    """the reply reads as our plain one"""


def groups_of(category: str) -> tuple[str, ...]:
    """The rows of the table that a prompt counts for: all, MT-Bench as a whole if it is of that, its category."""
    wanted = (ALL, MT_BENCH, category) if category in MT_BENCH_TOPICS else (ALL, category)
    return tuple(dict.fromkeys(wanted))


def ordered_groups(categories: Iterable[str]) -> list[str]:
    """All rows of the table: the wide ones first, then the categories as the prompts bring them."""
    found = list(dict.fromkeys(group for category in categories for group in groups_of(category)))
    return sorted(found, key=lambda group: (group != ALL, group != MT_BENCH))


def speed(replies: Sequence[Reply]) -> float:
    """Tokens per second over all replies together; 0 where nothing was decoded."""
    return _ratio(sum(reply.decoded for reply in replies), sum(reply.decode_seconds for reply in replies))


def ratio_interval(
    first: Sequence[Reply], second: Sequence[Reply], *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap interval of the ratio of two speeds, paired: both sides of a resample hold the same prompts.

    `first` and `second` [n] answer the same prompts in the same order. Percentile interval (Efron and Tibshirani, An
    Introduction to the Bootstrap, section 13.3). (0, 0) where either decoded nothing.
    """
    sums = [
        np.array([(reply.decoded, reply.decode_seconds) for reply in replies], np.float64).reshape(-1, 2)
        for replies in (first, second)
    ]
    return bootstrap_ratio(*sums, level=level, resamples=resamples, seed=seed)


def bootstrap_ratio(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    *,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> tuple[float, float]:
    """The interval for `first` and `second` [n, 2]: tokens and seconds of each prompt."""
    if len(first) != len(second):
        raise ValueError(f"a paired comparison needs the same prompts: {len(first)} and {len(second)}")
    if len(first) == 0 or first.sum(axis=0).min() <= 0 or second.sum(axis=0).min() <= 0:
        return 0.0, 0.0
    drawn = np.random.default_rng(seed).integers(0, len(first), (resamples, len(first)))
    one, two = first[drawn].sum(axis=1), second[drawn].sum(axis=1)
    # Short replies can leave a resample of few prompts without a decoded token: it says nothing.
    usable = (one.min(axis=1) > 0) & (two.min(axis=1) > 0)
    ratios = (one[usable, 0] / one[usable, 1]) / (two[usable, 0] / two[usable, 1])
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def summary(records: Sequence[Record], kinds: Mapping[str, str]) -> dict[str, Any]:
    """Figures of one model's runs, in the order of `kinds` (name → kind), by group of prompts.

    `against_plain` and `against_server` are ratios to our plain and to the fastest llama-server mode of that very
    group, its plain mode included. The intervals take that mode as given.
    """
    groups = ordered_groups(record.category for record in records)
    replies = {
        group: {name: _replies(records, name, group) for name in kinds} for group in groups
    }  # fmt: skip
    best = {group: _best(replies[group], kinds) for group in groups}
    peer_runs: dict[str, Any] = {}
    for name, kind in kinds.items():
        figures: dict[str, Any] = {}
        for group in groups:
            own = replies[group][name]
            same = sum(
                record.same_text
                for record in records
                if record.peer_run == name and group in groups_of(record.category)
            )
            figures[group] = {
                **_figures(own),
                "same_text": same,
                "against_plain": _ratio(speed(own), speed(replies[group].get(PLAIN, []))),
                "against_server": _ratio(speed(own), speed(replies[group].get(best[group], []))),
            }
        for base, rival in (("plain", PLAIN), ("server", best[ALL])):
            if rival in replies[ALL]:
                figures[ALL][f"against_{base}_interval"] = list(ratio_interval(replies[ALL][name], replies[ALL][rival]))
        peer_runs[name] = {"kind": kind, "groups": figures}
    return {"groups": groups, "best_server": best, "contenders": peer_runs}


def _replies(records: Sequence[Record], peer_run: str, group: str) -> list[Reply]:
    return [
        record.reply for record in records if record.peer_run == peer_run and group in groups_of(record.category)
    ]  # fmt: skip


def _best(replies: Mapping[str, Sequence[Reply]], kinds: Mapping[str, str]) -> str:
    servers = [name for name, kind in kinds.items() if kind == SERVER]
    return max(servers, key=lambda name: speed(replies[name]), default="")


def _figures(replies: Sequence[Reply]) -> dict[str, Any]:
    tokens = sum(reply.decoded for reply in replies)
    steps = sum(reply.steps for reply in replies)
    drafted = sum(reply.drafted for reply in replies)
    figures: dict[str, Any] = {
        "prompts": len(replies),
        "tokens": sum(reply.tokens for reply in replies),
        "tokens_per_second": speed(replies),
        "seconds_per_reply": _ratio(sum(reply.whole_seconds for reply in replies), len(replies)),
        "tokens_per_step": _ratio(tokens, steps),
        "drafted": drafted,
        "acceptance_rate": _ratio(sum(reply.accepted for reply in replies), drafted),
    }
    if any(reply.parts for reply in replies):
        figures["milliseconds_per_token"] = {
            part: 1000 * _ratio(sum(reply.parts.get(part, 0.0) for reply in replies), tokens) for part in PARTS
        }
    return figures


def _ratio(value: float, base: float) -> float:
    return value / base if base > 0 else 0.0
