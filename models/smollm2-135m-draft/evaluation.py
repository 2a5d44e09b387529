"""How often the draft is right: its first choice and its four best, on greedy replies of the target, by category.

Measured teacher-forced: at every place of a reply the draft has read the target's own text up to there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from localspec.chat.template import ChatTemplate, Message
from localspec.config import default_threads
from localspec.models.llama import PREFILL_ROWS, LlamaModel, ReplyStreams, Weights
from localspec.models.llama.sampling import SamplingSettings
from network import Draft
from vocabulary import DraftVocabulary

REPLY_TOKENS = 128
LONGEST = 2048
SEQUENCES = 48
TOPICS = ("translation", "summarization", "qa", "math_reasoning", "rag")
"""Spec-Bench's categories beside the eight of MT-Bench, which are counted together."""
MT_BENCH = "mt_bench"
BEST = 4
TIMED_CONTEXT = 256

TopK = Callable[[NDArray[np.int64], int], NDArray[np.int64]]
"""(tokens of prompt and reply [n], where the reply starts) -> four best target ids at each place of the reply [r, 4]"""


@dataclass(frozen=True, slots=True)
class Replies:
    """What the target replied, greedily."""

    tokens: list[NDArray[np.int64]]
    """prompt and reply"""
    reply_starts: list[int]
    categories: list[str]


def greedy_replies(target: Path, prompts: Path, cache: Path) -> Replies:
    """The target's replies to the first turns of a Spec-Bench file (JSON lines with `category` and `turns`), made once
    and then read from `cache`. Remove that file for other prompts or another target."""
    if not cache.exists():
        rows = [json.loads(line) for line in prompts.read_text(encoding="utf-8").splitlines() if line.strip()]
        weights = Weights(target)
        template = ChatTemplate(
            weights.chat_template, bos=weights.special_token("bos"), eos=weights.special_token("eos"), begin=[]
        )
        asked = [template.tokens([Message("user", row["turns"][0])], weights) for row in rows]
        streams = ReplyStreams(weights, LONGEST, default_threads(), SEQUENCES)
        written = list(streams.write(asked, REPLY_TOKENS, SamplingSettings(), weights.end_tokens))
        streams.close()
        written.sort(key=lambda reply: reply.prompt)
        cache.parent.mkdir(parents=True, exist_ok=True)
        partial = cache.with_suffix(".partial.npz")
        np.savez_compressed(
            partial,
            tokens=np.concatenate([reply.tokens for reply in written]),
            lengths=np.array([len(reply.tokens) for reply in written], np.int32),
            reply_start=np.array([reply.reply_start for reply in written], np.int32),
            category=np.array([row["category"] for row in rows]),
        )
        partial.replace(cache)
    return read_replies(cache)


def read_replies(file: Path) -> Replies:
    """Replies as `greedy_replies` keeps them."""
    with np.load(file) as stored:
        tokens, lengths, starts = stored["tokens"].astype(np.int64), stored["lengths"], stored["reply_start"]
        categories = [category if category in TOPICS else MT_BENCH for category in stored["category"].tolist()]
    return Replies(np.split(tokens, np.cumsum(lengths)[:-1]), starts.tolist(), categories)


def choices_of_network(network: Draft, vocabulary: DraftVocabulary) -> TopK:
    """What a network in PyTorch would draft."""
    device = network.output.weight.device
    network.eval()

    def choose(tokens: NDArray[np.int64], reply_start: int) -> NDArray[np.int64]:
        read = torch.from_numpy(vocabulary.input_ids[tokens[:-1]][None]).long().to(device)
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
            logits = network.logits(network(read)[0, reply_start - 1 :])
        best = logits.float().topk(BEST).indices.cpu().numpy()
        chosen: NDArray[np.int64] = vocabulary.target_ids.astype(np.int64)[best]
        return chosen

    return choose


def choices_of_file(model: LlamaModel, vocabulary: DraftVocabulary) -> TopK:
    """What a draft's GGUF would draft, through llama.cpp."""

    def choose(tokens: NDArray[np.int64], reply_start: int) -> NDArray[np.int64]:
        best = [
            np.argsort(-logits, axis=1, kind="stable")[:, :BEST]
            for logits in teacher_forced(model, vocabulary.input_ids[tokens[:-1]], reply_start - 1)
        ]
        return vocabulary.target_ids[np.concatenate(best)].astype(np.int64)

    return choose


def teacher_forced(model: LlamaModel, tokens: NDArray[np.int32], first: int) -> Iterable[NDArray[np.float32]]:
    """Logits [k, v] at the places of `tokens` [n] from `first` on, in pieces; each is overwritten by the next."""
    model.forget()
    model.begin(tokens[: first + 1])
    for start in range(first, len(tokens), PREFILL_ROWS):
        part = tokens[start : start + PREFILL_ROWS]
        chain = np.arange(len(part) - 1, dtype=np.int32)
        model.decode(int(part[0]), part[1:], chain - 1)
        yield model.logits(len(part))
        model.keep(chain)
    model.forget()


def hits(replies: Replies, choices: TopK) -> dict[str, tuple[int, int, int]]:
    """By category and for "all": places where the first choice was right, where one of four was, and places."""
    found: dict[str, NDArray[np.int64]] = {}
    for tokens, start, category in zip(replies.tokens, replies.reply_starts, replies.categories, strict=True):
        right = choices(tokens, start) == tokens[start:, None]
        counts = np.array([right[:, 0].sum(), right.any(1).sum(), len(right)])
        for name in (category, "all"):
            found[name] = found.get(name, 0) + counts
    return {name: (int(first), int(four), int(places)) for name, (first, four, places) in sorted(found.items())}


def table(found: dict[str, tuple[int, int, int]]) -> str:
    """`hits` as a Markdown table."""
    lines = ["| category | tokens | first choice | one of four |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {places} | {first / places:.1%} | {four / places:.1%} |"
        for name, (first, four, places) in found.items()
    ]
    return "\n".join(lines)


def decode_milliseconds(models: dict[str, tuple[LlamaModel, int]], rounds: int = 40) -> dict[str, float]:
    """The median time of decoding so many rows behind 256 tokens, by name. The models take turns, so that a load of
    the machine hits all of them."""
    times: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(rounds + 1):
        for name, (model, rows) in models.items():
            model.begin(np.full(TIMED_CONTEXT, model.bos, np.int32))
            chain = np.arange(rows - 1, dtype=np.int32)
            for repeat in range(2):  # once to have its weights in the processor's caches, as they are while drafting
                begun = perf_counter()
                model.decode(model.bos, np.full(rows - 1, model.bos, np.int32), chain - 1)
                model.logits(rows)
                elapsed = perf_counter() - begun
                model.discard()
                if turn and repeat:
                    times[name].append(elapsed)
    return {name: median(values) * 1000 for name, values in times.items()}
