"""What a question is sent with, on real libraries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localspec import texts
from localspec.chat.engine import Engine
from localspec.chat.library_setup import ingest
from localspec.chat.material import PASSAGE_TOKENS, PASSAGES, Given, Material, compose, wanted_whole
from localspec.chat.turn import Turn
from localspec.errors import SettingsError
from localspec.models.embedder import Embedder
from localspec.stores.library import Library
from tests.builders import make_epub, make_pdf
from tests.chat.conftest import HARBOUR, TOWNS, opened, town

ROOM = 1500
MakeLibrary = Callable[[list[Path]], Library]


@pytest.fixture
def count(engine: Engine) -> Callable[[str], int]:
    """Tokens of a text."""
    return lambda text: len(engine.tokenize(text))


def squeezed(text: str) -> str:
    """The text with single spaces."""
    return " ".join(text.split())


def towns_in(content: str) -> list[int]:
    """Numbers of the towns whose page a message holds, in order."""
    return [TOWNS.index(name) for name in re.findall(r"The town of (\w+)", content)]


def test_without_documents_the_question_goes_alone(engine: Engine, embedder: Embedder, tmp_path: Path, count) -> None:
    assert compose("Why?", None, Given(), ROOM, count).content == "Why?"
    library = opened(tmp_path / "empty", engine, embedder)
    try:
        material = compose("Why?", library, Given(), ROOM, count)
        assert (material.content, material.citations, material.notices) == ("Why?", (), ())
        library.add(make_pdf(tmp_path / "harbour.pdf", HARBOUR))
        waiting = compose("Why?", library, Given(), ROOM, count)
        assert waiting.content == "Why?"
        assert "still being indexed" in waiting.notices[0]
    finally:
        library.close()


def test_documents_that_could_not_be_read_are_not_spoken_of_again(
    engine: Engine, embedder: Embedder, tmp_path: Path, count
) -> None:
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7\nnothing that a PDF has")
    library = opened(tmp_path / "failing", engine, embedder)
    try:
        (message,) = ingest(library, [broken], lambda text: None)
        assert message.startswith("broken.pdf: ")
        material = compose("Why?", library, Given(), ROOM, count)
        assert material.content == "Why?"
        assert material.notices == ()
        with pytest.raises(SettingsError, match="no document to read whole"):
            wanted_whole(library, ())
        good = tmp_path / "good.txt"
        good.write_text("The wren is small.")
        ingest(library, [good], lambda text: None)
        documents, said = wanted_whole(library, ())
        assert [info.name for info in documents] == ["good.txt"]
        assert said == []
    finally:
        library.close()


@pytest.mark.parametrize("question", ["Who built the lighthouse?", "Summarise this."])
def test_a_document_that_fits_is_sent_whole(harbour: Library, count, question: str) -> None:
    material = compose(question, harbour, Given(), ROOM, count)
    for page in HARBOUR:
        assert squeezed(page) in squeezed(material.content)
    assert "harbour.pdf" in material.content
    assert material.content.endswith(f"Question: {question}")
    assert [(made.number, made.page) for made in material.citations] == [(1, 1), (2, 2)]
    assert material.notices == ()


def test_a_whole_document_is_sent_once(harbour: Library, count) -> None:
    given_before = Given()
    first = compose("Who built the lighthouse?", harbour, given_before, ROOM, count)
    second = compose("How high is the tide?", harbour, given_before, ROOM, count)
    assert second.content == "How high is the tide?"
    assert second.citations == first.citations
    given_before.forget()
    third = compose("And the pilot?", harbour, given_before, ROOM, count)
    assert "Jonas Reed" in third.content
    assert [made.number for made in third.citations] == [3, 4], "numbers already shown stay taken"


def test_of_a_long_document_the_best_passages_are_sent(towns: Library, count) -> None:
    material = compose("When was Kestrel founded?", towns, Given(), ROOM, count)
    kestrel = TOWNS.index("Kestrel")
    assert kestrel in towns_in(material.content)
    assert 1 <= len(material.citations) <= PASSAGES
    assert len(towns_in(material.content)) == len(material.citations)
    (best,) = [made for made in material.citations if "Kestrel was founded" in squeezed(made.passage)]
    assert (best.file, best.page) == ("towns.pdf", kestrel + 1)
    assert f"[{best.number}] (towns.pdf, page {best.page})" in material.content


def test_the_best_passage_stands_next_to_the_question(towns: Library, count) -> None:
    question = f"What is the town of {TOWNS[7]} known for?"
    found = towns.passages.search(question, PASSAGES)
    material = compose(question, towns, Given(), ROOM, count)
    places = [squeezed(material.content).index(squeezed(passage.text)) for passage in found]
    assert len(places) > 2
    assert places == sorted(places, reverse=True)
    assert [citation.number for citation in material.citations] == [*range(1, len(found) + 1)]


def test_a_passage_is_sent_once_and_keeps_its_number(towns: Library, count) -> None:
    given_before = Given()
    first = compose("When was Kestrel founded?", towns, given_before, ROOM, count)
    second = compose("How many windows has the hall of Kestrel?", towns, given_before, ROOM, count)
    assert not set(towns_in(first.content)) & set(towns_in(second.content))
    again = compose("When was Kestrel founded?", towns, given_before, ROOM, count)
    assert again.content == "When was Kestrel founded?"
    assert again.citations == first.citations
    numbers = [made.number for made in given_before.citations]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_copy_of_what_was_given_does_not_change_with_it(towns: Library, harbour: Library, count) -> None:
    given_before = Given()
    compose("Who built the lighthouse?", harbour, given_before, ROOM, count)
    kept = given_before.copy()
    assert kept == given_before
    compose("When was Kestrel founded?", towns, given_before, ROOM, count)
    assert len(kept.citations) == len(HARBOUR) < len(given_before.citations)


def test_a_summary_of_a_long_document_rests_on_passages_spread_over_it(towns: Library, count) -> None:
    material = compose("Summarise the document.", towns, Given(), ROOM, count)
    found = towns_in(material.content)
    assert found == sorted(found)
    assert found[0] == 0
    assert found[-1] >= len(TOWNS) * 3 // 4
    assert max(later - earlier for earlier, later in pairwise(found)) <= 6
    (notice,) = material.notices
    assert "towns.pdf: too long to be read whole" in notice
    assert f" {len(found)} passages" in notice


def test_the_notice_counts_the_passages_that_were_sent(towns: Library, count) -> None:
    for room in range(60, 1500, 120):
        material = compose("Summarise the document.", towns, Given(), room, count)
        sent = len(towns_in(material.content))
        assert sent == len(material.citations)
        assert re.search(rf"\b{sent} passages?\b" if sent else "no room", material.notices[0])


def test_only_the_named_document_is_summarised(make_library: MakeLibrary, tmp_path: Path, count) -> None:
    library = make_library(
        [make_pdf(tmp_path / "harbour.pdf", HARBOUR), make_pdf(tmp_path / "rice.pdf", ["Wash the rice in water."])]
    )
    named = compose("Summarise rice.pdf", library, Given(), ROOM, count)
    assert "Wash the rice" in named.content
    assert "Ada Torrent" not in named.content
    both = compose("Summarise my documents", library, Given(), ROOM, count)
    assert "Wash the rice" in both.content
    assert "Ada Torrent" in both.content


def test_the_list_names_every_document(make_library: MakeLibrary, tmp_path: Path, count) -> None:
    files = [
        make_pdf(tmp_path / f"note-{number:02}.pdf", [f"Note number {number} says nothing."]) for number in range(12)
    ]
    library = make_library(files)
    question = "Which documents do I have?"
    material = compose(question, library, Given(), ROOM, count)
    assert "12 documents" in material.content
    for file in files:
        assert f"{file.name} (pdf, 1 page)" in material.content
    assert "says nothing" not in material.content
    assert material.content.endswith(f"Question: {question}")
    for room in (0, 100, 150, 200):
        short = compose(question, library, Given(), room, count).content
        named = short.count(".pdf")
        assert named < 12
        assert f"and {12 - named} more" in short
        assert count(short) <= max(room, 32) + count(question) + 8


@settings(max_examples=60, deadline=None)
@given(
    room=st.integers(0, 2000),
    question=st.sampled_from(["When was Kestrel founded?", "Summarise this.", "What documents are there?", "Tides?"]),
    long=st.booleans(),
)
def test_no_message_outgrows_its_room(
    towns: Library, harbour: Library, engine: Engine, room: int, question: str, long: bool
) -> None:
    def count(text: str) -> int:
        return len(engine.tokenize(text))

    library = towns if long else harbour
    before = Given()
    material = compose(question, library, before, room, count)
    assert count(material.content) <= max(room, 32) + count(question) + 8
    assert material.content.endswith(question)
    assert len(material.citations) == len(before.citations)
    if long and question.startswith("When"):
        assert count(material.content) <= PASSAGE_TOKENS + count(question) + 8
    is_about = {"When was Kestrel founded?": long, "Tides?": not long}.get(question, True)
    if not material.citations and is_about and "documents" not in question:
        assert any("no room" in notice for notice in material.notices)


# -- whether documents are given at all -------------------------------------------------------------------------------

HANDBOOK = """# Members' handbook of the rowing club

## Fees
Adults pay 46 euros a year, pupils 18 euros. The fee is due on the first of February.

## Boats
The club owns four boats: the Heron, the Otter, the Teal and the Grebe. The Heron seats eight rowers.

## Safety
Everybody wears a life jacket. In a thunderstorm the boats return to the jetty at once.

## Boathouse
The key of the boathouse is kept by the warden, Agnes Vole, who lives in Mill Street 7.
"""
ABOUT = (
    ("How much do pupils pay?", "18 euros"),
    ("When is the fee due?", "February"),
    ("what does membership cost", "46 euros"),
    ("Which boat seats eight?", "Heron"),
    ("What do I have to wear?", "life jacket"),
    ("What happens when there is lightning?", "thunderstorm"),
    ("Who has the key?", "Agnes Vole"),
    ("In which street does the warden live?", "Mill Street"),
    ("When was Kestrel founded?", "Kestrel was founded"),
    ("What do the people of Lumena make?", "Lumena"),
    ("How far is Yarrow from the coast?", "Yarrow"),
    ("How many windows has the hall of Hollin?", "Hollin"),
)
"""Held out: no threshold was fitted to these."""
ELSEWHERE = (
    "Tell me a story about a fox", "What is the capital of France?", "Write a haiku", "hi", "Thank you!",
    "Translate good morning into German", "What is 12 * 12?", "Who painted the Mona Lisa?", "Why is the sky blue?",
    "How do vaccines work?", "Give me a recipe for pancakes", "Who won the Nobel Prize in 1921?",
    "Write a Python function that reverses a string", "What is the fastest land animal?", "Explain photosynthesis",
    "Summarise the French Revolution",
)  # fmt: skip


@pytest.fixture(scope="module")
def handbook(tmp_path_factory: pytest.TempPathFactory, engine: Engine, embedder: Embedder) -> Iterator[Library]:
    """A handbook with sections beside a long document. Tests only read it."""
    folder = tmp_path_factory.mktemp("handbook")
    note = folder / "handbook.md"
    note.write_text(HANDBOOK, encoding="utf-8")
    towns = make_pdf(folder / "towns.pdf", [town(number) for number in range(len(TOWNS))])
    library = opened(folder / "library", engine, embedder)
    assert ingest(library, [note, towns], lambda text: None) == []
    yield library
    library.close()


def test_documents_are_given_where_the_question_is_about_them(handbook: Library, count) -> None:
    found = {question: compose(question, handbook, Given(), ROOM, count) for question, _ in ABOUT}
    wrong = [question for question, words in ABOUT if words not in squeezed(found[question].content)]
    assert len(wrong) <= 1, wrong
    given_without_reason = [one for one in ELSEWHERE if compose(one, handbook, Given(), ROOM, count) != Material(one)]
    assert given_without_reason == []


@pytest.mark.parametrize(
    "question", ["What is the capital of France according to the documents?", "Write a poem about this text"]
)
def test_documents_are_given_where_the_question_speaks_of_them(handbook: Library, count, question: str) -> None:
    assert compose(question, handbook, Given(), ROOM, count).citations


def test_files_that_came_with_the_question_are_what_it_is_about(handbook: Library, count) -> None:
    question = "Is this a good offer?"
    assert compose(question, handbook, Given(), ROOM, count).citations == ()
    assert compose(question, handbook, Given(), ROOM, count, always=True).citations
    assert compose("hello", handbook, Given(), ROOM, count, always=True).citations == ()


def answered(question: str, reply: str) -> Turn:
    """A turn that is over."""
    return Turn(question, question, reply, [1], finish="end")


@pytest.mark.parametrize(
    ("before", "question", "words"),
    [
        (answered("How much do pupils pay?", "They pay 18 euros."), "And adults?", "46 euros"),
        (answered("Who keeps the key?", "The warden, Agnes Vole."), "Where does she live?", "Mill Street"),
        (answered("When was Kestrel founded?", "In 1270."), "How far is it from the coast?", "Kestrel"),
        (answered("When was Kestrel founded?", "In 1270."), "What about Lumena?", "Lumena was founded"),
    ],
)
def test_a_follow_up_finds_what_it_refers_to(handbook: Library, count, before: Turn, question: str, words: str) -> None:
    material = compose(question, handbook, Given(), ROOM, count, earlier=[before])
    assert words in squeezed(material.content)


SERVICES = ("Tyre change", "Oil change", "Service inspection", "Brake check", "Battery swap", "Winter storage")
MODELS = ("Model 1 Swift", "Model 2 Terra", "Model 3 Vento", "Model 4 Luna")
TERMS = (
    "Bring the papers of the car. The work is done while you wait or by the evening of the same day; a courtesy bicycle"
    " is free. We use parts of the maker only, and old parts are given back on request. "
)


def test_another_part_of_the_same_thing_is_looked_for(make_library: MakeLibrary, tmp_path: Path, count) -> None:
    """ "And a service?" after the tyres of one car of four, of which each has a passage for each kind of work."""
    prices = tmp_path / "prices.md"
    parts = [f"## {model}: {work}\n\n{work} for the {model} costs {len(work + model) * 7} euros. {TERMS * 2}"
             for model in MODELS for work in SERVICES]  # fmt: skip
    prices.write_text("# Price list of the garage\n\n" + "\n\n".join(parts), encoding="utf-8")
    library = make_library([prices])
    before = answered("What does a tyre change for the Model 3 cost?", "It costs 168 euros.")
    first = compose(before.question, library, Given(), ROOM, count)
    assert "Tyre change for the Model 3 Vento costs 168 euros" in squeezed(first.content)
    then = compose("And a service?", library, Given(), ROOM, count, earlier=[before])
    assert "Service inspection for the Model 3 Vento costs 217 euros" in squeezed(then.content)


def test_who_asks_how_many_is_told_that_only_passages_were_read(
    make_library: MakeLibrary, tmp_path: Path, count
) -> None:
    records = tmp_path / "records.md"
    told = "The project restores an old building and opens it to visitors; its report was filed under"
    parts = [
        f"## Project {number}\n\nBudget: {number * 37 % 90} thousand. {told} {number * 7919}."
        for number in range(1, 103)
    ]
    records.write_text("# Projects of the foundation\n\n" + "\n\n".join(parts), encoding="utf-8")
    material = compose("How many projects are listed?", make_library([records]), Given(), ROOM, count)
    assert material.notices == (texts.only_passages(len(material.citations)),)


def test_another_topic_leaves_the_old_words_behind(handbook: Library, count) -> None:
    earlier = [answered("When was Kestrel founded?", "In 1270.")]
    material = compose("How much do pupils pay a year?", handbook, Given(), ROOM, count, earlier=earlier)
    assert "18 euros" in material.content
    assert "Kestrel" not in material.content
    for question in ("What is the capital of France?", "Tell me a joke.", "Who painted the Mona Lisa?"):
        assert compose(question, handbook, Given(), ROOM, count, earlier=earlier) == Material(question)


def test_another_form_of_the_last_answer_needs_no_passages(handbook: Library, count) -> None:
    before = Given()
    first = compose("When was Kestrel founded?", handbook, before, ROOM, count)
    earlier = Turn("When was Kestrel founded?", first.content, "In 1270.", [1], given=first.citations, finish="end")
    material = compose("Make it shorter", handbook, before, ROOM, count, earlier=[earlier])
    assert material == Material("Make it shorter", first.citations)


# -- pages, sections and whole texts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "pages"),
    [
        ("What does page 5 say?", [5]),
        ("What is on pages 3-4?", [3, 4]),
        ("Was steht auf Seite 7?", [7]),
        ("Summarise page 12 of towns.pdf", [12]),
        ("What is on the last page?", [40]),
    ],
)
def test_a_page_is_sent_for_a_question_about_it(towns: Library, count, question: str, pages: list[int]) -> None:
    before = Given()
    for _ in range(2):  # and again, although an earlier turn has it
        material = compose(question, towns, before, ROOM, count)
        assert [made.page for made in material.citations] == pages
        assert towns_in(material.content) == [page - 1 for page in pages]
        assert material.notices == ()


def test_a_page_that_is_not_there_is_told(towns: Library, count) -> None:
    material = compose("What does page 99 say?", towns, Given(), ROOM, count)
    assert texts.NO_SUCH_PAGE.format(page=99, file="towns.pdf", pages="40 pages") in material.notices


def test_a_page_of_a_text_without_pages_is_told(make_library: MakeLibrary, tmp_path: Path, count) -> None:
    note = tmp_path / "note.txt"
    note.write_text("The gate is locked at nine. Bonfires are allowed in November.", encoding="utf-8")
    library = make_library([note])
    material = compose("What does page 3 say?", library, Given(), ROOM, count)
    assert material.notices == (texts.NO_PAGES.format(page=3, file="note.txt"),)
    assert not compose("When is the gate locked?", library, Given(), ROOM, count).notices


@pytest.mark.parametrize("question", ["What does the section Boats say?", 'Explain the chapter "Boats"'])
def test_a_section_is_sent_for_a_question_about_it(handbook: Library, count, question: str) -> None:
    material = compose(question, handbook, Given(), ROOM, count)
    assert "four boats" in material.content
    assert {made.section for made in material.citations} == {"Boats"}


def test_a_chapter_is_all_of_its_sections(tmp_path: Path, make_library: MakeLibrary, count) -> None:
    began, sang, shone = (f"<p>{text * 20}</p>" for text in ("It began. ", "They sang. ", "They shone. "))
    chapters = [("Dawn", f"{began}<h2>Birds</h2>{sang}"), ("Dusk", f"<h2>Stars</h2>{shone}")]
    library = make_library([make_epub(tmp_path / "book.epub", chapters)])
    content = compose("What does the chapter Dawn say?", library, Given(), ROOM, count).content
    assert ["began" in content, "sang" in content, "shone" in content] == [True, True, False]
    content = compose("What does the section Stars say?", library, Given(), ROOM, count).content
    assert ["sang" in content, "shone" in content] == [False, True]


def test_all_of_something_is_looked_for_in_the_whole_text(handbook: Library, count) -> None:
    material = compose("List all boats of the rowing club", handbook, Given(), ROOM, count)
    assert squeezed(HANDBOOK.split("## Safety")[1].replace("## ", "")) in squeezed(material.content)
    assert "town of" not in material.content
    assert material.notices == ()


def test_where_only_passages_are_read_for_a_question_about_all_that_is_said(towns: Library, count) -> None:
    material = compose("How many towns make violins?", towns, Given(), ROOM, count)
    assert material.notices == (texts.only_passages(len(material.citations)),)
    assert compose("Who makes violins in Dremel?", towns, Given(), ROOM, count).notices == ()
