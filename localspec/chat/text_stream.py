"""From tokens to text while they arrive."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable

CUT = "\ufffd"
"""What `finish` writes for a cut character."""


class TextStream:
    """Joins the bytes of tokens into text; a character whose bytes are split over tokens appears when it is whole."""

    def __init__(self, piece: Callable[[int], bytes], tokens: Iterable[int] = (), text: str = "") -> None:
        """Go on behind `tokens`, which were shown as `text`: a character that was cut there can still become whole."""
        self._piece = piece
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self.text = ""
        whole = self.add(tokens)
        self.text = whole if text == whole + CUT else text

    def add(self, tokens: Iterable[int]) -> str:
        """The text that these tokens completed."""
        return "".join(self.add_each(tokens))

    def add_each(self, tokens: Iterable[int]) -> list[str]:
        """The same, token by token."""
        parts = [self._decoder.decode(self._piece(token)) for token in tokens]
        self.text += "".join(parts)
        return parts

    def finish(self) -> str:
        """What is left of a cut character, as a replacement mark."""
        delta = self._decoder.decode(b"", final=True)
        self.text += delta
        return delta
