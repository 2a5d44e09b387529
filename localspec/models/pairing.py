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
        ids = np.arange(draft.vocabulary_size, dtype=np.int32)
        _compare(texts, draft.vocabulary(), ids, target.path, draft.path)
        # Families pad their vocabularies to unlike lengths: what lies beyond the shorter one is never proposed.
        ids[len(texts) :] = -1
        inputs = np.arange(len(texts), dtype=np.int32)
        inputs[draft.vocabulary_size :] = draft.bos
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
        own = _file_texts(draft)
        ids = np.arange(len(own), dtype=np.int32)
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
