"""An answer while it is written: what of it is handed to Gradio, and what the page's own script draws (`growing.js`).

For Gradio a new text of a message is a new message: it compares, cleans and draws all of it, a tenth of a second of a
core each time, and two threads of a decode that share two cores with it both wait. So Gradio is handed a place that
does not change, and the script puts into it what has come since it last asked: a paragraph, most of the time. Formulas
and the colours of code are Gradio's, so now and then what is complete is handed to it, and the place begins behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from localspec import texts
from localspec.application.chats import Exchange, View
from localspec.ui import answer_markup, elements

_DRAWN_BY_GRADIO = ('<div class="code_wrap">', '<span class="formula">')


@dataclass(frozen=True, slots=True)
class Settled:
    """The first blocks of an answer, which Gradio draws."""

    count: int = 0
    markup: str = ""


@dataclass(frozen=True, slots=True)
class Growth:
    """What a page is to draw of an answer: its blocks from `at` on, and what stands below them."""

    at: int
    blocks: list[str]
    below: str
    state: str
    """That of its `View`"""
    worth: bool
    """Whether Gradio would draw more of what is complete than is drawn here."""


_SETTLED: WeakKeyDictionary[Exchange, Settled] = WeakKeyDictionary()


def place(exchange: Exchange) -> str:
    """The message that Gradio is handed: what is settled, and the place of the rest. The script reads in the classes of
    the place whose it is, and how many blocks stand before it."""
    settled = _SETTLED.get(exchange, Settled())
    rest = f'<div class="growing of-{exchange.token} from-{settled.count}"></div>'
    return f"{settled.markup}\n\n{rest}" if settled.markup else rest


def settle(exchange: Exchange) -> None:
    """Hand all that is complete to Gradio."""
    view = exchange.view
    if view is not None and not view.is_final:
        complete = _blocks(view, unfinished=False)[: -answer_markup.UNSETTLED]
        _SETTLED[exchange] = Settled(len(complete), "\n\n".join(complete))


def growth(exchange: Exchange, known: int, settled: int) -> Growth | None:
    """What a page that has drawn the first `known` blocks is to draw now, of which `settled` are Gradio's; None when
    the answer is not being written."""
    view = exchange.view
    if view is None or view.is_final:
        return None
    blocks = _blocks(view, unfinished=True)
    at = min(max(settled, known - answer_markup.UNSETTLED), len(blocks))
    complete = blocks[settled : -answer_markup.UNSETTLED]
    worth = any(sign in block for block in complete for sign in _DRAWN_BY_GRADIO)
    return Growth(at, blocks[at:], "".join(below(view)), view.state, worth)


def thought(view: View) -> str:
    """What was thought before the answer: folded, unless it is all there is so far."""
    if not view.thinking:
        return ""
    now = not view.text and not view.is_final
    label = texts.THINKING_NOW if now else texts.THOUGHT
    return (
        f'<details class="thinking"{" open" if now else ""}><summary>{elements.literal(label)}</summary>'
        f"<div>{elements.lines(view.thinking.strip())}</div></details>"
    )


def below(view: View) -> list[str]:
    """What stands under the text, or instead of it."""
    parts = []
    if view.stopping or not (view.is_final or view.text or view.thinking):
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


def _blocks(view: View, *, unfinished: bool) -> list[str]:
    text = answer_markup.blocks(view.text, view.given, unfinished=unfinished)
    return [part for part in (thought(view), *text) if part]
