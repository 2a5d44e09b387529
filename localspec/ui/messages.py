"""The messages of a chat as markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from localspec import texts
from localspec.application.chats import Chat, Exchange
from localspec.application.views import View
from localspec.ui import colours, elements


@dataclass(slots=True)
class _Drawing:
    """An answer as it was drawn; true while its view is `view`."""

    view: View
    plain: str
    coloured: str | None = None


_DRAWINGS: WeakKeyDictionary[Exchange, _Drawing] = WeakKeyDictionary()
"""Answers are drawn once, not again for every update of the last one."""


def messages(chat: Chat, coloured: bool = False) -> list[dict[str, str]]:
    """What Gradio's chatbot shows; `coloured` with the words of answers marked by where they came from."""
    shown = []
    for number, exchange in enumerate(chat.exchanges):
        asked = elements.question(exchange.question, exchange.files, number)
        shown += [{"role": "user", "content": asked}, {"role": "assistant", "content": message(exchange, coloured)}]
    return shown


def message(exchange: Exchange, coloured: bool = False) -> str:
    """The answer of an exchange, `coloured` with its words marked once it is complete."""
    view, turn = exchange.view, exchange.turn
    if view is None:
        return ""
    drawing = _DRAWINGS.get(exchange)
    if drawing is None or drawing.view is not view:
        drawing = _DRAWINGS[exchange] = _Drawing(view, answer(view))
    # While it is not the whole answer yet that is shown, it is not marked.
    if not coloured or turn is None or not turn.finish or view.text != turn.reply:
        return drawing.plain
    if drawing.coloured is None:
        drawing.coloured = _joined([colours.answer(turn.reply, turn.origins), *_below(view)])
    return drawing.coloured


def answer(view: View) -> str:
    """The assistant's message at this moment: Markdown that is safe to render."""
    return _joined([elements.answer(view.text, view.given), *_below(view)])


def _below(view: View) -> list[str]:
    """What stands under the text, or instead of it."""
    parts = []
    if not view.is_final and not view.text:
        if view.fraction is None:
            parts.append(elements.note(view.activity, "activity"))
        else:
            parts.append(elements.meter(f"{view.activity} {view.fraction:.0%}", view.fraction))
    if view.state == "stopped":
        parts.append(elements.note(texts.STOPPED if view.text else texts.STOPPED_EARLY))
    elif view.state == "interrupted":
        parts.append(elements.note(texts.INTERRUPTED))
    if view.is_final:
        parts.append(elements.citations(view.citations))
        parts += [elements.note(problem, "problem") for problem in view.problems]
        parts += [elements.note(notice) for notice in view.notices]
    if view.error is not None:
        parts.append(elements.note(f"{texts.NOT_ANSWERED}: {view.error}", "problem"))
    return parts


def _joined(parts: Sequence[str]) -> str:
    # Blank lines end Markdown's paragraphs and lists, so that what follows is markup of its own.
    text, *told = [part for part in parts if part] or [""]
    return "\n\n".join([elements.closed(text) if told else text, *told])
