"""The live panel: a reply's figures as HTML and SVG. Pure functions; numbers and fixed words only, so nothing to escape
but the verdict."""

from __future__ import annotations

import html
from collections.abc import Sequence

from localspec.chat.report import SLOWER, verdict
from localspec.speculation.decode import Retrieval
from localspec.speculation.metrics import ReplyMetrics
from localspec.ui import texts

PLOTTED_STEPS = 100
_WIDTH, _HEIGHT = 400, 72


def empty() -> str:
    """The panel before the first reply."""
    return f'<section class="panel" data-state="empty"><p class="quiet">{texts.PANEL_EMPTY}</p></section>'


def panel(metrics: ReplyMetrics, method: str, *, has_documents: bool, state: str, has_states: bool = True) -> str:
    """The panel of a reply. `state` ("reading", "writing", "done", "stopped") stands in the element for styles."""
    sentence = html.escape(verdict(metrics, method, has_documents=has_documents, has_states=has_states))
    if state in ("reading", "waiting"):
        sentence = texts.READING
    return (
        f'<section class="panel" data-state="{html.escape(state)}">'
        f"{_figures(metrics)}"
        f'<p class="verdict" data-figure="verdict">{sentence}</p>'
        f"{_baseline(metrics)}{_sources(metrics.by_source)}{_neighbours(metrics.retrieval)}"
        f"{plot(metrics.accepted_per_step)}{_times(metrics)}"
        "</section>"
    )


def _figures(metrics: ReplyMetrics) -> str:
    started = metrics.steps > 0
    drafted = metrics.drafted > 0
    figures = (
        ("speedup", texts.SPEEDUP, f"{metrics.speedup:.2f}×" if started and metrics.speedup else "–"),
        ("tokens-per-second", texts.TOKENS_PER_SECOND, f"{metrics.tokens_per_second:.1f}" if started else "–"),
        ("acceptance", texts.ACCEPTANCE, f"{metrics.acceptance_rate:.0%}" if drafted else "–"),
        ("accepted-length", texts.ACCEPTED_LENGTH, f"{metrics.accepted_length:.2f}" if started else "–"),
        ("tokens-per-step", texts.TOKENS_PER_STEP, f"{metrics.tokens_per_step:.2f}" if started else "–"),
        ("tokens", texts.TOKENS, f"{metrics.tokens}"),
    )
    slower = ' class="slower"' if started and 0 < metrics.speedup < SLOWER else ""
    cells = "".join(
        f'<div class="figure"><b{slower if name == "speedup" else ""} data-figure="{name}">{value}</b>'
        f"<span>{label}</span></div>"
        for name, label, value in figures
    )
    return f'<div class="figures">{cells}</div>'


def _baseline(metrics: ReplyMetrics) -> str:
    seconds = metrics.baseline_seconds
    if seconds <= 0:
        return ""
    own = seconds != metrics.plain_seconds
    rate = f'<span data-figure="baseline">{1 / seconds:.1f}</span>'
    said = texts.BASELINE.format(rate=rate, source=texts.BASELINE_OWN if own else texts.BASELINE_LOADED)
    return f'<p class="quiet">{said}</p>'


def _sources(by_source: dict[str, int]) -> str:
    total = sum(by_source.values())
    if not total:
        return ""
    known = [name for name in texts.SOURCES if name in by_source]
    names = known + sorted(set(by_source) - set(known))
    bars, keys = [], []
    for name in names:
        count = by_source[name]
        style = f"source-{names_to_class(name)}"
        share = 100 * count / total
        label = html.escape(texts.SOURCES.get(name, name))
        bars.append(f'<i class="{style}" style="width:{share:.2f}%" title="{label}: {count}"></i>')
        keys.append(
            f'<li><i class="{style}"></i>{label} <b data-source="{html.escape(name)}">{count}</b>'
            f'<span class="quiet"> {share:.0f}%</span></li>'
        )
    return (
        f"<h4>{texts.TOKENS_CAME_FROM}</h4>"
        f'<div class="bar" role="img" aria-label="{texts.TOKENS_BY_SOURCE}">{"".join(bars)}</div>'
        f'<ul class="key">{"".join(keys)}</ul>'
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


def _times(metrics: ReplyMetrics) -> str:
    parts = (
        ("propose", texts.TIME_PROPOSE, metrics.propose_seconds),
        ("decode", texts.TIME_DECODE, metrics.decode_seconds),
        ("sample", texts.TIME_SAMPLE, metrics.sample_seconds),
        ("rest", texts.TIME_REST, metrics.rest_seconds),
    )
    whole = max(metrics.seconds, 1e-9)
    rows = "".join(
        f'<tr><th>{label}</th><td><div class="track"><div class="fill" style="width:{100 * value / whole:.1f}%"></div>'
        f'</div></td><td data-time="{name}">{texts.seconds(value)}</td></tr>'
        for name, label, value in parts
    )
    reading = ""
    if metrics.prompt_tokens:
        reused = f'<span data-figure="reused">{metrics.reused_tokens:,}</span>'
        said = texts.TOKENS_READ.format(tokens=texts.counted(metrics.prompt_tokens, "token"), reused=reused)
        reading = (
            f'<tr class="reading"><th>{texts.TIME_READING}</th><td class="quiet">{said}</td>'
            f'<td data-time="prefill">{texts.seconds(metrics.prefill_seconds)}</td></tr>'
        )
    return f'<h4>{texts.TIME_WENT}</h4><table class="times">{rows}{reading}</table>'
