"""The sentence under the figures."""

from __future__ import annotations

import pytest

from localspec import texts
from localspec.chat.methods import METHODS
from localspec.chat.report import DRAFT_LEFT_OUT, LONG_IDLE, NO_STATES, SEARCHES_ALONE, same_again, verdict
from localspec.chat.turn import MadeWith, ReplyOptions, Turn
from localspec.models.llama.sampling import SamplingSettings
from localspec.speculation.metrics import ReplyMetrics


def metrics(speedup: float, drafted: int = 10, accepted: int = 4) -> ReplyMetrics:
    """Ten tokens in one second, against a plain decode that makes them `speedup` times as slowly."""
    made = ReplyMetrics(plain_seconds=speedup / 10, tokens=10, steps=6, drafted=drafted, accepted=accepted)
    made.decode_seconds = 1.0
    assert made.speedup == pytest.approx(speedup)
    return made


def test_plain_says_that_it_is_off() -> None:
    assert verdict(metrics(1.0, 0, 0), "plain", has_documents=True).startswith("Plain decoding")


def test_before_the_first_token() -> None:
    assert "waiting" in verdict(ReplyMetrics(), "rest", has_documents=False)


@pytest.mark.parametrize(("has_documents", "words"), [(True, "your documents"), (False, "no documents are indexed")])
def test_no_draft_is_explained(has_documents: bool, words: str) -> None:
    said = verdict(metrics(1.0, 0, 0), "rest", has_documents=has_documents)
    assert "drafted nothing" in said
    assert words in said


def test_faster_slower_and_neither() -> None:
    assert "1.50× as fast" in verdict(metrics(1.5), "rest", has_documents=True)
    slower = verdict(metrics(0.8), "rest", has_documents=True)
    assert "slower than plain decoding here (0.80×)" in slower
    assert "4 of 10 drafts were accepted" in slower
    assert "1 of 2 drafts was accepted" in verdict(metrics(0.8, 2, 1), "rest", has_documents=True)
    assert "0 of 1 draft were accepted" in verdict(metrics(0.8, 1, 0), "rest", has_documents=True)
    assert "Choose Plain" in slower
    for neither in (0.985, 1.0, 1.015):
        assert "about as fast as plain decoding" in verdict(metrics(neither), "rest", has_documents=True)


def test_drafts_by_meaning_without_states_say_so() -> None:
    for speedup in (0.8, 1.0, 1.5):
        plain = verdict(metrics(speedup), "dresd", has_documents=True)
        said = verdict(metrics(speedup), "dresd", has_documents=True, has_states=False)
        assert said.startswith(plain)
        assert "read by this model yet" in said
        assert "by meaning" not in plain
    assert "by meaning" not in verdict(metrics(1.5), "rest", has_documents=True, has_states=False)
    assert "by meaning" not in verdict(ReplyMetrics(), "dresd", has_documents=True, has_states=False)


@pytest.mark.parametrize("method", [name for name, method in METHODS.items() if method.uses_states])
def test_every_method_that_searches_states_says_that_there_are_none(method: str) -> None:
    assert verdict(metrics(1.5), method, has_documents=True, has_states=False).endswith(NO_STATES)
    assert NO_STATES not in verdict(metrics(1.5), method, has_documents=True)
    assert "dresd" in method or method == "rasd"


def test_the_draft_model_is_named_where_it_took_part() -> None:
    assert verdict(metrics(1.5), "draft", has_documents=True).startswith("The draft model made this answer 1.50×")
    assert "no draft was likely enough" in verdict(metrics(1.0, 0, 0), "draft", has_documents=False)
    assert "neither the draft model nor anything in your documents" in verdict(
        metrics(1.0, 0, 0), "rasd", has_documents=True
    )
    assert "making and checking them took longer" in verdict(metrics(0.8), "rasd", has_documents=True)


def test_a_missing_draft_model_is_said() -> None:
    alone = verdict(metrics(1.0, 0, 0), "draft", has_documents=True, has_draft=False)
    assert alone == "Plain decoding: no draft model is in use."
    for speedup in (0.8, 1.0, 1.5):
        said = verdict(metrics(speedup), "rasd", has_documents=True, has_draft=False)
        assert said.startswith("RASD")
        assert said.endswith(SEARCHES_ALONE)
        assert "making" not in said
    both = verdict(metrics(1.5), "rasd", has_documents=True, has_draft=False, has_states=False)
    assert both.endswith(f"{SEARCHES_ALONE} {NO_STATES}")
    assert "draft model" not in verdict(metrics(1.5), "rest", has_documents=True, has_draft=False)
    assert "draft model" not in verdict(ReplyMetrics(), "rasd", has_documents=True, has_draft=False)


def test_a_method_that_is_gone_keeps_its_name() -> None:
    assert verdict(metrics(1.5), "older", has_documents=True).startswith("older made")


def test_auto_says_when_it_has_drafted_nothing_for_long() -> None:
    made = metrics(1.2)
    made.idle_tokens = LONG_IDLE
    said = verdict(made, "auto", has_documents=True)
    assert said.startswith("Auto made this answer 1.20×")
    assert f"Nothing was drafted for the last {LONG_IDLE} tokens" in said
    assert "Nothing was drafted for" not in verdict(made, "rest", has_documents=True)
    made.idle_tokens = LONG_IDLE - 1
    assert "Nothing was drafted for" not in verdict(made, "auto", has_documents=True)
    never = verdict(metrics(1.0, 0, 0), "auto", has_documents=False)
    assert "Auto drafted nothing: neither the draft model nor anything in this chat" in never


def test_auto_says_when_it_left_the_draft_model_out() -> None:
    made = metrics(1.2)
    made.tokens = LONG_IDLE
    assert DRAFT_LEFT_OUT in verdict(made, "auto", has_documents=True)
    assert DRAFT_LEFT_OUT not in verdict(made, "auto", has_documents=True, has_draft=False)
    assert DRAFT_LEFT_OUT not in verdict(made, "rest", has_documents=True)
    made.drafted_by_source = {"draft": 3}
    assert DRAFT_LEFT_OUT not in verdict(made, "auto", has_documents=True)
    made.drafted_by_source = {}
    made.tokens = LONG_IDLE - 1
    assert DRAFT_LEFT_OUT not in verdict(made, "auto", has_documents=True), "too early to tell"


def turn(reply: str, temperature: float, seed: int, *, is_known: bool = True) -> Turn:
    made = MadeWith(ReplyOptions(sampling=SamplingSettings(temperature=temperature, seed=seed)), "weights")
    return Turn("Q", "Q", reply=reply, finish="end", made_with=made if is_known else None)


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (turn("a", 0.7, 5), turn("a", 0.0, 6), texts.SAME_AGAIN),
        (turn("a", 0.0, 5, is_known=False), turn("a", 0.0, 6), texts.SAME_AGAIN),
        (turn("a", 0.7, 5), turn("a", 0.7, 5), texts.SAME_SEED),
        (turn("a", 0.7, 5), turn("a", 0.7, 6), ""),
        (turn("a", 0.7, 5, is_known=False), turn("a", 0.7, 5), ""),
        (turn("a", 0.0, 5), turn("b", 0.0, 5), ""),
        (turn("a", 0.0, 5), turn("a", 0.0, 5, is_known=False), ""),
    ],
)
def test_why_an_answer_is_the_same_again_is_said_where_it_is_known(before: Turn, now: Turn, said: str) -> None:
    assert same_again(before, now) == said
    assert same_again(now, now) == "", "nothing new was made"
