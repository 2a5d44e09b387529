"""Learning: from prompts, many replies at once, and from a chat's own answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from localspec.chat.answer import LEAST_LEARNT
from localspec.chat.engine import Engine
from localspec.chat.learning import by_length, learn, one_by_one, prompts_of
from localspec.chat.library_setup import prepare_drafts
from localspec.chat.session import Session
from localspec.chat.turn import ReplyOptions
from localspec.errors import SettingsError
from localspec.models.llama import common_start
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.drafters.dresd import DresdDrafter
from localspec.speculation.interface import Context
from localspec.stores.library import Library

QUESTIONS = ("Name a colour of the sky.", "Write a line of Python.", "What is a harbour?", "Say a short poem.")
TOKENS = 16
GREEDY = SamplingSettings()


@pytest.mark.parametrize(
    ("prompts", "shared"),
    [
        ([[1, 2, 3]], 0),
        ([[1, 2, 3], [1, 2, 4]], 2),
        ([[1, 2, 3], [1, 2, 3]], 2),
        ([[1, 2], [1, 2, 9, 9], [1, 2, 9]], 1),
        ([[5, 2], [1, 2]], 0),
        ([[5], [5]], 0),
    ],
)
def test_what_all_prompts_begin_with(prompts: list[list[int]], shared: int) -> None:
    """At least one token of each prompt stays: the one whose state leads to the reply."""
    assert common_start([np.array(prompt, np.int32) for prompt in prompts]) == shared


def test_long_prompts_are_written_apart_from_short_ones() -> None:
    prompts = [np.zeros(length, np.int32) for length in (10, 700, 20, 480, 3000, 497)]
    groups = by_length(prompts, 16)
    assert [[len(prompt) for prompt in group] for group in groups] == [[10, 20, 480], [700, 497], [3000]]


def test_a_prompt_that_leaves_no_room_is_left_out(
    engine: Engine, make_library: Callable[[list[Path]], Library]
) -> None:
    library = make_library([])
    long = "word " * engine.model.context_size
    learnt = learn(engine, library, [long, QUESTIONS[0]], TOKENS, GREEDY, lambda done, total: None)
    assert (learnt.prompts, learnt.skipped, learnt.replies) == (1, 1, 1)
    with pytest.raises(SettingsError, match="room"):
        learn(engine, library, [long], TOKENS, GREEDY, lambda done, total: None)


def test_replies_to_prompts_are_learnt(
    engine: Engine, make_library: Callable[[list[Path]], Library], monkeypatch: pytest.MonkeyPatch
) -> None:
    nearest: list[float] = []
    neighbours = DresdDrafter.neighbours

    def watched(drafter: DresdDrafter, context: Context) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        continuations, similarity = neighbours(drafter, context)
        nearest.extend(similarity[:1].tolist())
        return continuations, similarity

    monkeypatch.setattr(DresdDrafter, "neighbours", watched)
    library = make_library([])
    seen: list[tuple[int, int]] = []
    learnt = learn(engine, library, QUESTIONS, TOKENS, GREEDY, lambda done, total: seen.append((done, total)))
    assert seen == [(done, len(QUESTIONS)) for done in range(len(QUESTIONS) + 1)]
    assert learnt.prompts == learnt.replies == len(QUESTIONS)
    assert learnt.sequences == len(QUESTIONS)
    assert 0 < learnt.tokens <= len(QUESTIONS) * TOKENS
    assert learnt.tokens_per_second > 0
    prompts = prompts_of(engine, QUESTIONS)
    shared = common_start(prompts)
    assert shared > 2, "the template's own words"
    kept = sum(len(prompt) - shared for prompt in prompts) + learnt.tokens
    assert library.replies.count() == (len(QUESTIONS), kept)
    assert library.ngrams.count() == kept
    assert library.states is not None
    # No state for the last token of a reply, which nothing follows.
    assert library.states.count() == learnt.states == kept - len(QUESTIONS)
    prepare_drafts(library)

    # The same question again: its answer is drafted, and said word for word.
    session = Session(engine, library, system="")
    library.replies.set_learning(False)
    for method in ("rest", "dresd"):
        updates = list(Session(engine, library).ask(QUESTIONS[2], ReplyOptions("plain", max_tokens=TOKENS)))
        plain = updates[-1].turn
        drafted = list(session.ask(QUESTIONS[2], ReplyOptions(method, "paper", max_tokens=TOKENS)))[-1].turn
        assert drafted.reply == plain.reply
        assert drafted.metrics.accepted > 0
        session = Session(engine, library)
    assert drafted.metrics.retrieval is not None
    assert drafted.metrics.retrieval.mean_similarity > 0
    # The chat's state is that of the learnt reply at the same place, though there it was computed among others.
    assert max(nearest) > 0.95
    assert "DReSD" in drafted.metrics.by_source

    # Learning the same once more adds nothing.
    again = learn(engine, library, QUESTIONS, TOKENS, GREEDY, lambda done, total: None)
    assert again.replies == again.states == 0
    assert library.replies.count() == (len(QUESTIONS), kept)


def test_no_prompts_are_refused(engine: Engine, make_library: Callable[[list[Path]], Library]) -> None:
    with pytest.raises(SettingsError, match="no prompts"):
        learn(engine, make_library([]), [], TOKENS, GREEDY, lambda done, total: None)


def test_one_by_one_is_timed_and_stores_nothing(engine: Engine) -> None:
    assert one_by_one(engine, QUESTIONS[:1], TOKENS, GREEDY) > 0
    assert one_by_one(engine, [], TOKENS, GREEDY) == 0


@pytest.mark.parametrize("method", ["plain", "rest", "dresd"])
def test_a_chat_teaches_its_library(engine: Engine, make_library: Callable[[list[Path]], Library], method: str) -> None:
    library = make_library([])
    assert library.states is not None
    library.start()
    session = Session(engine, library)
    turn = list(session.ask(QUESTIONS[3], ReplyOptions(method, max_tokens=24)))[-1].turn
    assert turn.metrics.tokens >= LEAST_LEARNT
    assert library.wait(60)
    # The last token of the prompt and the reply; every state but the last token's, as the decoder computed them.
    assert library.replies.count() == (1, turn.metrics.tokens + 1)
    assert library.states.count() == turn.metrics.tokens
    assert library.ngrams.count() == turn.metrics.tokens + 1

    library.replies.set_learning(False)
    list(session.ask(QUESTIONS[0], ReplyOptions(method, max_tokens=24)))
    assert library.wait(60)
    assert library.replies.count()[0] == 1

    library.replies.forget()
    assert library.replies.count() == (0, 0)
    assert library.states.count() == library.ngrams.count() == 0


def test_a_stopped_answer_teaches_what_was_written(
    engine: Engine, make_library: Callable[[list[Path]], Library]
) -> None:
    library = make_library([])
    library.start()
    session = Session(engine, library)
    updates = session.ask("Write a very long story about the sea.", ReplyOptions("rest", max_tokens=200))
    for update in updates:
        if len(update.turn.reply_tokens) >= LEAST_LEARNT + 4:
            break
    updates.close()
    assert library.wait(60)
    count, tokens = library.replies.count()
    assert count == 1
    assert tokens == len(session.turns[-1].reply_tokens) + 1
