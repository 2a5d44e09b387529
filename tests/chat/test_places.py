"""Pages and sections that questions name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.chat.places import asked_pages


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What does page 5 say?", [5]),
        ("what's on p. 12", [12]),
        ("Compare pages 3 and 7", [3, 7]),
        ("Summarise pages 3-5", [3, 4, 5]),
        ("on pages 3–4, please", [3, 4]),
        ("pp. 8 to 10", [8, 9, 10]),
        ("page number 6?", [6]),
        ("Was steht auf Seite 5?", [5]),
        ("Seiten 2 bis 4", [2, 3, 4]),
        ("What is on slide 9?", [9]),
        ("page five and page 9", [5, 9]),
        ("from page 2 to page 4", [2, 3, 4]),
        ("the third page", [3]),
        ("the 21st page", [21]),
        ("What is on the last page?", [30]),
        ("How many pages has it?", []),
        ("page 0", []),
        ("The 5 pages of the report", []),
        ("What is the home page 2.0 about?", []),
        ("Who wrote 1984?", []),
        ("", []),
    ],
)
def test_pages_of_a_question(question: str, expected: list[int]) -> None:
    assert asked_pages(question, 30) == expected


def test_the_last_page_is_not_known_without_a_document() -> None:
    assert asked_pages("the last page") == []


@given(st.text(alphabet="page s.0123456789-, toand", max_size=60))
def test_pages_are_positive_different_and_few(question: str) -> None:
    pages = asked_pages(question, 7)
    assert all(page > 0 for page in pages)
    assert len(pages) == len(set(pages)) <= 20
