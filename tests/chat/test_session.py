"""Conversations with the shipped model about real PDFs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from localspec.chat.engine import Engine
from localspec.chat.methods import DEFAULT_METHOD
from localspec.chat.session import Session, SingleReply, with_system
from localspec.chat.template import Message
from localspec.chat.turn import ReplyOptions, Turn, Update
from localspec.errors import ContextTooLongError, ModelError, SettingsError
from localspec.models.decode_times import MeasuredDecodeTimes
from localspec.models.llama import LoadSettings
from localspec.models.llama.sampling import SamplingSettings
from localspec.stores.library import Library
from tests.chat.conftest import CONTEXT

SHORT = ReplyOptions(max_tokens=24)
WHEN = "When was the lighthouse of Velm built?"
TIDE = "How high is the tide?"


@pytest.fixture(scope="module")
def small_engine(home: Path) -> Iterator[Engine]:
    """The shipped model with a context that a few questions fill."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALSPEC_HOME", str(home))
        loaded = Engine("", LoadSettings(context=512, threads=1))
    yield loaded
    loaded.close()


def last(updates: Iterator[Update]) -> Turn:
    """The turn when its answer is done."""
    *_, done = updates
    assert done.stage == "done"
    return done.turn


def until(updates: Iterator[Update], stage: str, times: int = 1) -> Update:
    """The update that is the `times`-th of its stage."""
    for update in updates:
        times -= update.stage == stage
        if times == 0:
            return update
    raise AssertionError(f"There were too few updates of the stage {stage}.")


def snapshot(session: Session) -> object:
    """What a question may change."""
    shown = [(turn.question, turn.content, turn.reply, turn.finish) for turn in session.turns]
    return shown, session.prompts.selection.copy()


def fresh(engine: Engine) -> None:
    """Empty the KV cache, so that runs to be compared take the same way."""
    with engine.turn() as model:
        model.forget()


SLOW_WHERE_LONG = {128: {1: 0.01, 4: 0.02}, 1024: {1: 0.5, 4: 1.0}}
"""T(k) by positions of a made-up computer."""


def test_an_answer_cites_the_page_it_rests_on(engine: Engine, harbour: Library) -> None:
    session = Session(engine, harbour)
    before = deepcopy(engine.times)
    updates = list(session.ask(WHEN, SHORT))
    stages = [update.stage for update in updates]
    assert stages == sorted(stages, key=["reading", "writing", "done"].index)
    assert {"reading", "writing"} < set(stages)
    progress = [update.progress for update in updates]
    assert progress == sorted(progress)
    left = [update.seconds_left for update in updates]
    assert left[0] > 0, "before the first batch is read"
    assert left[-1] == 0
    turn = updates[-1].turn
    assert session.turns == [turn]
    assert "".join(update.delta for update in updates) == turn.reply
    assert "1874" in turn.reply
    assert turn.citations[0].place == "harbour.pdf, page 1"
    assert "Ada Torrent" in turn.citations[0].passage
    assert turn.finish in ("end", "length")
    assert turn.method == DEFAULT_METHOD
    assert turn.metrics.prompt_tokens > 50
    assert turn.metrics.tokens == len(turn.reply_tokens) + (turn.finish == "end")
    measured = before.at(turn.metrics.prompt_tokens - 1)[1]
    assert turn.metrics.plain_seconds == measured, "as measured before the reply, which refreshes it"
    assert not engine.busy


def test_the_baseline_is_that_of_the_prompts_length(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "times", MeasuredDecodeTimes(SLOW_WHERE_LONG))
    options = ReplyOptions("plain", max_tokens=2)
    short = last(Session(engine).ask("Say hello.", options)).metrics
    monkeypatch.setattr(engine, "times", MeasuredDecodeTimes(SLOW_WHERE_LONG))
    long = last(Session(engine).ask("sea " * 600, options)).metrics
    assert short.prompt_tokens < 200 < 600 < long.prompt_tokens
    expected = MeasuredDecodeTimes(SLOW_WHERE_LONG).at(long.prompt_tokens - 1)[1]
    assert [short.plain_seconds, long.plain_seconds] == pytest.approx([0.01, expected])
    assert expected > 0.2


def test_without_a_library_it_is_a_plain_chat(engine: Engine) -> None:
    turn = last(Session(engine).ask("Say hello.", SHORT))
    assert turn.reply.strip()
    assert turn.citations == []
    assert turn.content == turn.question == "Say hello."


@pytest.mark.parametrize("method", ["plain", "rest"])
def test_later_turns_reuse_the_cache_of_earlier_ones(engine: Engine, harbour: Library, method: str) -> None:
    session = Session(engine, harbour)
    options = ReplyOptions(method=method, max_tokens=24)
    fresh(engine)
    turns = [last(session.ask(question, options)) for question in (WHEN, TIDE, "Who is the pilot?")]
    assert turns[0].metrics.reused_tokens == 0
    assert "Ada Torrent" in turns[0].content
    for earlier, later in pairwise(turns):
        assert later.metrics.reused_tokens >= earlier.metrics.prompt_tokens + len(earlier.reply_tokens) - 3
        assert later.metrics.prompt_tokens - later.metrics.reused_tokens < 40
        assert later.content == later.question, "the document was sent again"
    assert re.search(r"\b(nine|9)\b", turns[1].reply)
    assert turns[1].citations[0].page == 2


@pytest.mark.usefixtures("drafting_pays")
def test_plain_and_rest_write_the_same_words(engine: Engine, harbour: Library) -> None:
    questions = (WHEN, "Tell me everything about the harbour and its tides.", TIDE)
    replies: dict[str, list[list[int]]] = {}
    drafted: dict[str, int] = {}
    for method in ("plain", "rest"):
        fresh(engine)
        session = Session(engine, harbour)
        turns = [last(session.ask(question, ReplyOptions(method=method, max_tokens=48))) for question in questions]
        replies[method] = [turn.reply_tokens for turn in turns]
        drafted[method] = sum(turn.metrics.accepted for turn in turns)
    assert replies["rest"] == replies["plain"]
    assert drafted["plain"] == 0
    assert drafted["rest"] > 0, "nothing was drafted, so nothing was compared"


def test_published_rest_writes_the_same_words(engine: Engine, harbour: Library) -> None:
    turns: list[Turn] = []
    for method, sizing in (("plain", "device"), ("rest", "paper")):
        fresh(engine)
        options = ReplyOptions(method=method, sizing=sizing, max_tokens=32)
        turns.append(last(Session(engine, harbour).ask("Tell me about the harbour.", options)))
    plain, paper = turns
    assert paper.reply_tokens == plain.reply_tokens
    assert paper.metrics.accepted > 0
    assert set(paper.metrics.by_source) <= {"REST", "target"}


def test_a_seed_gives_its_text_again_with_and_without_drafts(engine: Engine, harbour: Library) -> None:
    texts: dict[tuple[str, int], list[int]] = {}
    for method in ("plain", "rest"):
        for seed in (7, 8):
            fresh(engine)
            sampling = SamplingSettings(temperature=1.2, seed=seed)
            options = ReplyOptions(method=method, max_tokens=24, sampling=sampling)
            texts[method, seed] = last(Session(engine, harbour).ask(WHEN, options)).reply_tokens
    assert texts["plain", 7] == texts["rest", 7]
    assert texts["plain", 8] == texts["rest", 8]
    assert texts["plain", 7] != texts["plain", 8]


def test_closing_early_keeps_the_text_and_the_chat_goes_on(engine: Engine, harbour: Library) -> None:
    session = Session(engine, harbour)
    updates = session.ask("Tell me everything about the harbour.", ReplyOptions("plain", max_tokens=40))
    shown = "".join(until(updates, "writing").delta for _ in range(5))
    busy = [engine.busy]
    updates.close()
    assert [*busy, engine.busy] == [True, False]
    (turn,) = session.turns
    assert turn.finish == "stopped"
    assert turn.reply == shown != ""
    assert len(turn.reply_tokens) == 5
    assert turn.citations
    later = last(session.ask(TIDE, SHORT))
    assert later.finish in ("end", "length")
    assert later.metrics.reused_tokens >= turn.metrics.prompt_tokens + 3
    assert session.turns == [turn, later]


def test_closing_before_the_first_word_leaves_no_trace(engine: Engine, harbour: Library) -> None:
    session = Session(engine, harbour)
    empty = snapshot(session)
    updates = session.ask(WHEN, SHORT)
    until(updates, "reading")
    assert len(session.turns) == 1
    updates.close()
    assert snapshot(session) == empty
    first = last(session.ask(WHEN, SHORT))
    assert "Ada Torrent" in first.content, "the document was never sent"
    before = snapshot(session)
    updates = session.ask(TIDE, SHORT)
    until(updates, "reading")
    updates.close()
    assert snapshot(session) == before
    assert last(session.ask(TIDE, SHORT)).content == TIDE, "the document was sent twice"


@pytest.mark.parametrize("stage", ["reading", "writing"])
def test_an_error_in_the_middle(engine: Engine, harbour: Library, stage: str) -> None:
    session = Session(engine, harbour)
    last(session.ask(WHEN, SHORT))
    before = snapshot(session)
    updates = session.ask(TIDE, SHORT)
    shown = until(updates, stage).turn
    with pytest.raises(ModelError, match="power"):
        updates.throw(ModelError("The power went out."))
    assert not engine.busy
    if stage == "reading":
        assert snapshot(session) == before
    else:
        assert session.turns[-1] is shown
        assert shown.finish == "stopped"
        assert shown.reply
    assert re.search(r"\b(nine|9)\b", last(session.ask(TIDE, SHORT)).reply)


def test_settings_that_cannot_work_leave_the_conversation_as_it_was(engine: Engine, harbour: Library) -> None:
    session = Session(engine, harbour)
    last(session.ask(WHEN, SHORT))
    before = snapshot(session)
    wrong: tuple[dict[str, Any], ...] = (
        {"method": "magic"},
        {"sizing": "magic"},
        {"rows": 1000},
        {"sampling": SamplingSettings(grammar="root ::= (")},
    )
    for choice in wrong:
        with pytest.raises(SettingsError):
            last(session.ask(TIDE, ReplyOptions(**choice)))
        assert snapshot(session) == before
        assert not engine.busy
    for question in ("", "  \n\t "):
        with pytest.raises(SettingsError, match="empty"):
            last(session.ask(question, SHORT))
        assert snapshot(session) == before
    with pytest.raises(SettingsError, match="max tokens is 0"):
        ReplyOptions(max_tokens=0)
    assert last(session.ask(TIDE, SHORT)).reply


def test_a_question_that_is_too_long_changes_nothing(engine: Engine, harbour: Library) -> None:
    session = Session(engine, harbour)
    first = last(session.ask(WHEN, SHORT))
    before = snapshot(session)
    with pytest.raises(ContextTooLongError, match=str(CONTEXT)) as caught:
        last(session.ask("Why is the sea salt? " * 600, SHORT))
    assert caught.value.advice
    assert snapshot(session) == before
    later = last(session.ask(TIDE, SHORT))
    assert later.content == TIDE
    assert later.notices == [] or all("left out" not in notice for notice in later.notices)
    assert later.metrics.prompt_tokens > first.metrics.prompt_tokens


def test_a_chat_that_outgrows_the_context_forgets_its_oldest_turns(small_engine: Engine) -> None:
    session = Session(small_engine)
    options = ReplyOptions("plain", max_tokens=4)
    turns = [
        last(session.ask(f"Question {number}: " + "the tide is high and the harbour is far away. " * 6, options))
        for number in range(5)
    ]
    assert all(turn.metrics.prompt_tokens + len(turn.reply_tokens) <= 512 for turn in turns)
    assert session.turns == turns
    left_out = [turn for turn in turns if any("left out" in notice for notice in turn.notices)]
    assert left_out
    assert left_out[0] is not turns[0]
    assert left_out[0].metrics.prompt_tokens < turns[turns.index(left_out[0]) - 1].metrics.prompt_tokens + 100
    assert all(turn.finish == "length" for turn in turns)


def test_a_document_comes_again_when_its_turn_is_forgotten(small_engine: Engine, harbour: Library) -> None:
    session = Session(small_engine, harbour)
    options = ReplyOptions("plain", max_tokens=4)
    last(session.ask(WHEN, options))
    filler = "the ships wait for high water and the pilot is late. "
    while not session.prompts.selection.forgotten:
        assert len(session.turns) < 8
        last(session.ask(f"{len(session.turns)}: " + filler * 6, options))
    later = session.turns[-1]
    assert "Ada Torrent" in later.content
    assert all(made.number > 2 for made in later.given)
    assert len({made.number for turn in session.turns for made in turn.given}) == 4


def test_an_answer_stops_where_the_context_ends(small_engine: Engine) -> None:
    size = small_engine.model.context_size
    filler = "tide " * (size - 120)
    # The only text this grammar allows has no end.
    endless = SamplingSettings(grammar='root ::= "a" root')
    replies: list[list[int]] = []
    for method in ("plain", "rest"):
        options = ReplyOptions(method, max_tokens=500, sampling=endless)
        turn = last(Session(small_engine, system="Go on.").ask(f"Repeat: {filler}", options))
        assert turn.finish == "context"
        assert turn.metrics.prompt_tokens + len(turn.reply_tokens) == size + 1, "the last token needs no position"
        assert "context is full" in turn.notices[-1]
        replies.append(turn.reply_tokens)
    assert replies[0] == replies[1]


def test_the_length_is_kept_and_told(engine: Engine, harbour: Library) -> None:
    for method in ("plain", "rest"):
        turn = last(Session(engine, harbour).ask("Tell me everything.", ReplyOptions(method, max_tokens=7)))
        assert len(turn.reply_tokens) == turn.metrics.tokens == 7
        assert turn.finish == "length"
        assert any("7-token" in notice for notice in turn.notices)


def test_a_system_prompt_of_ones_own_replaces_the_built_in_one(engine: Engine) -> None:
    prompts: list[int] = []
    for system in ("", "You speak like a pirate, and you never use a word that has the letter e in it. " * 4):
        prompts.append(
            last(Session(engine, system=system).ask("Hello.", ReplyOptions(max_tokens=1))).metrics.prompt_tokens
        )
    assert prompts[1] > prompts[0] + 40


# ---- taken back, asked anew, gone on with ----

STORY = "Tell me everything about the harbour."


def test_a_cut_answer_goes_on_as_if_it_had_not_been_cut(engine: Engine, harbour: Library) -> None:
    for method in ("plain", DEFAULT_METHOD):
        fresh(engine)
        whole = last(Session(engine, harbour).ask(STORY, ReplyOptions(method, max_tokens=40)))
        fresh(engine)
        session = Session(engine, harbour)
        turn = last(session.ask(STORY, ReplyOptions(method, max_tokens=17)))
        assert turn.finish == "length"
        assert any("17-token" in notice for notice in turn.notices)
        updates = list(session.go_on(ReplyOptions(method, max_tokens=23)))
        assert session.turns == [turn]
        assert updates[-1].turn is turn
        assert turn.reply_tokens == whole.reply_tokens
        assert turn.reply == whole.reply
        assert turn.reply.endswith("".join(update.delta for update in updates))
        assert turn.metrics.tokens == whole.metrics.tokens == len(whole.reply_tokens) + (whole.finish == "end")
        assert turn.finish == whole.finish
        assert not any("17-token" in notice for notice in turn.notices)
        assert turn.metrics.reused_tokens > turn.metrics.prompt_tokens // 2 - 40, "the prompt was read again"


def test_an_answer_that_was_stopped_goes_on_and_can_be_stopped_again(engine: Engine, harbour: Library) -> None:
    fresh(engine)
    whole = last(Session(engine, harbour).ask(STORY, ReplyOptions("plain", max_tokens=30)))
    fresh(engine)
    session = Session(engine, harbour)
    updates = session.ask(STORY, ReplyOptions("plain", max_tokens=30))
    until(updates, "writing", 5)
    updates.close()
    updates = session.go_on(ReplyOptions("plain", max_tokens=25))
    until(updates, "reading")
    updates.close()
    (turn,) = session.turns
    assert (turn.finish, len(turn.reply_tokens), turn.metrics.tokens) == ("stopped", 5, 5)
    updates = session.go_on(ReplyOptions("plain", max_tokens=25))
    until(updates, "writing", 6)
    updates.close()
    assert (turn.finish, turn.metrics.tokens) == ("stopped", 11)
    last(session.go_on(ReplyOptions("plain", max_tokens=19)))
    assert turn.reply_tokens == whole.reply_tokens
    assert turn.citations
    assert last(session.ask(TIDE, SHORT)).content == TIDE


def test_an_answer_that_was_ended_goes_on_where_its_text_ends(engine: Engine) -> None:
    ends, more = (SamplingSettings(grammar=f'root ::= "{text}"') for text in ("One.", "One. Two."))
    session = Session(engine)
    with pytest.raises(SettingsError, match="no answer"):
        last(session.go_on(SHORT))
    turn = last(session.ask("Count.", ReplyOptions("plain", sampling=ends)))
    before = snapshot(session)
    assert (turn.finish, turn.reply) == ("end", "One.")
    last(session.go_on(ReplyOptions("plain", sampling=ends)))
    assert snapshot(session) == before, "there was nothing to add"
    last(session.go_on(ReplyOptions("plain", sampling=more)))
    assert (turn.finish, turn.reply) == ("end", "One. Two.")
    assert session.turns == [turn]
    assert not engine.busy


def test_what_is_shown_instead_is_what_is_asked_behind(engine: Engine, harbour: Library) -> None:
    """Also what was sent with it: a document that only the hidden branch was sent is sent again, with its numbers."""
    session = Session(engine, harbour)
    first = last(session.ask("Say hello.", SHORT))
    second = last(session.ask(WHEN, SHORT))
    assert second.given
    session.show(1, [])
    third = last(session.ask(TIDE, SHORT))
    assert third.given == second.given
    assert "Ada Torrent" in third.content
    session.show(1, [second])
    assert session.turns == [first, second]
    assert last(session.ask(TIDE, SHORT)).content == TIDE, "the document was sent already"


def test_an_answer_that_ran_in_circles_is_not_gone_on_with(engine: Engine) -> None:
    session = Session(engine, turns=[Turn("Q", "Q", reply="a a a", finish="loop")])
    with pytest.raises(SettingsError, match="no answer"):
        last(session.go_on(SHORT))


def test_an_answer_that_filled_the_context_says_so_when_it_should_go_on(small_engine: Engine) -> None:
    endless = SamplingSettings(grammar='root ::= "a" root')
    session = Session(small_engine)
    last(session.ask("Go on.", ReplyOptions("plain", max_tokens=60, sampling=endless)))
    turn = last(session.ask("And on.", ReplyOptions("plain", max_tokens=600, sampling=endless)))
    assert turn.finish == "context"
    forgotten, length = [session.prompts.selection.forgotten], len(turn.reply_tokens)
    last(session.go_on(ReplyOptions("plain", max_tokens=12, sampling=endless)))
    forgotten.append(session.prompts.selection.forgotten)
    assert forgotten == [0, 1], "the question before is left out to make room"
    assert len(turn.reply_tokens) == length + 12
    before = snapshot(session)
    with pytest.raises(ContextTooLongError, match="512"):
        last(session.go_on(ReplyOptions("plain", max_tokens=600, sampling=endless)))
    assert snapshot(session) == before


def test_a_question_in_place_of_others_takes_them_back(engine: Engine, harbour: Library) -> None:
    session = Session(engine, harbour)
    for question in (WHEN, TIDE, "Who is the pilot?"):
        last(session.ask(question, SHORT))
    first = session.turns[0]
    edited = last(session.ask("How tall is the lighthouse?", SHORT, instead_of=1))
    assert session.turns == [first, edited]
    assert edited.content == edited.question, "the document was sent again"
    anew = last(session.ask(WHEN, SHORT, instead_of=0))
    assert session.turns == [anew]
    assert "Ada Torrent" in anew.content, "the document was not sent"
    assert [made.number for made in anew.given] == [1, 2]


@pytest.mark.parametrize("how", ["stopped", "wrong"])
def test_a_question_in_place_of_others_leaves_them_when_nothing_comes_of_it(
    engine: Engine, harbour: Library, how: str
) -> None:
    session = Session(engine, harbour)
    for question in (WHEN, TIDE):
        last(session.ask(question, SHORT))
    before, turns = snapshot(session), list(session.turns)
    if how == "stopped":
        updates = session.ask("Another?", SHORT, instead_of=0)
        until(updates, "reading")
        updates.close()
    else:
        with pytest.raises(ContextTooLongError):
            last(session.ask("Why is the sea salt? " * 600, SHORT, instead_of=0))
    assert session.turns == turns
    assert snapshot(session) == before


def test_what_was_taken_back_is_sent_again(engine: Engine, harbour: Library) -> None:
    session = Session(engine, harbour)
    first = last(session.ask(WHEN, SHORT))
    last(session.ask(TIDE, SHORT))
    session.cut(1)
    assert session.turns == [first]
    assert last(session.ask(TIDE, SHORT)).content == TIDE
    session.cut(0)
    assert "Ada Torrent" in last(session.ask(TIDE, SHORT)).content


def test_a_question_without_an_answer_is_in_no_prompt(engine: Engine, harbour: Library) -> None:
    turn = Turn(WHEN, WHEN, finish="interrupted", library=harbour.identity, documents=(1,))
    session = Session(engine, harbour, turns=[turn])
    later = last(session.ask(TIDE, SHORT))
    assert "Ada Torrent" in later.content, "the text that came with the other question was never read"
    assert later.metrics.prompt_tokens == last(Session(engine, harbour).ask(TIDE, SHORT)).metrics.prompt_tokens
    alone = Session(engine, turns=[Turn("Say hello.", "Say hello.", finish="interrupted")])
    assert last(alone.go_on(SHORT)).reply.strip()


# -- one reply to a conversation from elsewhere ----------------------------------------------------------------------

SINGLE = ReplyOptions(max_tokens=16)


def prompt_of(engine: Engine, messages: list[Message]) -> NDArray[np.int32]:
    return engine.template.tokens(with_system(messages), engine.model)


def test_it_is_prompted_as_the_chat_is(engine: Engine) -> None:
    session = Session(engine)
    *_, first = session.ask("Name a colour.", SINGLE)
    *_, second = session.ask("And another?", SINGLE)
    alone = SingleReply(engine, prompt_of(engine, [Message("user", "Name a colour.")]))
    *_, done = alone.write(SINGLE)
    assert done.turn.reply == first.turn.reply
    assert done.turn.metrics.prompt_tokens == first.turn.metrics.prompt_tokens
    said = [("user", "Name a colour."), ("assistant", first.turn.reply), ("user", "And another?")]
    *_, done = SingleReply(engine, prompt_of(engine, [Message(*one) for one in said])).write(SINGLE)
    assert done.turn.reply == second.turn.reply
    assert done.turn.method == SINGLE.method


def test_a_library_gives_drafts_and_no_text_and_learns_nothing(engine: Engine, harbour: Library) -> None:
    question = prompt_of(engine, [Message("user", "When was the lighthouse of Velm built?")])
    assert harbour.wait(60)  # what other tests have said is learnt
    before = harbour.replies.count()
    turns = []
    for library in (None, harbour):
        with engine.turn() as model:
            model.forget()
        *_, done = SingleReply(engine, question, library).write(SINGLE)
        turns.append(done.turn)
    assert turns[0].reply == turns[1].reply
    assert turns[0].metrics.prompt_tokens == turns[1].metrics.prompt_tokens
    assert turns[1].citations == []
    assert harbour.wait(60)
    assert harbour.replies.count() == before


def test_a_system_message_replaces_the_chats_own(engine: Engine) -> None:
    own = prompt_of(engine, [Message("system", "Speak like a pirate."), Message("user", "Hello.")])
    usual = prompt_of(engine, [Message("user", "Hello.")])
    assert not np.array_equal(own, usual)


def test_too_long_is_known_before_anything_is_decoded(engine: Engine) -> None:
    with pytest.raises(ContextTooLongError, match=str(CONTEXT)), engine.turn():
        SingleReply(engine, prompt_of(engine, [Message("user", "tide " * CONTEXT)]))


def test_the_baseline_is_that_of_the_messages_length(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    for words, at_least in ((1, 0.01), (600, 0.2)):
        monkeypatch.setattr(engine, "times", MeasuredDecodeTimes(SLOW_WHERE_LONG))
        reply = SingleReply(engine, prompt_of(engine, [Message("user", "sea " * words)]))
        *_, done = reply.write(ReplyOptions("plain", max_tokens=2))
        assert done.turn.metrics.prompt_tokens > words
        expected = MeasuredDecodeTimes(SLOW_WHERE_LONG).at(done.turn.metrics.prompt_tokens - 1)[1]
        assert done.turn.metrics.plain_seconds == pytest.approx(expected)
        assert expected >= at_least
