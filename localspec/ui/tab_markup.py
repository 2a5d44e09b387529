"""What a tab is told beside what it shows, as markup: address, text for the entry, notices. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from localspec import texts
from localspec.application.conversation import Notice
from localspec.ui.elements import lines, literal


def address(chat: str, token: str, session: str) -> str:
    """For `changes.js`: how the page's address names the chat, what names it before anything was asked in it, and
    Gradio's name of the tab; and what it says at once when an answer is stopped."""
    names = f'data-chat="{literal(chat)}" data-token="{literal(token)}" data-session="{literal(session)}"'
    return f'<span hidden {names} data-stopping="{literal(texts.STOPPING)}"></span>'


def typed(count: int, text: str, replaces: bool) -> str:
    """For `entry.js`: a text that goes into the entry; whether it takes the place of what is typed there."""
    # Line breaks of attributes are kept only as entities.
    value = literal(text).replace("\n", "&#10;")
    return f'<span hidden data-count="{count}" data-replaces="{int(replaces)}" data-text="{value}"></span>'


def notices(told: Sequence[Notice]) -> str:
    """Notices, the newest last, each with a button to close it; what is no problem goes by itself (`entry.js`)."""
    return "".join(
        f'<div class="notice {one.kind}" role="{"alert" if one.kind == "problem" else "status"}"'
        f' data-notice="{one.number}"><span>{lines(one.text)}</span>'
        f'<button type="button" class="close" data-act="dismiss {one.number}" aria-label="{texts.CLOSE}">×</button>'
        "</div>"
        for one in told
    )
