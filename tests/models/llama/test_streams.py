"""Many replies at once are the replies one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from localspec.errors import SettingsError
from localspec.models.llama import LlamaModel, ReplyStreams, Written
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.decode import generate
from localspec.speculation.policy import FixedBudget

QUESTIONS = (
    "Name a colour.", "What is a lighthouse?", "Write one line of Python.", "Count to five.", "Who keeps bees?",
    "Say hello.", "What is the capital of Norway?",
)  # fmt: skip
TOKENS = 12


def prompts_of(model: LlamaModel) -> list[NDArray[np.int32]]:
    template = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
    return [model.tokenize(template.format(question), special=True) for question in QUESTIONS]


def write(model: LlamaModel, sampling: SamplingSettings, sequences: int) -> list[Written]:
    prompts = prompts_of(model)
    streams = ReplyStreams(model, max(map(len, prompts)) + TOKENS, model.threads, sequences)
    try:
        written = list(streams.write(prompts, TOKENS, sampling, model.end_tokens))
    finally:
        streams.close()
    assert sorted(each.prompt for each in written) == list(range(len(prompts)))
    return sorted(written, key=lambda each: each.prompt)


@pytest.mark.parametrize("sequences", [1, 3, 16])
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_replies_are_those_of_single_runs(model: LlamaModel, sequences: int, temperature: float) -> None:
    sampling = SamplingSettings(temperature=temperature, seed=11)
    written = write(model, sampling, sequences)
    for number, (prompt, each) in enumerate(zip(prompts_of(model), written, strict=True)):
        model.begin(prompt)
        sampler = model.sampler(sampling.with_seed_of(number))
        steps = list(generate(model, sampler, [], prompt, FixedBudget(0), TOKENS, keep_states=True))
        sampler.close()
        alone = np.concatenate([prompt, *(step.emitted for step in steps)])
        assert each.tokens.tolist() == alone.tolist()
        assert each.reply_start == len(prompt)
        assert len(each.states) == len(each.tokens) - 1
        states, known = model.known_states()
        assert known[len(prompt) - 1 :].all()
        ours = each.states[len(prompt) - 1 :].astype(np.float32)
        assert np.allclose(ours, states[len(prompt) - 1 :].astype(np.float32), atol=0.05, rtol=0.02)


def test_a_reply_longer_than_the_model_is_refused(model: LlamaModel) -> None:
    with pytest.raises(SettingsError, match="trained"):
        ReplyStreams(model, model.trained_context + 1, model.threads)


def test_the_likeliest_tokens_of_each_place(model: LlamaModel) -> None:
    prompt = model.tokenize("The capital of France is")
    streams = ReplyStreams(model, 64, model.threads, 2, choices=4)
    try:
        (written,) = streams.write([prompt], 6, SamplingSettings(), frozenset())
    finally:
        streams.close()
    said = written.tokens[written.reply_start :]
    assert written.choices.shape == written.chances.shape == (len(said), 4)
    assert (written.choices[:, 0] == said).all(), "greedy replies take the likeliest"
    for place, token in enumerate(written.tokens[len(prompt) - 1 : -1]):
        before = written.tokens[: len(prompt) + place]
        assert before[-1] == token
        model.begin(before)
        model.decode(int(token), np.empty(0, np.int32), np.empty(0, np.int32))
        logits = model.logits(1)[0].astype(np.float64)
        chances = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        assert np.argsort(-chances)[:4].tolist() == written.choices[place].tolist()
        assert written.chances[place] == pytest.approx(chances[written.choices[place]], rel=1e-3)
