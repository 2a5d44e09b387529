"""Many replies at once: one batch holds a row of each. For learning from prompts, where nobody waits for the first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import llama_cpp
import numpy as np
import psutil
from numpy.typing import NDArray

from localspec.errors import ModelError, OutOfMemoryError, SettingsError
from localspec.models.llama.backend import halves, recent_log, view
from localspec.models.llama.batch import WeightsContext
from localspec.models.llama.reader import StateReader
from localspec.models.llama.sampling import LlamaSampler, SamplingSettings
from localspec.models.llama.watch import Watch
from localspec.models.llama.weights import Weights

MAX_SEQUENCES = 64
"""On two cores a batch of 64 rows gives the most tokens per second of all sizes measured (docs/log.md)."""
_PREFILL_ROWS = 256
_CELLS = 256
"""llama.cpp rounds each sequence's part of the KV cache up to a multiple of this."""
_MEMORY_SHARE = 0.5
"""Part of the free memory that the KV caches may take."""


@dataclass(frozen=True, slots=True)
class Written:
    """One finished reply."""

    prompt: int  # number of its prompt
    tokens: NDArray[np.int32]  # [n] prompt and reply
    reply_start: int  # index of the reply's first token
    states: NDArray[np.float16]  # [n - 1, d] hidden states of all positions but the last
    choices: NDArray[np.int32]
    """[r, c] the likeliest tokens at each of the reply's r places, likeliest first; c = 0 unless asked for"""
    chances: NDArray[np.float32]  # [r, c] their probabilities


@dataclass(slots=True)
class _Stream:
    """One sequence at work."""

    prompt: int
    tokens: list[int]
    reply_start: int
    limit: int
    sampler: LlamaSampler
    states: list[NDArray[np.float16]] = field(default_factory=list)
    choices: list[NDArray[np.int32]] = field(default_factory=list)
    chances: list[NDArray[np.float32]] = field(default_factory=list)


class ReplyStreams(WeightsContext):
    """One KV cache per sequence, and one more that holds what all prompts begin with."""

    def __init__(
        self, weights: Weights, longest: int, threads: int, sequences: int = MAX_SEQUENCES, *, choices: int = 0
    ) -> None:
        """`longest`: tokens of the longest prompt with its reply. Fewer sequences are used where memory is short.
        `choices`: how many of the likeliest tokens to keep for each token written, to train a draft model on. Raises
        SettingsError where the model cannot hold `longest` tokens, OutOfMemoryError where not even one fits."""
        if longest > weights.trained_context:
            raise SettingsError(
                f"A prompt with its reply takes up to {longest} tokens; {weights.path.name} was trained for"
                f" {weights.trained_context}.",
                "Ask for shorter replies.",
            )
        self._choices = choices
        cells = -(-longest // _CELLS) * _CELLS
        free = psutil.virtual_memory().available * _MEMORY_SHARE
        self.sequences = max(1, min(sequences, int(free / weights.kv_bytes(cells)) - 1))
        if weights.states_end_graph is None:
            StateReader(weights, threads).close()
        self._watch = Watch()
        watch = self._watch.callback
        while True:
            rows, caches = max(_PREFILL_ROWS, self.sequences), self.sequences + 1
            try:
                super().__init__(weights, cells * caches, rows, caches, threads, unified=False, watch=watch)
                break
            except OutOfMemoryError:  # a graphics card's memory is not counted above
                if self.sequences == 1:
                    raise
                self.sequences //= 2
        llama_cpp.llama_set_embeddings(self._context, True)
        self._beginning = np.empty((0, weights.state_size), np.float16)

    def write(
        self,
        prompts: Sequence[NDArray[np.int32]],
        max_tokens: int,
        sampling: SamplingSettings,
        end_tokens: frozenset[int],
        first: int = 0,
    ) -> Iterator[Written]:
        """Reply to every prompt, each with a random stream by its number from `first` on. Raises ModelError."""
        waiting = list(enumerate(prompts, start=first))[::-1]
        beginning = prompts[0][: common_start(prompts)] if prompts else np.empty(0, np.int32)
        self._beginning = self._read(beginning, 0, self.sequences)
        streams: list[_Stream | None] = [None] * self.sequences
        try:
            while waiting or any(stream is not None for stream in streams):
                for place, stream in enumerate(streams):
                    if stream is None and waiting:
                        number, prompt = waiting.pop()
                        streams[place] = self._begin(place, number, prompt, max_tokens, sampling)
                yield from self._step(streams, end_tokens)
        finally:
            for stream in streams:
                if stream is not None:
                    stream.sampler.close()
            llama_cpp.llama_memory_clear(self._memory, True)

    def _begin(
        self, place: int, number: int, prompt: NDArray[np.int32], max_tokens: int, sampling: SamplingSettings
    ) -> _Stream:
        llama_cpp.llama_memory_seq_rm(self._memory, place, -1, -1)
        shared = len(self._beginning)
        if shared:
            llama_cpp.llama_memory_seq_cp(self._memory, self.sequences, place, -1, -1)
        states = [self._beginning, self._read(prompt[:-1], shared, place)]
        sampler = LlamaSampler(self._context, self._weights, sampling.with_seed_of(number))
        return _Stream(number, prompt.tolist(), len(prompt), len(prompt) + max_tokens, sampler, states)

    def _read(self, tokens: NDArray[np.int32], start: int, place: int) -> NDArray[np.float16]:
        """Decode `tokens` [n] from `start` on into a sequence; their states [n - start, d]."""
        states = [np.empty((0, self._weights.state_size), np.float16)]
        for first in range(start, len(tokens), _PREFILL_ROWS):
            part = tokens[first : first + _PREFILL_ROWS]
            self._batch.fill(part, np.arange(first, first + len(part)), place)
            states.append(self._decode(len(part), states_only=True))
        return np.concatenate(states)

    def _step(self, streams: list[_Stream | None], end_tokens: frozenset[int]) -> Iterator[Written]:
        """One more token for every stream."""
        at_work = [(place, stream) for place, stream in enumerate(streams) if stream is not None]
        self._batch.fill(
            np.array([stream.tokens[-1] for _, stream in at_work]),
            np.array([len(stream.tokens) - 1 for _, stream in at_work]),
            np.array([place for place, _ in at_work]),
        )
        states = self._decode(len(at_work), states_only=False)
        for row, (place, stream) in enumerate(at_work):
            token = stream.sampler.sample(row)
            stream.states.append(states[row : row + 1])
            if self._choices:
                self._keep_choices(row, stream)
            stream.tokens.append(token)
            if token in end_tokens or len(stream.tokens) >= stream.limit:
                stream.sampler.close()
                streams[place] = None
                yield Written(
                    stream.prompt,
                    np.array(stream.tokens, np.int32),
                    stream.reply_start,
                    np.concatenate(stream.states),
                    np.array(stream.choices, np.int32).reshape(len(stream.choices), self._choices),
                    np.array(stream.chances, np.float32).reshape(len(stream.chances), self._choices),
                )

    def _keep_choices(self, row: int, stream: _Stream) -> None:
        logits = view(llama_cpp.llama_get_logits_ith(self._context, row), 1, self._weights.vocabulary_size)[0]
        best, chances = likeliest(logits, self._choices)
        stream.choices.append(best)
        stream.chances.append(chances)

    def _decode(self, rows: int, *, states_only: bool) -> NDArray[np.float16]:
        self._watch.states_only = states_only and bool(self._weights.states_end_graph)
        self._watch.begin()
        code = self._decoded(rows)
        self._watch.check()
        if code != 0:
            raise ModelError(
                f"{self._weights.path.name} failed while writing {rows} replies at once (code {code}; {recent_log()}).",
                "Try again with shorter replies.",
            )
        return halves(view(llama_cpp.llama_get_embeddings(self._context), rows, self._weights.state_size))


def likeliest(logits: NDArray[np.float32], count: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The `count` likeliest tokens, likeliest first, and their probabilities, given one row of logits [v]."""
    left = logits.copy()
    highest = float(left.max())
    total = np.exp(left - highest).sum()
    best = np.empty(count, np.int32)
    for place in range(count):  # for so few of so many, faster than sorting
        best[place] = left.argmax()
        left[best[place]] = -np.inf
    return best, np.exp(logits[best] - highest) / total


def common_start(prompts: Sequence[NDArray[np.int32]]) -> int:
    """How many tokens all prompts begin with; 0 for a single one."""
    if len(prompts) < 2:
        return 0
    shortest = min(map(len, prompts)) - 1
    same = np.all([prompt[:shortest] == prompts[0][:shortest] for prompt in prompts[1:]], axis=0)
    return int(np.argmin(same)) if not same.all() else shortest
