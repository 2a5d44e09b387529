"""Where each word of an answer came from: who proposed every token, and how many characters it completed.

Counted in characters and not in ids of tokens, so that an answer can be shown without the model that wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from localspec.speculation.tree import SOURCE_NAMES, source_names

UNKNOWN = 255
"""In place of a token's source where nobody knows it."""
MOST_TOKENS = 4_000_000
_VERSION = 1
_UNKNOWN_NAME = "unknown"
_BITS: Mapping[str, int] = {name: bit for bit, name in SOURCE_NAMES.items()}


@dataclass(slots=True)
class Origins:
    """The tokens of an answer, in order."""

    sources: bytearray = field(default_factory=bytearray)
    """bits of who proposed each token, 0 = the model itself, or `UNKNOWN`"""
    lengths: list[int] = field(default_factory=list)
    """characters that each token completed: 0 where a character's bytes go on in the next one"""

    def __bool__(self) -> bool:
        return any(source != UNKNOWN for source in self.sources)

    def add(self, sources: Iterable[int], parts: Sequence[str]) -> None:
        """Tokens were written, and completed these parts of the text. Sources beyond the parts are not looked at."""
        self.lengths += map(len, parts)
        self.sources += bytes(source for source, _ in zip(sources, parts, strict=False))

    def fit(self, characters: int) -> None:
        """Make them those of a text of so many characters: what is missing is of unknown origin, what is over goes."""
        missing = characters - sum(self.lengths)
        while missing < 0:
            cut = min(self.lengths[-1], -missing)
            self.lengths[-1] -= cut
            missing += cut
            if missing < 0:
                self.lengths.pop()
                self.sources.pop()
        if missing > 0:
            self.lengths.append(missing)
            self.sources.append(UNKNOWN)

    def pieces(self, text: str) -> list[tuple[str, int]]:
        """The text token by token, each with its source; together they are `text`."""
        found = []
        start = 0
        for source, length in zip(self.sources, self.lengths, strict=True):
            piece = text[start : start + length]
            start += length
            if piece:
                found.append((piece, source))
        if start < len(text):
            found.append((text[start:], UNKNOWN))
        return found

    def counts(self) -> dict[str, int]:
        """Tokens by who proposed them, as `ReplyMetrics.by_source` counts; those of unknown origin are left out."""
        counts: dict[str, int] = {}
        for source in self.sources:
            for name in names(source)[:1]:
                counts[name] = counts.get(name, 0) + 1
        return counts

    def pack(self) -> bytes:
        """As few bytes as is simple, about one a token; `unpack` reads them. Nothing where there are no tokens."""
        if not self.sources:
            return b""
        packed = bytearray([_VERSION])
        for source, lengths in self._runs():
            packed.append(source)
            _write(packed, len(lengths))
            for length in lengths:
                _write(packed, length)
        return bytes(packed)

    @classmethod
    def unpack(cls, data: bytes) -> Origins:
        """Those that were packed. Raises ValueError for anything else."""
        made = cls()
        if not data:
            return made
        if data[0] != _VERSION:
            raise ValueError(f"origins of version {data[0]}")
        numbers = iter(data[1:])
        for source in numbers:
            if source != UNKNOWN and source & ~sum(SOURCE_NAMES):
                raise ValueError(f"source {source}")
            count = _read(numbers)
            if len(made.sources) + count > MOST_TOKENS:
                raise ValueError("too many tokens")
            made.lengths += [_read(numbers) for _ in range(count)]
            made.sources += bytes([source]) * count
        return made

    def record(self) -> list[list[Any]]:
        """As JSON holds them: runs of tokens with the names of who proposed them and the characters of each."""
        return [["+".join(names(source)) or _UNKNOWN_NAME, lengths] for source, lengths in self._runs()]

    @classmethod
    def of_record(cls, record: object) -> Origins:
        """Those that `record` gave. Raises ValueError for what cannot be."""
        made = cls()
        if not isinstance(record, list):
            raise ValueError("origins must be a list")
        for run in record:
            if not isinstance(run, list) or [type(part) for part in run] != [str, list]:
                raise ValueError("origins must be pairs of a name and a list")
            source, lengths = _bits(run[0]), run[1]
            if len(made.sources) + len(lengths) > MOST_TOKENS:
                raise ValueError("origins have too many tokens")
            if not all(type(length) is int and 0 <= length <= MOST_TOKENS for length in lengths):
                raise ValueError("origins must count characters")
            made.lengths += lengths
            made.sources += bytes([source]) * len(lengths)
        return made

    def _runs(self) -> Iterator[tuple[int, list[int]]]:
        start = 0
        while start < len(self.sources):
            source, end = self.sources[start], start
            while end < len(self.sources) and self.sources[end] == source:
                end += 1
            yield source, self.lengths[start:end]
            start = end


def names(source: int) -> list[str]:
    """Who proposed a token, the one it counts for first; nobody where that is unknown."""
    return [] if source == UNKNOWN else source_names(source)


def _bits(joined: str) -> int:
    if joined == _UNKNOWN_NAME:
        return UNKNOWN
    bits = 0
    for name in joined.split("+"):
        if name not in _BITS:
            raise ValueError("origins name an unknown source")
        bits |= _BITS[name]
    return bits


def _write(packed: bytearray, number: int) -> None:
    """LEB128, as in DWARF: seven bits a byte, the lowest first."""
    while number > 0x7F:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    packed.append(number)


def _read(numbers: Iterator[int]) -> int:
    value = shift = 0
    for byte in numbers:
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > MOST_TOKENS:
                break
            return value
        shift += 7
        if shift > 28:
            break
    raise ValueError("origins are cut short")
