"""Text that the target writes itself, to train its draft on: user turns, replies, and what the target found likely.

A chat starts from one of a few beginnings per kind of task, and the target writes the rest of the user's turn and then
the reply. Documents of given chats are asked about anew, and given prompts are answered. Files are `chats-NNN.npz`:
`tokens` uint16 (all chats concatenated), `lengths` int32 and `reply_start` int32 per chat, and for the token *after*
each position `top_ids` uint16 [n, 4] and `top_probs` uint8 [n, 4] (probability × 255; zeros in prompts).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray

from localspec.chat.template import ChatTemplate, Message
from localspec.models.llama import ReplyStreams, Weights, Written
from localspec.models.llama.sampling import SamplingSettings

BEGINNINGS: dict[str, tuple[str, ...]] = {
    "translation": (
        "Translate German to English: Die", "Translate German to English: Der", "Translate German to English: In",
        "Translate German to English: Das", "Translate German to English: Er", "Translate German to English: Wir",
        "Translate German to English: Ein", "Translate German to English: Nach", "Translate German to English: Es",
        "Translate German to English: Im", "Translate German to English: Auf", "Translate German to English: Sie",
        "Translate French to English: Le", "Translate to Spanish: The", "Translate English to German: The",
    ),
    "code": (
        "Write a Python function that", "Write a program in C++ that", "Write a JavaScript function to",
        "Fix the bug in this code:\n\n```python\ndef", "Explain what this code does:\n\n```python\n",
        "Write an SQL query", "Complete this function:\n\ndef", "Write a Java class that",
        "Create a shell script that", "Implement a",
    ),
    "summary": (
        "Summarize: A", "Summarize: The", "Summarize: (CNN)", "Summarize the following text:\n\n", "Summarize: In",
        "Summarize: By .", "Give me a short summary of this article:\n\n",
    ),
    "questions": (
        "Who", "When", "Where", "What", "How many", "Which", "Why", "What is the", "When did the", "Who was the first",
    ),
    "maths": (
        "A train", "If", "Solve", "Tom has", "There are", "A farmer", "Mary", "What is the probability",
        "A store sells",
    ),
    "chat": (
        "Write", "Explain", "Imagine", "Pretend to be", "Describe", "Compare", "Can you", "I need", "Give me", "List",
        "Draft an email", "Tell me a story about", "Rewrite the following", "Classify", "Extract", "Suggest",
    ),
}  # fmt: skip
"""How the user's turn begins, by kind of task; the target writes on from there."""
QUESTIONS = (
    "Summarize: {text}", "{text}\nWhat is this text about?", "{text}\n\nWho is mentioned in this text?",
    "Answer the question with the help of the text.\n\n{text}\n\nWhat happened?", "{text}\n\nGive the main points.",
)  # fmt: skip
TURNS = 320
"""Chats per file whose user turn the target writes. Many at once: at the end of a batch few are left to write, and the
more there were, the less that costs."""
DOCUMENTS = 64
"""Chats per file about documents of other chats."""
PROMPTS = 64
"""Chats per file that answer given prompts."""
LONGEST_TURN = 300
LONGEST_REPLY = 200
LONGEST_CHAT = 1024
LEAST_DOCUMENT = 120
"""Tokens from which on a user turn counts as a document to ask about again."""
GREEDY_SHARE = 0.75
"""The draft is measured on greedy replies and used at every temperature."""
CHOICES = 4


@dataclass(frozen=True, slots=True)
class Chats:
    """Chats as they lie in a file, one behind the other."""

    tokens: NDArray[np.int64]
    """[n]"""
    lengths: NDArray[np.int32]
    """[c] tokens of each chat"""
    reply_starts: NDArray[np.int32]
    """[c] index of the reply's first token within its chat"""
    choices: NDArray[np.int64]
    """[n, 4] what the target found likeliest after each token, likeliest first"""
    chances: NDArray[np.float32]
    """[n, 4] their probabilities; zeros where it was not about to write"""


def generate(
    target: Path,
    folder: Path,
    threads: int,
    minutes: float,
    seed: int,
    seeds: Sequence[Path] = (),
    given: Sequence[str] = (),
) -> None:
    """Write files of chats into `folder` until `minutes` have passed; existing files are kept and continued.

    `seeds` are files of chats in the same form: their documents are asked about again. `given` are user turns to be
    answered, some of them in every file."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = Weights(target)
    template = ChatTemplate(
        weights.chat_template, bos=weights.special_token("bos"), eos=weights.special_token("eos"), begin=[]
    )
    documents = _documents(weights, seeds)
    streams = ReplyStreams(weights, LONGEST_CHAT, threads, choices=CHOICES)
    begun = monotonic()
    number = len(list(folder.glob("chats-[0-9][0-9][0-9].npz")))
    while monotonic() - begun < minutes * 60:
        chance = np.random.default_rng([seed, number])
        texts = list(_turns(weights, template, streams, chance, TURNS))
        if documents:
            picked = chance.integers(0, len(documents), DOCUMENTS)
            texts += [str(chance.choice(QUESTIONS)).format(text=documents[index]) for index in picked]
        if given:
            texts += [given[index] for index in chance.integers(0, len(given), PROMPTS)]
        prompts = [template.tokens([Message("user", text)], weights) for text in texts]
        prompts = [prompt for prompt in prompts if len(prompt) + LONGEST_REPLY < LONGEST_CHAT]
        cut = int(len(prompts) * GREEDY_SHARE)
        chance.shuffle(prompts)
        sampling = SamplingSettings(temperature=0.7, top_k=0, top_p=1.0, min_p=0.0, seed=_sampling_seed(chance))
        written = [
            *streams.write(prompts[:cut], LONGEST_REPLY, SamplingSettings(), weights.end_tokens),
            *streams.write(prompts[cut:], LONGEST_REPLY, sampling, weights.end_tokens),
        ]
        save(folder / f"chats-{number:03}.npz", written)
        replies = sum(len(reply.tokens) - reply.reply_start for reply in written)
        print(f"chats-{number:03}.npz: {len(written)} chats, {replies} tokens of replies", flush=True)
        number += 1
    streams.close()


def _turns(
    weights: Weights, template: ChatTemplate, streams: ReplyStreams, chance: np.random.Generator, count: int
) -> Iterator[str]:
    """User turns that the target writes, from every kind of task."""
    kinds = [str(chance.choice(list(BEGINNINGS))) for _ in range(count)]
    beginnings = [str(chance.choice(BEGINNINGS[kind])) for kind in kinds]
    whole = template.tokens([Message("user", "MARK")], weights)
    mark = weights.tokenize("MARK")
    place = next(i for i in range(len(whole)) if np.array_equal(whole[i : i + len(mark)], mark))
    prompts = [np.concatenate([whole[:place], weights.tokenize(beginning)]) for beginning in beginnings]
    sampling = SamplingSettings(temperature=0.8, top_k=0, top_p=0.95, min_p=0.0, seed=_sampling_seed(chance))
    for turn in streams.write(prompts, LONGEST_TURN, sampling, weights.end_tokens):
        inside = [token for token in turn.tokens[place:].tolist() if token not in weights.end_tokens]
        text = b"".join(weights.piece(token) for token in inside).decode("utf-8", "replace").strip()
        yield text


def _sampling_seed(chance: np.random.Generator) -> int:
    return int(chance.integers(2**31))


def _documents(weights: Weights, seeds: Sequence[Path]) -> list[str]:
    """Long user turns of chats that are there already."""
    found = []
    for file in seeds:
        chats = load([file])
        for end, length, start in zip(np.cumsum(chats.lengths), chats.lengths, chats.reply_starts, strict=True):
            prompt = chats.tokens[end - length : end - length + start].tolist()
            text = b"".join(weights.piece(token) for token in prompt).decode("utf-8", "replace")
            turn = text.partition("\nuser\n")[2].rpartition("\nassistant\n")[0] if "\nuser\n" in text else ""
            if start >= LEAST_DOCUMENT and turn:
                found.append(turn.strip())
    return found


def save(file: Path, chats: list[Written]) -> None:
    """Write finished chats, atomically."""
    tokens = np.concatenate([chat.tokens for chat in chats]).astype(np.uint16)
    ids = np.zeros((len(tokens), CHOICES), np.uint16)
    probabilities = np.zeros((len(tokens), CHOICES), np.uint8)
    first = 0
    for chat in chats:
        place = slice(first + chat.reply_start - 1, first + len(chat.tokens) - 1)
        ids[place] = chat.choices
        probabilities[place] = np.rint(chat.chances * 255)
        first += len(chat.tokens)
    partial = file.with_suffix(".partial.npz")
    np.savez_compressed(
        partial,
        tokens=tokens,
        lengths=np.array([len(chat.tokens) for chat in chats], np.int32),
        reply_start=np.array([chat.reply_start for chat in chats], np.int32),
        top_ids=ids,
        top_probs=probabilities,
    )
    partial.replace(file)


def load(files: Sequence[Path]) -> Chats:
    """The chats of several files, in this order."""
    parts: dict[str, list[NDArray[Any]]] = {}
    for file in files:
        with np.load(file) as stored:
            for name in ("tokens", "lengths", "reply_start", "top_ids", "top_probs"):
                parts.setdefault(name, []).append(stored[name])
    whole = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    return Chats(
        whole["tokens"].astype(np.int64),
        whole["lengths"],
        whole["reply_start"],
        whole["top_ids"].astype(np.int64),
        whole["top_probs"].astype(np.float32) / np.float32(255),
    )
