"""The quiet line under an answer: how long it is, how fast it came, and what drafting brought. Pure functions."""

from __future__ import annotations

from localspec import texts
from localspec.chat.report import told_factor
from localspec.chat.turn import Turn
from localspec.ui import elements

_LEAST_TIMED = 4
"""Steps of an answer whose speed is told: fewer are timed by chance."""


def figures(turn: Turn) -> str:
    """Such as "29 tokens · 26 tok/s · 1.4 × · 62% accepted", without what cannot be told; "" for an answer whose
    figures were not kept. Of one that ran in circles no speed is told: how fast it did so is no merit. How an answer
    ended is said below (`chat.answer.ending`)."""
    metrics = turn.metrics
    if not metrics.steps:
        return ""
    parts = [texts.counted(metrics.tokens, "token")]
    if turn.looped:
        return " · ".join([*parts, texts.LINE_LOOPED])
    if metrics.steps >= _LEAST_TIMED:
        parts.append(texts.LINE_RATE.format(rate=f"{metrics.tokens_per_second:.0f}"))
    if factor := told_factor(metrics, digits=1):
        parts.append(texts.LINE_FACTOR.format(factor=factor))
    if metrics.drafted:
        parts.append(texts.LINE_ACCEPTED.format(share=f"{metrics.acceptance_rate:.0%}"))
    return " · ".join(parts)


def line(turn: Turn, number: int) -> str:
    """The same as a button that opens the panel at the answer of the exchange `number` of its chat; "" without one."""
    said = figures(turn)
    if not said:
        return ""
    # By name, as in `elements.cite`.
    return (
        f'<button type="button" class="figures-line" name="figures {number}" title="{texts.LINE_OPENS}">'
        f"{elements.literal(said)}</button>"
    )
