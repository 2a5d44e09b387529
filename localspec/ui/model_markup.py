"""The draft model, the weight format, and whether a choice fits, as markup. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from localspec import texts
from localspec.application.model_manager import DraftState, fit_sentence
from localspec.application.tuning import MEASURE_AGAIN, STOP, TUNE, USE_CHOSEN, USE_ORIGINAL, TuningState
from localspec.chat.methods import METHODS
from localspec.models.files.catalogue import AUTOMATIC, NO_DRAFT
from localspec.models.files.inventory import Unusable
from localspec.models.fit.fitting import ASKED, Fit, Ways
from localspec.models.llama import Graphics
from localspec.models.quantization.format_search import SHOWN_ROWS
from localspec.models.quantization.tuned import Figures, Tuning
from localspec.ui import elements
from localspec.ui.elements import model_button, paragraph

_SHOWN_UNUSABLE = 20


def draft_status(draft: DraftState | None) -> str:
    """The line about the draft model, under its picker: which one is in use, or why none is."""
    if draft is None:
        return ""
    if draft.name:
        said = texts.DRAFT_USED.format(
            name=draft.name, target=draft.target, knows=f"{draft.knows:,}", tokens=texts.counted(draft.tokens, "token")
        )
        return draft_line("used", said)
    if draft.problem:
        # Nobody asked for what was tried by itself: that it does not fit is no trouble.
        picked = draft.wanted != AUTOMATIC
        return draft_line("problem", texts.DRAFT_PROBLEM.format(problem=draft.problem), problem=picked)
    return draft_line("none", _no_draft(draft))


def alone(draft: DraftState | None, method: str) -> str:
    """Why the chosen method goes without the draft model that it needs; empty where it does not."""
    if draft is None or draft.name or not METHODS[method].needs_draft:
        return ""
    why = draft.problem or _no_draft(draft)
    if not draft.problem and draft.wanted == NO_DRAFT:
        why = texts.DRAFT_PICK.format(tab=texts.SETTINGS_TABS["models"])
    return draft_line("missing", f"{texts.METHOD_ALONE[method]} {why}", problem=True)


def _no_draft(draft: DraftState) -> str:
    """Why there is no draft model though none has failed."""
    if not draft.possible:
        return texts.DRAFT_IMPOSSIBLE.format(target=draft.target)
    return texts.DRAFT_UNUSED if draft.wanted == NO_DRAFT else texts.DRAFT_UNKNOWN.format(target=draft.target)


def draft_line(state: str, said: str, *, problem: bool = False) -> str:
    """The line about the draft model. Token texts of its file may stand in what is `said`."""
    kind = "problem" if problem else "note"
    return f'<div class="draft {kind}" data-draft="{state}">{elements.lines(said)}</div>'


def kernels(described: str) -> str:
    """The line about the code that multiplies on the processor; `described` as `native.describe` words it."""
    name, found, served = described.partition(": ")
    if found:
        types, _, attention = served.partition("; ")
        parts = [texts.counted(len(types.split()), "weight type"), *([texts.KERNELS_ATTENTION] if attention else [])]
        which = texts.KERNELS_OURS.format(name=name, parts=" and ".join(parts))
    else:
        which = texts.KERNELS_OF_LLAMA.get(described, described)
    state = "ours" if found else "llama"
    return f'<p class="quiet" data-kernels="{state}">{elements.lines(texts.KERNELS.format(which=which))}</p>'


def graphics(told: Graphics) -> str:
    """The line about the device that computes, and one about a graphics card that lies idle."""
    said = paragraph(told.device, "quiet", "device")
    if not told.idle:
        return said
    return said + (elements.note(told.idle, "problem") if told.loud else paragraph(told.idle, "quiet", "idle"))


# -- whether it fits --------------------------------------------------------------------------------------------------


def fit(found: Fit, possible: Ways | None, others: Sequence[str], *, loaded: bool, counts_loaded: bool) -> str:
    """Whether a choice fits, part by part, and what was chosen where it leaves something open. `possible` and `others`,
    names of models, are what would fit where it does not; `counts_loaded`: what is available counts what a loaded model
    gives back."""
    kind = "loaded" if loaded else "fits" if found.fits else "not"
    report = found.report
    needed = texts.FIT_LOADED.format(needed=texts.gib(report.needed))
    said = [paragraph(needed if loaded else fit_sentence(found))]
    if report.needed_on_gpu and report.gpu_free is not None:
        needed, free = texts.gib(report.needed_on_gpu), texts.gib(report.gpu_free)
        said.append(paragraph(texts.FIT_ON_GPU.format(needed=needed, free=free)))
    if not found.fits and not loaded:
        said.append(_ways(found, possible or Ways(), others))
    said.append(paragraph(chosen(found), "quiet", "chosen"))
    if report.unknown:
        said.append(paragraph(texts.FIT_UNCOUNTED.format(parts=", ".join(report.unknown)), "quiet"))
    if counts_loaded and not loaded:
        said.append(paragraph(texts.FIT_LOADED_COUNTS, "quiet"))
    return f'<div class="fit" data-fit="{kind}">{"".join(said)}{_parts(found)}</div>'


def fit_problem(problem: str) -> str:
    """What is said where nothing can be told about a choice."""
    said = paragraph(texts.FIT_UNKNOWN.format(problem=problem))
    return f'<div class="fit" data-fit="unknown">{said}</div>'


def chosen(found: Fit) -> str:
    """What was chosen of context and GPU layers, and why, in a line."""
    context = texts.FIT_CONTEXT[found.context_why].format(
        context=f"{found.context:,}", trained=f"{found.target.context:,}"
    )
    why = found.layers_why
    if why == ASKED and found.gpu_layers <= 0:
        why = "asked all" if found.gpu_layers < 0 else "asked none"
    layers = texts.FIT_LAYERS[why].format(
        layers=found.gpu_layers,
        all=found.target.layers,
        device=", ".join(device.name for device in found.room.devices),
        free=texts.gib(found.room.gpu or 0),
    )
    return texts.FIT_CHOSEN.format(context=context, layers=layers)


def _ways(found: Fit, possible: Ways, others: Sequence[str]) -> str:
    buttons = []
    if possible.context is not None:
        label = texts.FIT_SHORTER.format(context=f"{possible.context:,}")
        buttons.append(model_button("context", str(possible.context), label))
    if possible.gpu_layers is not None:
        label = texts.FIT_FEWER.format(layers=possible.gpu_layers)
        buttons.append(model_button("layers", str(possible.gpu_layers), label))
    if possible.without_draft:
        buttons.append(model_button("draft", NO_DRAFT, texts.FIT_WITHOUT_DRAFT))
    buttons += [model_button("model", name, name) for name in others]
    if buttons:
        said = paragraph(texts.FIT_WAYS) + f'<div class="ways">{"".join(buttons)}</div>'
    else:
        said = paragraph(texts.FIT_NO_WAY)
    if not found.could_ever_fit:
        said += paragraph(texts.FIT_NEVER.format(total=texts.gib(found.room.total)), "quiet")
    elif buttons:
        said += paragraph(texts.FIT_CLOSE, "quiet")
    if found.could_be_tried:
        said += f'<div class="ways">{model_button("anyway", "", texts.FIT_ANYWAY, "warm")}</div>'
        said += paragraph(texts.FIT_ANYWAY_WHY, "quiet")
    return said


def _parts(found: Fit) -> str:
    gpu = found.report.needed_on_gpu > 0 and not found.report.shared
    heads = f"<tr><td></td><td>{texts.FIT_MAIN}</td><td>{texts.FIT_GPU}</td></tr>" if gpu else ""
    rows = []
    for part in found.report.parts:
        figures = [part.bytes - part.on_gpu, part.on_gpu] if gpu else [part.bytes]
        cells = "".join(f"<td>{_amount(figure) if figure else '–'}</td>" for figure in figures)
        rows.append(f"<tr><th>{elements.literal(part.what)}</th>{cells}</tr>")
    return f'<table class="parts">{heads}{"".join(rows)}</table>'


def unusable(found: Sequence[Unusable]) -> str:
    """The files that cannot be loaded, and why."""
    if not found:
        return ""
    rows = "".join(
        f"<li><b>{elements.literal(one.name)}</b> {elements.lines(one.problem)}</li>" for one in found[:_SHOWN_UNUSABLE]
    )
    more = len(found) - _SHOWN_UNUSABLE
    rest = paragraph(texts.MORE.format(number=more), "quiet") if more > 0 else ""
    return f'<div class="unusable">{paragraph(texts.UNUSABLE)}<ul>{rows}</ul>{rest}</div>'


def _amount(count: int) -> str:
    return f"{texts.gib(count)} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


# -- the weight format -------------------------------------------------------------------------------------------------


def formats(state: TuningState | None) -> str:
    """What is known about the formats of the loaded model, with what can be done; empty while there is no model."""
    if state is None:
        return ""
    problem = elements.note(texts.FORMAT_PROBLEM.format(problem=state.problem), "problem") if state.problem else ""
    if not state.possible:
        return _format_part("file", texts.FORMAT_FILE, problem)
    if state.running:
        label = texts.FORMAT_HALTED if state.halted else texts.FORMAT_TRYING.format(format=state.format or "…")
        meter = elements.meter(label, state.fraction)
        return _format_part("running", texts.FORMAT_RUNNING, meter, elements.press(STOP, texts.STOP))
    if state.needs is None:
        return _format_part("impossible", texts.FORMAT_IMPOSSIBLE, problem)
    if state.tuning is None:
        said = texts.FORMAT_WHY.format(
            time=texts.FORMAT_LONG if state.big else texts.FORMAT_SHORT, disk=f"{state.needs.disk / 1e9:.1f}"
        )
        return _format_part("none", said, problem, elements.press(TUNE, texts.TUNE))
    return _measured_formats(state, state.tuning, problem)


def _measured_formats(state: TuningState, tuning: Tuning, problem: str) -> str:
    buttons = [elements.press(MEASURE_AGAIN, texts.TUNE_AGAIN)]
    stale = ""
    faster = texts.FORMAT_FASTER.format(spread=tuning.spread)
    if state.in_use and tuning.chosen:
        known = texts.FORMAT_USED if tuning.spread else texts.FORMAT_USED_OLD
        said = known.format(format=tuning.chosen, faster=faster)
        buttons.insert(0, elements.press(USE_ORIGINAL, texts.USE_ORIGINAL))
        kind = "used"
    elif state.waits:
        known = texts.FORMAT_NEXT if tuning.in_use else texts.FORMAT_OFFERED
        said = (known if tuning.spread else texts.FORMAT_OFFERED_OLD).format(format=tuning.chosen, faster=faster)
        buttons.insert(0, elements.press(USE_CHOSEN, texts.USE_CHOSEN.format(format=tuning.chosen)))
        if tuning.in_use:
            buttons.insert(1, elements.press(USE_ORIGINAL, texts.KEEP_ORIGINAL))
        kind = "offered"
    elif (untold := tuning.untold) is not None:
        why = texts.FORMAT_WHY_UNTOLD[untold.note]
        said, kind = texts.FORMAT_UNTOLD.format(format=untold.format, why=why), "untold"
    else:
        said, kind = texts.FORMAT_ORIGINAL_BEST, "original"
    if state.stale and kind in ("used", "offered"):
        stale = elements.note(texts.FORMAT_STALE.format(libraries=", ".join(state.stale)))
    return _format_part(kind, said, stale, problem, *buttons, _format_table(tuning))


def _format_table(tuning: Tuning) -> str:
    heads = [texts.FORMAT, texts.FORMAT_SIZE, *(f"T({rows})" for rows in SHOWN_ROWS)]
    heads += [texts.FORMAT_DIVERGENCE, texts.FORMAT_AGREEMENT, texts.FORMAT_SPEED, texts.FORMAT_GAIN, ""]
    rows = [f"<tr>{''.join(f'<th>{elements.literal(head)}</th>' for head in heads)}</tr>"]
    for one in tuning.figures:
        cells = "".join(f"<td>{elements.literal(text)}</td>" for text in _format_cells(one))
        style = "chosen" if one.format == tuning.chosen else ""
        rows.append(f'<tr data-format="{elements.literal(one.format)}" class="{style}">{cells}</tr>')
    return (
        f"<details><summary>{elements.literal(texts.FORMAT_TABLE)}</summary>"
        f'<div class="format-table"><table>{"".join(rows)}</table></div>'
        f'<p class="quiet">{elements.literal(texts.FORMAT_LEGEND)}</p></details>'
    )


def _format_cells(one: Figures) -> list[str]:
    times = [f"{one.seconds[rows] * 1000:.1f}" if rows in one.seconds else "–" for rows in SHOWN_ROWS]
    return [
        one.format,
        f"{one.bytes / 1e6:,.0f} MB",
        *times,
        "–" if one.mean_divergence is None else f"{one.mean_divergence:.4f}",
        "–" if one.agreement is None else f"{one.agreement:.1%}",
        f"{one.tokens_per_second:.0f}" if one.tokens_per_second else "–",
        one.times_as_fast or "–",
        one.note,
    ]


def _format_part(kind: str, said: str, *more: str) -> str:
    return f'<div class="formats" data-formats="{kind}"><p>{elements.lines(said)}</p>{"".join(more)}</div>'
