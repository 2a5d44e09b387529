"""How the next token is drawn from the target's logits: the settings a person can change, and llama.cpp's samplers."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from localspec.errors import SettingsError
from localspec.models.llama.backend import clear_log, logits_address, recent_log, row_at
from localspec.models.llama.constraint import GbnfState, SchemaState, allowed_nodes, check_gbnf, schema_state
from localspec.models.llama.weights import Weights, free_samplers
from localspec.native import steps

_NEAR_LOGITS = 7.0
"""Logits this far below the highest belong to tokens a thousandth as likely."""
RANDOM_SEED = 0xFFFFFFFF
"""llama.cpp's value for "take a fresh seed" (LLAMA_DEFAULT_SEED)."""
DRY_BREAKERS = ("\n", ":", '"', "*")
"""Texts behind which DRY counts anew, those of its author (text-generation-webui, pull request 5677)."""
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
"""llama_token_data"""
_BIAS = 100.0


@dataclass(frozen=True, slots=True)
class SamplingSettings:
    """One reply's sampling. `temperature` 0 is greedy; `top_k` 0, `top_p` 1, `min_p` 0, `repeat_penalty` 1 are off, as
    are 0 for the other penalties and for `dry_multiplier`.

    All penalties look at the reply, not at the prompt: a penalty on the words of a document in the prompt would push
    the answer away from the document. Raises SettingsError when a value is outside its range.
    """

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0  # logits of what is repeated are divided by it
    repeat_last_n: int = 64  # tokens that this and the next two look back
    seed: int = RANDOM_SEED
    grammar: str = ""  # GBNF, or "" for none
    presence_penalty: float = 0.0  # taken off the logits of what was said
    frequency_penalty: float = 0.0  # taken off for each time it was said
    dry_multiplier: float = 0.0
    """DRY takes multiplier × base^(length - allowed length) off the logit of a token that would make a repeated run of
    `length` tokens longer (text-generation-webui, pull request 5677)"""
    dry_base: float = 1.75
    dry_allowed_length: int = 6  # names and terms of so many tokens can be said again and again
    dry_last_n: int = 1024  # tokens that it looks back
    dry_breakers: tuple[str, ...] = DRY_BREAKERS
    logit_bias: tuple[tuple[int, float], ...] = ()  # (token, what is added to its logit)
    json_schema: str = ""  # as JSON, or "" for none; `constraint.ANY_OBJECT` for any object

    def __post_init__(self) -> None:
        checks = (
            ("temperature", 0.0 <= self.temperature <= 10.0, "from 0 to 10"),
            ("top_k", self.top_k >= 0, "0 (off) or more"),
            ("top_p", 0.0 < self.top_p <= 1.0, "above 0, at most 1"),
            ("min_p", 0.0 <= self.min_p < 1.0, "from 0 to below 1"),
            ("repeat_penalty", 0.0 < self.repeat_penalty <= 10.0, "above 0, at most 10"),
            ("repeat_last_n", 0 <= self.repeat_last_n <= 2**20, f"from 0 to {2**20}"),
            ("seed", 0 <= self.seed <= RANDOM_SEED, f"from 0 to {RANDOM_SEED}"),
            ("presence_penalty", -2.0 <= self.presence_penalty <= 2.0, "from -2 to 2"),
            ("frequency_penalty", -2.0 <= self.frequency_penalty <= 2.0, "from -2 to 2"),
            ("dry_multiplier", 0.0 <= self.dry_multiplier <= 10.0, "from 0 to 10"),
            ("dry_base", 1.0 <= self.dry_base <= 10.0, "from 1 to 10"),
            ("dry_allowed_length", 1 <= self.dry_allowed_length <= 1000, "from 1 to 1000"),
            ("dry_last_n", 0 <= self.dry_last_n <= 2**20, f"from 0 to {2**20}"),
            ("dry_breakers", all(0 < len(each) <= 40 for each in self.dry_breakers), "texts of 1 to 40 characters"),
            ("logit_bias", _are_biases(self.logit_bias), f"tokens with numbers from {-_BIAS:g} to {_BIAS:g}"),
        )
        for name, holds, range_text in checks:
            if not holds:
                raise SettingsError(f"The setting {name} is {getattr(self, name)}; it must be {range_text}.")
        if self.grammar and self.json_schema:
            raise SettingsError("An answer follows a grammar or a JSON schema, not both.", "Leave one of them out.")

    @property
    def is_greedy(self) -> bool:
        """True when the most probable token is taken, whatever was said before."""
        plain = self.repeat_penalty == 1.0 and not (self.presence_penalty or self.frequency_penalty)
        free = not (self.grammar or self.json_schema or self.logit_bias)
        return self.temperature == 0.0 and plain and self.dry_multiplier == 0.0 and free

    @property
    def needs_chain(self) -> bool:
        """False where the most probable one of the allowed tokens is taken."""
        return not replace(self, json_schema="").is_greedy

    def with_seed_of(self, number: int) -> SamplingSettings:
        """These settings for the reply `number` of many: a random stream of its own, the same in every run."""
        if self.seed == RANDOM_SEED:
            return self
        return replace(self, seed=(self.seed + number) % RANDOM_SEED)


def _are_biases(pairs: Sequence[tuple[int, float]]) -> bool:
    return all(token >= 0 and math.isfinite(bias) and abs(bias) <= _BIAS for token, bias in pairs)


class LlamaSampler:
    """llama.cpp's sampler chain (or plain argmax when greedy) with one random stream for a whole reply."""

    def __init__(
        self,
        context: Any,  # noqa: ANN401 - an untyped library's pointer
        weights: Weights,
        settings: SamplingSettings,
        row_address: Callable[[int], int] | None = None,
    ) -> None:
        """`context` is llama.cpp's pointer; `row_address` tells where a row's logits lie, where that is known. Raises
        SettingsError for a grammar or schema that is not valid, or a bias of a token that there is not."""
        self._context = context
        self._row_address = row_address or (lambda row: logits_address(context, row))
        self._vocabulary_size = weights.vocabulary_size
        self._ends = weights.end_tokens
        self._schema: SchemaState | None = schema_state(weights, settings.json_schema) if settings.json_schema else None
        self._grammar: Any = None
        self._counting: list[Any] = []
        """samplers that look at what was said"""
        self._chain: Any = self._new_chain(weights, settings) if settings.needs_chain else None

    def sample(self, row: int) -> int:
        """Draw the token that follows row `row` of the last decode, and remember it for penalties and grammar.

        Raises ModelError where a JSON schema cannot be followed any further."""
        if self._schema is not None:
            return self._sample_allowed(row, self._schema)
        if self._grammar is not None:
            return self._sample_checked(row, self._grammar)
        if self._chain is None:
            address = self._row_address(row)
            if steps.available():
                return steps.argmax(address, self._vocabulary_size)
            return int(row_at(address, self._vocabulary_size).argmax())
        return int(llama_cpp.llama_sampler_sample(self._chain, self._context, row))

    def allowed(self, tokens: NDArray[np.int32], parents: NDArray[np.int32]) -> list[int] | None:
        """The nodes of a draft below the root that grammar or schema let through; None where there is neither."""
        if self._schema is not None:
            return allowed_nodes(self._schema, tokens, parents, self._ends)
        if self._grammar is not None:
            return allowed_nodes(GbnfState(self._grammar, owned=False), tokens, parents, self._ends)
        return None

    def follow(self, tokens: Sequence[int]) -> None:
        """Go on behind `tokens` of the same reply, written before. Those that do not fit the grammar were written
        without it: then it begins anew."""
        for sampler in self._counting:
            for token in tokens:
                llama_cpp.llama_sampler_accept(sampler, token)
        chain, nodes = np.array(tokens, np.int32), np.arange(-1, len(tokens) - 1, dtype=np.int32)
        if len(self.allowed(chain, nodes) or ()) < len(tokens):
            return
        for token in tokens:
            if self._schema is not None:
                self._schema.accept(token)
            else:
                llama_cpp.llama_sampler_accept(self._grammar, token)

    def close(self) -> None:
        """Free the chain; safe to call twice."""
        for sampler in (self._chain, self._grammar):
            if sampler is not None:
                llama_cpp.llama_sampler_free(sampler)
        self._chain = self._grammar = self._context = self._schema = None
        self._counting = []

    def _sample_allowed(self, row: int, schema: SchemaState) -> int:
        allowed = schema.allowed()
        logits = row_at(self._row_address(row), self._vocabulary_size)[allowed]
        token = int(allowed[logits.argmax()]) if self._chain is None else self._drawn(allowed, logits)
        if token not in self._ends:
            schema.accept(token)
        return token

    def _sample_checked(self, row: int, grammar: Any) -> int:  # noqa: ANN401
        """First of all tokens, then, where the grammar does not let that one through, of those that it does: to ask it
        about every token takes longer than a decode. (llama.cpp's own programs draw like this.)"""
        logits = row_at(self._row_address(row), self._vocabulary_size)
        token = self._drawn(None, logits, accept=False)
        if not GbnfState(grammar, owned=False).allows(token):
            token = self._drawn(None, logits, grammar, accept=False)
        for sampler in (grammar, self._chain):
            llama_cpp.llama_sampler_accept(sampler, token)
        return token

    def _drawn(
        self,
        tokens: NDArray[np.int64] | None,
        logits: NDArray[np.float32],
        grammar: Any = None,  # noqa: ANN401
        *,
        accept: bool = True,
    ) -> int:
        """What the chain draws of these tokens [m], None for all, by their logits [m], behind `grammar`."""
        data = np.zeros(len(logits), _CANDIDATE)
        data["id"], data["logit"] = np.arange(len(logits)) if tokens is None else tokens, logits
        first = ctypes.cast(data.ctypes.data, ctypes.POINTER(llama_cpp.llama_token_data))
        candidates = llama_cpp.llama_token_data_array(first, len(logits), -1, False)
        for sampler in (self._chain,) if grammar is None else (grammar, self._chain):
            llama_cpp.llama_sampler_apply(sampler, ctypes.byref(candidates))
        token = int(candidates.data[candidates.selected].id)
        if accept:
            llama_cpp.llama_sampler_accept(self._chain, token)
        return token

    def _new_chain(self, weights: Weights, settings: SamplingSettings) -> Any:  # noqa: ANN401
        if settings.grammar:
            self._grammar = _grammar(weights, settings)
        chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        try:
            if settings.logit_bias:
                llama_cpp.llama_sampler_chain_add(chain, _logit_bias(weights, settings))
        except SettingsError:
            llama_cpp.llama_sampler_free(chain)
            raise
        self._counting = _penalties(weights, settings)
        for sampler in (*self._counting, *_choosing(settings)):
            llama_cpp.llama_sampler_chain_add(chain, sampler)
        return chain


def likeliest_of(logits: NDArray[np.float32], count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The likeliest tokens of a row [vocabulary], likeliest first, and their probabilities among those that are not
    hopeless."""
    highest = float(logits.max())
    near = np.flatnonzero(logits > np.float32(highest - _NEAR_LOGITS))
    chances = np.exp((logits[near] - np.float32(highest)).astype(np.float64))
    best = np.argsort(-logits[near], kind="stable")[:count]
    return near[best].astype(np.int32), chances[best] / chances.sum()


def _logit_bias(weights: Weights, settings: SamplingSettings) -> Any:  # noqa: ANN401
    count = len(settings.logit_bias)
    biases = (llama_cpp.llama_logit_bias * count)()
    for place, (token, bias) in enumerate(settings.logit_bias):
        if token >= weights.vocabulary_size:
            raise SettingsError(
                f"There is no token {token} to give a bias: {weights.path.name} has {weights.vocabulary_size}."
            )
        biases[place] = llama_cpp.llama_logit_bias(token, bias)
    return llama_cpp.llama_sampler_init_logit_bias(weights.vocabulary_size, count, biases)


def _grammar(weights: Weights, settings: SamplingSettings) -> Any:  # noqa: ANN401
    check_gbnf(settings.grammar)
    clear_log()
    sampler = llama_cpp.llama_sampler_init_grammar(weights.vocabulary_pointer, settings.grammar.encode(), b"root")
    if not sampler:
        raise SettingsError(f"The grammar is not valid GBNF ({recent_log()}).", "Correct it, or leave it empty.")
    return sampler


def _penalties(weights: Weights, settings: SamplingSettings) -> list[Any]:
    """Samplers that look at what was said, of those that are on."""
    added: list[Any] = []
    penalties = settings.repeat_penalty, settings.frequency_penalty, settings.presence_penalty
    if penalties != (1.0, 0.0, 0.0) and settings.repeat_last_n > 0:
        last = settings.repeat_last_n
        added.append(llama_cpp.llama_sampler_init_penalties(weights.vocabulary_size, last, *penalties))
    if settings.dry_multiplier > 0.0 and settings.dry_last_n > 0:
        count = len(settings.dry_breakers)
        strength = settings.dry_multiplier, settings.dry_base, settings.dry_allowed_length, settings.dry_last_n
        key = (*strength, settings.dry_breakers)
        if key not in weights.samplers:  # the breakers are looked for in every token: 10 to 50 ms
            free_samplers(weights.samplers)
            breakers = (ctypes.c_char_p * max(1, count))(*(each.encode() for each in settings.dry_breakers))
            made = llama_cpp.llama_sampler_init_dry(weights.vocabulary_pointer, *strength, breakers, count)
            weights.samplers[key] = made
        added.append(llama_cpp.llama_sampler_clone(weights.samplers[key]))
    return added


def _choosing(settings: SamplingSettings) -> list[Any]:
    """Samplers that leave the likely tokens and draw one of them."""
    if settings.temperature == 0.0:
        return [llama_cpp.llama_sampler_init_greedy()]
    added: list[Any] = []
    if settings.top_k > 0:
        added.append(llama_cpp.llama_sampler_init_top_k(settings.top_k))
    if settings.top_p < 1.0:
        added.append(llama_cpp.llama_sampler_init_top_p(settings.top_p, 1))
    if settings.min_p > 0.0:
        added.append(llama_cpp.llama_sampler_init_min_p(settings.min_p, 1))
    added.append(llama_cpp.llama_sampler_init_temp(settings.temperature))
    added.append(llama_cpp.llama_sampler_init_dist(settings.seed))
    return added
