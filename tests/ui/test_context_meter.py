"""The bar of what fills the context, as markup."""

from __future__ import annotations

import re

from localspec.chat.context_usage import ContextUsage
from localspec.chat.turn import Turn
from localspec.ui.chat_list import context_meter


def shown(turn: Turn) -> dict[str, int]:
    """The legend's figures."""
    found = re.findall(r'<b data-window="(\w+)">([\d,]+)</b>', context_meter(turn))
    return {name: int(tokens.replace(",", "")) for name, tokens in found}


def test_the_parts_add_up_to_the_context() -> None:
    turn = Turn("Why?", "Why?", reply_tokens=[1] * 40, finish="end", window=ContextUsage(4096, 38, 1200, 300, 20))
    assert shown(turn) == {
        "system": 38, "documents": 1200, "earlier": 300, "question": 20, "answer": 40, "free": 4096 - 1598,
    }  # fmt: skip
    assert sum(shown(turn).values()) == 4096
    markup = context_meter(turn)
    assert "1,598 of 4,096 tokens" in markup
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%", markup)]
    assert len(widths) == 5
    assert sum(widths) <= 100
    assert "forgotten" not in markup


def test_an_answer_counts_once_it_is_complete() -> None:
    turn = Turn("Why?", "Why?", reply_tokens=[1] * 40, window=ContextUsage(4096, 38, 0, 0, 20))
    assert "answer" not in shown(turn)
    before = context_meter(turn)
    turn.reply_tokens += [2] * 40
    assert context_meter(turn) == before, "the bar is drawn once per turn, not per token"


def test_what_was_left_out_is_explained() -> None:
    for count, words in ((1, "1 earlier question was dropped"), (3, "3 earlier questions were dropped")):
        turn = Turn("Why?", "Why?", finish="end", window=ContextUsage(4096, 38, 0, 0, 20, forgotten=count))
        assert words in context_meter(turn)
        assert "to make room" in context_meter(turn)


def test_without_figures_there_is_no_bar() -> None:
    assert context_meter(None) == ""
    assert context_meter(Turn("Why?", "Why?")) == ""


def test_more_than_fits_is_shown_as_full() -> None:
    turn = Turn("Why?", "Why?", reply_tokens=[1] * 500, finish="context", window=ContextUsage(512, 38, 0, 0, 20))
    assert shown(turn)["free"] == 0
    assert sum(float(width) for width in re.findall(r"width:([\d.]+)%", context_meter(turn))) <= 101
