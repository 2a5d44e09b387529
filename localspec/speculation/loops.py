"""Tells a reply that runs in circles from one that repeats itself with good reason, by its tokens.

Two signs count. The end of the text has a *period*: the same span again and again. Or the text moves between a few
spans: nearly all of the newest tokens were said, in the same order, several times before. Numbers of a list at the
beginning of its lines are looked over, so "7. The same." behind "6. The same." is a repetition.

What repeats with good reason is short, or no prose: tables, code, rows of numbers and refrains get more room than
sentences do. The bounds were set on recorded replies (docs/log.md, "Loops").
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable

ANCHOR = 8
"""Tokens that must be the same for a period to be looked for; a shorter span repeats within them."""
PROSE_LENGTH, PROSE_REPEATS = 144, 5
"""Tokens, and rounds, of a repeated span of prose that are a loop."""
LONG_SPAN, LONG_REPEATS = 64, 4
"""A span of so many tokens needs fewer rounds."""
OTHER_LENGTH, OTHER_REPEATS = 480, 16
"""The same for code, tables, numbers, and words without a sentence."""
PROSE_WORDS = 6
"""Different words of a span that is prose."""
_PROSE_LETTERS = 0.85
"""Part of its characters that are letters, blanks and marks of a sentence."""
RUN, TIMES, WINDOW, COVERED = 8, 3, 192, 0.92
"""Of the last `WINDOW` tokens so many lie in runs of `RUN` tokens that stood `TIMES` times before them."""
AT_LIMIT = 0.5
"""A reply that ran into its limit was in a loop at this part of the lengths above: nothing is cut by saying so."""

_MARKER = re.compile(r"\s*[0-9]+")
_BEHIND_MARKER = re.compile(r"\s*([0-9]+|[.):])\s*")
_SENTENCE = re.compile(r"[^\W\d_]|[\s,.;:!?'\"’“”()-]")
_WORD = re.compile(r"[^\W\d_]+")


class LoopDetector:
    """Follows one reply. `piece` gives a token's bytes."""

    def __init__(self, piece: Callable[[int], bytes], tokens: Iterable[int] = ()) -> None:
        """`tokens` are what was written of the reply before."""
        self._piece = piece
        self._said: list[int] = []
        """without the numbers of lists"""
        self._line_begins, self._in_marker = True, False
        self._places: dict[tuple[int, ...], int] = {}
        self._period, self._same = 0, 0
        """tokens back to what is the same, and how many are the same as those so far back"""
        self._runs: dict[tuple[int, ...], int] = {}
        self._covered: deque[bool] = deque(maxlen=WINDOW)
        self._covering = 0  # how many of these are true
        for token in tokens:
            if not self._is_marker(token):
                self._take(token)

    def add(self, tokens: Iterable[int]) -> int:
        """Take what was written, up to the token at which the reply is in a loop; how many tokens that are, 0 where it
        is in none."""
        for count, token in enumerate(tokens, start=1):
            if not self._is_marker(token):
                self._take(token)
                if self._in_loop(1.0):
                    return count
        return 0

    def at_limit(self) -> bool:
        """Whether a reply that ended here for its length was in a loop."""
        return self._in_loop(AT_LIMIT)

    def _is_marker(self, token: int) -> bool:
        """Whether a token belongs to the number of a list's item."""
        text = self._piece(token).decode("utf-8", "replace")
        pattern = _MARKER if self._line_begins else _BEHIND_MARKER
        marks = (self._line_begins or self._in_marker) and pattern.fullmatch(text) is not None
        self._in_marker = marks
        self._line_begins = text.endswith("\n") or (self._line_begins and not text.strip())
        return marks

    def _take(self, token: int) -> None:
        said = self._said
        said.append(token)
        last = len(said) - 1
        if self._period and said[last - self._period] == token:
            self._same += 1
        else:
            self._period, self._same = 0, 0
        if last + 1 >= ANCHOR:
            anchor = tuple(said[-ANCHOR:])
            before = self._places.get(anchor)
            if before is not None and not self._period:
                self._period, self._same = last - before, ANCHOR
            self._places[anchor] = last
        if last + 1 >= RUN:
            run = tuple(said[-RUN:])
            times = self._runs.get(run, 0)
            self._covering += (times >= TIMES) - (len(self._covered) == WINDOW and self._covered[0])
            self._covered.append(times >= TIMES)
            self._runs[run] = times + 1

    def _in_loop(self, part: float) -> bool:
        return self._has_period(part) or self._moves_in_circles(part)

    def _has_period(self, part: float) -> bool:
        period = self._period
        length = self._same + period
        if not period or length < PROSE_LENGTH * part:
            return False
        rounds = length / period
        if self._is_prose(self._said[-period:]):
            return rounds >= (LONG_REPEATS if period >= LONG_SPAN else PROSE_REPEATS)
        return length >= OTHER_LENGTH * part and rounds >= OTHER_REPEATS

    def _moves_in_circles(self, part: float) -> bool:
        size = int(WINDOW * part)
        if len(self._covered) < size or self._covering < COVERED * size:
            return False
        newest = list(self._covered)[-size:]
        return sum(newest) >= COVERED * size and self._is_prose(self._said[-size:])

    def _is_prose(self, tokens: list[int]) -> bool:
        text = b"".join(map(self._piece, tokens)).decode("utf-8", "ignore")
        words = {word.casefold() for word in _WORD.findall(text)}
        return len(words) >= PROSE_WORDS and len(_SENTENCE.findall(text)) >= _PROSE_LETTERS * len(text)


def runs_in_circles(piece: Callable[[int], bytes], tokens: Iterable[int]) -> bool:
    """Whether a whole reply is in a loop somewhere, or at its end."""
    detector = LoopDetector(piece)
    return detector.add(tokens) > 0 or detector.at_limit()
