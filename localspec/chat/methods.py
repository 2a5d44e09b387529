"""The methods people can switch between: which drafters each one runs, and how its trees are sized."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from localspec import texts
from localspec.chat.engine import Engine
from localspec.errors import SettingsError
from localspec.models.llama import MAX_ROWS
from localspec.speculation.acceptance import Acceptance
from localspec.speculation.drafters.auto import AutoDrafter, Gates
from localspec.speculation.drafters.dresd import DresdDrafter, HybridDrafter
from localspec.speculation.drafters.model import ModelDrafter
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.drafters.rasd import RasdDrafter
from localspec.speculation.drafters.recycling import RecycledTokens
from localspec.speculation.drafters.rest import RestDrafter
from localspec.speculation.interface import Drafter
from localspec.speculation.policy import PAPER_NODES, Budget, CostBudget, FixedBudget
from localspec.speculation.tree_size import break_even_probability
from localspec.stores.library import Library
from localspec.stores.ngrams.ngram_store import NgramStore
from localspec.stores.states.state_store import StateStore

SIZINGS = ("device", "paper")


@dataclass(frozen=True, slots=True)
class Sources:
    """What a method may draw on."""

    engine: Engine
    ngrams: NgramStore | None = None
    states: StateStore | None = None
    budget: Budget | None = None
    """what sizes the trees; methods that ask their sources by cost take it into account"""
    acceptance: Acceptance | None = None  # in the place of what the engine has learnt
    gates: Gates | None = None  # beside `acceptance`: what its sources bring and cost
    without: tuple[int, ...] = ()
    """numbers of documents, or of learnt answers, that are not to be drafted from"""


@dataclass(frozen=True, slots=True)
class Method:
    """One entry of the switch: its name, a label, a sentence that explains it, and its drafters by sizing."""

    name: str
    label: str
    explanation: str
    drafters: Callable[[Sources, bool], list[Drafter]]
    needs_draft: bool = False
    uses_states: bool = False  # it also drafts by meaning, where the library holds hidden states of the model
    sized_by_itself: bool = False
    """its trees come with acceptance estimates: the budget doesn't make them again"""
    for_measuring: bool = False
    """a part of another method, to compare it with: benchmarks know it, people are not asked to choose it"""


def _rest(sources: Sources, paper: bool) -> list[Drafter]:
    drafters: list[Drafter] = []
    if sources.ngrams is not None and sources.ngrams.count() > 0:
        drafters.append(RestDrafter(sources.ngrams, paper=paper, without=sources.without))
    if not paper:
        drafters.append(PromptDrafter())
    return drafters


def _dense(sources: Sources, paper: bool) -> DresdDrafter:
    return DresdDrafter(sources.states, paper=paper, without=sources.without)


def _dresd(sources: Sources, paper: bool) -> list[Drafter]:
    dense = _dense(sources, paper)
    return [dense] if paper else [HybridDrafter(_rest(sources, paper), dense)]


def _prompt(sources: Sources, paper: bool) -> list[Drafter]:
    return [PromptDrafter()]


def _model_drafter(sources: Sources, paper: bool, *, alone: bool = True) -> ModelDrafter | None:
    engine = sources.engine
    if engine.draft is None:
        return None
    return ModelDrafter(
        engine.draft,
        0.0 if paper else break_even_probability(engine.decode_seconds),
        0.0 if paper else engine.plain_seconds,
        engine.give_up_draft,
        alone=alone,
    )


def _draft(sources: Sources, paper: bool) -> list[Drafter]:
    drafter = _model_drafter(sources, paper)
    return [drafter] if drafter is not None else []


def _rasd_with(searching: Callable[[Sources, bool], list[Drafter]]) -> Callable[[Sources, bool], list[Drafter]]:
    """RASD over what `searching` retrieves; that alone where there is no draft model."""

    def drafters(sources: Sources, paper: bool) -> list[Drafter]:
        searches = searching(sources, paper)
        drafter = _model_drafter(sources, paper, alone=False)
        return [RasdDrafter(drafter, searches, paper=paper)] if drafter is not None else searches

    return drafters


def _all_retrieval(sources: Sources, paper: bool) -> list[Drafter]:
    exact = [*_rest(sources, paper), *([PromptDrafter()] if paper else [])]
    return [HybridDrafter(exact, _dense(sources, paper))]


def _auto(sources: Sources, paper: bool) -> list[Drafter]:
    engine = sources.engine
    ngrams, states = sources.ngrams, sources.states
    of_engine = sources.acceptance is None  # a run of a benchmark learns for itself
    sizing = "paper" if paper else "device"
    return [
        AutoDrafter(
            sources.budget or budget_of(engine, sizing, acceptance=sources.acceptance, method="auto"),
            rest=RestDrafter(ngrams, without=sources.without) if ngrams is not None and ngrams.count() > 0 else None,
            dense=_dense(sources, False) if states is not None and states.count() > 0 else None,
            draft=_model_drafter(sources, paper),
            recycled=engine.recycled if of_engine else RecycledTokens(engine.model.likeliest),
            gates=engine.gates if of_engine else sources.gates,
        )
    ]


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("auto", "Auto", "Uses whatever is fastest on this computer.", _auto, sized_by_itself=True),
        Method("plain", "Plain", "No drafts: one token at a time.", lambda sources, paper: []),
        Method("rest", "REST", "Drafts from your documents and this chat, by the same words.", _rest),
        Method(
            "dresd",
            "DReSD",
            "Drafts from your documents and this chat, by meaning and by the same words.",
            _dresd,
            uses_states=True,
        ),
        Method("draft", "Draft model", "A small model drafts, the model checks.", _draft, needs_draft=True),
        Method(
            "rasd",
            "RASD",
            "The draft model together with drafts from your documents and this chat.",
            _rasd_with(_all_retrieval),
            needs_draft=True,
            uses_states=True,
        ),
        Method("prompt", "Prompt lookup", "Drafts from this chat only.", _prompt, for_measuring=True),
        *(
            Method(
                f"rasd-{name}",
                f"RASD({label})",
                f"RASD with {label} as its only search.",
                _rasd_with(searching),
                needs_draft=True,
                uses_states=name == "dresd",
                for_measuring=True,
            )
            for name, label, searching in (
                ("prompt", "prompt lookup", _prompt),
                ("rest", "REST", _rest),
                ("dresd", "DReSD", _dresd),
            )
        ),
    )
}
DEFAULT_METHOD = "auto"


def listed() -> list[str]:
    """The methods that people are asked to choose from."""
    return [name for name, method in METHODS.items() if not method.for_measuring]


def check_method(method: str, sizing: str) -> None:
    """Raises SettingsError for names that do not exist, before anything is loaded."""
    if method not in METHODS:
        raise SettingsError(f"There is no method called {method!r}.", f"Choose one of {', '.join(METHODS)}.")
    if sizing not in SIZINGS:
        raise SettingsError(f"There is no sizing called {sizing!r}.", f"Choose one of {', '.join(SIZINGS)}.")


def drafters_of(method: str, sources: Sources, sizing: str = "device") -> list[Drafter]:
    """The drafters of a method; none for a model that cannot verify drafts. Raises SettingsError for unknown names."""
    check_method(method, sizing)
    if not sources.engine.model.can_rewind:
        return []  # a recurrent model cannot take a rejected draft back
    return METHODS[method].drafters(sources, sizing == "paper")


def budget_of(
    engine: Engine, sizing: str = "device", rows: int = 0, acceptance: Acceptance | None = None, method: str = ""
) -> Budget:
    """How trees are sized: by measured cost, or as published. `rows` > 0 caps every batch, root included; `acceptance`
    takes the place of what the engine has learnt. The published size of a method that fuses kinds of drafts is filled
    by calibrated acceptance too: vote shares and a draft model's probabilities are no common scale."""
    if rows < 0 or rows > MAX_ROWS:
        raise SettingsError(f"A verification batch of {rows} rows is not possible.", f"Choose 1 to {MAX_ROWS}.")
    most = rows or MAX_ROWS
    known = METHODS.get(method)
    estimates = acceptance or engine.acceptance
    estimated = known is not None and known.sized_by_itself
    if sizing == "paper":
        mixed = estimated or (known is not None and known.needs_draft)
        return FixedBudget(min(PAPER_NODES, most - 1), estimates if mixed else None, estimated=estimated)
    throughput = engine.throughput if acceptance is None else None
    return CostBudget(engine.times, estimates, most, throughput=throughput, estimated=estimated)


def plan(
    sources: Sources, method: str, sizing: str = "device", rows: int = 0, acceptance: Acceptance | None = None
) -> tuple[list[Drafter], Budget]:
    """The drafters of a method and the budget that sizes their trees, on one set of acceptance estimates."""
    budget = budget_of(sources.engine, sizing, rows, acceptance, method)
    return drafters_of(method, replace(sources, budget=budget, acceptance=acceptance), sizing), budget


def sources_of(engine: Engine, library: Library | None) -> Sources:
    """What there is to draft from with this library, or without one."""
    return Sources(engine, library.ngrams, library.states) if library is not None else Sources(engine)


def without_draft(engine: Engine, method: str) -> str:
    """Why nothing is drafted here, or a method that needs a draft model goes without one; "" where it does not."""
    if method != "plain" and not engine.model.can_rewind:
        return texts.NO_REWIND.format(model=engine.name, kind=engine.model.memory_kind)
    if not METHODS[method].needs_draft or engine.draft is not None:
        return ""
    return f"Without a draft model: {engine.draft_problem or f'{engine.name} has no draft model here.'}"


def has_states(library: Library | None) -> bool:
    """True when a library holds hidden states of the loaded model, to draft from by meaning."""
    return library is not None and library.states is not None and library.states.count() > 0
