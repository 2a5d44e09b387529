"""The quiet line under an answer: what it tells, and what it leaves out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from localspec import texts
from localspec.application.chats import Chat, Exchange, View
from localspec.chat.turn import Turn
from localspec.speculation.paired import PairedSpeed
from localspec.ui.answer_line import figures, line
from localspec.ui.messages import messages
from tests.ui.test_panel import Tags, metrics_of, step


def turn(*steps: object, finish: str = "end", reply: str = "The keeper.") -> Turn:
    return Turn("Who?", "Who?", reply=reply, finish=finish, metrics=metrics_of(*steps))  # type: ignore[arg-type]


def test_all_that_is_known() -> None:
    # 40 tokens in 10 steps of 22 ms, against plain steps of 20 ms; 30 of 40 drafts.
    assert figures(turn(*[step(3, 4)] * 10)) == "40 tokens · 182 tok/s · 3.6 × · 75% accepted"


def test_what_cannot_be_told_is_left_out() -> None:
    assert figures(turn()) == ""
    assert figures(turn(step(0, 0))) == "1 token · 1.0 ×"
    assert figures(turn(step(3, 4), step(3, 4))) == "8 tokens · 75% accepted", "too short for a speed"
    disturbed = [replace(step(3, 4), disturbed=True)] * 10
    assert figures(turn(*disturbed)) == "40 tokens · 182 tok/s · 75% accepted"


def test_plain_decoding_is_no_luck() -> None:
    assert figures(turn(*[replace(step(0, 0, 0.012), propose_seconds=0.0)] * 29)) == "29 tokens · 77 tok/s · 1.0 ×"


@pytest.mark.parametrize(
    ("finish", "said"),
    [
        ("loop", texts.LINE_LOOPED),
        # Said below it.
        *(("length", ""), ("context", ""), ("end", ""), ("stopped", "")),
    ],
)
def test_how_it_ended(finish: str, said: str) -> None:
    shown = figures(turn(*[step(3, 4)] * 10, finish=finish))
    assert shown.endswith(said or "75% accepted")
    assert shown.startswith("40 tokens")
    assert ("tok/s" in shown) is (finish != "loop"), "how fast one ran in circles is no merit"


def test_what_was_measured_in_turns_is_told_as_in_the_panel() -> None:
    made = turn(step(3, 4), step(3, 4))
    made.metrics.paired = PairedSpeed(1.31, 1.27, 1.35, 8, 0.02)
    assert "1.3 ×" in figures(made)


def test_it_is_a_button_that_names_its_exchange() -> None:
    drawn = line(turn(*[step(3, 4)] * 10), 7)
    assert 'class="figures-line" name="figures 7"' in drawn
    tags = Tags(drawn)
    assert set(tags.tags) == {"button"}
    assert tags.text == figures(turn(*[step(3, 4)] * 10))
    assert line(turn(), 0) == ""


def test_it_stands_under_the_text_once_the_answer_is_whole() -> None:
    made = turn(*[step(3, 4)] * 10)
    exchange = Exchange("Who?", view=View("writing", text="The"), turn=None)
    chat = Chat(turns=[made], exchanges=[Exchange("Earlier?"), exchange])
    assert "figures-line" not in messages(chat)[3]["content"]
    exchange.view, exchange.turn = View.of(made), made
    shown = messages(chat)[3]["content"]
    assert shown.index("The keeper.") < shown.index('name="figures 1"')
    assert 'name="figures 1"' in messages(chat, coloured=True)[3]["content"]
    made.metrics.paired = PairedSpeed(1.31, 1.27, 1.35, 8, 0.02)
    assert "1.3 ×" in Tags(messages(chat)[3]["content"]).text, "a measurement changes it"
