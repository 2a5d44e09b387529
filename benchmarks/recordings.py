"""Recorded replies with what the target and the draft model held to be likely at each place, and their replay.

    python -m benchmarks.recordings --prompts FILE.jsonl --output FILE.pickle [--model FILE.gguf]
        [--limit-per-category N]

A greedy reply does not depend on drafts, so drafters, acceptance and budgets can be tried on recorded ones in seconds
instead of minutes: the real loop runs, the target's decodes take the time T(k) of the recording on a clock that is set
forward, and everything in Python takes its own time.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import thread_time

import numpy as np
from numpy.typing import NDArray

from localspec.chat.engine import Engine
from localspec.chat.learning import fitting, prompts_of
from localspec.cli.bench import read_prompts
from localspec.models.draft import FIRST_HIT, DraftModelTree, TopK
from localspec.models.llama import ReplyStreams, Written
from localspec.models.llama.sampling import SamplingSettings
from localspec.models.llama.weights import GPU_PADDING

CHOICES = 8
LIMIT = 32
PADDING = GPU_PADDING
"""Positions by which what a graph attends to grows at a time."""
MIN_PROBABILITY = 0.03
"""The draft model's trees are recorded this large; replays cut them."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One greedy reply."""

    category: str
    tokens: NDArray[np.int32]
    """[n] prompt and reply"""
    reply_start: int
    states: NDArray[np.float16]
    """[n - 1, d] of the target"""
    choices: NDArray[np.int32]
    """[r, 8] the target's likeliest tokens at each place of the reply"""
    chances: NDArray[np.float32]
    """[r, 8] their probabilities"""
    drafts: list[tuple[TopK, DraftModelTree]]
    """[r] the draft model's first choices and tree at each place; empty without one"""


@dataclass(frozen=True, slots=True)
class Recordings:
    """Replies with T(k) of the device that wrote them, and the draft model's times."""

    decode_seconds: NDArray[np.float64]
    draft_seconds: float
    """of one level"""
    replies: list[Recording]


def record(engine: Engine, prompts: list[tuple[str, str]], max_tokens: int) -> Recordings:
    """Answer (category, text) prompts greedily; prompts that are too long are left out."""
    tokens = prompts_of(engine, [text for _, text in prompts])
    kept = [number for number, each in enumerate(tokens) if fitting(engine, [each], max_tokens)]
    replies: list[Recording] = []
    draft_seconds = 0.0
    written: list[Written] = []
    order: list[int] = []
    with engine.turn() as model:
        groups: dict[int, list[int]] = {}
        for number in kept:  # of like length: one long prompt would make all others attend as far
            groups.setdefault((len(tokens[number]) + max_tokens).bit_length(), []).append(number)
        for members in groups.values():
            longest = max(len(tokens[number]) for number in members) + max_tokens
            streams = ReplyStreams(model, longest, model.threads, choices=CHOICES)
            try:
                group = [tokens[number] for number in members]
                done = streams.write(group, max_tokens, SamplingSettings(), model.end_tokens, first=len(order))
                written += done
            finally:
                streams.close()
            order += members
    for reply in sorted(written, key=lambda each: each.prompt):
        drafts: list[tuple[TopK, DraftModelTree]] = []
        if engine.draft is not None:
            for root in range(reply.reply_start - 1, len(reply.tokens) - 1):
                first = engine.draft.follow(reply.tokens[: root + 1])
                if first is None:
                    break
                drafts.append((first, engine.draft.draft_tree(first, LIMIT, MIN_PROBABILITY)))
            draft_seconds = engine.draft.seconds(1)
        replies.append(
            Recording(
                prompts[order[reply.prompt]][0],
                reply.tokens,
                reply.reply_start,
                reply.states,
                reply.choices,
                reply.chances,
                drafts,
            )
        )
    return Recordings(engine.times.at(0), draft_seconds, replies)


class ReplayTarget:
    """Implements `interface.Target` and its sampler over one recorded reply. `clock` is the processor time of this
    thread, and runs on by T(k) at each decode."""

    def __init__(
        self,
        recording: Recording,
        decode_seconds: NDArray[np.float64],
        change: float = 0.0,
        build: float = 0.0,
        graphs: dict[int, int] | None = None,
    ) -> None:
        """Seconds that a decode takes longer: `change` when the one before had another number of rows, `build` when
        its size has no graph, or one for another length of the cache. `graphs` are those there are: by rows, which
        part of `PADDING` positions they attend to."""
        self.recording = recording
        self.context_size = len(recording.tokens) + 128
        self.cached = recording.reply_start - 1
        self.disturbed = False
        self._seconds = decode_seconds
        self._change = change
        self._build = build
        self._graphs = graphs if graphs is not None else {}
        self._last_rows = 0
        self.changes = 0
        """decodes that had another number of rows than the one before"""
        self._ahead = 0.0
        self._rows: list[int] = []
        """place in the reply of the rows on the path"""
        self._next = 0

    def clock(self) -> float:
        """Seconds."""
        return thread_time() + self._ahead

    def decode(self, root: int, tokens: NDArray[np.int32], parents: NDArray[np.int32], rows: int = 0) -> None:
        """Takes T(k) of the whole batch."""
        assert root == self.recording.tokens[self.cached]
        rows = max(rows, len(tokens) + 1)
        changed = self._last_rows not in (0, rows)
        length = (self.cached + rows) // PADDING
        is_new = self._graphs.get(rows) != length
        self._graphs[rows] = length
        self._ahead += float(self._seconds[rows]) + changed * self._change + is_new * self._build
        self.changes += changed
        self._last_rows = rows
        self._next = self.cached + 1
        self._place: dict[int, int] = {}

    def sample(self, row: int) -> int:
        """The recorded token that follows on the path."""
        self._place[row] = self._next
        token = int(self.recording.tokens[self._next])
        self._next += 1
        return token

    def allowed(self, tokens: NDArray[np.int32], parents: NDArray[np.int32]) -> None:
        """There is no grammar."""

    def keep(self, path: NDArray[np.int32]) -> None:
        """Go on behind the accepted path."""
        self.cached += 1 + len(path)

    def is_end(self, token: int) -> bool:
        """Where the recording ends."""
        return self._next >= len(self.recording.tokens)

    def use_states(self, on: bool) -> None:
        """They are recorded anyway."""

    def known_states(self) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
        """All of them."""
        return self.recording.states[: self.cached], np.ones(self.cached, np.bool_)

    def likeliest(self, row: int, count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """What was likely behind a row of the path."""
        place = self._place[row] - self.recording.reply_start
        return self.recording.choices[place, :count], self.recording.chances[place, :count].astype(np.float64)


class ReplayDraft:
    """Has what drafters use of `DraftModel`; takes the recorded time for each level, by waiting."""

    def __init__(self, recording: Recording, seconds: float) -> None:
        self._recording = recording
        self._seconds = seconds
        self.knows = np.ones(2**18, np.bool_)
        self._root = 0

    def work_alone(self, alone: bool) -> None:
        """It takes the recorded time anyway."""

    def follow(
        self, tokens: NDArray[np.int32], count: int = 0, meanwhile: Callable[[], object] | None = None
    ) -> TopK | None:
        """The recorded first choices."""
        if meanwhile is not None:
            meanwhile()
        self._root = len(tokens) - self._recording.reply_start
        if not 0 <= self._root < len(self._recording.drafts):
            return None
        if self._root:  # the prompt is read before the reply starts
            _wait(self._seconds)
        return self._recording.drafts[self._root][0]

    def draft_tree(
        self,
        first: TopK,
        limit: int,
        min_probability: float = 0.0,
        target_seconds: float = 0.0,
        row_price: float | None = None,
    ) -> DraftModelTree:
        """The recorded tree, cut at the level where a further one would not be worth its time."""
        recorded = self._recording.drafts[self._root][1]
        price_of_row = min_probability if row_price is None else row_price
        paths: list[float] = []
        depth: list[int] = []
        for parent, probability in zip(recorded.parents.tolist(), recorded.probabilities.tolist(), strict=True):
            paths.append(probability * (paths[parent] if parent >= 0 else 1.0))
            depth.append(depth[parent] + 1 if parent >= 0 else 1)
        max_depth = 1
        while max_depth < max(depth, default=0):
            level = sorted((path for path, at in zip(paths, depth, strict=True) if at == max_depth), reverse=True)[:8]
            gain = sum(max(0.0, path * FIRST_HIT - price_of_row) for path in level)
            if target_seconds > 0 and gain * target_seconds < self._seconds:
                break
            _wait(self._seconds)
            max_depth += 1
        kept = [node for node in range(len(paths)) if depth[node] <= max_depth and paths[node] >= min_probability][
            :limit
        ]
        place = {-1: -1} | {node: number for number, node in enumerate(kept)}
        return DraftModelTree(
            recorded.tokens[kept],
            np.array([place[parent] for parent in recorded.parents[kept].tolist()], np.int32),
            recorded.probabilities[kept],
            recorded.ranks[kept],
        )


def _wait(seconds: float) -> None:
    until = thread_time() + seconds
    while thread_time() < until:
        pass


def load(file: Path) -> Recordings:
    """What `main` wrote."""
    with file.open("rb") as stream:
        recordings = pickle.load(stream)
    assert isinstance(recordings, Recordings)
    return recordings


def main() -> None:
    """Record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--model", default="")
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--limit-per-category", type=int, default=0)
    options = parser.parse_args()
    engine = Engine(options.model)
    prompts = [(prompt.category, prompt.text) for prompt in read_prompts(options.prompts, options.limit_per_category)]
    recordings = record(engine, prompts, options.max_tokens)
    with options.output.open("wb") as stream:
        pickle.dump(recordings, stream)
    tokens = sum(len(reply.tokens) - reply.reply_start for reply in recordings.replies)
    print(f"{len(recordings.replies)} replies, {tokens} tokens, {recordings.draft_seconds * 1e3:.2f} ms a level")
    engine.close()


if __name__ == "__main__":
    from benchmarks import recordings  # so that what is pickled belongs to the module, not to the script

    recordings.main()
