"""A searchable index of where token n-grams occur: arrays only, no files.

A text's tokens are stored backwards as big-endian 32-bit ids, so that the context of a token, read from that token
towards the start of its document, is a run of consecutive bytes, and comparing two contexts is comparing two byte
strings. Documents are divided by a separator that no id can equal, so no match crosses it:

    SEPARATOR, document reversed, SEPARATOR, document reversed, ..., SEPARATOR * MAX_N

The index is the list of places sorted by their backward context (a suffix array of depth MAX_N, Manber and Myers
1993). One binary search finds the longest match; the intervals of all shorter matches nest around it. A document's last
token is left out of the index: nothing follows it, so there is nothing to draft.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

MAX_N = 16
"""Longest context that is compared, in tokens. REST (arXiv 2311.08252, published code) looks up suffixes of 16 to 2."""
SEPARATOR = -1  # stands between documents; as big-endian bytes it is larger than every token id
STORED = np.dtype(">i4")  # type of a stored token id: big-endian, so that bytes compare as ids do
PLACE = np.dtype("<i4")  # type of a stored place
_WIDTH = STORED.itemsize
_WINDOW = MAX_N * _WIDTH
_FENCE_STEP = 256
"""Every 256th window is kept as one `bytes` for the first steps of a search: 0.4 bytes of memory per token."""


def join(documents: Sequence[NDArray[np.int32]]) -> tuple[NDArray[np.int32], list[int]]:
    """Lay documents out for the index. Returns the tokens, int32 [sum(lengths) + len(documents) + MAX_N], backwards and
    separated, and for each document the index at which its (reversed) tokens start."""
    parts: list[NDArray[np.int32]] = []
    starts: list[int] = []
    end = 0
    separator = np.full(1, SEPARATOR, np.int32)
    for document in documents:
        parts += [separator, document[::-1]]
        starts.append(end + 1)
        end += 1 + len(document)
    parts.append(np.full(MAX_N, SEPARATOR, np.int32))
    return np.concatenate(parts), starts


def sort_places(tokens: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sort the places of a joined text by their backward context.

    `tokens` is int32 [n] as `join` makes it. Returns int32 [n - separators - last tokens], sorted by the window
    `tokens[place : place + MAX_N]` up to its first separator; equal windows by place. Ranks of 2 tokens are doubled
    to 4, 8 and 16 (prefix doubling, Manber and Myers 1993); rank and place are packed into one integer where they
    fit, because sorting values is faster than sorting indices.
    """
    count = len(tokens)
    separators = tokens == SEPARATOR
    indexed = ~separators
    indexed[1:] &= ~separators[:-1]
    places = np.flatnonzero(indexed).astype(np.int64)
    if not len(places):
        return np.empty(0, np.int32)
    bits = count.bit_length()
    ids = tokens.astype(np.int64)
    if 2 * (int(ids.max()) + 1).bit_length() + bits > 63:
        # Dense numbers keep the order; the separator, being negative, comes out as -1 again.
        ids = np.unique(tokens, return_inverse=True)[1].reshape(-1).astype(np.int64) - 1
    last = int(ids.max()) + 1
    ids[separators] = last
    keys = ids[places]
    keys <<= last.bit_length()
    keys |= ids[places + 1]
    del ids
    ranks = np.full(count + MAX_N, len(places), np.int64)
    width = 2
    while True:
        keys, order = _sort_pairs(keys, places, bits)
        changes = keys[1:] != keys[:-1]
        if width == MAX_N or bool(changes.all()):
            return order.astype(np.int32)
        ranks[order[0]] = 0
        ranks[order[1:]] = np.cumsum(changes)
        keys = ranks[places]
        keys <<= bits
        keys |= ranks[places + width]
        width *= 2


def _sort_pairs(
    keys: NDArray[np.int64], places: NDArray[np.int64], bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The keys and places sorted by (key, place). `places` come ascending and need `bits` bits; `keys` is used up."""
    if int(keys.max()).bit_length() + bits <= 63:
        keys <<= bits
        keys |= places
        keys.sort()
        order = keys & ((1 << bits) - 1)
        keys >>= bits
        return keys, order
    indices = np.argsort(keys, kind="stable")
    return keys[indices], places[indices]


def cut(places: NDArray[np.int32], gone: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The sorted places after the tokens marked in `gone` [n], whole documents and their separators, are taken out. The
    order of the others stays right: windows of different documents are ordered by what precedes their separators."""
    kept = places[~gone[places]]
    return (kept - np.cumsum(gone)[kept]).astype(np.int32)


def backward_window(context: NDArray[np.int32]) -> bytes:
    """The last tokens of a context (at most MAX_N are given, none negative) as the bytes that the index compares."""
    return context[::-1].astype(STORED).tobytes()


class SuffixIndex:
    """The joined tokens of some documents with their sorted places, ready to be searched. Never changes. `tokens` holds
    STORED ids [n] as `join` makes them, `places` PLACE [m] as `sort_places` does. Both are kept without a copy: 8 bytes
    per token, and 0.4 for the fences. `documents` are pairs of the index at which one's tokens start and its number.
    Raises ValueError when these cannot belong together."""

    __slots__ = ("_documents", "_fences", "_ids", "_places", "_starts", "_tokens", "_view")

    def __init__(self, tokens: bytes, places: bytes, documents: Sequence[Sequence[int]]) -> None:
        if not documents:
            raise ValueError("nobody knows whose tokens these are")
        pairs = np.array(sorted(map(tuple, documents)), np.int64)
        self._starts, self._documents = pairs[:, 0], pairs[:, 1]
        self._tokens = tokens
        self._ids: NDArray[np.int32] = np.frombuffer(tokens, STORED)
        self._places: NDArray[np.int32] = np.frombuffer(places, PLACE).astype(np.int32, copy=False)
        if len(self._places) and not 0 < self._places.min() <= self._places.max() < len(self._ids) - MAX_N:
            raise ValueError("places lie outside the tokens")
        self._view = self._places.data
        self._fences = [
            tokens[place * _WIDTH : place * _WIDTH + _WINDOW] for place in self._places[::_FENCE_STEP].tolist()
        ]

    @property
    def memory_bytes(self) -> int:
        """Memory held: 4 bytes per token, 4 per place, 16 per document, and the fences, each a `bytes` object (33 + its
        window) and the pointer to it."""
        documents = self._starts.nbytes + self._documents.nbytes
        return len(self._tokens) + self._places.nbytes + len(self._fences) * (_WINDOW + 33 + 8) + documents

    def first(self, target: bytes, low: int, high: int) -> int:
        """Index in [low, high) of the first sorted place whose window is not below `target`; else `high`."""
        fence = bisect_left(self._fences, target, -(-low // _FENCE_STEP), -(-high // _FENCE_STEP))
        low = max(low, (fence - 1) * _FENCE_STEP + 1)
        high = min(high, fence * _FENCE_STEP)
        tokens, view = self._tokens, self._view
        while low < high:
            middle = (low + high) // 2
            offset = view[middle] * _WIDTH
            if tokens[offset : offset + _WINDOW] < target:
                low = middle + 1
            else:
                high = middle
        return low

    def common(self, window: bytes, index: int) -> int:
        """How many leading tokens the window at a sorted place shares with `window`; 0 if there is no such place."""
        if not 0 <= index < len(self._view):
            return 0
        offset = self._view[index] * _WIDTH
        size = len(window)
        differing = int.from_bytes(window, "big") ^ int.from_bytes(self._tokens[offset : offset + size], "big")
        return (8 * size - differing.bit_length()) // (8 * _WIDTH)

    def __len__(self) -> int:
        return len(self._view)

    def following(
        self, indices: NDArray[np.int64], steps: NDArray[np.int32]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Stored ids that lie `steps` (1, 2, ..., c) after the sorted places with the given indices [k]: [k, c], which
        may run on into the next document, behind a separator; and the documents [k] of the places."""
        places = self._places.take(indices)
        if len(self._starts) == 1:
            documents = self._documents.repeat(len(places))
        else:
            documents = self._documents.take(self._starts.searchsorted(places, "right") - 1)
        # Before the first separator lies nothing; clipping repeats it.
        return self._ids.take(places[:, None] - steps, mode="clip"), documents


class _Hit:
    """The interval of one index's sorted places that share at least the length in hand with a window. `below` and
    `above` are the lengths that its two neighbours share: only there is there something to grow into."""

    __slots__ = ("above", "below", "high", "index", "low")

    def __init__(self, index: SuffixIndex, window: bytes) -> None:
        self.index = index
        self.low = self.high = index.first(window, 0, len(index))
        self.below = index.common(window, self.low - 1)
        self.above = index.common(window, self.high)

    def grow(self, window: bytes, length: int) -> Iterator[tuple[SuffixIndex, int, int]]:
        """Take in the places that share `length` tokens; yields the intervals that are new."""
        prefix = window[: length * _WIDTH]
        if self.below >= length:
            low = self.index.first(prefix, 0, self.low)
            yield self.index, low, self.low
            self.low = low
            self.below = self.index.common(window, low - 1)
        if self.above >= length:
            # The next larger prefix: ids are below 2**31, so adding one never carries.
            beyond = prefix[:-_WIDTH] + (int.from_bytes(prefix[-_WIDTH:], "big") + 1).to_bytes(_WIDTH, "big")
            high = self.index.first(beyond, self.high, len(self.index))
            yield self.index, self.high, high
            self.high = high
            self.above = self.index.common(window, high)


def search(
    indexes: Iterable[SuffixIndex], window: bytes, min_n: int, room: int, count: int, *, all_lengths: bool
) -> tuple[NDArray[np.int32], NDArray[np.int16], NDArray[np.int64]]:
    """What follows up to `room` places that match the longest start of `window` that occurs, of at least `min_n`. With
    `all_lengths` shorter matches follow while there is room; each place comes once, with its own longest length. Of
    more places than there is room for, an even sample is taken. Returns int32 [m, count], padded with -1, the matched
    lengths, int16 [m], descending, and the documents, int64 [m]."""
    hits = [_Hit(index, window) for index in indexes]
    hits = [hit for hit in hits if max(hit.below, hit.above) >= min_n]
    found: dict[SuffixIndex, list[tuple[NDArray[np.int64], int]]] = {}
    length = max((max(hit.below, hit.above) for hit in hits), default=0)
    while room and length >= min_n:
        flanks = [flank for hit in hits for flank in hit.grow(window, length)]
        for index, indices in _even_sample(flanks, room):
            found.setdefault(index, []).append((indices, length))
            room -= len(indices)
        length = max(max(hit.below, hit.above) for hit in hits) if all_lengths else 0
    if not found:
        return np.empty((0, count), np.int32), np.empty(0, np.int16), np.empty(0, np.int64)
    steps = np.arange(1, count + 1, dtype=np.int32)
    following = [
        index.following(np.concatenate([indices for indices, _ in parts]), steps) for index, parts in found.items()
    ]
    tokens = np.concatenate([rows for rows, _ in following], dtype=np.int32, casting="equiv")
    documents = np.concatenate([numbers for _, numbers in following])
    tokens[np.logical_or.accumulate(tokens == SEPARATOR, axis=1)] = SEPARATOR
    pieces = [piece for parts in found.values() for piece in parts]
    lengths = np.repeat([length for _, length in pieces], [len(indices) for indices, _ in pieces]).astype(np.int16)
    if all_lengths:
        order = np.argsort(-lengths, kind="stable")
        tokens, lengths, documents = tokens[order], lengths[order], documents[order]
    return tokens, lengths, documents


def _even_sample(
    flanks: Sequence[tuple[SuffixIndex, int, int]], room: int
) -> Iterator[tuple[SuffixIndex, NDArray[np.int64]]]:
    """The middles of `room` equal parts of all the intervals, laid end to end; every place if they fit."""
    total = sum(stop - start for _, start, stop in flanks)
    if total <= room:
        for index, start, stop in flanks:
            yield index, np.arange(start, stop)
        return
    picks = (2 * np.arange(room, dtype=np.int64) + 1) * total // (2 * room)
    ends = np.cumsum([stop - start for _, start, stop in flanks])
    parts = np.split(picks, np.searchsorted(picks, ends[:-1]))
    for (index, _, stop), end, part in zip(flanks, ends.tolist(), parts, strict=True):
        if len(part):
            yield index, part + (stop - end)
