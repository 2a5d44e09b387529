"""The list of kept chats as markup, and what stands between a chat and the entry. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from localspec import texts
from localspec.application.state import ListState
from localspec.chat.turn import Turn
from localspec.stores.conversations import MARK, TITLE_CHARACTERS, UNMARK, ConversationInfo
from localspec.ui import elements
from localspec.ui.elements import act

_LEAST_SHARE = 0.4
"""Percent of the bar that a part gets which is there at all."""
_MARKED = re.compile(f"{MARK}([^{MARK}{UNMARK}]*){UNMARK}")


def chats(infos: Sequence[ConversationInfo], state: ListState, current: int, problem: str, more: bool) -> str:
    """The list; `current` is the id of the chat on the page, and `more` says whether there are more than `infos`."""
    said = elements.note(problem, "problem") if problem else ""
    if not infos:
        empty = texts.NOTHING_FOUND if state.query.strip() else texts.NO_CHATS
        return f'{said}<p class="quiet">{elements.lines(empty)}</p>'
    rows = "".join(_row(info, state, current) for info in infos)
    rest = f'<button type="button" class="press quiet" data-act="more">{texts.MORE_CHATS}</button>' if more else ""
    return f'{said}<ul class="chats">{rows}</ul>{rest}'


def _row(info: ConversationInfo, state: ListState, current: int) -> str:
    title = elements.literal(info.title)
    if state.renaming == info.id:
        inside = (
            f'<input type="text" class="title" data-title="{info.id}" value="{title}" maxlength="{TITLE_CHARACTERS}"'
            f' aria-label="{texts.NEW_TITLE}">'
            f'<div class="buttons">{act(f"title {info.id}", texts.SAVE)}{act("keep", texts.CANCEL)}</div>'
        )
    elif state.deleting == info.id:
        # No button stands where the first one stood, for a double click.
        inside = (
            f"<p>{elements.lines(texts.DELETE_SURE.format(title=info.title))}</p>"
            f'<div class="buttons">{act("keep", texts.DELETE_NOT)}'
            f"{act(f'delete {info.id}', texts.DELETE_NOW, 'warm')}</div>"
        )
    else:
        here = ' aria-current="true"' if info.id == current else ""
        when = elements.literal(texts.CHANGED.format(date=info.changed[:10], library=info.library))
        snippet = f'<span class="snippet">{_snippet(info.snippet)}</span>' if info.snippet else ""
        inside = (
            f'<button type="button" class="open" data-act="open {info.id}" title="{when}"{here}>{title}{snippet}'
            f"</button>{_menu(info)}"
        )
    return f'<li class="chat{" current" if info.id == current else ""}" data-chat="{info.id}">{inside}</li>'


def _menu(info: ConversationInfo) -> str:
    links = "".join(
        f'<a href="/export/{info.id}.{kind}" download>{label}</a>'
        for kind, label in (("md", texts.EXPORT_MARKDOWN), ("json", texts.EXPORT_JSON))
    )
    copy = (
        f'<button type="button" class="press quiet" data-copy-from="/export/{info.id}.md"'
        f' data-copied="{texts.COPIED}">{texts.COPY_MARKDOWN}</button>'
    )
    label = elements.literal(texts.CHAT_MENU.format(title=info.title))
    rename, delete = act(f"rename {info.id}", texts.RENAME), act(f"ask {info.id}", texts.DELETE, "warm")
    return (
        f'<details class="menu"><summary aria-label="{label}" title="{label}">⋯</summary><div class="choices">'
        f"{rename}{copy}{links}{delete}</div></details>"
    )


def _snippet(text: str) -> str:
    """A search's snippet with its words marked; marks that the text itself holds are no more than signs."""
    shown: list[str] = []
    end = 0
    for found in _MARKED.finditer(text):
        shown += [_plain(text[end : found.start()]), f"<mark>{_plain(found.group(1))}</mark>"]
        end = found.end()
    return "".join([*shown, _plain(text[end:])])


def _plain(text: str) -> str:
    spaced = re.sub(r"\s+", " ", text.replace(MARK, "").replace(UNMARK, "").replace("\0", ""))
    return elements.literal(spaced)


def below(editing: int | None, questions: int, can_go_on: bool) -> str:
    """What stands between the chat and the entry: that a question is being edited, or that its answer can go on."""
    if editing is not None:
        later = questions - editing - 1
        said = texts.editing(later)
        return f'<div class="below"><span>{elements.lines(said)}</span>{act("unedit", texts.CANCEL)}</div>'
    if can_go_on:
        return f'<div class="below">{act("continue", texts.GO_ON)}</div>'
    return ""


def context_meter(turn: Turn | None) -> str:
    """What fills the model's context after this turn, or at its start while the answer is written, as a bar with a
    legend; empty where that is not known."""
    if turn is None or turn.window is None or not turn.window.size:
        return ""
    window = turn.window
    answer = len(turn.reply_tokens) if turn.finish else 0
    free = window.free(answer)
    used = window.size - free
    parts = {
        "system": window.system,
        "documents": window.documents,
        "earlier": window.earlier,
        "question": window.question,
        "answer": answer,
        "free": free,
    }
    shown = {name: tokens for name, tokens in parts.items() if tokens or name == "free"}
    whole = max(1, sum(parts.values()))
    bar = "".join(
        f'<i class="window-{name}" style="width:{max(_LEAST_SHARE, 100 * tokens / whole):.1f}%"></i>'
        for name, tokens in shown.items()
        if name != "free"
    )
    legend = "".join(
        f'<span title="{texts.WINDOW_MEANS[name]}"><i class="window-{name}"></i>{texts.WINDOW_PARTS[name]}'
        f' <b data-window="{name}">{tokens:,}</b></span>'
        for name, tokens in shown.items()
    )
    title = texts.WINDOW_USED.format(used=f"{used:,}", size=f"{window.size:,}")
    forgotten = ""
    if window.forgotten:
        said = texts.forgotten(window.forgotten)
        forgotten = f'<div class="forgotten" data-window="forgotten">{said}</div>'
    return (
        f'<div class="window" data-size="{window.size}"><div class="window-bar" role="img" aria-label="{title}"'
        f' title="{title}">{bar}</div><div class="window-legend">{legend}</div>{forgotten}</div>'
    )
