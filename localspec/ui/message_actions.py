"""What can be done with a message, as markup under it, and what the colours of a first answer mean. Pure functions."""

from __future__ import annotations

from localspec import texts
from localspec.application.chats import Chat, Exchange
from localspec.ui import elements


def _button(name: str, label: str, title: str) -> str:
    # By name, as in `elements.cite`.
    return f'<button type="button" class="act" name="{name}" title="{title}">{label}</button>'


def under(chat: Chat, number: int, exchange: Exchange) -> str:
    """The buttons under the answer of an exchange: its siblings, writing it again, editing it, and for the last one
    taking the question back; "" while it is being written."""
    view = exchange.view
    if view is None or not view.is_final or (number == len(chat.exchanges) - 1 and not chat.is_idle):
        return ""
    parts = []
    if exchange.turn is not None:
        index, count = chat.siblings(chat.position(number))
        if count > 1:
            parts.append(_siblings(number, index, count))
    if exchange.question:
        parts.append(_button(f"retry {number}", texts.RETRY, texts.RETRY_THIS))
    if exchange.turn is not None and exchange.turn.reply:
        parts.append(_button(f"rewrite {number}", texts.EDIT, texts.EDIT_ANSWER))
    is_last, turn = number == len(chat.exchanges) - 1, exchange.turn
    # For one that was cut off a larger button stands above the entry.
    if is_last and turn is not None and turn.can_go_on and not turn.is_cut:
        parts.append(_button("continue", texts.CONTINUE_ANSWER, texts.GO_ON))
    if is_last:
        parts.append(_button("undo", texts.UNDO, texts.UNDO_THIS))
    return f'<div class="actions">{"".join(parts)}</div>'


def _siblings(number: int, index: int, count: int) -> str:
    """‹ 2/3 ›: leads to the versions of an answer before and behind the one that is shown."""
    before = after = ""
    if index:
        before = _button(f"branch {number} {index - 1}", "‹", texts.BRANCH_BEFORE)
    if index < count - 1:
        after = _button(f"branch {number} {index + 1}", "›", texts.BRANCH_AFTER)
    return f'<span class="branches">{before}<span>{index + 1}/{count}</span>{after}</span>'


def first_colours(legend: str) -> str:
    """Said under the very first answer: that its words can be shown in the colours of who guessed them."""
    show = _button("origins", texts.COLOURS_SHOW, texts.SHOW_ORIGINS)
    return f'<div class="first-colours">{elements.literal(texts.COLOURS_FIRST)} {show}{legend}</div>'


def start() -> str:
    """What an empty chat shows: what can be done here, and questions to try about the guide that comes with it."""
    examples = "".join(
        f'<button type="button" class="act example" name="example {number}">{elements.literal(question)}</button>'
        for number, question in enumerate(texts.EXAMPLES)
    )
    return f'{texts.PLACEHOLDER}\n\n<div class="examples"><p>{texts.EXAMPLES_LABEL}</p>{examples}</div>'
