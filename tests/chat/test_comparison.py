"""One prompt answered by several methods, on the shipped model: the same text, a fair start, and a chat left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from localspec.chat.comparison import PLAIN, Comparison, ComparisonRun, as_made, compared_methods, with_seed
from localspec.chat.engine import Engine
from localspec.chat.methods import listed
from localspec.chat.session import Session
from localspec.chat.turn import ReplyOptions, Turn
from localspec.errors import SettingsError
from localspec.models.llama.sampling import RANDOM_SEED, SamplingSettings
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


@pytest.mark.parametrize("sampling", [SamplingSettings(seed=1), SamplingSettings(temperature=0.9, seed=7)])
def test_plain_decoding_writes_the_last_answer_again(
    engine: Engine, harbour: Library, sampling: SamplingSettings
) -> None:
    session = talk(engine, harbour, WHEN, AGAIN, sampling=sampling)
    before, replies, taught = snapshot(session), harbour.replies.count(), learnt(engine)
    turn = session.turns[-1]
    options, known = as_made(turn, engine, ReplyOptions(max_tokens=999))
    assert known
    assert options.sampling == sampling
    comparison = Comparison(session)
    made = [last(comparison.run(replace(options, method=PLAIN))) for _ in range(2)]
    for plain in made:
        assert ComparisonRun.of(plain).equals(ComparisonRun.of(turn))
        assert plain.metrics.prompt_tokens == turn.metrics.prompt_tokens
        assert plain.metrics.drafted == 0
        assert plain.metrics.tokens == turn.metrics.tokens
    assert turn.metrics.drafted > 0, "there was nothing to compare"
    assert snapshot(session) == before
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
    comparison = Comparison(session, AGAIN, methods)
    results: dict[str, Turn] = {}
    for method in methods:
        results[method] = last(comparison.run(ReplyOptions(method, max_tokens=32)))
    plain = results[PLAIN]
    first, *others = results.values()
    assert first.metrics.reused_tokens == 0
    for turn in others:
        assert ComparisonRun.of(turn).equals(ComparisonRun.of(plain)), turn.method
        assert turn.metrics.prompt_tokens == plain.metrics.prompt_tokens
        assert turn.metrics.reused_tokens == plain.metrics.prompt_tokens - 1
    assert results["rest"].metrics.drafted > 0
    assert results["auto"].metrics.drafted > 0
    # Whoever looks at states finds those of the prompt, though it was read for plain decoding first.
    known = engine.model.known_states()[1]
    assert known[: plain.metrics.prompt_tokens - 1].all()
    assert snapshot(session) == before
    assert learnt(engine) == taught
    # A second time it is the same: the first has taught nothing.
    again = last(comparison.run(ReplyOptions("auto", max_tokens=32)))
    assert again.metrics.drafted_steps == results["auto"].metrics.drafted_steps
    assert again.metrics.accepted == results["auto"].metrics.accepted


def test_a_typed_question_is_asked_as_the_next_one(engine: Engine, harbour: Library) -> None:
    session = talk(engine, harbour, WHEN)
    comparison = Comparison(session, TIDE)
    options = ReplyOptions(PLAIN, max_tokens=24)
    tried = last(comparison.run(options))
    asked = last(session.ask(TIDE, options))
    assert tried.reply_tokens == asked.reply_tokens
    assert tried.metrics.prompt_tokens == asked.metrics.prompt_tokens


def test_a_run_can_be_stopped_and_the_next_one_begins_afresh(engine: Engine) -> None:
    session = talk(engine, None, WHEN)
    comparison = Comparison(session)
    updates = comparison.run(ReplyOptions(PLAIN, max_tokens=32))
    until(updates, "writing", 3)
    updates.close()
    assert not engine.busy
    assert last(comparison.run(ReplyOptions(PLAIN, max_tokens=32))).reply == session.turns[-1].reply


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
    again = last(Comparison(Session(engine, turns=[kept])).run(ReplyOptions(PLAIN, max_tokens=32)))
    assert ComparisonRun.of(again).equals(ComparisonRun.of(turn))


def test_answers_that_were_drawn_in_two_parts_are_not_promised_again(engine: Engine) -> None:
    for sampling, known in ((SamplingSettings(), True), (SamplingSettings(temperature=1.0, seed=3), False)):
        session = Session(engine)
        updates = session.ask(WHEN, ReplyOptions(PLAIN, max_tokens=16, sampling=sampling))
        until(updates, "writing", 4)
        updates.close()
        turn = last(session.go_on(ReplyOptions(max_tokens=8, sampling=sampling)))
        assert as_made(turn, engine, ReplyOptions())[1] is known
        if known:
            plain = last(Comparison(session).run(ReplyOptions(PLAIN, max_tokens=len(turn.reply_tokens))))
            assert plain.reply_tokens == turn.reply_tokens


def test_without_an_answer_there_is_nothing_to_try(engine: Engine) -> None:
    with pytest.raises(SettingsError, match="no answer"):
        Comparison(Session(engine))


def test_seeds_are_drawn_once() -> None:
    drawn = with_seed(ReplyOptions())
    assert drawn.sampling.seed != RANDOM_SEED
    assert with_seed(drawn) is drawn


def test_equal_means_the_same_tokens_and_the_same_end() -> None:
    one = ComparisonRun.of(Turn("Q", "Q", reply="ab", reply_tokens=[1, 2], finish="length"))
    assert one.equals(replace(one, finish="stopped"))
    assert not one.equals(replace(one, finish="end"))
    assert not one.equals(replace(one, tokens=(1, 2, 3)))
