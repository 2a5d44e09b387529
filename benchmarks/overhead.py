"""Plain decoding against llama-cpp-python's own `Llama`, and the time a drafted step takes outside llama.cpp.

usage: python -m benchmarks.overhead [--model FILE.gguf] [--tokens N] [--rounds N]

Both generate from the same file, prompt and thread count, greedy, in turn, several rounds in one run; the ratio is of
the medians. The drafted steps verify trees of 15 nodes (16 rows), whatever they bring: Auto's, of all its sources but
the draft model, whose time is llama.cpp's own. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from llama_cpp import Llama

from localspec import config
from localspec.chat.template import ChatTemplate, Message
from localspec.models.files.catalogue import resolve
from localspec.models.llama import LlamaModel, LoadSettings
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.acceptance import Acceptance
from localspec.speculation.decode import generate
from localspec.speculation.drafters.auto import AutoDrafter
from localspec.speculation.drafters.recycling import RecycledTokens
from localspec.speculation.drafters.rest import RestDrafter
from localspec.speculation.interface import Drafter, Step
from localspec.speculation.policy import Budget, FixedBudget
from localspec.stores.database import StoreDatabase
from localspec.stores.ngrams.ngram_store import NGRAM_MIGRATIONS, NgramStore

QUESTION = (
    "Write a detailed report about the history of lighthouses: who built them, how they worked, why they mattered, and "
    "what became of them. Use several paragraphs."
)


def ours(
    model: LlamaModel, prompt: np.ndarray[Any, np.dtype[np.int32]], drafters: list[Drafter], budget: Budget, count: int
) -> list[Step]:
    """The steps of one reply."""
    model.begin(prompt)
    sampler = model.sampler(SamplingSettings())
    steps = list(generate(model, sampler, drafters, prompt, budget, count))
    sampler.close()
    return steps


def theirs(llama: Llama, prompt: list[int], count: int) -> float:
    """Tokens per second of `Llama.generate`, prefill not counted."""
    generator = llama.generate(prompt, temp=0.0, top_k=1, repeat_penalty=1.0, reset=True)
    next(generator)
    started = perf_counter()
    for _ in range(count - 1):
        next(generator)
    return (count - 1) / (perf_counter() - started)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--text", type=Path, default=None, help="a text file for a REST store to look up")
    options = parser.parse_args()
    path = resolve(options.model).path
    threads = config.default_threads()
    model = LlamaModel(path, LoadSettings(context=2048, threads=threads))
    llama = Llama(str(path), n_ctx=2048, n_threads=threads, n_threads_batch=threads, n_gpu_layers=-1, verbose=False)
    template = ChatTemplate(model.chat_template, bos=model.special_token("bos"), eos=model.special_token("eos"))
    prompt = template.tokens([Message("user", QUESTION)], model)
    speeds: dict[str, list[float]] = {"Llama": [], "plain": [], "drafted": []}
    drafted: list[Step] = []
    folder = tempfile.TemporaryDirectory()
    database = StoreDatabase(Path(folder.name) / "ngrams.db", NGRAM_MIGRATIONS)
    rest: RestDrafter | None = None
    if options.text is not None:
        store = NgramStore(database, "overhead")
        store.add(1, model.tokenize(options.text.read_text(encoding="utf-8", errors="replace")))
        rest = RestDrafter(store)
    recycled = RecycledTokens(model.likeliest)
    budget = FixedBudget(15, Acceptance(), estimated=True)
    drafters: list[Drafter] = [AutoDrafter(budget, rest=rest, recycled=recycled)]
    for _ in range(options.rounds):
        speeds["Llama"].append(theirs(llama, prompt.tolist(), options.tokens))
        for name, used in (("plain", []), ("drafted", drafters)):
            steps = ours(model, prompt, list(used), budget, options.tokens)
            speeds[name].append(sum(len(step.emitted) for step in steps) / sum(step.seconds for step in steps))
            if used:
                drafted += [step for step in steps if len(step.tree) == 15]
    result = {name: round(median(values), 2) for name, values in speeds.items()}
    outside = [1000 * (step.propose_seconds + step.rest_seconds) for step in drafted]
    figures = {
        "model": path.name,
        "threads": threads,
        "tokens_per_second": result,
        "plain_against_Llama": round(result["plain"] / result["Llama"], 3),
        "drafted_steps_of_16_rows": len(drafted),
        "milliseconds_outside": {
            "median": round(median(outside), 3) if outside else None,
            "mean": round(float(np.mean(outside)), 3) if outside else None,
            "propose": round(median(1000 * step.propose_seconds for step in drafted), 3) if drafted else None,
            "rest": round(median(1000 * step.rest_seconds for step in drafted), 3) if drafted else None,
        },
    }
    database.close()
    folder.cleanup()
    for name, speed in result.items():
        print(f"{name:8s} {speed:8.1f} tokens/s")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
