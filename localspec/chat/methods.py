"""The methods people can switch between: which drafters each one runs, and how its trees are sized."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from localspec.chat.engine import Engine
from localspec.errors import SettingsError
from localspec.models.llama import MAX_ROWS
from localspec.speculation.acceptance import Acceptance
from localspec.speculation.budget import PAPER_NODES, Budget, CostBudget, FixedBudget
from localspec.speculation.decode import Drafter
from localspec.speculation.drafters.dresd import DresdDrafter
from localspec.speculation.drafters.hybrid import HybridDrafter
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.drafters.rest import RestDrafter
from localspec.stores.library import Library
from localspec.stores.ngrams import NgramStore
from localspec.stores.states import StateStore

PRESETS = ("device", "paper")


@dataclass(frozen=True, slots=True)
class Sources:
    """What a method may draw on."""

    engine: Engine
    ngrams: NgramStore | None = None
    states: StateStore | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """One entry of the switch: its name, a label, a sentence that explains it, and its drafters by preset."""

    name: str
    label: str
    explanation: str
    drafters: Callable[[Sources, bool], list[Drafter]]


def _plain(sources: Sources, paper: bool) -> list[Drafter]:
    return []


def _rest(sources: Sources, paper: bool) -> list[Drafter]:
    drafters: list[Drafter] = []
    if sources.ngrams is not None and sources.ngrams.count() > 0:
        drafters.append(RestDrafter(sources.ngrams, paper=paper))
    if not paper:
        drafters.append(PromptDrafter())
    return drafters


def _dresd(sources: Sources, paper: bool) -> list[Drafter]:
    dense = DresdDrafter(sources.states, paper=paper)
    return [dense] if paper else [HybridDrafter(_rest(sources, paper), dense)]


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("plain", "Plain", "The model alone, one token at a time.", _plain),
        Method("rest", "REST", "Drafts from your documents and this chat: what followed the same words there.", _rest),
        Method(
            "dresd",
            "DReSD",
            "Drafts by meaning: what followed where the model was in a similar state, beside what followed the same"
            " words.",
            _dresd,
        ),
    )
}
DEFAULT_METHOD = "rest"


def check_method(method: str, preset: str) -> None:
    """Raises SettingsError for names that do not exist, before anything is loaded."""
    if method not in METHODS:
        raise SettingsError(f"There is no method called {method!r}.", f"Choose one of {', '.join(METHODS)}.")
    if preset not in PRESETS:
        raise SettingsError(f"There is no preset called {preset!r}.", f"Choose one of {', '.join(PRESETS)}.")


def drafters_of(method: str, sources: Sources, preset: str = "device") -> list[Drafter]:
    """The drafters of a method; none for a model that cannot verify drafts. Raises SettingsError for unknown names."""
    check_method(method, preset)
    if not sources.engine.model.can_rewind:
        return []  # a recurrent model cannot take a rejected draft back
    return METHODS[method].drafters(sources, preset == "paper")


def budget_of(engine: Engine, preset: str = "device", rows: int = 0, acceptance: Acceptance | None = None) -> Budget:
    """How trees are sized: by measured cost, or as published. `rows` > 0 caps every batch, root included; `acceptance`
    takes the place of what the engine has learnt."""
    if rows < 0 or rows > MAX_ROWS:
        raise SettingsError(f"A verification batch of {rows} rows is not possible.", f"Choose 1 to {MAX_ROWS}.")
    most = rows or MAX_ROWS
    if preset == "paper":
        return FixedBudget(min(PAPER_NODES, most - 1))
    return CostBudget(engine.decode_seconds, acceptance or engine.acceptance, most)


def sources_of(engine: Engine, library: Library | None) -> Sources:
    """What there is to draft from with this library, or without one."""
    return Sources(engine, library.ngrams, library.states) if library is not None else Sources(engine)


def has_states(library: Library | None) -> bool:
    """True when a library holds states of the loaded model, to draft from by meaning."""
    return library is not None and library.states is not None and library.states.count() > 0
