"""Answers that are stopped while a prompt is read, written, or waits for its turn: with the real model."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from localspec.chat.engine import Engine
from localspec.chat.session import Session, SingleReply
from localspec.chat.turn import ReplyOptions
from localspec.errors import StoppedError
from localspec.models.llama import StopSignal

QUESTION = "Count from one to ten."
LONG = "Say of each of these words what it means: " + " ".join(f"word{number}" for number in range(150))
OPTIONS = ReplyOptions(max_tokens=16)


def said(session: Session, question: str) -> str:
    *_, done = session.ask(question, OPTIONS)
    return done.turn.reply


@pytest.mark.parametrize("method", ["plain", "auto", "rasd"])
def test_a_stop_while_the_prompt_is_read_leaves_the_chat_as_it_was(engine: Engine, method: str) -> None:
    options = ReplyOptions(method, max_tokens=16)
    session = Session(engine)
    first = said(session, QUESTION)
    engine.model.forget()
    *_, done = Session(engine, turns=list(session.turns)).ask(LONG, options)
    expected = done.turn.reply
    for delay in (0.0, 0.01, 0.05):
        engine.model.forget()
        stop = StopSignal()
        answer = session.ask(LONG, options, stop=stop)
        assert next(answer).stage == "reading"
        timer = threading.Timer(delay, stop.set)
        timer.start()
        with pytest.raises(StoppedError):
            for update in answer:
                if update.stage == "writing":  # the machine was faster than the timer
                    stop.set()
        timer.join()
        del session.turns[1:]
        session.prompts.cut(1)
        assert not engine.busy
    assert [turn.reply for turn in session.turns] == [first]
    *_, done = session.ask(LONG, options)
    assert done.turn.reply == expected


def test_a_stop_while_it_is_written_keeps_what_was_written(engine: Engine) -> None:
    whole = said(Session(engine), QUESTION)
    session, stop = Session(engine), StopSignal()
    answer = session.ask(QUESTION, OPTIONS, stop=stop)
    with pytest.raises(StoppedError):
        for update in answer:
            if len(update.turn.reply_tokens) >= 4:
                stop.set()
    (turn,) = session.turns
    assert turn.finish == "stopped"
    assert 4 <= len(turn.reply_tokens) < 16
    assert whole.startswith(turn.reply)
    *_, done = session.go_on(OPTIONS)
    assert done.turn.reply.startswith(whole)


def test_a_stop_before_it_begins_leaves_no_turn(engine: Engine) -> None:
    session, stop = Session(engine), StopSignal()
    stop.set()
    with pytest.raises(StoppedError):
        list(session.ask(QUESTION, OPTIONS, stop=stop))
    assert session.turns == []
    assert said(session, QUESTION) == said(Session(engine), QUESTION)


def test_whoever_waits_for_a_turn_need_not_wait_for_its_end(engine: Engine) -> None:
    stop, ended = StopSignal(), threading.Event()
    prompt = np.array([engine.model.bos, *engine.tokenize("The harbour of Velm").tolist()], np.int32)

    def ask() -> None:
        with pytest.raises(StoppedError):
            list(SingleReply(engine, prompt).write(OPTIONS, stop=stop))
        ended.set()

    with engine.turn():
        thread = threading.Thread(target=ask)
        thread.start()
        until = time.monotonic() + 30
        while engine._wanted < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert not ended.is_set()
        stop.set()
        assert ended.wait(30), "it waited for the turn"
    thread.join()
    with engine.turn():
        engine.model.begin(prompt)
