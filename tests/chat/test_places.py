"""Pages and sections that questions name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec import texts
from localspec.chat.material import Given, compose
from localspec.chat.places import asked_pages, on_pages
from localspec.stores.library import Library
from tests.builders import make_pdf
from tests.stores.libraries import open_library


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


# -- printed pages ---------------------------------------------------------------------------------------------------

LABELS = ["i", "ii", "iii", "iv", *map(str, range(1, 11))]
NOUNS = ("anchor", "barrel", "candle", "dragon", "engine", "falcon", "garden", "hammer", "island", "jacket")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Of a book whose pages are numbered i to iv, and 1 to 10, as its reader gives them; and of one without labels."""
    library = open_library(tmp_path_factory.mktemp("printed") / "library")
    for name, labels in (("book.pdf", LABELS), ("plain.pdf", [""] * 3)):
        said = [f"Front matter {label}: thanks to many people." for label in labels[:4]]
        said += [f"Lesson {noun}: it costs {number} crowns." for number, noun in enumerate(NOUNS)]
        path = make_pdf(library.folder.parent / name, said[: len(labels)])
        library.add(path)
        library.ingest()
    with library._database.write() as database:
        for page in range(1, 15):
            label = LABELS[page - 1]
            database.execute("UPDATE passages SET label = ? WHERE document = 1 AND page = ?", [label, page])
    yield library
    library.close()


@pytest.mark.parametrize(
    ("question", "pages", "label"),
    [
        ("What does page 5 say?", [9], "page 5"),
        ("Summarise page 7", [11], "page 7"),
        ("What stands on page iii?", [3], "page iii"),
        ("Seite IV?", [4], "page iv"),
        ("Compare pages 2-4", [6, 7, 8], "pages 2, 3, 4"),
        ("What does PDF page 5 say?", [5], "page 5"),
        ("And the third page?", [3], "page 3"),
        ("What is on the last page?", [14], "page 14"),
        ("What does page 12 say?", [12], "page 12"),  # of the file: none has this number
        ("What does page 40 say?", [], ""),
        ("How many pages has it?", [], ""),
    ],
)
def test_a_page_is_found_by_its_printed_number(printed: Library, question: str, pages: list[int], label: str) -> None:
    places = on_pages(printed, printed.documents()[:1], question)
    assert [passage.page for place in places for passage in place.passages] == pages
    assert [place.label for place in places] == ([f"book.pdf, {label}"] if pages else [])


def test_two_pages_of_one_number_are_told(printed: Library) -> None:
    book, plain = printed.documents()
    (place,) = on_pages(printed, [book], "What does page 5 say?")
    assert place.notice == texts.PRINTED_PAGE.format(file="book.pdf", page=5, sheet=9)
    for question in ("What does page iii say?", "What does PDF page 5 say?", "the third page"):
        (place,) = on_pages(printed, [book], question)
        assert not place.notice
    (place,) = on_pages(printed, [plain], "page 2")
    assert ([one.page for one in place.passages], place.notice) == ([2], "")


def test_citations_and_prompts_name_the_printed_page(printed: Library) -> None:
    material = compose("What does page 5 say?", printed, Given(), 900, lambda text: len(text.split()))
    assert "(book.pdf, page 5)\n" in material.content
    assert "Lesson engine" in material.content
    book = [one for one in material.citations if one.file == "book.pdf"]
    assert [one.place for one in book] == ["book.pdf, page 5 (PDF page 9)"]
    assert material.notices == (texts.PRINTED_PAGE.format(file="book.pdf", page=5, sheet=9),)
