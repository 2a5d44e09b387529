"""Cuts a text that is longer than a passage: between list items, sentences or lines, and in a sentence with an overlap.

Sizes are in tokens of the embedder, which is asked about many texts at once.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from localspec.stores.words import UNSPACED_LETTERS

Count: TypeAlias = Callable[[Sequence[str]], Sequence[int]]
"""The tokens of each text, those at its beginning and end included. May raise EmbedderError."""

MOST_TOKENS = 256
"""Of a passage, its section's name included, as it is embedded: what all-MiniLM-L6-v2 reads of a text."""
_MOST_CHARACTERS, _MOST_LETTERS = 8, 4
"""Characters per token, and of those letters beyond ASCII: a word that the embedder does not know is one token, however
long it is, and the models that answer read it, too. English has five."""
_OVERLAP = 0.125
"""Of a passage's room: what a part of a sentence repeats of the one before."""
_SENTENCE_END = re.compile(r"[.!?…]+[\"'”’»)\]]*\s+|[。！？｡．؟۔।॥။።។៕]+[\"'”’»」』）)\]]*\s*|\n\s*\n\s*")
_ABBREVIATION = re.compile(
    r"(?:(?:^|[\s(\"'])(?:[^\W\d_]|[ivx]{2,4}|Dr|Mr|Mrs|Ms|Prof|St|No|Nr|Fig|Abb|vs|cf|ca|bzw|vgl|etc|approx"
    r"|(?:am|vom|zum|bis|im|der|des|den|dem|die|das)\s\d{1,2})"
    r"|(?:[^\W\d_]\.\s?)+[^\W\d_])\.\s+$"
)
"""What a full stop ends that is no sentence: "e.g.", "Dr.", "am 3."."""
_ITEM = re.compile(r"[ \t]*(?:[-*+•◦▪‣·–—]|\(?\d{1,3}(?:\.\d{1,3})*[.)]|\(?[A-Za-z][.)])[ \t]+\S")
_BEFORE_NUMBER = re.compile(r"(?:^|\W)[^\W\d_]{1,4}\. $")
_ALIKE = 0.9
_FENCE = re.compile(r"\s*(?:`{3,}|~{3,})[^\n`]*")
_SAYS = re.compile(rf"[^\W\d_]{{2,}}|\d{{3,}}|[{UNSPACED_LETTERS}]")


class Ruler:
    """Measures texts as the embedder reads them."""

    def __init__(self, longest: int, count: Count) -> None:
        """`longest`: the tokens that the embedder reads of a text. Raises ValueError where that is less than 16."""
        if longest < 16:
            raise ValueError(f"longest must be at least 16 tokens, not {longest}")
        self._count = count
        (self._ends,) = count([""])
        self.room = min(MOST_TOKENS, longest) - self._ends
        """tokens of a passage and its section's name"""

    def sizes(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text by itself; at least 1 for 8 characters, or 4 letters beyond ASCII."""
        counts = self._count(texts) if texts else ()
        return [max(count - self._ends, _least(text)) for text, count in zip(texts, counts, strict=True)]

    def size(self, text: str) -> int:
        """The tokens of one text."""
        return self.sizes([text])[0]


def estimated_tokens(texts: Sequence[str]) -> list[int]:
    """The most tokens that these texts are likely to have under any tokenizer, where no embedder says it: each sign,
    digit and letter beyond ASCII counts one, and two letters of ASCII. About twice as many as of English prose."""
    return [2 + _estimate(text) for text in texts]


def says_nothing(text: str) -> bool:
    """Whether it is a number, a bullet, a fence or brackets alone."""
    return _SAYS.search(_FENCE.sub("", text) if text.lstrip()[:3] in ("```", "~~~") else text) is None


def pieces(text: str, room: int, ruler: Ruler) -> list[tuple[str, str]]:
    """A text in parts of at most `room` tokens, each with what stood before it ("\\n" or a space): of about the same
    size, between items of a list, rows or sentences, else lines. Only a longer sentence is cut itself, between words;
    then a part begins with the last words of the one before."""
    lines = text.split("\n")
    if _are_rows(lines):
        cut = [(line, "\n") for line in _lines(text)]
    elif sum(_ITEM.match(line) is not None for line in lines) >= 2:
        cut = _items(lines)
    else:
        cut = list(_sentences(text))
    return _grouped(_small_enough(cut, room, ruler, sentences=True), room, ruler)


def line_pieces(text: str, room: int, ruler: Ruler) -> list[tuple[str, str]]:
    """Code in parts of at most `room` tokens, each with the line ends before it: between its lines, at empty ones if it
    can be. Fences and lines of brackets stay with those beside them."""
    cut: list[tuple[str, str]] = []
    parts = paragraphs(text)
    for (part, before), size in zip(parts, ruler.sizes([part for part, _ in parts]), strict=True):
        inner = [part] if size <= room else _lines(part)
        cut += [(line, "\n" if at else before) for at, line in enumerate(inner)]
    return _grouped(_small_enough(cut, room, ruler, sentences=False), room, ruler)


def paragraphs(text: str) -> list[tuple[str, str]]:
    """The parts of a text between empty lines, each with the line ends before it. What stands between two fences is one
    part, and so is a part that says nothing with the next."""
    found: list[tuple[str, str]] = []
    part: list[str] = []
    empty = 0
    before = ""
    fence = ""
    for line in text.split("\n"):
        if not line.strip() and not fence:
            empty += bool(part)
            continue
        if empty and not says_nothing("\n".join(part)):
            found.append(("\n".join(part), before))
            part, before = [], "\n" * (empty + 1)
        elif empty:
            part += [""] * empty
        empty = 0
        mark = _FENCE.match(line)
        if mark is not None and not fence:
            fence = mark.group().strip()[:3]
        elif fence and line.strip().startswith(fence) and says_nothing(line):
            fence = ""
        part.append(line)
    return [*found, ("\n".join(part), before)] if part else found


def shortened(text: str, room: int, ruler: Ruler) -> str:
    """The first words of a text, with "…" where there are more than fit in `room` tokens."""
    words = text.split()
    while text and ruler.size(text) > room:
        words = words[: len(words) // 2]
        text = " ".join(words) + "…" if words else text[: len(text) // 2].rstrip("…") and text[: len(text) // 2] + "…"
        if len(text) <= 2:
            break
    return text


def last_sentence(text: str) -> str:
    """The beginning of a sentence with which a text breaks off; empty where its last sentence has an end."""
    parts = list(_sentences(text))
    last = parts[-1][0] if parts else ""
    ended = re.search(r"[.!?…:;。！？｡؟۔।॥။።។៕][\"'”’»」』）)\]]*$", last)
    return "" if ended else last


def _small_enough(
    parts: Sequence[tuple[str, str]], room: int, ruler: Ruler, *, sentences: bool
) -> Iterator[tuple[str, str, int]]:
    """(text, before it, size), none larger than `room`."""
    for (text, before), size in zip(parts, ruler.sizes([text for text, _ in parts]), strict=True):
        if size <= room:
            yield text, before, size
            continue
        smaller = list(_sentences(text)) if sentences else []
        if len(smaller) < 2:
            smaller = [(line, "\n") for line in _lines(text)]
        if len(smaller) > 1:
            (first, _), *rest = smaller
            yield from _small_enough([(first, before), *rest], room, ruler, sentences=sentences)
        else:
            yield from _words(text, before, room, ruler)


def _grouped(parts: Iterator[tuple[str, str, int]], room: int, ruler: Ruler) -> list[tuple[str, str]]:
    """Neighbours joined into groups of at most `room` tokens and about the same size."""
    listed = list(parts)
    left = sum(size for _, _, size in listed)
    target = left / max(1, -(-left // room))
    groups: list[tuple[str, str]] = []
    text, first, filled = "", "", 0
    for part, before, size in listed:
        if text and (filled + size > room or filled + size / 2 > target):
            groups.append((text, first))
            left -= filled
            target = left / -(-left // room)
            text, filled = "", 0
        text, first = (f"{text}{before}{part}", first) if text else (part, before)
        filled += size
    if text:
        groups.append((text, first))
    checked: list[tuple[str, str]] = []
    for (group, before), size in zip(groups, ruler.sizes([group for group, _ in groups]), strict=True):
        if size <= room:
            checked.append((group, before))
        else:  # words beside each other may have more tokens than apart
            checked += [(part, separator) for part, separator, _ in _words(group, before, room * 3 // 4, ruler)]
    return checked


def _sentences(text: str) -> Iterator[tuple[str, str]]:
    """The sentences of a text, each with the white space before it."""
    start = 0
    before = ""
    for end in _SENTENCE_END.finditer(text):
        space = len(end.group()) - len(end.group().rstrip())
        stop = end.end() - space
        sentence = text[start:stop]
        following = text[end.end() : end.end() + 1]
        told = text[max(0, end.start() - 24) : end.start() + 1] + " "
        if says_nothing(sentence) or following.islower() or _ABBREVIATION.search(told):
            continue
        if following.isdigit() and _BEFORE_NUMBER.search(told):
            continue
        yield sentence, before
        start, before = end.end(), _one_space(text[stop : end.end()])
    if text[start:].strip():
        yield text[start:], before


def _one_space(space: str) -> str:
    return "\n\n" if space.count("\n") > 1 else "\n" if "\n" in space else " " if space else ""


def _items(lines: Sequence[str]) -> list[tuple[str, str]]:
    """The items of a list with their further lines."""
    found: list[str] = []
    for line in lines:
        if found and (_ITEM.match(line) is None or says_nothing(found[-1])):
            found[-1] += f"\n{line}"
        else:
            found.append(line)
    return [(item, "\n") for item in found if item.strip()]


def _are_rows(lines: Sequence[str]) -> bool:
    """Whether lines hold the same number of values with a sign between them."""
    filled = [line for line in lines if line.strip()]
    for sign, least in (("\t", 1), ("|", 1), (";", 1), (",", 2)):
        counts = Counter(line.count(sign) for line in filled)
        ((count, often),) = counts.most_common(1) or [(0, 0)]
        if len(filled) >= 3 and count >= least and often >= _ALIKE * len(filled):
            return True
    return False


def _lines(text: str) -> list[str]:
    """Its lines; those that say nothing belong to the one before, the first to the one behind."""
    found: list[str] = []
    opening = ""
    for line in text.split("\n"):
        if not line.strip():
            continue
        if says_nothing(line) and not line.strip()[:1].isdigit() and found:
            found[-1] += f"\n{line}"
        elif says_nothing(line):
            opening += f"{line}\n"
        else:
            found.append(opening + line)
            opening = ""
    return [*found, opening.rstrip("\n")] if opening else found


def _words(text: str, before: str, room: int, ruler: Ruler) -> Iterator[tuple[str, str, int]]:
    """One sentence in parts that overlap."""
    words = [piece for word in re.findall(r"\s*\S+", text) for piece in _letters(word, room)]
    sizes = ruler.sizes(words)
    while max(sizes, default=0) > room:  # letters of more than one token each
        longest = max(1, max(map(len, words)) // 2)
        words = [piece for word in words for piece in _letters(word, longest)]
        sizes = ruler.sizes(words)
    # Of about the same size.
    total, most = sum(sizes), int(room * _OVERLAP)
    count = max(1, -(-(total - most) // (room - most)))
    limit = min(room, (total + (count - 1) * most) // count + max(sizes))
    part: list[str] = []
    kept: list[int] = []
    filled = 0
    fresh = False
    for word, size in zip(words, sizes, strict=True):
        if fresh and filled + size > limit:
            yield "".join(part).strip("\n"), before, filled
            overlap, filled = 0, 0
            while overlap < len(part) and filled + kept[-overlap - 1] <= most:
                overlap += 1
                filled += kept[-overlap]
            part, kept, fresh, before = part[len(part) - overlap :], kept[len(kept) - overlap :], False, "\n"
            if filled + size > limit:
                part, kept, filled = [], [], 0
            part[:1] = [first.lstrip(" ") for first in part[:1]]
        part.append(word if part else word.lstrip(" "))
        kept.append(size)
        filled += size
        fresh = True
    if fresh:
        yield "".join(part).strip("\n"), before, filled


def _letters(word: str, room: int) -> Iterator[str]:
    """A long word in pieces, none of which begins with a mark that belongs to the letter before."""
    start = 0
    while len(word) - start > room:
        end = start + room
        while end > start + 1 and unicodedata.category(word[end])[0] == "M":
            end -= 1
        yield word[start:end]
        start = end
    yield word[start:]


def _least(text: str) -> int:
    ascii_only = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return -(-ascii_only // _MOST_CHARACTERS) + -(-(len(text) - ascii_only) // _MOST_LETTERS)


def _estimate(text: str) -> int:
    words = re.findall(r"[A-Za-z]+|[^\sA-Za-z]", text)
    return sum(-(-len(word) // 2) for word in words)
