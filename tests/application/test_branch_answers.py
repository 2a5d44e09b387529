"""Branches with the shipped model: what is answered behind a switch is what a fresh chat of the same turns answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from localspec import texts
from localspec.application.asking import Asked
from localspec.application.branching import edit_answer, edited, show_sibling
from localspec.application.chats import Chat, View
from localspec.application.conversation import Conversation
from localspec.application.measuring import Measurement
from localspec.application.replying import ReplyTask
from localspec.application.state import Application
from localspec.chat.comparison import PLAIN
from localspec.chat.session import Session
from localspec.chat.turn import EDITED, ReplyOptions, Turn
from localspec.models.files.catalogue import NO_DRAFT
from localspec.models.llama import LoadSettings
from localspec.models.llama.sampling import SamplingSettings
from localspec.stores.library import Library
from tests.measurements import measurements

OPTIONS = ReplyOptions("plain", max_tokens=16, documents="none")


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALSPEC_HOME", str(measurements.lend(tmp_path_factory.mktemp("home"))))
        patch.setenv("LOCALSPEC_TUNE", "off")
        made = Application()
        made.models.load("", LoadSettings(context=1024, threads=1), NO_DRAFT)
        until = time.monotonic() + 120
        while made.models.loading and time.monotonic() < until:
            time.sleep(0.02)
        yield made
        made.close()


def answer(
    application: Application, tab: Conversation, question: str = "", options: ReplyOptions = OPTIONS, **more: Any
) -> View:  # fmt: skip
    """The last view of an answer, as the page has it. `instead_of` is an exchange."""
    tab.chat.reply = task = ReplyTask(application, tab, Asked(question, **more), options)
    task.start()
    assert task.wait(60)
    view = tab.chat.exchanges[-1].view
    assert view is not None
    assert view.is_final
    assert view.error is None
    return view


def fresh_answer(application: Application, turns: list[Turn], question: str) -> Turn:
    """What a chat answers that has these turns, and had nothing else."""
    with application.models.use() as engine:
        assert engine is not None
        library = application.libraries.get("documents", engine)
        with engine.turn() as model:
            model.forget()
        session = Session(engine, library, turns=[replace(turn) for turn in turns], learns=False)
        *_, last = session.ask(question, OPTIONS)
    return last.turn


def learnt(library: Library) -> tuple[int, int]:
    """What is stored once nothing waits any more."""
    assert library.wait(60)
    return library.replies.count()


@pytest.mark.slow
def test_an_answer_behind_a_switch_is_that_of_a_fresh_chat(application: Application) -> None:
    tab = Conversation(chat=Chat())
    for question in ("Name a colour.", "Name an animal.", "Name a town."):
        answer(application, tab, question)
    chat = tab.chat
    first = list(chat.turns)
    answer(application, tab, "Name a plant.", instead_of=1)
    answer(application, tab, "And another one.")
    second = list(chat.turns)
    assert second[0] is first[0]
    assert [chat.siblings(position) for position in range(3)] == [(0, 1), (1, 2), (0, 1)]
    show_sibling(application, chat, 1, 0)
    assert chat.turns == first
    answer(application, tab, "Why?")
    here = chat.turns[-1]
    there = fresh_answer(application, first, "Why?")
    assert (here.reply, here.reply_tokens) == (there.reply, there.reply_tokens)
    assert here.metrics.prompt_tokens == there.metrics.prompt_tokens
    assert here.window == there.window
    show_sibling(application, chat, 1, 1)
    answer(application, tab, "Why?")
    there = fresh_answer(application, second, "Why?")
    assert chat.turns[-1].reply_tokens == there.reply_tokens
    assert chat.turns[-1].window == there.window
    # The same chat from disk, with the branches as they are shown.
    again = Chat.restored(chat.identity, application.history.store.load(chat.identity))
    assert [turn.reply_tokens for turn in again.turns] == [turn.reply_tokens for turn in chat.turns]
    assert len(again.tree.nodes) == len(chat.tree.nodes) == 7


@pytest.mark.slow
def test_the_common_beginning_of_branches_is_not_read_again(application: Application) -> None:
    tab = Conversation(chat=Chat())
    answer(application, tab, "Tell me about the sea, please, in a few words.")
    answer(application, tab, "Name a fish.")
    answer(application, tab, "Name a ship.", instead_of=1)
    show_sibling(application, tab.chat, 1, 0)
    answer(application, tab, "Name a harbour.")
    with application.models.use() as engine:
        assert engine is not None
        before = tab.chat.turns[0]
        common = before.metrics.prompt_tokens + len(before.reply_tokens)
    last = tab.chat.turns[-1].metrics
    assert common - 1 <= last.reused_tokens < last.prompt_tokens


@pytest.mark.slow
def test_the_model_goes_on_from_an_edited_answer(application: Application) -> None:
    tab = Conversation(chat=Chat())
    answer(application, tab, "Name a colour.")
    chat = tab.chat
    before = chat.turns[0]
    edit_answer(application, chat, 0, "Heliotrope,")
    (mine,) = chat.turns
    with application.models.use() as engine:
        assert engine is not None
        assert mine.reply_tokens == engine.tokenize("Heliotrope,").tolist()
        library = application.libraries.get("documents", engine)
        before_going_on = learnt(library)
    measured = Measurement(application, tab, OPTIONS, kind=PLAIN, library="documents")
    measured.start()
    assert measured.wait(60)
    assert texts.EDITED_NOT_MEASURED in measured.measured.problem
    more = replace(OPTIONS, sampling=SamplingSettings(grammar='root ::= "Heliotrope, a kind of purple that is rare."'))
    answer(application, tab, options=more, goes_on=True)
    assert mine.reply == "Heliotrope, a kind of purple that is rare."
    assert mine.finish == "end"
    assert not mine.is_measure
    view = answer(application, tab, options=more, goes_on=True)
    assert texts.NOTHING_ADDED in view.notices
    assert texts.NOTHING_ADDED not in mine.notices
    assert learnt(library) == before_going_on, "what begins with a person's words is not learnt"
    answer(application, tab, "Why?")
    assert chat.turns[-1].reply_tokens == fresh_answer(application, chat.turns[:1], "Why?").reply_tokens
    show_sibling(application, chat, 0, 0)
    assert chat.turns == [before]
    kept = application.history.store.load(chat.identity)
    assert [(node.turn.finish == EDITED, node.turn.edited, node.shown) for node in kept.nodes] == [
        *((False, False, True), (False, True, False), (False, False, True))
    ]


@pytest.mark.slow
def test_what_was_thought_stays_before_an_edited_answer(application: Application) -> None:
    with application.models.use() as engine:
        assert engine is not None
        said = engine.tokenize("Mine.").tolist()
        own = engine.tokenizer_fingerprint
        turn = Turn("Q", "Q", "Its.", [1, 2, 3], own, finish="end", thinking="Hm.", thinking_tokens=2)
        mine = edited(turn, "Mine.", engine)
        assert (mine.reply_tokens, mine.thinking_tokens, mine.thinking) == ([1, 2, *said], 2, "Hm.")
        other = edited(replace(turn, tokenizer="another"), "Mine.", engine)
        assert (other.reply_tokens, other.thinking_tokens, other.tokenizer) == (said, 0, own)
    later = edited(turn, "Mine.", None)
    assert (later.reply_tokens, later.thinking_tokens, later.tokenizer) == ([], 0, "")


@pytest.mark.slow
def test_what_is_measured_is_what_was_shown_when_it_began(application: Application) -> None:
    tab = Conversation(chat=Chat(system="Answer with three words."))
    answer(application, tab, "Name a colour.")
    answer(application, tab, "Name a tree.", instead_of=0)
    measurement = tab.chat.measurement = Measurement(application, tab, OPTIONS, kind=PLAIN, library="documents")
    show_sibling(application, tab.chat, 0, 0)
    measurement.start()
    assert measurement.wait(60)
    assert not measurement.is_of_this_chat
    row = measurement.measured.row(PLAIN)
    assert row is not None
    assert row.same, "another branch was measured"
    show_sibling(application, tab.chat, 0, 1)
    assert measurement.is_of_this_chat
