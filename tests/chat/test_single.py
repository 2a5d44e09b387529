"""One reply to a conversation from elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from localspec.chat.engine import Engine
from localspec.chat.session import Session
from localspec.chat.single import SingleReply
from localspec.chat.template import Message
from localspec.chat.turn import ReplyOptions
from localspec.errors import ContextTooLongError
from localspec.models.decode_times import MeasuredDecodeTimes
from localspec.stores.library import Library
from tests.chat.conftest import CONTEXT

OPTIONS = ReplyOptions(max_tokens=16)


def test_it_is_prompted_as_the_chat_is(engine: Engine) -> None:
    session = Session(engine)
    *_, first = session.ask("Name a colour.", OPTIONS)
    *_, second = session.ask("And another?", OPTIONS)
    alone = SingleReply(engine, [Message("user", "Name a colour.")])
    *_, done = alone.write(OPTIONS)
    assert done.turn.reply == first.turn.reply
    assert done.turn.metrics.prompt_tokens == first.turn.metrics.prompt_tokens
    said = [("user", "Name a colour."), ("assistant", first.turn.reply), ("user", "And another?")]
    *_, done = SingleReply(engine, [Message(*one) for one in said]).write(OPTIONS)
    assert done.turn.reply == second.turn.reply
    assert done.turn.method == OPTIONS.method


def test_a_library_gives_drafts_and_no_text_and_learns_nothing(engine: Engine, harbour: Library) -> None:
    question = [Message("user", "When was the lighthouse of Velm built?")]
    before = harbour.replies.count()
    turns = []
    for library in (None, harbour):
        with engine.turn() as model:
            model.forget()
        *_, done = SingleReply(engine, question, library).write(OPTIONS)
        turns.append(done.turn)
    assert turns[0].reply == turns[1].reply
    assert turns[0].metrics.prompt_tokens == turns[1].metrics.prompt_tokens
    assert turns[1].citations == []
    assert harbour.replies.count() == before


def test_a_system_message_replaces_the_chats_own(engine: Engine) -> None:
    own = SingleReply(engine, [Message("system", "Speak like a pirate."), Message("user", "Hello.")])
    usual = SingleReply(engine, [Message("user", "Hello.")])
    assert not np.array_equal(own._tokens, usual._tokens)


def test_too_long_is_known_before_anything_is_decoded(engine: Engine) -> None:
    with pytest.raises(ContextTooLongError, match=str(CONTEXT)), engine.turn():
        SingleReply(engine, [Message("user", "tide " * CONTEXT)])


def test_the_baseline_is_that_of_the_messages_length(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    for words, seconds in ((1, 0.01), (600, 0.5)):
        monkeypatch.setattr(engine, "times", MeasuredDecodeTimes({128: {1: 0.01, 4: 0.02}, 1024: {1: 0.5, 4: 1.0}}))
        reply = SingleReply(engine, [Message("user", "sea " * words)])
        *_, done = reply.write(ReplyOptions("plain", max_tokens=2))
        assert done.turn.metrics.prompt_tokens > words
        assert done.turn.metrics.plain_seconds == pytest.approx(seconds)
