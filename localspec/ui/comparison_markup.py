"""What is measured besides the chat, as markup: an answer beside plain decoding, and bars of every method. Pure."""

from __future__ import annotations

from localspec import texts
from localspec.application.chats import Measured, Row
from localspec.chat.comparison import PLAIN
from localspec.chat.methods import METHODS
from localspec.chat.report import SLOWER
from localspec.speculation.metrics import ReplyMetrics
from localspec.ui import elements

_QUESTION_CHARACTERS = 140
_OTHER_LOAD = 1.25
"""Plain decoding that ran so much faster or slower then is a sign that other programs were at work."""


def hint() -> str:
    """Before anything was measured."""
    return f'<p class="quiet">{texts.MEASURE_HINT}</p>'


def shown(measured: Measured) -> str:
    """A measurement as far as it is."""
    running = measured.state == "running"
    title = texts.MEASURED_PLAIN if measured.kind == PLAIN else texts.COMPARED
    button = elements.act("halt", texts.STOP) if running else elements.act("unmeasure", texts.CLOSE)
    top = max((row.metrics.tokens_per_second for row in measured.rows if row.metrics is not None), default=0.0)
    base = _base(measured)
    rows = "".join(_row(row, measured, top, base) for row in measured.rows)
    return (
        f'<section class="trials" data-kind="{measured.kind}" data-state="{measured.state}">'
        f'<div class="head"><h4>{title}</h4>{button}</div>'
        f'<p class="quiet">{_about(measured)}</p>'
        f"{_said(measured)}"
        f"{f'<ul>{rows}</ul>' if rows else ''}"
        f"{''.join(elements.note(note) for note in measured.notes)}{_legend(measured, base)}</section>"
    )


def _about(measured: Measured) -> str:
    question = " ".join(measured.question.split())
    if len(question) > _QUESTION_CHARACTERS:
        question = question[:_QUESTION_CHARACTERS].rstrip() + "…"
    said = elements.literal(f"“{question}”")
    return f"{said} · {texts.counted(measured.longest, 'token')} at most" if measured.longest else said


def _said(measured: Measured) -> str:
    """What goes on, or what came of it."""
    if measured.problem:
        return elements.note(measured.problem, "problem")
    if measured.activity:
        return f'<p class="activity" role="status">{elements.literal(measured.activity)}</p>'
    if measured.state == "stopped":
        return f'<p class="note">{texts.MEASURE_STOPPED}</p>'
    if measured.kind != PLAIN or measured.state != "done":
        return ""
    given, plain = measured.rows
    said = [_verdict(given, plain)] if given.metrics is not None and given.metrics.steps else [texts.MEASURE_NO_FIGURES]
    if plain.same is not None:
        unsure = texts.PLAIN_OTHER_UNSURE if measured.notes else texts.PLAIN_OTHER
        said.append(texts.PLAIN_SAME if plain.same else unsure)
    said += _load(given, plain)
    same = {True: "yes", False: "no", None: ""}[plain.same]
    return f'<p class="verdict" data-same="{same}" role="status">{elements.literal(" ".join(said))}</p>'


def _verdict(given: Row, plain: Row) -> str:
    if given.metrics is None or plain.metrics is None or not plain.metrics.tokens_per_second:
        return ""
    factor = given.metrics.tokens_per_second / plain.metrics.tokens_per_second
    return texts.PLAIN_FACTOR.format(method=_label(given.method), factor=f"{factor:.2f}×")


def _load(given: Row, plain: Row) -> list[str]:
    """That the two were not measured alike, if they were not."""
    if given.metrics is None or plain.metrics is None or given.metrics.baseline_seconds <= 0:
        return []
    then, now = 1 / given.metrics.baseline_seconds, plain.metrics.tokens_per_second
    if not now or 1 / _OTHER_LOAD <= then / now <= _OTHER_LOAD:
        return []
    word = texts.MEASURE_WAS_SLOWER if then < now else texts.MEASURE_WAS_FASTER
    return [texts.MEASURE_LOAD.format(word=word, then=f"{then:.1f}", now=f"{now:.1f}")]


def _base(measured: Measured) -> float:
    """Tokens per second of plain decoding, once that was measured; else 0."""
    row = measured.row(PLAIN)
    if row is None or row.metrics is None or row.state != "done":
        return 0.0
    return row.metrics.tokens_per_second


def _row(row: Row, measured: Measured, top: float, base: float) -> str:
    name = elements.literal(texts.MEASURED_ANSWER.format(method=_label(row.method)))
    label = name if row.state == "given" else elements.literal(_label(row.method))
    metrics = row.metrics
    if row.state == "left out":
        inside = f'<div class="quiet">{elements.lines(row.why)}</div>'
        return f'<li data-method="{row.method}" data-state="{row.state}"><b>{label}</b>{inside}</li>'
    speed, factor, bars = "–", "", ""
    if metrics is not None and metrics.steps:
        rate = metrics.tokens_per_second
        speed = texts.RATE.format(rate=f'<span data-figure="tokens-per-second">{rate:.1f}</span>')
        if base > 0:
            slow = " slower" if rate / base < SLOWER else ""
            factor = f'<span class="factor{slow}" data-figure="speedup">{rate / base:.2f}×</span>'
        bars = _bars(metrics, top, base)
    return (
        f'<li data-method="{row.method}" data-state="{row.state}"><div class="name"><b>{label}</b>'
        f"<span>{speed}{factor}</span></div>{bars}"
        f'<div class="quiet">{_details(row, measured)}</div></li>'
    )


def _bars(metrics: ReplyMetrics, top: float, base: float) -> str:
    """Speed against the fastest, with a mark where plain decoding stands, and the share of drafts accepted."""
    share = 100 * metrics.tokens_per_second / top if top > 0 else 0.0
    mark = f'<i style="left:{min(100.0, 100 * base / top):.1f}%"></i>' if 0 < base <= top else ""
    slow = " slower" if base > 0 and metrics.tokens_per_second / base < SLOWER else ""
    speed = f'<div class="track speed"><div class="fill{slow}" style="width:{share:.1f}%"></div>{mark}</div>'
    if not metrics.drafted:
        return speed
    accepted = 100 * metrics.acceptance_rate
    return f'{speed}<div class="track accepted"><div class="fill" style="width:{accepted:.1f}%"></div></div>'


def _details(row: Row, measured: Measured) -> str:
    metrics = row.metrics
    if row.state == "waiting":
        return texts.MEASURE_NEXT
    if row.state == "reading":
        return f"{texts.READING} {row.fraction:.0%}"
    parts = []
    if metrics is not None and metrics.steps:
        parts.append(f'<span data-figure="tokens">{texts.counted(metrics.tokens, "token")}</span>')
        parts.append(f'<span data-figure="seconds">{texts.seconds(metrics.seconds)}</span>')
        if metrics.drafted:
            accepted = f'<span data-figure="acceptance">{metrics.acceptance_rate:.0%}</span>'
            parts.append(texts.ACCEPTED_SHARE.format(rate=accepted))
    if row.state == "writing":
        parts.append(texts.MEASURE_WRITING)
    if row.state == "stopped":
        parts.append(texts.MEASURE_BROKEN_OFF)
    if row.same is not None and measured.kind != PLAIN:
        word = texts.SAME_AS_PLAIN if row.same else texts.OTHER_THAN_PLAIN
        parts.append(f'<span class="{"same" if row.same else "other"}" data-same="{row.same}">{word}</span>')
    return " · ".join(parts)


def _legend(measured: Measured, base: float) -> str:
    if not any(row.metrics is not None and row.metrics.steps for row in measured.rows):
        return ""
    said = texts.BARS_WITH_MARK if base > 0 else texts.BARS
    return f'<p class="quiet">{said}</p>'


def _label(method: str) -> str:
    return METHODS[method].label if method in METHODS else method
