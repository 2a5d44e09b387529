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
        ("speedup", "against plain", f"{metrics.speedup:.2f}×" if started and metrics.speedup else "–"),
        ("tokens-per-second", "tokens per second", f"{metrics.tokens_per_second:.1f}" if started else "–"),
        ("acceptance", "of drafts accepted", f"{metrics.acceptance_rate:.0%}" if drafted else "–"),
        ("accepted-length", "accepted per step", f"{metrics.accepted_length:.2f}" if started else "–"),
        ("tokens-per-step", "tokens per step", f"{metrics.tokens_per_step:.2f}" if started else "–"),
        ("tokens", "tokens", f"{metrics.tokens}"),
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
    source = "the median of this reply's undrafted steps" if own else "measured when the model was loaded"
    return (
        f'<p class="quiet">Plain decoding on this computer: <span data-figure="baseline">{1 / seconds:.1f}</span> '
        f"tokens per second ({source}).</p>"
    )


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
        '<h4>Where the tokens came from</h4>'
        f'<div class="bar" role="img" aria-label="Tokens by source">{"".join(bars)}</div>'
        f'<ul class="key">{"".join(keys)}</ul>'
    )


def _neighbours(retrieval: Retrieval | None) -> str:
    if retrieval is None:
        return ""
    found = f"{retrieval.kept_per_search:.1f}" if retrieval.searches else "–"
    alike = f"{retrieval.mean_similarity:.2f}" if retrieval.kept else "–"
    return (
        f'<p class="quiet">Similar moments found: <b data-figure="neighbours">{found}</b> per search, on average '
        f'<b data-figure="similarity">{alike}</b> alike (1 is the same).</p>'
    )


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
    step = "steps" if len(shown) != 1 else "step"
    label = f"Accepted tokens per step, last {len(shown)} {step}, highest {max(shown)}"
    return (
        f'<h4>Accepted tokens per step <span class="quiet">last {len(shown)} {step}, at most {max(shown)}</span></h4>'
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}">{"".join(bars)}</svg>'
    )


def _times(metrics: ReplyMetrics) -> str:
    parts = (
        ("propose", "finding drafts", metrics.propose_seconds),
        ("decode", "the model", metrics.decode_seconds),
        ("sample", "choosing tokens", metrics.sample_seconds),
        ("rest", "keeping the accepted", metrics.rest_seconds),
    )
    whole = max(metrics.seconds, 1e-9)
    rows = "".join(
        f'<tr><th>{label}</th><td><div class="track"><div class="fill" style="width:{100 * value / whole:.1f}%"></div>'
        f'</div></td><td data-time="{name}">{texts.seconds(value)}</td></tr>'
        for name, label, value in parts
    )
    reading = ""
    if metrics.prompt_tokens:
        reading = (
            f'<tr class="reading"><th>reading first</th><td class="quiet">{metrics.prompt_tokens:,} tokens, '
            f'<span data-figure="reused">{metrics.reused_tokens:,}</span> kept from before</td>'
            f'<td data-time="prefill">{texts.seconds(metrics.prefill_seconds)}</td></tr>'
        )
    return f'<h4>Where the time went</h4><table class="times">{rows}{reading}</table>'
