"""Several ways through one text, in turns, on a target with exact logits and a clock that is not even."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from localspec.speculation.acceptance import Acceptance
from localspec.speculation.alternation import LOOP, PARTED, Way, alternate
from localspec.speculation.decode import generate
from localspec.speculation.drafters.prompt import PromptDrafter
from localspec.speculation.interface import Drafter
from localspec.speculation.paired import LEAST_ROUNDS
from localspec.speculation.policy import FixedBudget
from tests.speculation.scripted import ScriptedSampler, ScriptedTarget

PROMPT = np.array([1, 2, 3, 1, 2], np.int32)


def seconds_of(rows: int, cached: int = 0) -> float:
    """T(k) of the computer below."""
    return 0.01 * (1 + 0.2 * (rows - 1))


class Computer:
    """A clock that decodes move on, by T(k); now and then other programs make it slow for a while."""

    def __init__(self, target: ScriptedTarget, slow_every: float = 0.0) -> None:
        self.now, self._slow_every = 0.0, slow_every
        self._decode = target.decode
        target.decode = self.decode  # type: ignore[method-assign]

    def decode(self, root: int, tokens: NDArray[np.int32], parents: NDArray[np.int32], rows: int = 0) -> None:
        slow = self._slow_every and int(self.now / self._slow_every) % 2
        self.now += seconds_of(max(rows, len(tokens) + 1)) * (4.0 if slow else 1.0)
        self._decode(root, tokens, parents, rows)

    def __call__(self) -> float:
        return self.now


def way(target: ScriptedTarget, name: str, *drafters: Drafter, temperature: float = 0.0) -> Way:
    sampler = ScriptedSampler(target, temperature, seed=3)
    return Way(name, sampler, drafters, FixedBudget(6, Acceptance()), seconds_of)


def alone(target: ScriptedTarget, temperature: float, max_tokens: int) -> list[int]:
    """What plain decoding writes by itself."""
    target.begin(PROMPT)
    steps = generate(target, ScriptedSampler(target, temperature, seed=3), [], PROMPT, FixedBudget(6), max_tokens)
    return [token for step in steps for token in step.emitted.tolist()]


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    order=st.integers(1, 3),
    temperature=st.sampled_from([0.0, 0.8]),
    max_tokens=st.integers(1, 120),
    stretch=st.integers(1, 30),
    ends=st.booleans(),
    count=st.integers(1, 4),
)
def test_each_writes_the_text_that_plain_decoding_writes_alone(
    seed: int, order: int, temperature: float, max_tokens: int, stretch: int, ends: bool, count: int
) -> None:
    target = ScriptedTarget(seed=seed, order=order, end_tokens=[5] if ends else [])
    expected = alone(target, temperature, max_tokens)
    target.begin(PROMPT)
    drafting = [way(target, f"prompt{number}", PromptDrafter(), temperature=temperature) for number in range(count)]
    ways = [way(target, "plain", temperature=temperature), *drafting]
    for moved in alternate(target, PROMPT, ways, max_tokens, stretch=stretch):
        assert moved in ways
    for each in ways:
        assert each.tokens == expected
        assert each.finish in ("end", "length")
        assert sum(step.tokens for steps in each.rounds for step in steps) == len(expected)
        assert each.metrics.tokens == len(expected)
        assert len(each.rounds) <= len(ways[0].rounds), "who drafts may be at the end a round before"


def test_nothing_is_read_again_between_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    target = ScriptedTarget(order=1)
    begun: list[tuple[int, int]] = []
    begin: Callable[..., None] = target.begin

    def watched(tokens: np.ndarray, *, states: bool = False) -> None:
        shared = list(tokens[:-1]) == target.committed[: len(tokens) - 1]
        begun.append((len(tokens) - 1, target.cached))
        assert shared, "the cache holds all of it: a turn only takes back what others wrote"
        begin(tokens, states=states)

    target.begin(PROMPT)
    monkeypatch.setattr(target, "begin", watched)
    ways = [way(target, "plain"), *(way(target, f"prompt{number}", PromptDrafter()) for number in range(3))]
    list(alternate(target, PROMPT, ways, 200, stretch=10))
    assert len(begun) > 20
    assert all(wanted <= held for wanted, held in begun)


def test_who_is_first_changes_from_round_to_round() -> None:
    target = ScriptedTarget(order=3)
    target.begin(PROMPT)
    ways = [way(target, "plain"), way(target, "prompt", PromptDrafter())]
    turns: list[str] = []
    for moved in alternate(target, PROMPT, ways, 80, stretch=8):
        if not turns or turns[-1] != moved.name:
            turns.append(moved.name)
    assert turns[:3] == ["plain", "prompt", "plain"]
    assert {len(steps) > 0 for each in ways for steps in each.rounds} == {True}


def test_after_its_time_it_ends_when_there_is_something_to_tell() -> None:
    target = ScriptedTarget()
    target.begin(PROMPT)
    ways = [way(target, "plain"), way(target, "prompt", PromptDrafter())]
    list(alternate(target, PROMPT, ways, 900, stretch=8, most_seconds=0.0, clock=Computer(target)))
    assert len(ways[0].rounds) == LEAST_ROUNDS
    assert not ways[0].finish


@pytest.mark.parametrize("slow_every", [0.9, 3.0, 11.0])
def test_plain_beside_plain_is_one_however_restless_the_computer_is(slow_every: float) -> None:
    target = ScriptedTarget()
    target.begin(PROMPT)
    ways = [way(target, "plain"), way(target, "again")]
    list(alternate(target, PROMPT, ways, 600, stretch=12, clock=Computer(target, slow_every)))
    speed = ways[1].beside(ways[0])
    assert speed is not None
    assert speed.factor == speed.low == speed.high == 1.0, "nothing was drafted: 1.0 is known and not measured"
    assert speed.is_told


@pytest.mark.parametrize("slow_every", [0.0, 0.4, 1.7])
def test_slow_moments_leave_the_factor_where_it_is_on_a_calm_computer(slow_every: float) -> None:
    target = ScriptedTarget(order=2)
    target.begin(PROMPT)
    ways = [way(target, "plain"), way(target, "prompt", PromptDrafter())]
    list(alternate(target, PROMPT, ways, 900, stretch=12, clock=Computer(target, slow_every)))
    speed = ways[1].beside(ways[0])
    assert speed is not None
    calm = 900 * seconds_of(1) / sum(seconds for steps in ways[1].rounds for _, _, _, seconds in steps)
    assert calm > 1.2
    assert 0.999 * speed.low <= calm <= 1.001 * speed.high
    assert speed.factor == pytest.approx(calm, rel=0.1)
    if slow_every == 0.0:
        assert speed.low == pytest.approx(speed.high)


def test_another_text_ends_its_way() -> None:
    target = ScriptedTarget()
    target.begin(PROMPT)
    ways = [way(target, "plain"), way(target, "wrong", temperature=1.5), way(target, "prompt", PromptDrafter())]
    list(alternate(target, PROMPT, ways, 100, stretch=16))
    assert ways[1].finish == PARTED
    assert len(ways[1].tokens) < 60
    assert ways[0].finish == ways[2].finish == "length"
    assert ways[0].tokens == ways[2].tokens


def test_a_text_in_circles_ends_alike_for_all() -> None:
    target = ScriptedTarget()
    target.begin(PROMPT)
    ways = [way(target, "plain"), way(target, "prompt", PromptDrafter())]
    for each in ways:
        said: list[int] = []

        def stop(tokens: list[int], said: list[int] = said) -> int:
            said += tokens
            return len(tokens) - (len(said) - 50) if len(said) >= 50 else 0

        each.stop = stop
    list(alternate(target, PROMPT, ways, 100, stretch=16))
    assert [each.finish for each in ways] == [LOOP, LOOP]
    assert ways[0].tokens == ways[1].tokens
    assert len(ways[0].tokens) == 50


def test_closed_early_the_cache_is_consistent() -> None:
    target = ScriptedTarget()
    target.begin(PROMPT)
    ways = [way(target, "plain"), way(target, "prompt", PromptDrafter())]
    moved = alternate(target, PROMPT, ways, 100, stretch=8)
    for _ in range(20):
        last = next(moved)
    moved.close()  # type: ignore[attr-defined]
    assert target.committed == [*PROMPT.tolist(), *last.tokens][:-1]
