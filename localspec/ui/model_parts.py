"""The part of the page about models: what is loaded, whether a choice fits, what can be downloaded. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from localspec import texts
from localspec.application.downloads import CHECKING, DONE, FAILED, RUNNING, STOPPED, UNDER_WAY, DownloadState
from localspec.application.model_manager import DraftState, fit_sentence
from localspec.application.state import Application
from localspec.chat.methods import METHODS
from localspec.models.files.catalogue import AUTOMATIC, NO_DRAFT, CatalogueEntry
from localspec.models.files.inventory import Unusable
from localspec.models.fit.fitting import ASKED, Fit, Ways
from localspec.ui import markup

PRESS = "model"
"""What the names of this part's buttons begin with: model:ACTION=WHAT, in which WHAT is quoted as in an address."""
_SHOWN_UNUSABLE = 20


@dataclass(frozen=True, slots=True)
class OfferState:
    """What the list says about one model of the catalogue."""

    offer: CatalogueEntry
    memory: int
    """Bytes that it takes, with the draft that is named for it"""
    fits: str
    """A key of `texts.OFFER_FITS`"""
    here: bool
    """It is on this computer"""
    arrived: int
    """Bytes that an earlier download has left"""
    under_way: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked before a download."""

    offer: CatalogueEntry
    draft: CatalogueEntry | None
    """the model that drafts for it, where it is not here yet"""
    host: str
    missing: int
    """Bytes that are still to come of the model"""
    missing_draft: int
    free_disk: int
    enough: bool
    """There is room for the model on the disk"""
    enough_for_both: bool


def status(application: Application) -> str:
    """The line about the model."""
    models = application.models
    # While the model from before is loaded again, it is told already why the other one cannot be.
    problem = markup.note(str(models.error), "problem") if models.error is not None else ""
    if models.loading:
        return f'<span data-model="loading">{markup.literal(texts.LOADING.format(name=models.loading))}</span>{problem}'
    described = models.description
    notice = markup.note(models.notice, "problem") if models.notice else ""
    if not described:
        said = texts.UNLOADING if models.unloading else texts.NO_MODEL
        return f'<span data-model="none">{markup.literal(said)}</span>{problem}'
    return f'<span data-model="ready">{markup.literal(described)}</span>{problem}{notice}'


def draft_status(draft: DraftState | None) -> str:
    """The line about the draft model, under its picker: which one is in use, or why none is."""
    if draft is None:
        return ""
    if draft.name:
        said = texts.DRAFT_USED.format(
            name=draft.name, target=draft.target, knows=f"{draft.knows:,}", tokens=texts.counted(draft.tokens, "token")
        )
        return markup.draft("used", said)
    if draft.problem:
        # Nobody asked for what was tried by itself: that it does not fit is no trouble.
        picked = draft.wanted != AUTOMATIC
        return markup.draft("problem", texts.DRAFT_PROBLEM.format(problem=draft.problem), problem=picked)
    return markup.draft("none", _no_draft(draft))


def alone(draft: DraftState | None, method: str) -> str:
    """Why the chosen method goes without the draft model that it needs; empty where it does not."""
    if draft is None or draft.name or not METHODS[method].needs_draft:
        return ""
    why = draft.problem or _no_draft(draft)
    if not draft.problem and draft.wanted == NO_DRAFT:
        why = texts.DRAFT_PICK.format(model=texts.MODEL)
    return markup.draft("missing", f"{texts.METHOD_ALONE[method]} {why}", problem=True)


def _no_draft(draft: DraftState) -> str:
    """Why there is no draft model though none has failed."""
    if not draft.possible:
        return texts.DRAFT_IMPOSSIBLE.format(target=draft.target)
    return texts.DRAFT_UNUSED if draft.wanted == NO_DRAFT else texts.DRAFT_UNKNOWN.format(target=draft.target)


# -- whether it fits --------------------------------------------------------------------------------------------------


def fit(found: Fit, possible: Ways | None, others: Sequence[str], *, loaded: bool, counts_loaded: bool) -> str:
    """Whether a choice fits, part by part, and what was chosen where it leaves something open. `possible` and `others`,
    names of models, are what would fit where it does not; `counts_loaded`: what is available counts what a loaded model
    gives back."""
    kind = "loaded" if loaded else "fits" if found.fits else "not"
    said = [_p(fit_sentence(found) if not loaded else texts.FIT_LOADED.format(needed=texts.gib(found.report.needed)))]
    if found.report.needed_on_gpu and found.report.gpu_free is not None:
        on_gpu = texts.FIT_ON_GPU.format(
            needed=texts.gib(found.report.needed_on_gpu), free=texts.gib(found.report.gpu_free)
        )
        said.append(_p(on_gpu))
    if not found.fits and not loaded:
        said.append(_ways(found, possible or Ways(), others))
    said.append(_p(chosen(found), "quiet", "chosen"))
    if found.report.unknown:
        said.append(_p(texts.FIT_UNCOUNTED.format(parts=", ".join(found.report.unknown)), "quiet"))
    if counts_loaded and not loaded:
        said.append(_p(texts.FIT_LOADED_COUNTS, "quiet"))
    return f'<div class="fit" data-fit="{kind}">{"".join(said)}{_parts(found)}</div>'


def fit_problem(problem: str) -> str:
    """What is said where nothing can be told about a choice."""
    said = _p(texts.FIT_UNKNOWN.format(problem=problem))
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
        buttons.append(
            button("context", str(possible.context), texts.FIT_SHORTER.format(context=f"{possible.context:,}"))
        )
    if possible.gpu_layers is not None:
        buttons.append(button("layers", str(possible.gpu_layers), texts.FIT_FEWER.format(layers=possible.gpu_layers)))
    if possible.without_draft:
        buttons.append(button("draft", NO_DRAFT, texts.FIT_WITHOUT_DRAFT))
    buttons += [button("model", name, name) for name in others]
    said = _p(texts.FIT_WAYS) + f'<div class="ways">{"".join(buttons)}</div>' if buttons else _p(texts.FIT_NO_WAY)
    if not found.could_ever_fit:
        said += _p(texts.FIT_NEVER.format(total=texts.gib(found.room.total)), "quiet")
    elif buttons:
        said += _p(texts.FIT_CLOSE, "quiet")
    if found.could_be_tried:
        said += f'<div class="ways">{button("anyway", "", texts.FIT_ANYWAY, "warm")}</div>'
        said += _p(texts.FIT_ANYWAY_WHY, "quiet")
    return said


def _parts(found: Fit) -> str:
    gpu = found.report.needed_on_gpu > 0 and not found.report.shared
    heads = f"<tr><td></td><td>{texts.FIT_MAIN}</td><td>{texts.FIT_GPU}</td></tr>" if gpu else ""
    rows = []
    for part in found.report.parts:
        figures = [part.bytes - part.on_gpu, part.on_gpu] if gpu else [part.bytes]
        cells = "".join(f"<td>{_amount(figure) if figure else '–'}</td>" for figure in figures)
        rows.append(f"<tr><th>{markup.literal(part.what)}</th>{cells}</tr>")
    return f'<table class="parts">{heads}{"".join(rows)}</table>'


# -- what can be downloaded -------------------------------------------------------------------------------------------


def offers(states: Sequence[OfferState], question: Question | None, problem: str = "") -> str:
    """The models of the catalogue, each with a button to download it; in place of it the question, where that was
    pressed."""
    rows = "".join(_offer(state, question) for state in states)
    wrong = markup.note(problem, "problem") if problem else ""
    return f'<div class="offers">{_p(texts.OFFERS_WHY)}{wrong}{rows}</div>'


def _offer(state: OfferState, question: Question | None) -> str:
    offer = state.offer
    size = f"{texts.OFFER_ABOUT if offer.approximate else ''}{texts.size(offer.bytes)}"
    facts = [
        size,
        offer.licence,
        f"{texts.OFFER_MEMORY.format(memory=texts.gib(state.memory))}: {texts.OFFER_FITS[state.fits]}",
    ]
    if offer.draft:
        facts.append(texts.OFFER_DRAFT.format(draft=offer.draft))
    said = f'<div class="name">{markup.literal(offer.title)}</div>'
    said += _p(offer.about) if offer.about else ""
    said += _p(" · ".join(facts), "quiet")
    if state.here:
        action = f'<p class="quiet">{markup.literal(texts.OFFER_HERE)}</p>'
    elif question is not None and question.offer == offer:
        said, action = said + _question(question), ""
    elif state.under_way:
        action = ""
    else:
        label = texts.DOWNLOAD_GO_ON if state.arrived else texts.DOWNLOAD
        action = button("ask", offer.name, label)
        if state.arrived:
            said += _p(texts.OFFER_PART_HERE.format(done=texts.size(state.arrived)), "quiet")
    return (
        f'<div class="offer {state.fits}" data-offer="{offer.name}"><div class="about">{said}</div>'
        f'<div class="action">{action}</div></div>'
    )


def _question(question: Question) -> str:
    offer = question.offer
    asked = texts.DOWNLOAD_ASK.format(
        size=texts.size(question.missing), host=question.host, repository=offer.repository, name=offer.name,
        licence=offer.licence,
    )  # fmt: skip
    free = texts.size(question.free_disk)
    buttons = []
    if question.enough:
        said = f"{asked} {texts.DOWNLOAD_ASK_FREE.format(free=free)}"
        buttons.append(button("get", offer.name, texts.DOWNLOAD_NOW.format(size=texts.size(question.missing))))
        if question.draft is not None and question.enough_for_both:
            both = texts.size(question.missing + question.missing_draft)
            buttons.append(button("both", offer.name, texts.DOWNLOAD_BOTH.format(size=both)))
    else:
        said = f"{asked} {texts.DOWNLOAD_NO_ROOM.format(size=texts.size(question.missing), free=free)}"
    buttons.append(button("not", offer.name, texts.DOWNLOAD_NOT))
    return f'<div class="asked">{_p(said)}<div class="ways">{"".join(buttons)}</div></div>'


def downloads(states: Sequence[DownloadState]) -> str:
    """What is being downloaded, or was; empty where nothing is."""
    return "".join(_download(state) for state in states)


def _download(state: DownloadState) -> str:
    name = state.offer.name
    said = texts.DOWNLOAD_STATES[state.state].format(
        done=texts.size(state.done), total=texts.size(state.total or state.offer.bytes)
    )
    facts = [name, said]
    if state.state == RUNNING and state.rate > 0:
        facts.append(f"{texts.size(int(state.rate))}/s")
        if state.seconds_left is not None:
            facts.append(texts.TIME_LEFT.format(time=texts.roughly(state.seconds_left)))
    label = " · ".join(facts)
    if state.state in UNDER_WAY:
        shown = markup.meter(label, state.done / state.total if state.total else 0.0)
        buttons = [button("stop", name, texts.DOWNLOAD_STOP)] if state.state in (RUNNING, CHECKING, "waiting") else []
    else:
        shown = _p(label)
        if state.problem:
            shown += markup.note(state.problem, "problem")
        again = texts.DOWNLOAD_GO_ON if state.done else texts.DOWNLOAD_AGAIN
        first = {DONE: ("use", texts.DOWNLOAD_USE), STOPPED: ("get", again), FAILED: ("get", texts.DOWNLOAD_AGAIN)}
        action, words = first[state.state]
        buttons = [button(action, name, words), button("close", name, texts.DOWNLOAD_DISMISS)]
    return (
        f'<div class="download" data-download="{name}" data-state="{state.state}">{shown}'
        f'<div class="ways">{"".join(buttons)}</div></div>'
    )


def unusable(found: Sequence[Unusable]) -> str:
    """The files that cannot be loaded, and why."""
    if not found:
        return ""
    rows = "".join(
        f"<li><b>{markup.literal(one.name)}</b> {markup.lines(one.problem)}</li>" for one in found[:_SHOWN_UNUSABLE]
    )
    more = len(found) - _SHOWN_UNUSABLE
    rest = _p(texts.MORE.format(number=more), "quiet") if more > 0 else ""
    return f'<div class="unusable">{_p(texts.UNUSABLE)}<ul>{rows}</ul>{rest}</div>'


# -- buttons ----------------------------------------------------------------------------------------------------------


def button(action: str, what: str, label: str, kind: str = "quiet") -> str:
    """A button of this part."""
    return markup.press(f"{PRESS}:{action}={quote(what, safe='')}", label, kind)


def read_button(name: str) -> tuple[str, str] | None:
    """What a button stands for: action, and about what; None for the name of a button of another part."""
    part, _, rest = name.partition(":")
    if part != PRESS:
        return None
    action, _, what = rest.partition("=")
    return action, unquote(what)


def _p(text: str, kind: str = "", data: str = "") -> str:
    attributes = (f' class="{kind}"' if kind else "") + (f' data-figure="{data}"' if data else "")
    return f"<p{attributes}>{markup.lines(text)}</p>"


def _amount(count: int) -> str:
    return f"{texts.gib(count)} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
