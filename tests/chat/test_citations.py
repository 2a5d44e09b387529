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
        ("See [2].", [2]),
        ("Ada Torrent built the lighthouse of Velm [1], and the tide rises by nine metres in spring [2].", [2, 1]),
        ("the LIGHTHOUSE was BUILT in 1874", [1]),
        ("As [3] says, the lighthouse was built in 1874 by Ada Torrent.", [3, 1]),
        ("The lighthouse was built in 1874 [17].", [1]),
    ],
)
def test_numbers_and_words_decide(answer: str, expected: list[int]) -> None:
    assert numbers(answer) == expected


@pytest.mark.parametrize("answer", ["", "Xyzzy.", "[99]", "???"])
def test_an_answer_of_other_words_still_names_one_passage(answer: str) -> None:
    assert numbers(answer) == [1]


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
    assert min(1, len(passages)) <= len(chosen) <= MOST_CITATIONS


def test_the_place_is_the_page_or_the_section() -> None:
    assert TIDE.place == "harbour.pdf, page 2"
    assert RICE.place == "cooking.md, Rice"
    assert Citation(5, "notes.txt", None, "", "text").place == "notes.txt"


def test_a_stored_passage_becomes_a_citation() -> None:
    found = FoundPassage(
        id=7, document=3, name="harbour.pdf", page=2, section="Tides", text="Nine metres.", score=0.5, ordinal=1
    )
    assert citation(4, found) == Citation(4, "harbour.pdf", 2, "Tides", "Nine metres.")
