"""The part of the page about the weight format. Pure functions."""

from __future__ import annotations

from localspec import texts
from localspec.application.tuning import MEASURE_AGAIN, STOP, TUNE, USE_CHOSEN, USE_ORIGINAL, TuningState
from localspec.models.quantization.format_search import SHOWN_ROWS
from localspec.models.quantization.tuned import Figures, Tuning
from localspec.ui import elements


def formats(state: TuningState | None) -> str:
    """What is known about the formats of the loaded model, with what can be done; empty while there is no model."""
    if state is None:
        return ""
    problem = elements.note(texts.FORMAT_PROBLEM.format(problem=state.problem), "problem") if state.problem else ""
    if not state.possible:
        return _part("file", texts.FORMAT_FILE, problem)
    if state.running:
        label = texts.FORMAT_HALTED if state.halted else texts.FORMAT_TRYING.format(format=state.format or "…")
        meter = elements.meter(label, state.fraction)
        return _part("running", texts.FORMAT_RUNNING, meter, elements.press(STOP, texts.STOP))
    if state.needs is None:
        return _part("impossible", texts.FORMAT_IMPOSSIBLE, problem)
    if state.tuning is None:
        said = texts.FORMAT_WHY.format(
            time=texts.FORMAT_LONG if state.big else texts.FORMAT_SHORT, disk=f"{state.needs.disk / 1e9:.1f}"
        )
        return _part("none", said, problem, elements.press(TUNE, texts.TUNE))
    return _measured(state, state.tuning, problem)


def _measured(state: TuningState, tuning: Tuning, problem: str) -> str:
    buttons = [elements.press(MEASURE_AGAIN, texts.TUNE_AGAIN)]
    stale = ""
    if state.in_use:
        said = texts.FORMAT_USED.format(format=tuning.chosen, speedup=f"{tuning.speedup:.2f}")
        buttons.insert(0, elements.press(USE_ORIGINAL, texts.USE_ORIGINAL))
        kind = "used"
    elif state.waits:
        said = (texts.FORMAT_NEXT if tuning.in_use else texts.FORMAT_OFFERED).format(
            format=tuning.chosen, speedup=f"{tuning.speedup:.2f}"
        )
        buttons.insert(0, elements.press(USE_CHOSEN, texts.USE_CHOSEN.format(format=tuning.chosen)))
        if tuning.in_use:
            buttons.insert(1, elements.press(USE_ORIGINAL, texts.KEEP_ORIGINAL))
        kind = "offered"
    else:
        said, kind = texts.FORMAT_ORIGINAL_BEST, "original"
    if state.stale and kind != "original":
        stale = elements.note(texts.FORMAT_STALE.format(libraries=", ".join(state.stale)))
    return _part(kind, said, stale, problem, *buttons, _table(tuning))


def _table(tuning: Tuning) -> str:
    heads = [texts.FORMAT, texts.FORMAT_SIZE, *(f"T({rows})" for rows in SHOWN_ROWS)]
    heads += [texts.FORMAT_DIVERGENCE, texts.FORMAT_AGREEMENT, texts.FORMAT_SPEED, ""]
    rows = [f"<tr>{''.join(f'<th>{elements.literal(head)}</th>' for head in heads)}</tr>"]
    for one in tuning.figures:
        cells = "".join(f"<td>{elements.literal(text)}</td>" for text in _cells(one))
        style = "chosen" if one.format == tuning.chosen else ""
        rows.append(f'<tr data-format="{elements.literal(one.format)}" class="{style}">{cells}</tr>')
    return (
        f"<details><summary>{elements.literal(texts.FORMAT_TABLE)}</summary>"
        f'<div class="format-table"><table>{"".join(rows)}</table></div>'
        f'<p class="quiet">{elements.literal(texts.FORMAT_LEGEND)}</p></details>'
    )


def _cells(one: Figures) -> list[str]:
    times = [f"{one.seconds[rows] * 1000:.1f}" if rows in one.seconds else "–" for rows in SHOWN_ROWS]
    return [
        one.format,
        f"{one.bytes / 1e6:,.0f} MB",
        *times,
        "–" if one.mean_divergence is None else f"{one.mean_divergence:.4f}",
        "–" if one.agreement is None else f"{one.agreement:.1%}",
        f"{one.tokens_per_second:.0f}" if one.tokens_per_second else "–",
        texts.FORMAT_NOTES.get(one.note, one.note),
    ]


def _part(kind: str, said: str, *more: str) -> str:
    return f'<div class="formats" data-formats="{kind}"><p>{elements.lines(said)}</p>{"".join(more)}</div>'
