"""A reply's figures as HTML and SVG. Pure functions; all but the verdict is numbers and fixed words: safe."""

from __future__ import annotations

import html
from collections.abc import Sequence

from localspec import texts
from localspec.chat.report import SLOWER, told_factor, verdict
from localspec.speculation.interface import Retrieval
from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.totals import Totals

PLOTTED_STEPS = 100
_WIDTH, _HEIGHT = 400, 72
_SHOWN_SECONDS = 0.0005
"""Shorter times would be shown as 0 ms."""
_TOLD_SECONDS = 0.5
"""Less saved or lost is not worth a sentence."""
_STRETCHES = 60
_LEAST_STRETCH = 4
"""Steps of which the speed is taken at least: single ones are noise."""


def empty(chat: Totals | None = None) -> str:
    """The panel where the last reply has no figures, with those of the `chat` so far."""
    return f'<section class="panel" data-state="empty"><p class="quiet">{texts.PANEL_EMPTY}</p>{_chat(chat)}</section>'


def waiting() -> str:
    """The panel of an answer of which there are no figures yet: `growing.js` puts them in."""
    return panel(ReplyMetrics(), "plain", has_documents=False, state="waiting")


def panel(
    metrics: ReplyMetrics,
    method: str,
    *,
    has_documents: bool,
    state: str,
    has_states: bool = True,
    has_draft: bool = True,
    chat: Totals | None = None,
) -> str:
    """The panel of a reply and its whole `chat`; `state`, "reading", "writing", "done", "looped" or "stopped", is for
    styles. Of one that ran in circles no speed is told."""
    sentence = html.escape(
        verdict(metrics, method, has_documents=has_documents, has_states=has_states, has_draft=has_draft)
    )
    if state in ("reading", "waiting"):
        sentence = texts.READING
    if state == "looped":
        sentence = texts.LOOPED_SPEED
    return (
        f'<section class="panel" data-state="{html.escape(state)}">'
        f"{_figures(metrics, praised=state != 'looped')}"
        f'<p class="verdict" data-figure="verdict">{sentence}</p>'
        f"{_baseline(metrics)}{_sources(metrics)}{_neighbours(metrics.retrieval)}"
        f"{plot(metrics.accepted_per_step)}{rate_plot(metrics)}{_times(metrics)}{_chat(chat)}"
        "</section>"
    )


def _figures(metrics: ReplyMetrics, *, praised: bool = True) -> str:
    started = metrics.steps > 0 and praised
    drafted = metrics.drafted > 0 and praised
    factor = told_factor(metrics) if started else ""
    figures = (
        ("speedup", texts.SPEEDUP, f"{factor}×" if factor else "–"),
        ("tokens-per-second", texts.TOKENS_PER_SECOND, f"{metrics.tokens_per_second:.1f}" if started else "–"),
        ("acceptance", texts.ACCEPTANCE, f"{metrics.acceptance_rate:.0%}" if drafted else "–"),
        ("accepted-length", texts.ACCEPTED_LENGTH, f"{metrics.accepted_length:.2f}" if started else "–"),
        ("tokens-per-step", texts.TOKENS_PER_STEP, f"{metrics.tokens_per_step:.2f}" if started else "–"),
        ("tokens", texts.TOKENS, f"{metrics.tokens}"),
    )
    return f'<div class="figures">{_cells("figure", figures, bool(factor) and float(factor) < SLOWER)}</div>'


def _cells(attribute: str, figures: Sequence[tuple[str, str, str]], is_slower: bool) -> str:
    """Figures with their labels."""
    slower = ' class="slower"' if is_slower else ""
    return "".join(
        f'<div class="figure"><b{slower if name == "speedup" else ""} data-{attribute}="{name}">{value}</b>'
        f"<span>{label}</span></div>"
        for name, label, value in figures
    )


def _baseline(metrics: ReplyMetrics) -> str:
    seconds = metrics.baseline_seconds
    if seconds <= 0:
        return ""
    rate = f'<span data-figure="baseline">{1 / seconds:.1f}</span>'
    said = texts.BASELINE.format(rate=rate, source=texts.BASELINE_SOURCES[metrics.baseline_kind])
    return f'<p class="quiet">{said}</p>'


def _sources(metrics: ReplyMetrics) -> str:
    total = sum(metrics.by_source.values())
    if not total:
        return ""
    present = {*metrics.by_source, *metrics.drafted_by_source}
    known = [name for name in texts.SOURCES if name in present]
    bars, rows = [], []
    for name in known + sorted(present - set(known)):
        count = metrics.by_source.get(name, 0)
        style = f"source-{names_to_class(name)}"
        share = 100 * count / total
        label = html.escape(texts.SOURCES.get(name, name))
        bars.append(f'<i class="{style}" style="width:{share:.2f}%" title="{label}: {count}"></i>')
        key = html.escape(name)
        tokens = "<td></td><td></td>"
        if count:
            tokens = f'<td><b data-source="{key}">{count}</b></td><td class="share">{share:.0f}%</td>'
        rows.append(f'<tr><th><i class="{style}"></i>{label}</th>{tokens}{_drafts(metrics, name, key)}</tr>')
    heads, shared = "", ""
    if metrics.drafted:
        heads = (
            f'<tr class="heads"><th></th><td>{texts.TOKENS}</td><td></td><td>{texts.SOURCE_DRAFTED}</td>'
            f"<td>{texts.SOURCE_ACCEPTED}</td><td></td></tr>"
        )
    if sum(metrics.drafted_by_source.values()) > metrics.drafted:
        shared = f'<p class="quiet">{texts.SOURCE_SHARED}</p>'
    return (
        f"<h4>{texts.TOKENS_CAME_FROM}</h4>"
        f'<div class="bar" role="img" aria-label="{texts.TOKENS_BY_SOURCE}">{"".join(bars)}</div>'
        f'<table class="sources">{heads}{"".join(rows)}</table>{shared}'
    )


def _drafts(metrics: ReplyMetrics, name: str, key: str) -> str:
    """A source's drafts, for its row; nothing where nobody drafted."""
    if not metrics.drafted:
        return ""
    drafted = metrics.drafted_by_source.get(name, 0)
    if not drafted:
        return "<td></td><td></td><td></td>"
    accepted = metrics.accepted_by_source.get(name, 0)
    return (
        f'<td data-drafted="{key}">{drafted}</td><td data-accepted="{key}">{accepted}</td>'
        f'<td class="share" data-rate="{key}">{accepted / drafted:.0%}</td>'
    )


def _neighbours(retrieval: Retrieval | None) -> str:
    if retrieval is None:
        return ""
    found = f"{retrieval.kept_per_search:.1f}" if retrieval.searches else "–"
    alike = f"{retrieval.mean_similarity:.2f}" if retrieval.kept else "–"
    said = texts.NEIGHBOURS.format(
        found=f'<b data-figure="neighbours">{found}</b>', alike=f'<b data-figure="similarity">{alike}</b>'
    )
    return f'<p class="quiet">{said}</p>'


def names_to_class(name: str) -> str:
    """A source's name as the end of a CSS class."""
    return "".join(character for character in name.casefold() if character.isalnum())


def plot(accepted: Sequence[int]) -> str:
    """SVG bars of the accepted tokens of the last steps; empty before the first step."""
    if not accepted:
        return ""
    shown = list(accepted[-PLOTTED_STEPS:])
    top = max(4, *shown)
    slot = _WIDTH / max(40, len(shown))
    bars = []
    for index, count in enumerate(shown):
        height = max(1.5, count / top * (_HEIGHT - 6))
        style = "drafted" if count else "none"
        bars.append(
            f'<rect class="{style}" x="{index * slot:.1f}" y="{_HEIGHT - height:.1f}" width="{max(1.0, slot - 1):.1f}" '
            f'height="{height:.1f}"/>'
        )
    extent = texts.PLOT_EXTENT.format(steps=texts.counted(len(shown), "step"), highest=max(shown))
    return (
        f'<h4>{texts.PLOT} <span class="quiet">{extent}</span></h4>'
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{texts.PLOT}, {extent}">{"".join(bars)}</svg>'
    )


def rates(metrics: ReplyMetrics) -> list[tuple[float, float]]:
    """Tokens per second along a reply: stretches of several steps, each with its seconds; empty while there are too few
    steps to tell, or where their times were not kept."""
    accepted, seconds = metrics.accepted_per_step, metrics.step_seconds
    count = min(len(accepted), len(seconds))
    if len(accepted) != len(seconds) or count < 2 * _LEAST_STRETCH:
        return []
    stretches = min(_STRETCHES, count // _LEAST_STRETCH)
    found = []
    for number in range(stretches):
        start, end = number * count // stretches, (number + 1) * count // stretches
        time = sum(seconds[start:end])
        if time > 0:
            found.append((time, (sum(accepted[start:end]) + end - start) / time))
    return found


def rate_plot(metrics: ReplyMetrics) -> str:
    """SVG line of the speed over the whole reply, with that of plain decoding; empty while there is too little."""
    found = rates(metrics)
    if not found:
        return ""
    plain = 1 / metrics.baseline_seconds if metrics.baseline_seconds > 0 else 0.0
    speeds = [rate for _, rate in found]
    top = 1.08 * max(*speeds, plain)
    whole = sum(time for time, _ in found)
    points, passed = [], 0.0
    for time, rate in found:
        # Each stretch is level, as long as it took.
        height = _HEIGHT * (1 - rate / top)
        points += [f"{_WIDTH * at / whole:.1f},{height:.1f}" for at in (passed, passed + time)]
        passed += time
    curve, line = " ".join(points), ""
    said = texts.PLOT_RATE_EXTENT
    if plain:
        height = _HEIGHT * (1 - plain / top)
        line = f'<line class="plain" x1="0" x2="{_WIDTH}" y1="{height:.1f}" y2="{height:.1f}"/>'
        said = texts.PLOT_RATE_PLAIN
    extent = said.format(least=f"{min(speeds):.1f}", most=f"{max(speeds):.1f}", plain=f"{plain:.1f}")
    return (
        f'<h4>{texts.PLOT_RATE} <span class="quiet">{extent}</span></h4>'
        f'<svg class="plot rate" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{texts.PLOT_RATE}, {extent}"><polygon points="0,{_HEIGHT} {curve} {_WIDTH},{_HEIGHT}"/>'
        f'<polyline points="{curve}"/>{line}</svg>'
    )


def _chat(chat: Totals | None) -> str:
    """The figures of all replies of a chat."""
    if chat is None or not chat.replies:
        return ""
    figures = (
        ("speedup", texts.SPEEDUP, f"{chat.speedup:.2f}×" if chat.speedup else "–"),
        ("tokens-per-second", texts.TOKENS_PER_SECOND, f"{chat.tokens_per_second:.1f}"),
        ("acceptance", texts.ACCEPTANCE, f"{chat.acceptance_rate:.0%}" if chat.drafted else "–"),
        ("tokens", texts.TOKENS, f"{chat.tokens:,}"),
        ("replies", texts.CHAT_REPLIES, f"{chat.replies:,}"),
    )
    cells = _cells("chat", figures, 0 < chat.speedup < SLOWER)
    saved = chat.saved_seconds
    time = f'<span data-chat="saved">{texts.seconds(abs(saved))}</span>'
    worth = texts.CHAT_SAVED if saved > 0 else texts.CHAT_LOST
    said = f'<p class="quiet">{worth.format(time=time)}</p>' if abs(saved) >= _TOLD_SECONDS else ""
    return f'<h4>{texts.WHOLE_CHAT}</h4><div class="figures whole-chat">{cells}</div>{said}'


def _times(metrics: ReplyMetrics) -> str:
    drafting, retrieval = metrics.drafting_seconds, metrics.retrieval_seconds
    overlapped = metrics.times.overlapped if metrics.times is not None else 0.0
    verification = metrics.decode_seconds + metrics.sample_seconds
    whole = max(metrics.seconds, 1e-9)
    verifying = texts.TIME_VERIFICATION_IS.format(
        decode=texts.seconds(metrics.decode_seconds), sample=texts.seconds(metrics.sample_seconds)
    )
    rest = max(0.0, metrics.seconds - (drafting + retrieval - overlapped) - verification)
    parts = (
        ("drafting", texts.TIME_DRAFTING, texts.TIME_DRAFTING_IS, drafting),
        ("retrieval", texts.TIME_RETRIEVAL, texts.TIME_RETRIEVAL_IS, retrieval),
        ("verification", texts.TIME_VERIFICATION, verifying, verification),
        ("rest", texts.TIME_REST, texts.TIME_REST_IS, rest),
    )
    rows = "".join(
        f'<tr title="{says}"><th>{label}</th><td><div class="track"><div class="fill" '
        f'style="width:{min(100.0, 100 * value / whole):.1f}%"></div></div></td>'
        f'<td data-time="{name}">{texts.seconds(value)}</td><td class="share">{value / whole:.0%}</td></tr>'
        for name, label, says, value in parts
    )
    overlap = ""
    if overlapped >= _SHOWN_SECONDS:
        time = f'<span data-time="overlapped">{texts.seconds(overlapped)}</span>'
        overlap = f'<p class="quiet">{texts.TIME_OVERLAPPED.format(time=time)}</p>'
    return f'<h4>{texts.TIME_WENT}</h4><table class="times">{rows}{_reading(metrics)}</table>{overlap}'


def _reading(metrics: ReplyMetrics) -> str:
    """What was read before the first token: no part of the time above."""
    if not metrics.prompt_tokens:
        return ""
    reused = f'<span data-figure="reused">{metrics.reused_tokens:,}</span>'
    said = texts.TOKENS_READ.format(tokens=texts.counted(metrics.prompt_tokens, "token"), reused=reused)
    reading = (
        f'<tr class="reading"><th>{texts.TIME_READING}</th><td class="quiet">{said}</td>'
        f'<td data-time="prefill">{texts.seconds(metrics.prefill_seconds)}</td><td></td></tr>'
    )
    if metrics.times is not None and metrics.times.prefill >= _SHOWN_SECONDS:
        reading += (
            f"<tr><th>{texts.TIME_DRAFT_READING}</th><td></td>"
            f'<td data-time="draft-prefill">{texts.seconds(metrics.times.prefill)}</td><td></td></tr>'
        )
    return reading
