"""Draws tokens from the target's logits."""

from __future__ import annotations

from typing import Any

import llama_cpp

from localspec.errors import SettingsError
from localspec.models.llama.backend import recent_log, view
from localspec.models.llama.sampling import SamplingSettings


class LlamaSampler:
    """llama.cpp's sampler chain (or plain argmax when greedy) with one random stream for a whole reply."""

    def __init__(self, context: Any, vocabulary: Any, vocabulary_size: int, settings: SamplingSettings) -> None:  # noqa: ANN401
        """`context` and `vocabulary` are llama.cpp's pointers. Raises SettingsError for a grammar that is not valid."""
        self._context = context
        self._vocabulary_size = vocabulary_size
        self._chain: Any = None if settings.is_greedy else _chain(vocabulary, vocabulary_size, settings)

    def sample(self, row: int) -> int:
        """Draw the token that follows row `row` of the last decode, and remember it for penalties and grammar."""
        if self._chain is None:
            pointer = llama_cpp.llama_get_logits_ith(self._context, row)
            return int(view(pointer, 1, self._vocabulary_size)[0].argmax())
        return int(llama_cpp.llama_sampler_sample(self._chain, self._context, row))

    def close(self) -> None:
        """Free the chain; safe to call twice."""
        if self._chain is not None:
            llama_cpp.llama_sampler_free(self._chain)
            self._chain = None
            self._context = None


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
