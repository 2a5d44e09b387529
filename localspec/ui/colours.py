"""Answers with every token marked by who proposed it, for those who ask where each word came from. Pure functions."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import groupby

from localspec import texts
from localspec.chat.origins import UNKNOWN, Origins, names
from localspec.ui import elements
from localspec.ui.panel import names_to_class

_BREAK = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_JOINER = "\u200d"
_VIRAMA = 9
"""Canonical combining class of signs that join a letter to the next one."""


def answer(text: str, origins: Origins) -> str:
    """An answer as it was written, without its formatting, in one line of markup; nothing where it has no words.

    Tokens stand in elements of their own without anything between them, so that a word of several stays one word; they
    lie in runs of one source, which is named by the run's title and underline beside its colour.
    """
    if not text:
        return ""
    if not origins:
        return elements.answer(text) + "\n\n" + elements.note(texts.ORIGINS_UNKNOWN)
    runs = []
    for source, tokens in groupby(_whole(origins.pieces(text)), key=lambda piece: piece[1]):
        inside = "".join(f"<span>{_shown(piece)}</span>" for piece, _ in tokens)
        kind = names_to_class(names(source)[0]) if source != UNKNOWN else "unknown"
        runs.append(f'<span class="from from-{kind}" title="{_named(source)}">{inside}</span>')
    return f'<div class="origins">{"".join(runs)}</div>{_legend(origins)}'


def _shown(piece: str) -> str:
    return "<br>".join(elements.literal(line) for line in _BREAK.split(piece))


def _named(source: int) -> str:
    said = [texts.SOURCES.get(name, name) for name in names(source)]
    return elements.literal(texts.ORIGIN_ALSO.join(said) or texts.ORIGIN_UNKNOWN)


def _legend(origins: Origins) -> str:
    counts = origins.counts()
    known = [name for name in texts.SOURCES if name in counts]
    entries = [
        f'<span><span class="from from-{names_to_class(name)}">{elements.literal(texts.SOURCES[name])}</span>'
        f" {texts.counted(counts[name], 'token')}</span>"
        for name in known
    ]
    if UNKNOWN in origins.sources:
        entries.append(f'<span><span class="from from-unknown">{texts.ORIGIN_UNKNOWN}</span></span>')
    return f'<div class="origins-legend">{texts.ORIGINS_LEGEND} {"".join(entries)}</div>'


def _whole(pieces: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """The pieces with no sign torn apart: accents, joined pictures and halves of flags stay with what they belong to,
    which an element's border would part."""
    whole: list[tuple[str, int]] = []
    for text, source in pieces:
        held = 0
        while whole and held < len(text) and _continues(whole[-1][0] + text[:held], text[held]):
            held += 1
        if held:
            before, of = whole[-1]
            whole[-1] = (before + text[:held], of)
        if held < len(text):
            whole.append((text[held:], source))
    return whole


def _continues(before: str, character: str) -> bool:
    if before[-1] == _JOINER or character == _JOINER or unicodedata.category(character) in ("Mn", "Me", "Mc"):
        return True
    if unicodedata.combining(before[-1]) == _VIRAMA and character.isalpha():
        return True
    if "\U0001f3fb" <= character <= "\U0001f3ff":  # tones of skin
        return True
    flags = 0
    if _is_half_flag(character):
        while flags < len(before) and _is_half_flag(before[-1 - flags]):
            flags += 1
    return flags % 2 == 1


def _is_half_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
