"""Which of the given passages an answer is said to rest on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.chat.citations import MOST_CITATIONS, Citation, citation, cited
from localspec.stores.library import FoundPassage

LIGHTHOUSE = Citation(1, "harbour.pdf", 1, "", "The lighthouse of Velm was built in 1874 by Ada Torrent.")
TIDE = Citation(2, "harbour.pdf", 2, "", "The tide at Velm rises by nine metres in spring.")
RICE = Citation(3, "cooking.md", None, "Rice", "Wash the rice until the water runs clear, then boil it gently.")
GIVEN = [LIGHTHOUSE, TIDE, RICE]


def numbers(answer: str, given: list[Citation] | None = None) -> list[int]:
    """Numbers of the cited passages."""
    return [made.number for made in cited(answer, GIVEN if given is None else given)]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("It was built in 1874 by Ada Torrent.", [1]),
        ("The water has to run clear: wash the rice and boil it gently.", [3]),
        ("Ada Torrent built the lighthouse of Velm [1], and the tide rises by nine metres in spring [2].", [2, 1]),
        ("the LIGHTHOUSE was BUILT in 1874", [1]),
        ("As [3] says, the lighthouse was built in 1874 by Ada Torrent.", [1]),
        ("Jonas cooks well. He boils rice gently until the water is clear. The tide rises by nine metres.", [3, 2]),
        ("The lighthouse was built in 1874 [17].", [1]),
    ],
)
def test_numbers_and_words_decide(answer: str, expected: list[int]) -> None:
    assert numbers(answer) == expected


@pytest.mark.parametrize(
    "answer",
    [
        *(
            "",
            "Xyzzy.",
            "[99]",
            "???",
            "[1]",
            "See [2].",
            "Paris.",
            "The capital of France is Paris.",
            "42",
            "It is nice.",
        ),
        "Once upon a time there was a fox who lived in a forest with her three cubs.",
        "The text does not say when the lighthouse was painted.",
        "There is no information about the lighthouse of Velm in the document.",
    ],
)
def test_an_answer_of_other_words_cites_nothing(answer: str) -> None:
    assert numbers(answer) == []


def test_a_short_answer_is_read_with_its_question() -> None:
    """A number that two passages hold comes from the one that is about the question."""
    other = Citation(4, "harbour.pdf", 3, "", "Jonas Reed joined the pilots in 1874 and retired at sixty.")
    given_passages = [other, LIGHTHOUSE, TIDE]
    assert [one.number for one in cited("1874.", given_passages, "When was the lighthouse built?")] == [1]
    assert [one.number for one in cited("1874.", given_passages, "When did Jonas Reed join?")] == [4]


def test_yes_and_no_rest_on_what_was_asked() -> None:
    assert [one.number for one in cited("Yes.", GIVEN, "Does the tide at Velm rise by nine metres?")] == [2]
    assert cited("No.", GIVEN, "Is Paris the capital of France?") == []


def test_what_only_repeats_the_question_counts_less() -> None:
    question = "Was the painter Rembrandt born in Velm?"
    assert cited("Rembrandt, the painter, was born in Leiden.", GIVEN, question) == []


def test_a_copied_sentence_is_cited_however_long_the_answer() -> None:
    talk = "Many people love boats and travel far to see them in summer, which is a wonderful season. " * 8
    copied = f"{talk}The tide at Velm rises by nine metres in spring."
    assert numbers(copied) == [2]


def test_scripts_without_spaces_have_words_too() -> None:
    station = Citation(1, "駅.txt", None, "", "東京駅は一九一四年に開業した。設計者は辰野金吾である。")
    rice = Citation(2, "米.txt", None, "", "米は水が澄むまで洗ってから炊く。")
    assert [one.number for one in cited("設計者は辰野金吾です。", [rice, station])] == [1]


def test_nothing_given_nothing_cited() -> None:
    assert cited("The lighthouse was built in 1874 [1].", []) == []


def test_common_short_words_do_not_count() -> None:
    padding = Citation(4, "noise.txt", None, "", "it is of the and in by was for to a an on at")
    assert numbers("It was built in 1874 by Ada Torrent, and it is of the best.", [padding, LIGHTHOUSE]) == [1]


@given(
    st.text(alphabet="ab cd[1]2 lighthouse", max_size=80),
    st.lists(st.text(alphabet="ab cd lighthouse", max_size=60), max_size=9),
)
def test_citations_are_some_of_the_given_ones_once_each(answer: str, passages: list[str]) -> None:
    given_passages = [Citation(number, "a.txt", None, "", text) for number, text in enumerate(passages, start=1)]
    chosen = cited(answer, given_passages)
    assert len(chosen) == len({made.number for made in chosen})
    assert all(made in given_passages for made in chosen)
    assert len(chosen) <= MOST_CITATIONS


def test_the_place_is_the_page_or_the_section() -> None:
    assert TIDE.place == "harbour.pdf, page 2"
    assert RICE.place == "cooking.md, Rice"
    assert Citation(5, "notes.txt", None, "", "text").place == "notes.txt"


def test_a_stored_passage_becomes_a_citation() -> None:
    found = FoundPassage(
        id=7, document=3, name="harbour.pdf", page=2, section="Tides", text="Nine metres.", score=0.5, ordinal=1
    )
    assert citation(4, found) == Citation(4, "harbour.pdf", 2, "Tides", "Nine metres.")
