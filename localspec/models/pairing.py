"""Whether a draft model speaks its target's language: ids must stand for the same texts in both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from localspec.errors import DraftMismatchError
from localspec.models.files.header import read_arrays, read_header
from localspec.models.llama import Weights

TARGET_IDS = "localspec.draft.target_ids"
"""Metadata of a reduced vocabulary: the target's id of every draft id."""
INPUT_IDS = "localspec.draft.input_ids"
"""The draft id that stands for every id of the target: the same token, or the one most like it."""
TOKENS = "localspec.draft.tokens"
"""The target's own text of every draft id, by which the pair is checked."""
_TEXTS = "tokenizer.ggml.tokens"
_OTHER = "Choose a draft of the same model family, or go on without one."


MOST_UNLIKE = 0.02
"""Share of the tokens that may be others in the draft. Families name and pad a few of their control tokens otherwise
from size to size; another vocabulary has hardly a token in its place."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """How ids of the two models belong together."""

    target_ids: NDArray[np.int32]
    """[v] the target's id of every draft id; -1 where the target has no such token"""
    input_ids: NDArray[np.int32]  # [target vocabulary] the draft id to read in place of a target's
    known: NDArray[np.bool_]  # [target vocabulary] True for the tokens that the draft can propose


def pair(target: Weights, draft: Weights) -> Pairing:
    """Check a pair by the texts of its tokens. Raises DraftMismatchError that names the first one that differs."""
    texts = target.vocabulary()
    if draft.has_tokenizer:
        ids, inputs = same_vocabulary(texts, draft.vocabulary(), draft.bos, target.path, draft.path)
    else:
        ids, inputs, own = _reduced(draft.path, draft.vocabulary_size, len(texts))
        _compare(texts, own, ids, target.path, draft.path)
    known = np.zeros(len(texts), np.bool_)
    known[ids[ids >= 0]] = True
    return Pairing(ids, inputs, known)


def compare_files(target: Path, draft: Path) -> None:
    """Check a pair by what the files say, with nothing loaded. Raises ModelFileError, DraftMismatchError."""
    texts, header = _file_texts(target), read_header(draft)
    if header.has_tokenizer:
        same_vocabulary(texts, _file_texts(draft), 0, target, draft)
    else:
        ids, _, own = _reduced(draft, header.vocabulary, len(texts))
        _compare(texts, own, ids, target, draft)


def _file_texts(path: Path) -> list[bytes]:
    return [text for text in read_arrays(path, (_TEXTS,)).get(_TEXTS, []) if isinstance(text, bytes)]


def _reduced(path: Path, size: int, target_size: int) -> tuple[NDArray[np.int32], NDArray[np.int32], list[bytes]]:
    """The maps of a draft with a vocabulary of its own."""
    arrays = read_arrays(path, (TARGET_IDS, INPUT_IDS, TOKENS))
    missing = [key for key in (TARGET_IDS, INPUT_IDS, TOKENS) if key not in arrays]
    if missing:
        raise DraftMismatchError(
            f"{path.name} has no tokenizer and does not say which tokens it knows ({missing[0]} is missing).", _OTHER
        )
    ids, inputs = (np.array(arrays[key], np.int64) for key in (TARGET_IDS, INPUT_IDS))
    own = [text for text in arrays[TOKENS] if isinstance(text, bytes)]
    if len(inputs) != target_size:
        raise DraftMismatchError(
            f"{path.name} drafts for a model of {len(inputs)} tokens; this one has {target_size}.", _OTHER
        )
    sound = len(ids) == len(own) == size and len(np.unique(ids)) == size
    if not sound or ids.min() < 0 or ids.max() >= target_size or inputs.min() < 0 or inputs.max() >= size:
        raise DraftMismatchError(f"The map of tokens in {path.name} contradicts itself.", "Get the file again.")
    return ids.astype(np.int32), inputs.astype(np.int32), own


def same_vocabulary(
    texts: list[bytes], own: list[bytes], otherwise: int, target: Path, draft: Path
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The maps of a draft with its target's vocabulary: [draft] target ids, -1 for tokens that are never proposed, and
    [target] what the draft reads, `otherwise` for tokens that it does not have.

    Tokens beyond the shorter vocabulary, and a few that differ, go by their texts. Raises DraftMismatchError for more.
    """
    common = min(len(texts), len(own))
    unlike = [number for number in range(common) if texts[number] != own[number]]
    if len(unlike) > MOST_UNLIKE * common:
        _compare(texts, own[:common], np.arange(common, dtype=np.int32), target, draft)
    ids, inputs = np.arange(len(own), dtype=np.int32), np.arange(len(texts), dtype=np.int32)
    in_target = {texts[number]: number for number in (*unlike, *range(common, len(texts)))}
    in_draft = {own[number]: number for number in (*unlike, *range(common, len(own)))}
    for number in (*unlike, *range(common, len(own))):
        ids[number] = in_target.pop(own[number], -1)
    for number in (*unlike, *range(common, len(texts))):
        inputs[number] = in_draft.get(texts[number], otherwise)
    return ids, inputs


def _compare(texts: list[bytes], own: list[bytes], ids: NDArray[np.int32], target: Path, draft: Path) -> None:
    for number, text in zip(ids.tolist(), own, strict=True):
        if number < len(texts) and texts[number] != text:
            raise DraftMismatchError(
                f"{draft.name} cannot draft for {target.name}: token {number} is {_shown(texts[number])} in"
                f" the target and {_shown(text)} in the draft.",
                _OTHER,
            )


def _shown(text: bytes) -> str:
    return repr(text.decode("utf-8", "replace")[:40])
