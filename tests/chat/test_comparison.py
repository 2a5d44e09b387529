"""One prompt answered by several methods in turns, on the shipped model: the same text, a fair start, and a chat left
alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from localspec.chat.comparison import (
    PLAIN,
    Comparison,
    Progress,
    agree,
    as_made,
    compared_methods,
    same_text,
    with_seed,
)
from localspec.chat.engine import Engine
from localspec.chat.methods import listed
from localspec.chat.session import Session
from localspec.chat.turn import ReplyOptions
from localspec.errors import SettingsError
from localspec.models.llama.sampling import RANDOM_SEED, SamplingSettings
from localspec.speculation.alternation import STRETCH, Way
from localspec.stores.library import Library
from tests.chat.test_session import TIDE, WHEN, fresh, last, snapshot, until

pytestmark = pytest.mark.usefixtures("drafting_pays")
AGAIN = "Repeat word for word what the text says about Velm."


def learnt(engine: Engine) -> object:
    """What replies teach for as long as the model is loaded, apart from times."""
    acceptance = engine.acceptance.weights.tolist(), engine.acceptance.residual.tolist(), engine.acceptance.trials
    recycled = [engine.recycled.table.get(token) for token in range(engine.model.vocabulary_size)]
    return acceptance, [economy.asked for economy in engine.gates[:3]], recycled


def talk(engine: Engine, library: Library | None, *questions: str, **options: object) -> Session:
    session = Session(engine, library, learns=False)
    for question in questions:
        last(session.ask(question, replace(ReplyOptions(max_tokens=32), **options)))  # type: ignore[arg-type]
    return session


def run(comparison: Comparison, options: ReplyOptions, most_seconds: float = float("inf")) -> dict[str, Way]:
    """The ways, when all are through."""
    *_, ended = comparison.run(options, most_seconds=most_seconds)
    return {way.name: way for way in ended.ways}


def is_again(way: Way, session: Session) -> bool:
    turn = session.turns[-1]
    whole = len(way.tokens) == len(turn.reply_tokens) + (turn.finish == "end")
    return whole and same_text(way, turn.reply_tokens, ended=turn.finish == "end")


@pytest.mark.parametrize("sampling", [SamplingSettings(seed=1), SamplingSettings(temperature=0.9, seed=7)])
def test_the_last_answer_is_written_again_by_both_in_turns(
    engine: Engine, harbour: Library, sampling: SamplingSettings
) -> None:
    session = talk(engine, harbour, WHEN, AGAIN, sampling=sampling, max_tokens=80)
    assert harbour.wait(60)  # the answer is learnt
    before, replies, taught = snapshot(session), harbour.replies.count(), learnt(engine)
    turn = session.turns[-1]
    options, known = as_made(turn, engine, ReplyOptions(max_tokens=999))
    assert known
    assert options.sampling == sampling
    for _ in range(2):
        ways = run(Comparison(session, methods=["auto"]), options)
        assert [*ways] == [PLAIN, "auto"]
        for way in ways.values():
            assert is_again(way, session), way.name
            assert way.metrics.prompt_tokens == turn.metrics.prompt_tokens
            assert way.metrics.tokens == turn.metrics.tokens
        assert ways[PLAIN].metrics.drafted == 0
        assert len(ways[PLAIN].rounds) == -(-turn.metrics.tokens // STRETCH) or ways["auto"].metrics.drafted > 0
        speed = ways["auto"].beside(ways[PLAIN])
        assert speed is not None
        assert 0 < speed.low <= speed.factor <= speed.high
    assert turn.metrics.drafted > 0, "there was nothing to compare"
    assert snapshot(session) == before
    assert harbour.wait(60)
    assert harbour.replies.count() == replies
    assert learnt(engine) == taught
    assert last(session.ask(TIDE, ReplyOptions(max_tokens=8))).metrics.reused_tokens >= turn.metrics.prompt_tokens


def test_every_method_starts_alike_and_writes_the_same(engine: Engine, harbour: Library) -> None:
    session = talk(engine, harbour, WHEN)
    before, taught = snapshot(session), learnt(engine)
    methods, left_out = compared_methods(engine)
    assert methods[0] == PLAIN
    assert methods[-1] == "auto"
    assert {*methods, *left_out} == {*listed()}
    fresh(engine)
    ways = run(Comparison(session, AGAIN, methods), ReplyOptions(max_tokens=32))
    assert [*ways] == methods
    plain = ways[PLAIN]
    for way in ways.values():
        assert agree(way, plain), way.name
        assert way.tokens == plain.tokens
        assert way.metrics.prompt_tokens == plain.metrics.prompt_tokens
    assert ways["rest"].metrics.drafted > 0
    assert ways["auto"].metrics.drafted > 0
    # Whoever looks at states finds those of the prompt, and of what others wrote.
    known = engine.model.known_states()[1]
    assert known.all()
    assert snapshot(session) == before
    assert learnt(engine) == taught
    # A second time it is the same: the first has taught nothing.
    again = run(Comparison(session, AGAIN, methods), ReplyOptions(max_tokens=32))["auto"]
    assert again.metrics.drafted_steps == ways["auto"].metrics.drafted_steps
    assert again.metrics.accepted == ways["auto"].metrics.accepted


def test_plain_beside_itself_is_one(engine: Engine) -> None:
    session = talk(engine, None, WHEN)
    ways = run(Comparison(session), ReplyOptions(max_tokens=32))
    assert [*ways] == [PLAIN]
    speed = ways[PLAIN].beside(ways[PLAIN])
    assert speed is not None
    assert speed.factor == pytest.approx(1.0, abs=0.01)
    assert speed.low == speed.high


def test_what_the_library_learnt_of_the_answer_is_not_drafted_from(
    engine: Engine, make_library: Callable[[list[Path]], Library]
) -> None:
    """Else REST would know the whole answer by heart, and look as fast as never before."""
    library = make_library([])
    said = SamplingSettings(grammar='root ::= "Zinc lanterns hum over the quiet canal while nobody counts the boats."')
    session = talk(engine, library, "What do the lanterns do?", method=PLAIN, sampling=said)
    turn = session.turns[-1]
    options = replace(as_made(turn, engine, ReplyOptions())[0], method="rest")
    before = run(Comparison(session, methods=["rest"]), options)["rest"]
    library.replies.add(np.array([1, *turn.reply_tokens, 2], np.int32), None, origin="chat")
    assert library.replies.within(turn.reply_tokens) == (-1,)
    assert library.replies.within(turn.reply_tokens[::-1]) == ()
    after = run(Comparison(session, methods=["rest"]), options)["rest"]
    assert is_again(after, session)
    assert after.metrics.accepted == before.metrics.accepted
    assert "learnt" not in after.metrics.by_source
    # For another question it is a source like others, and counted as what it is.
    asked = last(Session(engine, library, learns=False).ask(turn.question, replace(options, documents="none")))
    assert asked.reply_tokens == turn.reply_tokens
    assert asked.metrics.by_source["learnt"] > 0
    assert "REST" not in asked.metrics.drafted_by_source
    assert asked.origins.counts()["learnt"] > 0


def test_a_typed_question_is_asked_as_the_next_one(engine: Engine, harbour: Library) -> None:
    session = talk(engine, harbour, WHEN)
    options = ReplyOptions(PLAIN, max_tokens=24)
    tried = run(Comparison(session, TIDE), options)[PLAIN]
    asked = last(session.ask(TIDE, options))
    assert is_again(tried, session)
    assert tried.metrics.prompt_tokens == asked.metrics.prompt_tokens


def test_a_run_can_be_stopped_and_the_next_one_begins_afresh(engine: Engine) -> None:
    session = talk(engine, None, WHEN)
    updates = Comparison(session, methods=["auto"]).run(ReplyOptions(max_tokens=32))
    seen: list[Progress] = []
    for progress in updates:
        seen.append(progress)
        if progress.stage == "writing" and progress.way is not None and len(progress.way.tokens) > 3:
            break
    updates.close()
    assert seen[0].stage == "reading"
    assert not engine.busy
    assert is_again(
        run(Comparison(session), ReplyOptions(max_tokens=len(session.turns[-1].reply_tokens)))[PLAIN], session
    )


def test_a_long_answer_is_measured_in_part(engine: Engine) -> None:
    endless = SamplingSettings(grammar="root ::= [a-z ]+")
    session = talk(engine, None, "Write a long story.", max_tokens=160, sampling=endless)
    turn = session.turns[-1]
    ways = run(Comparison(session, methods=["auto"]), as_made(turn, engine, ReplyOptions())[0], most_seconds=0.0)
    plain = ways[PLAIN]
    assert 4 * STRETCH <= len(plain.tokens) < len(turn.reply_tokens)
    assert not plain.finish
    assert same_text(plain, turn.reply_tokens, ended=turn.finish == "end")
    assert agree(ways["auto"], plain)


def test_of_a_chat_that_was_read_from_disk_the_settings_are_not_known(engine: Engine) -> None:
    session = talk(engine, None, WHEN)
    turn = session.turns[-1]
    kept = replace(turn, made_with=None)
    options, known = as_made(kept, engine, ReplyOptions("rest", sampling=SamplingSettings(temperature=0.5)))
    assert not known
    assert options.sampling.temperature == 0.5
    assert options.sampling.seed != RANDOM_SEED, "all that are compared draw the same"
    assert options.max_tokens == len(turn.reply_tokens) + (turn.finish == "end")
    assert turn.made_with is not None
    other = replace(turn, made_with=replace(turn.made_with, weights="another model"))
    assert not as_made(other, engine, ReplyOptions())[1]
    length = len(turn.reply_tokens) + (turn.finish == "end")
    again = run(Comparison(Session(engine, turns=[kept])), ReplyOptions(PLAIN, max_tokens=length))
    assert is_again(again[PLAIN], session)


def test_answers_that_were_drawn_in_two_parts_are_not_promised_again(engine: Engine) -> None:
    for sampling, known in ((SamplingSettings(), True), (SamplingSettings(temperature=1.0, seed=3), False)):
        session = Session(engine)
        updates = session.ask(WHEN, ReplyOptions(PLAIN, max_tokens=16, sampling=sampling))
        until(updates, "writing", 4)
        updates.close()
        turn = last(session.go_on(ReplyOptions(max_tokens=8, sampling=sampling)))
        assert as_made(turn, engine, ReplyOptions())[1] is known
        if known:
            plain = run(Comparison(session), ReplyOptions(PLAIN, max_tokens=len(turn.reply_tokens)))[PLAIN]
            assert plain.tokens[: len(turn.reply_tokens)] == turn.reply_tokens


def test_without_an_answer_there_is_nothing_to_try(engine: Engine) -> None:
    with pytest.raises(SettingsError, match="no answer"):
        Comparison(Session(engine))


def test_seeds_are_drawn_once() -> None:
    drawn = with_seed(ReplyOptions())
    assert drawn.sampling.seed != RANDOM_SEED
    assert with_seed(drawn) is drawn


def made(tokens: list[int], finish: str) -> Way:
    """A way that wrote this; nobody goes it."""
    return Way("way", None, (), None, lambda rows, cached: 1.0, tokens=tokens, finish=finish)  # type: ignore[arg-type]


def test_the_same_means_the_same_tokens_and_the_same_end() -> None:
    assert same_text(made([1, 2, 9], "end"), [1, 2], ended=True)
    assert not same_text(made([1, 2, 9], "end"), [1, 2], ended=False)
    assert not same_text(made([1, 9], "end"), [1, 2], ended=True)
    assert same_text(made([1], ""), [1, 2], ended=True), "as far as it went"
    assert not same_text(made([1, 2, 3], "length"), [1, 2], ended=True)
    assert agree(made([1, 2, 9], "end"), made([1, 2, 9], "end"))
    assert not agree(made([1, 2, 9], "end"), made([1, 2, 9], "length"))
    assert agree(made([1, 2], ""), made([1, 2, 3], ""))
    assert not agree(made([1, 2], ""), made([1, 2], "parted"))
