"""Which questions refer back to earlier ones, and what they are searched with then."""

from __future__ import annotations

import pytest

from localspec.chat.following import FollowUp, follow_up, search_text
from localspec.stores.stored_turns import PlainTurn


def turn(question: str, reply: str = "") -> PlainTurn:
    """A question with its answer."""
    return PlainTurn(question, question, reply)


@pytest.mark.parametrize(
    "question",
    [
        "Why?", "And in winter?", "What about the pilot?", "How about dogs and cats?", "When was it built?",
        "Where was she born?", "Tell me more", "Can you explain that?", "How tall is it?", "Who are they?",
        "Und im Winter?", "Is this enough?", "Give me an example", "but for children?", "Wo wohnt sie?",
    ],
)  # fmt: skip
def test_questions_that_refer_back(question: str) -> None:
    assert follow_up(question) is FollowUp.YES


@pytest.mark.parametrize(
    "question",
    [
        "Who built the lighthouse of Velm?", "What is the capital of France?", "How do I boil rice?",
        "And what is the capital of France?", "Which boats are there in the harbour?",
        "What time does the office close?",
        "How many beds has the Falcon Hut?", "What does the author say that nobody else says about tides?",
    ],
)  # fmt: skip
def test_questions_that_stand_alone(question: str) -> None:
    assert follow_up(question) is FollowUp.NO


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Parking fees in winter", FollowUp.POSSIBLE),
        ("What is photosynthesis?", FollowUp.POSSIBLE),
        ("How do I boil rice so that it stays firm and white?", FollowUp.LIKELY),
    ],
)
def test_what_is_not_sure(question: str, expected: FollowUp) -> None:
    assert follow_up(question) is expected


def test_the_search_has_the_question_before_and_the_names_in_its_answer() -> None:
    earlier = [turn("Who built the lighthouse?", "It was built by Ada Torrent in 1874. The end.")]
    text = search_text("Where was she born?", earlier)
    assert text == "Who built the lighthouse? Ada Torrent 1874 Where was she born?"


def test_a_chain_of_follow_ups_goes_back_to_its_subject() -> None:
    earlier = [turn("What is boiled for supper?"), turn("Who built the lighthouse?"), turn("When was it opened?")]
    text = search_text("And closed?", earlier)
    assert text == "Who built the lighthouse? When was it opened? And closed?"


def test_only_the_beginning_of_a_long_answer_is_looked_at() -> None:
    earlier = [turn("Who built the lighthouse?", "Nobody knows. " * 40 + "It was Ada Torrent.")]
    assert "Torrent" not in search_text("Why?", earlier)


def test_without_earlier_turns_it_is_the_question() -> None:
    assert search_text("Why?", []) == "Why?"
