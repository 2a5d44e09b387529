"""Are texts with and without drafts the same?

usage: python -m benchmarks.parity --prompts FILE.jsonl [--count 40] [--nodes 15] [--model FILE.gguf] [--bf16]

Every prompt is answered plainly and with drafts (prompt lookup and a REST store of the other prompts' plain replies,
trees of a fixed size whatever they cost), greedy and at temperature 0.7 with one seed. Where texts part, the gap of
the two largest logits at that position is reported: differences of rounding can only part near-ties. The last line is
JSON.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from localspec.chat.template import ChatTemplate, Message
from localspec.cli.bench import read_prompts
from localspec.models.files.catalogue import resolve
from localspec.models.llama import LlamaModel, LoadSettings, requantize
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.decode import generate
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.drafters.rest import RestDrafter
from localspec.speculation.interface import Drafter
from localspec.speculation.policy import FixedBudget
from localspec.stores.database import StoreDatabase
from localspec.stores.ngrams.ngram_store import NGRAM_MIGRATIONS, NgramStore

BF16 = 32
"""llama.cpp's LLAMA_FTYPE_MOSTLY_BF16."""


def reply(
    model: LlamaModel,
    prompt: NDArray[np.int32],
    drafters: Sequence[Drafter],
    nodes: int,
    settings: SamplingSettings,
    count: int,
) -> tuple[list[int], int]:
    """Tokens of a reply, and how many of them were accepted drafts."""
    model.begin(prompt)
    sampler = model.sampler(settings)
    tokens: list[int] = []
    accepted = 0
    for step in generate(model, sampler, drafters, prompt, FixedBudget(nodes), count):
        tokens += step.emitted.tolist()
        accepted += step.accepted
    sampler.close()
    return tokens, accepted


def gap_at(model: LlamaModel, prompt: NDArray[np.int32], tokens: Sequence[int]) -> float:
    """Distance of the two largest logits after `prompt` + `tokens`, decoded one by one as a plain run does."""
    model.begin(prompt)
    nothing = np.empty(0, dtype=np.int32)
    for token in [int(prompt[-1]), *tokens]:
        model.decode(token, nothing, nothing)
        top = np.partition(model.logits(1)[0], -2)[-2:]
        model.keep(nothing)
    return float(top[1] - top[0])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--model", default="")
    parser.add_argument("--nodes", type=int, nargs="+", default=[15], help="tree sizes to try")
    parser.add_argument("--bf16", action="store_true", help="convert the model to BF16 first")
    options = parser.parse_args()
    prompts = read_prompts(options.prompts)
    chosen = [prompts[index * len(prompts) // options.count] for index in range(min(options.count, len(prompts)))]
    with tempfile.TemporaryDirectory() as folder:
        path = resolve(options.model).path
        if options.bf16:
            wide = Path(folder) / "bf16.gguf"
            requantize(path, wide, BF16)
            path = wide
        model = LlamaModel(path, LoadSettings(context=4096))
        template = ChatTemplate(model.chat_template, bos=model.special_token("bos"), eos=model.special_token("eos"))
        texts = [template.tokens([Message("user", prompt.text)], model) for prompt in chosen]
        texts = [tokens for tokens in texts if len(tokens) + options.max_tokens < model.context_size]
        database = StoreDatabase(Path(folder) / "replies.db", NGRAM_MIGRATIONS)
        store = NgramStore(database, "parity")
        results: list[dict[str, object]] = []
        for temperature in (0.0, 0.7):
            settings = SamplingSettings(temperature=temperature, seed=1)
            plain = [reply(model, tokens, [], 0, settings, options.max_tokens)[0] for tokens in texts]
            for index, written in enumerate(plain):
                store.add(index + 1, np.array(written, dtype=np.int32))
            for nodes in options.nodes:
                gaps: list[float] = []
                accepted = 0
                for index, tokens in enumerate(texts):
                    store.remove(index + 1)  # a reply must not draft itself
                    drafters: list[Drafter] = [PromptDrafter(), RestDrafter(store)]
                    drafted, count = reply(model, tokens, drafters, nodes, settings, options.max_tokens)
                    store.add(index + 1, np.array(plain[index], dtype=np.int32))
                    accepted += count
                    if drafted != plain[index]:
                        pairs = zip(drafted, plain[index], strict=False)
                        first = next((place for place, (one, two) in enumerate(pairs) if one != two), len(drafted))
                        gaps.append(gap_at(model, tokens, plain[index][:first]))
                row: dict[str, object] = {
                    "temperature": temperature,
                    "nodes": nodes,
                    "prompts": len(texts),
                    "longest_prompt": max(len(tokens) for tokens in texts),
                    "partings": len(gaps),
                    "gaps": [round(gap, 4) for gap in sorted(gaps, reverse=True)],
                    "accepted": accepted,
                }
                print(row, flush=True)
                results.append(row)
        database.close()
    print(json.dumps({"model": path.name, "bitwise": model.bitwise, "results": results}))


if __name__ == "__main__":
    main()
