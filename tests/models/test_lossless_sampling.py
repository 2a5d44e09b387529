"""The real model, drawn from by every kind of sampler chain: a reply with drafts is, token for token, one without.

Each chain's own reply, with some tokens changed, is what is drafted, beside what the chat repeats: so drafts are
accepted and rejected under every chain. LOCALSPEC_PARITY=full takes more prompts, and longer replies.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from localspec.models.llama import LlamaModel
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.drafters.rest import RestDrafter
from localspec.speculation.policy import FixedBudget
from localspec.stores.database import StoreDatabase
from localspec.stores.ngrams.ngram_store import NGRAM_MIGRATIONS, NgramStore
from tests.models.test_lossless import FULL, prompts_of, reply, wrong_now_and_then

PROMPTS = 12 if FULL else 2
NODES = 15
OBJECT = json.dumps(
    {
        "type": "object",
        "properties": {
            "title": {"type": "string", "maxLength": 60},
            "steps": {"type": "array", "items": {"type": "string", "maxLength": 60}, "minItems": 2, "maxItems": 6},
            "score": {"type": "number", "minimum": 0, "maximum": 10},
        },
        "required": ["title", "steps", "score"],
    }
)
LINES = r'root ::= ("- " [A-Z] [a-z ]+ "\n")+'
FREE = {"top_k": 0, "top_p": 1.0, "min_p": 0.0}
CHAINS: dict[str, SamplingSettings] = {
    "temperature": SamplingSettings(temperature=0.8, seed=1, **FREE),  # type: ignore[arg-type]
    "top-k": SamplingSettings(temperature=0.8, seed=2, top_k=5, top_p=1.0, min_p=0.0),
    "top-p": SamplingSettings(temperature=0.8, seed=3, top_k=0, top_p=0.6, min_p=0.0),
    "min-p": SamplingSettings(temperature=0.8, seed=4, top_k=0, top_p=1.0, min_p=0.2),
    "repeat penalty": SamplingSettings(repeat_penalty=1.3),
    "presence": SamplingSettings(presence_penalty=1.0),
    "frequency": SamplingSettings(frequency_penalty=0.7, repeat_last_n=24),
    "DRY": SamplingSettings(dry_multiplier=1.5, dry_allowed_length=1, dry_breakers=()),
    "bias": SamplingSettings(logit_bias=tuple((token, 3.0) for token in range(250, 900, 3))),
    "grammar": SamplingSettings(grammar=LINES),
    "schema": SamplingSettings(json_schema=OBJECT),
    "penalties mixed": SamplingSettings(
        temperature=0.9,
        seed=5,
        repeat_penalty=1.1,
        presence_penalty=0.4,
        frequency_penalty=0.2,
        dry_multiplier=0.8,
        logit_bias=((260, 4.0), (28, -5.0)),
    ),
    "grammar mixed": SamplingSettings(temperature=1.1, seed=6, grammar=LINES, dry_multiplier=0.8, repeat_penalty=1.1),
    "schema mixed": SamplingSettings(
        temperature=1.1, seed=7, json_schema=OBJECT, dry_multiplier=0.8, frequency_penalty=0.3, logit_bias=((30, 2.0),)
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_texts_with_drafts_are_those_without(loaded: LlamaModel, tmp_path: Path, name: str) -> None:
    sampling = CHAINS[name]
    database = StoreDatabase(tmp_path / "library.db", NGRAM_MIGRATIONS)
    steps = accepted = drafted = tokens = 0
    try:
        store = NgramStore(database, "tokenizer")
        for number, prompt in enumerate(prompts_of(loaded, PROMPTS)):
            plain = reply(loaded, prompt, [], sampling)
            known = wrong_now_and_then(loaded, np.array(plain.tokens, np.int32))
            store.add(number, np.concatenate([prompt[-16:], known]))
            budget = FixedBudget(NODES)
            with_drafts = reply(loaded, prompt, [PromptDrafter(), RestDrafter(store)], sampling, budget)
            assert with_drafts.tokens == plain.tokens
            steps += with_drafts.steps
            drafted += with_drafts.drafted
            accepted += with_drafts.accepted
            tokens += len(plain.tokens)
    finally:
        database.close()
    assert accepted > steps / 3, "drafts were accepted"
    assert drafted > accepted, "and drafts were rejected"
    assert steps < tokens
