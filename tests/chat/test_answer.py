"""Answers that run in circles: ended at the same token with drafts and without, told, not learnt, drawn otherwise when
they are asked for again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from localspec import texts
from localspec.chat import answer
from localspec.chat.engine import Engine
from localspec.chat.learning import learn
from localspec.chat.session import Session
from localspec.chat.turn import ReplyOptions, Turn
from localspec.errors import SettingsError
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.loops import LoopDetector
from localspec.stores.library import Library
from tests.chat.test_session import last

SENTENCE = "The fox went to the river to find some water for the old badger. "
CIRCLING = SamplingSettings(grammar=f'root ::= "Once there was a fox. " ("{SENTENCE}")*')
STRAIGHT = SamplingSettings(grammar=f'root ::= "Once there was a fox. {SENTENCE} Nobody knows why."')
QUESTION = "Tell me about the fox."


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers by a grammar, which alone makes a loop certain, are judged like others."""
    monkeypatch.setattr(answer, "loop_detector", lambda model, options, written: LoopDetector(model.piece, written))


def options(method: str = "plain", sampling: SamplingSettings = CIRCLING, longest: int = 120) -> ReplyOptions:
    return ReplyOptions(method, max_tokens=longest, sampling=sampling)


@pytest.mark.usefixtures("judged", "drafting_pays")
def test_an_answer_in_circles_ends_at_the_same_token_with_drafts(engine: Engine) -> None:
    replies = []
    for method in ("plain", "rest"):
        turn = last(Session(engine).ask(QUESTION, options(method, longest=300)))
        assert turn.finish == "loop"
        assert turn.notices == [texts.LOOPED]
        assert turn.reply.count(SENTENCE.strip()) >= 5
        assert sum(turn.origins.lengths) == len(turn.reply)
        assert turn.metrics.tokens == len(turn.reply_tokens) == len(turn.origins.sources)
        assert sum(turn.metrics.by_source.values()) == turn.metrics.tokens
        replies.append(turn.reply_tokens)
    assert replies[0] == replies[1]
    assert 144 < len(replies[0]) < 250


@pytest.mark.usefixtures("judged")
def test_it_is_not_gone_on_with_and_stays_what_it_is(engine: Engine) -> None:
    session = Session(engine)
    turn = last(session.ask(QUESTION, options()))
    with pytest.raises(SettingsError):
        last(session.go_on(options()))
    assert Turn.of_stored(turn.stored()).looped
    assert turn.state == "looped"


@pytest.mark.usefixtures("judged")
def test_at_the_limit_of_its_length_a_loop_is_one_sooner(engine: Engine) -> None:
    assert last(Session(engine).ask(QUESTION, options())).finish == "loop"
    assert last(Session(engine).ask(QUESTION, options(longest=30))).finish == "length"


def test_a_grammar_may_want_it(engine: Engine) -> None:
    turn = last(Session(engine).ask(QUESTION, options(longest=130)))
    assert (turn.finish, len(turn.reply_tokens)) == ("length", 130)


def test_who_asks_may_want_it(engine: Engine) -> None:
    assert answer.loop_detector(engine.model, ReplyOptions()) is not None
    assert answer.loop_detector(engine.model, ReplyOptions(ends_loops=False)) is None


@pytest.mark.usefixtures("judged")
def test_it_is_not_learnt(engine: Engine, make_library: Callable[[list[Path]], Library]) -> None:
    library = make_library([])
    last(Session(engine, library).ask(QUESTION, options()))
    assert not library.replies.store_next()
    last(Session(engine, library).ask(QUESTION, options(sampling=STRAIGHT)))
    assert library.replies.store_next(), "others are"


def test_the_command_that_learns_leaves_it_out(engine: Engine, make_library: Callable[[list[Path]], Library]) -> None:
    library = make_library([])
    found = learn(engine, library, [QUESTION], 120, CIRCLING, lambda done, total: None)
    assert (found.replies, found.looped) == (0, 1)
    found = learn(engine, library, [QUESTION], 60, STRAIGHT, lambda done, total: None)
    assert (found.replies, found.looped) == (1, 0)


@pytest.mark.usefixtures("judged")
def test_another_try_is_drawn_otherwise(engine: Engine) -> None:
    session = Session(engine)
    last(session.ask(QUESTION, options()))
    turn = last(session.ask("Another question.", options(longest=9), instead_of=0))
    assert turn.made_with is not None
    assert turn.made_with.options.sampling == CIRCLING
    last(session.ask(QUESTION, options(), instead_of=0))
    again = last(session.ask(QUESTION, options(longest=9), instead_of=0))
    assert again.made_with is not None
    sampling = again.made_with.options.sampling
    assert (sampling.temperature, sampling.grammar) == (0.7, CIRCLING.grammar)
    assert sampling.dry_multiplier > 1
    assert len(session.turns) == 1


def test_every_further_try_is_another_one_with_a_seed_too(engine: Engine) -> None:
    session, seeds = Session(engine), []
    asked = options(sampling=replace(CIRCLING, seed=7), longest=3)
    turn = last(session.ask(QUESTION, asked))
    for _ in range(3):
        turn.finish = "loop"
        turn = last(session.ask(QUESTION, asked, instead_of=0))
        assert turn.made_with is not None
        seeds.append(turn.made_with.options.sampling.seed)
    assert seeds == [8, 9, 10]


def test_what_is_recommended_depends_on_the_question(engine: Engine) -> None:
    session = Session(engine)
    wanted = ReplyOptions("plain", max_tokens=2, sampling=SamplingSettings(seed=3), recommended=True)
    for question, multiplier in (("Who are you?", 0.8), ("Write a Python function.", 0.0)):
        turn = last(session.ask(question, wanted))
        assert turn.made_with is not None
        made = turn.made_with.options.sampling
        assert (made.temperature, made.seed, made.dry_multiplier) == (0.2, 3, multiplier)
