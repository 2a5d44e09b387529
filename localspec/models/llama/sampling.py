"""How the next token is drawn from the target's logits: the settings a person can change, and llama.cpp's samplers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from localspec.errors import SettingsError
from localspec.models.llama.backend import logits_address, recent_log, row_at
from localspec.native import steps

_NEAR_LOGITS = 7.0
"""Logits this far below the highest belong to tokens a thousandth as likely."""
RANDOM_SEED = 0xFFFFFFFF
"""llama.cpp's value for "take a fresh seed" (LLAMA_DEFAULT_SEED)."""


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """One reply's sampling. `temperature` 0 is greedy; `top_k` 0, `top_p` 1, `min_p` 0, `repeat_penalty` 1 are off.

    `repeat_penalty` looks at the last `repeat_last_n` tokens of the reply, not at the prompt: a penalty on the words
    of a document in the prompt would push the answer away from the document. `grammar` is GBNF text, or "".
    Raises SettingsError when a value is outside its range.
    """

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    repeat_last_n: int = 64
    seed: int = RANDOM_SEED
    grammar: str = ""

    def __post_init__(self) -> None:
        checks = (
            ("temperature", 0.0 <= self.temperature <= 10.0, "from 0 to 10"),
            ("top_k", self.top_k >= 0, "0 (off) or more"),
            ("top_p", 0.0 < self.top_p <= 1.0, "above 0, at most 1"),
            ("min_p", 0.0 <= self.min_p < 1.0, "from 0 to below 1"),
            ("repeat_penalty", 0.0 < self.repeat_penalty <= 10.0, "above 0, at most 10"),
            ("repeat_last_n", self.repeat_last_n >= 0, "0 or more"),
            ("seed", 0 <= self.seed <= RANDOM_SEED, f"from 0 to {RANDOM_SEED}"),
        )
        for name, holds, range_text in checks:
            if not holds:
                raise SettingsError(f"The setting {name} is {getattr(self, name)}; it must be {range_text}.")

    @property
    def is_greedy(self) -> bool:
        """True when the most probable token is taken without a sampler chain."""
        return self.temperature == 0.0 and self.repeat_penalty == 1.0 and not self.grammar

    def with_seed_of(self, number: int) -> SamplingSettings:
        """These settings for the reply `number` of many: a random stream of its own, the same in every run."""
        if self.seed == RANDOM_SEED:
            return self
        return replace(self, seed=(self.seed + number) % RANDOM_SEED)


class LlamaSampler:
    """llama.cpp's sampler chain (or plain argmax when greedy) with one random stream for a whole reply."""

    def __init__(
        self,
        context: Any,  # noqa: ANN401 - an untyped library's pointer
        vocabulary: Any,  # noqa: ANN401
        vocabulary_size: int,
        settings: SamplingSettings,
        row_address: Callable[[int], int] | None = None,
    ) -> None:
        """`context` and `vocabulary` are llama.cpp's pointers; `row_address` tells where a row's logits lie, where that
        is known. Raises SettingsError for a grammar that is not valid."""
        self._context = context
        self._row_address = row_address or (lambda row: logits_address(context, row))
        self._vocabulary_size = vocabulary_size
        self._chain: Any = None if settings.is_greedy else _chain(vocabulary, vocabulary_size, settings)

    def sample(self, row: int) -> int:
        """Draw the token that follows row `row` of the last decode, and remember it for penalties and grammar."""
        if self._chain is None:
            address = self._row_address(row)
            if steps.available():
                return steps.argmax(address, self._vocabulary_size)
            return int(row_at(address, self._vocabulary_size).argmax())
        return int(llama_cpp.llama_sampler_sample(self._chain, self._context, row))

    def close(self) -> None:
        """Free the chain; safe to call twice."""
        if self._chain is not None:
            llama_cpp.llama_sampler_free(self._chain)
            self._chain = None
            self._context = None


def likeliest_of(logits: NDArray[np.float32], count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The likeliest tokens of a row [vocabulary], likeliest first, and their probabilities among those that are not
    hopeless."""
    highest = float(logits.max())
    near = np.flatnonzero(logits > np.float32(highest - _NEAR_LOGITS))
    chances = np.exp((logits[near] - np.float32(highest)).astype(np.float64))
    best = np.argsort(-logits[near], kind="stable")[:count]
    return near[best].astype(np.int32), chances[best] / chances.sum()


def _chain(vocabulary: Any, vocabulary_size: int, settings: SamplingSettings) -> Any:  # noqa: ANN401
    chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())

    def add(sampler: Any) -> None:  # noqa: ANN401
        llama_cpp.llama_sampler_chain_add(chain, sampler)

    if settings.grammar:
        grammar = llama_cpp.llama_sampler_init_grammar(vocabulary, settings.grammar.encode(), b"root")
        if not grammar:
            llama_cpp.llama_sampler_free(chain)
            raise SettingsError(f"The grammar is not valid GBNF ({recent_log()}).", "Correct it, or leave it empty.")
        add(grammar)
    if settings.repeat_penalty != 1.0:
        add(
            llama_cpp.llama_sampler_init_penalties(
                vocabulary_size, settings.repeat_last_n, settings.repeat_penalty, 0.0, 0.0
            )
        )
    if settings.temperature == 0.0:
        add(llama_cpp.llama_sampler_init_greedy())
        return chain
    if settings.top_k > 0:
        add(llama_cpp.llama_sampler_init_top_k(settings.top_k))
    if settings.top_p < 1.0:
        add(llama_cpp.llama_sampler_init_top_p(settings.top_p, 1))
    if settings.min_p > 0.0:
        add(llama_cpp.llama_sampler_init_min_p(settings.min_p, 1))
    add(llama_cpp.llama_sampler_init_temp(settings.temperature))
    add(llama_cpp.llama_sampler_init_dist(settings.seed))
    return chain
