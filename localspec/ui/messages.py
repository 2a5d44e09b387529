"""The messages of a chat as markup, for those who ask with every token marked by who proposed it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from weakref import WeakKeyDictionary

from localspec import texts
from localspec.application.chats import Chat, Exchange, View
from localspec.chat.origins import UNKNOWN, Origins, names
from localspec.ui import answer_line, answer_markup, elements, growing_answer, message_actions
from localspec.ui.panel import names_to_class

_BREAK = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_JOINER = "\u200d"
_VIRAMA = 9
"""Canonical combining class of signs that join a letter to the next one."""


@dataclass(slots=True)
class _Drawing:
    """An answer as it was drawn; true while its view is `view`."""

    view: View
    line: str
    plain: str
    coloured: str | None = None


_DRAWINGS: WeakKeyDictionary[Exchange, _Drawing] = WeakKeyDictionary()
"""Answers are drawn once."""


def messages(chat: Chat, coloured: bool = False) -> list[dict[str, str]]:
    """What Gradio's chatbot shows; `coloured` with the words of answers marked by where they came from."""
    shown = []
    for number, exchange in enumerate(chat.exchanges):
        asked = elements.question(exchange.question, exchange.files, number)
        said = message(exchange, coloured, number)
        below = [_first_colours(chat, exchange, coloured), message_actions.under(chat, number, exchange)]
        answered = "\n\n".join(part for part in (said, *below) if part)
        shown += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    return shown


def _first_colours(chat: Chat, exchange: Exchange, coloured: bool) -> str:
    """What the colours mean, under the first answer of all, until they are shown."""
    turn = exchange.turn
    is_first = chat.identity == 1 and len(chat.exchanges) == 1
    if coloured or not is_first or turn is None or not turn.finish or not turn.origins:
        return ""
    return message_actions.first_colours(_legend(turn.origins))


def message(exchange: Exchange, coloured: bool = False, number: int | None = None) -> str:
    """The answer of an exchange, `coloured` with its words marked once it is complete, and with the line of its figures
    where it has a `number` in its chat."""
    view, turn = exchange.view, exchange.turn
    if view is None:
        return ""
    if not view.is_final:
        return growing_answer.place(exchange)
    line = answer_line.line(turn, number) if turn is not None and number is not None and view.is_final else ""
    drawing = _DRAWINGS.get(exchange)
    if drawing is None or drawing.view is not view or drawing.line != line:
        drawing = _DRAWINGS[exchange] = _Drawing(view, line, answer(view, line))
    # While it is not the whole answer yet that is shown, it is not marked.
    if not coloured or turn is None or not turn.finish or view.text != turn.reply:
        return drawing.plain
    if drawing.coloured is None:
        words = coloured_answer(turn.reply, turn.origins)
        drawing.coloured = _joined(view, words, line)
    return drawing.coloured


def answer(view: View, line: str = "") -> str:
    """The assistant's message, as the page is to be handed it; `line` is the markup of its figures."""
    return _joined(view, answer_markup.answer(view.text, view.given), line)


def _joined(view: View, said: str, line: str) -> str:
    # Blank lines end blocks of HTML, so that what follows is markup of its own. What is copied is at the end.
    parts = [
        *(growing_answer.thought(view), said, line, *growing_answer.below(view)),
        elements.written(view.text) if view.text and view.is_final else "",
    ]
    return "\n\n".join(part for part in parts if part)


def coloured_answer(text: str, origins: Origins) -> str:
    """An answer as it was written, without its formatting, with every token marked by who proposed it, in one line of
    markup; nothing where it has no words.

    Tokens stand in elements of their own without anything between them, so that a word of several stays one word; they
    lie in runs of one source, which is named by the run's title and underline beside its colour.
    """
    if not text:
        return ""
    if not origins:
        return answer_markup.answer(text) + "\n\n" + elements.note(texts.ORIGINS_UNKNOWN)
    runs = []
    for source, tokens in groupby(_whole(origins.pieces(text)), key=lambda piece: piece[1]):
        inside = "".join(f"<span>{_piece(piece)}</span>" for piece, _ in tokens)
        kind = names_to_class(names(source)[0]) if source != UNKNOWN else "unknown"
        runs.append(f'<span class="from from-{kind}" title="{_named(source)}">{inside}</span>')
    return f'<div class="origins">{"".join(runs)}</div>{_legend(origins)}'


def _piece(piece: str) -> str:
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
