"""What is measured besides the chat, as markup: an answer beside plain decoding, and bars of every method. Pure.

Speeds are those of stretches written in turns (`speculation.paired`); while that goes on they are what was counted.
"""

from __future__ import annotations

from localspec import texts
from localspec.application.chats import Measured, Row
from localspec.chat.comparison import PLAIN
from localspec.chat.methods import METHODS
from localspec.chat.report import SLOWER
from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.paired import PairedSpeed
from localspec.ui import elements

_QUESTION_CHARACTERS = 140


def hint() -> str:
    """Before anything was measured."""
    return f'<p class="quiet">{texts.MEASURE_HINT}</p>'


def shown(measured: Measured) -> str:
    """A measurement as far as it is."""
    running = measured.state == "running"
    title = texts.MEASURED_PLAIN if measured.kind == PLAIN else texts.COMPARED
    button = elements.act("halt", texts.STOP) if running else elements.act("unmeasure", texts.CLOSE)
    top = max(map(_rate, measured.rows), default=0.0)
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
    *given, plain = measured.rows
    said = [_verdict(given[0]) if given else texts.PLAIN_ITSELF]
    if plain.same is not None:
        said.append(_sameness(plain.same, is_part=measured.is_part, unsure=bool(measured.notes), row=plain))
    same = {True: "yes", False: "no", None: ""}[plain.same]
    return f'<p class="verdict" data-same="{same}" role="status">{elements.literal(" ".join(said))}</p>'


def _verdict(given: Row) -> str:
    """How fast the answer's method is beside plain decoding, or why that cannot be told."""
    speed, method = given.speed, _label(given.method)
    if speed is None or speed.is_of_few:
        return texts.PAIRED_TOO_FEW.format(method=method)
    if given.metrics is not None and not given.metrics.drafted:
        return texts.PAIRED_NOTHING.format(method=method, factor=f"{_nothing(speed)}×")
    if not speed.is_told:
        return texts.PAIRED_DISTURBED
    return texts.PLAIN_FACTOR.format(method=method, factor=f"{speed.factor:.2f}×", spread=_spread(speed))


def _sameness(same: bool, *, is_part: bool, unsure: bool, row: Row) -> str:
    if not same:
        return texts.PLAIN_OTHER_UNSURE if unsure else texts.PLAIN_OTHER
    tokens = row.metrics.tokens if row.metrics is not None else 0
    return texts.PLAIN_SAME_PART.format(tokens=f"{tokens:,}") if is_part else texts.PLAIN_SAME


def _nothing(speed: PairedSpeed) -> str:
    """The factor of a method that drafted nothing: 1.0, but for what looking for drafts took."""
    return "1.0" if speed.factor >= SLOWER else f"{speed.factor:.2f}"


def _spread(speed: PairedSpeed) -> str:
    return texts.PAIRED_SPREAD.format(low=f"{speed.low:.2f}", high=f"{speed.high:.2f}")


def _rate(row: Row) -> float:
    """Tokens per second, in turns with the others where that was measured."""
    if row.speed is not None:
        return row.speed.tokens_per_second
    return row.metrics.tokens_per_second if row.metrics is not None else 0.0


def _base(measured: Measured) -> float:
    """Tokens per second of plain decoding, once that was measured; else 0."""
    row = measured.row(PLAIN)
    return _rate(row) if row is not None and row.state == "done" else 0.0


def _factor(row: Row) -> str:
    """A row's speed beside plain decoding; "" while that is not measured."""
    speed = row.speed
    if speed is None:
        return ""
    spread = ""
    if row.metrics is not None and not row.metrics.drafted:
        factor = f"{_nothing(speed)}×"
    elif not speed.is_told:
        said = texts.PAIRED_FEW_SHORT if speed.is_of_few else texts.PAIRED_DISTURBED_SHORT
        return f'<span class="factor"><span class="quiet" data-figure="speedup">{said}</span></span>'
    else:
        factor, spread = f"{speed.factor:.2f}×", f' <span class="quiet" data-figure="spread">{_spread(speed)}</span>'
    slow = " slower" if speed.factor < SLOWER else ""
    return f'<span class="factor{slow}"><span data-figure="speedup">{factor}</span>{spread}</span>'


def _row(row: Row, measured: Measured, top: float, base: float) -> str:
    name = elements.literal(texts.MEASURED_ANSWER.format(method=_label(row.method)))
    label = name if row.state == "given" else elements.literal(_label(row.method))
    metrics = row.metrics
    if row.state == "left out":
        inside = f'<div class="quiet">{elements.lines(row.why)}</div>'
        return f'<li data-method="{row.method}" data-state="{row.state}"><b>{label}</b>{inside}</li>'
    speed, factor, bars = "–", "", ""
    if metrics is not None and metrics.steps:
        speed = texts.RATE.format(rate=f'<span data-figure="tokens-per-second">{_rate(row):.1f}</span>')
        factor = _factor(row)
        bars = _bars(row, metrics, top, base)
    return (
        f'<li data-method="{row.method}" data-state="{row.state}"><div class="name"><b>{label}</b>'
        f"<span>{speed}{factor}</span></div>{bars}"
        f'<div class="quiet">{_details(row, measured)}</div></li>'
    )


def _bars(row: Row, metrics: ReplyMetrics, top: float, base: float) -> str:
    """Speed against the fastest, with a mark where plain decoding stands, and the share of drafts accepted."""
    share = 100 * _rate(row) / top if top > 0 else 0.0
    mark = f'<i style="left:{min(100.0, 100 * base / top):.1f}%"></i>' if 0 < base <= top else ""
    slow = " slower" if row.speed is not None and row.speed.is_told and row.speed.factor < SLOWER else ""
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
