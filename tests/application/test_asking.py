"""Where an answer stands in its chat, and what comes back when nothing comes of it."""

from __future__ import annotations

from pathlib import Path

from localspec.application.asking import AnswerPlace, Asked
from localspec.application.chats import Chat, Exchange, View
from localspec.chat.turn import Turn


def chat_of(*questions: str) -> Chat:
    turns = [Turn(question, question, reply=f"{question}!", finish="end") for question in questions]
    return Chat(turns=turns, exchanges=[Exchange(turn.question, view=View.of(turn), turn=turn) for turn in turns])


def test_a_question_stands_behind_the_others() -> None:
    chat = chat_of("A")
    place = AnswerPlace.of(chat, Asked("B", (Path("/tmp/guide.pdf"),)))
    assert [(one.question, one.files) for one in chat.exchanges] == [("A", ()), ("B", ("guide.pdf",))]
    assert chat.exchanges[1] is place.exchange
    assert (place.view, place.turn) == (None, None)


def test_one_that_takes_the_place_of_others_gives_it_back() -> None:
    chat = chat_of("A", "B", "C")
    before = list(chat.exchanges)
    place = AnswerPlace.of(chat, Asked("B2", instead_of=1, names=("guide.pdf",)))
    assert [one.question for one in chat.exchanges] == ["A", "B2"]
    assert place.exchange.files == ("guide.pdf",)
    assert place.turn is before[1].turn
    place.put_back(chat)
    assert chat.exchanges == before


def test_an_answer_that_cannot_go_on_stays_what_it_was() -> None:
    chat = chat_of("A")
    (exchange,) = chat.exchanges
    view, turn = exchange.view, exchange.turn
    place = AnswerPlace.of(chat, Asked("A", goes_on=True))
    assert place.exchange is exchange
    exchange.view, exchange.turn = View("failed", text="A!"), None
    place.put_back(chat)
    assert (exchange.view, exchange.turn, chat.exchanges) == (view, turn, [exchange])
