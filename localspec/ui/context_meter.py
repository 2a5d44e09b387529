"""What fills the model's context, as a bar with a legend. Pure functions."""

from __future__ import annotations

from localspec import texts
from localspec.chat.turn import Turn

_LEAST_SHARE = 0.4
"""Percent of the bar that a part gets which is there at all."""


def meter(turn: Turn | None) -> str:
    """The context after this turn, or at its start while the answer is written; empty where that is not known."""
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
