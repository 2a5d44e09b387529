"""Searching beside the draft model's first step: each alone, one after the other, and both at once, in turn.

python -m benchmarks.overlap --library NAME [--prompts FILE] [--model NAME]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from localspec.chat.engine import Engine
from localspec.chat.library_setup import open_library, prepare_drafts
from localspec.chat.methods import drafters_of, sources_of
from localspec.chat.template import Message
from localspec.cli.bench import read_prompts
from localspec.models.draft import TopK
from localspec.models.llama import LoadSettings
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.decode import generate
from localspec.speculation.drafters.model import ModelDrafter
from localspec.speculation.drafters.rasd import RasdDrafter
from localspec.speculation.interface import Context
from localspec.speculation.policy import FixedBudget

STEPS = 24
LIMIT = 15
BACK = 2
"""Tokens that the draft model has to catch up with, as after a step that accepted one."""


def main() -> None:
    """Print medians and means in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--library", default="")
    parser.add_argument("--model", default="")
    parser.add_argument("--count", type=int, default=12)
    arguments = parser.parse_args()
    engine = Engine(arguments.model, LoadSettings(context=2048))
    library = open_library(engine, arguments.library, create=False) if arguments.library else None
    if library is not None:
        prepare_drafts(library)
    if engine.draft is None:
        raise SystemExit(engine.draft_problem)
    stepping = ModelDrafter(engine.draft)
    searching = drafters_of("dresd", sources_of(engine, library))
    together = RasdDrafter(stepping, searching)
    actions: dict[str, Callable[[Context], object]] = {
        "first step": lambda context: stepping.first(context.tokens),
        "search": lambda context: [drafter.propose(context, LIMIT) for drafter in searching],
        "both at once": lambda context: together.search_beside(context, LIMIT),
    }

    def whole(first: TopK | None) -> object:
        return stepping.tree_below(first, LIMIT)

    actions["drafting"] = lambda context: whole(stepping.first(context.tokens))
    actions["drafting beside the search"] = lambda context: whole(together.search_beside(context, LIMIT)[0])
    actions["one after the other"] = lambda context: (actions["first step"](context), actions["search"](context))
    kinds = tuple(actions)
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for prompt in read_prompts(arguments.prompts)[: arguments.count]:
        tokens = engine.template.tokens([Message("user", prompt.text)], engine.model)
        with engine.turn() as model:
            model.begin(tokens, states=True)
            sampler = model.sampler(SamplingSettings())
            text = tokens
            steps = generate(model, sampler, [], tokens, FixedBudget(0), STEPS, keep_states=True)
            for number, step in enumerate(steps):
                text = np.concatenate([text, step.emitted])
                context = Context(text, 1, model.known_states)
                together.begin(context)
                for kind in (*kinds[number % len(kinds) :], *kinds[: number % len(kinds)]):
                    engine.draft.follow(text[:-BACK])
                    started = perf_counter()
                    actions[kind](context)
                    times[kind].append(perf_counter() - started)
            sampler.close()
    for kind in kinds:
        print(f"{kind:>28}: median {median(times[kind]) * 1e3:.3f} ms, mean {np.mean(times[kind]) * 1e3:.3f} ms")
    for alone, both in (("first step", "both at once"), ("drafting", "drafting beside the search")):
        longer = np.maximum(times[alone], times["search"])
        print(f"{both} ÷ the longer of {alone} and search: {np.sum(times[both]) / longer.sum():.3f}")
    engine.close()


if __name__ == "__main__":
    main()
