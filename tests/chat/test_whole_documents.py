"""Documents read whole, what fills the context, and a chat's own system prompt: with the shipped model."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localspec.chat.context_usage import ContextUsage
from localspec.chat.engine import Engine
from localspec.chat.material import DOCUMENT_SYSTEM, FRAME
from localspec.chat.prompt_builder import PromptBuilder, whole_room
from localspec.chat.session import Session
from localspec.chat.turn import ReplyOptions, Turn
from localspec.errors import ContextTooLongError, SettingsError
from localspec.models.llama import LoadSettings
from localspec.stores.library import Library
from tests.builders import make_pdf
from tests.chat.conftest import CONTEXT, HARBOUR, town
from tests.chat.test_session import TIDE, WHEN, last

MakeLibrary = Callable[[list[Path]], Library]
WHOLE = ReplyOptions(max_tokens=16, whole=())
SHORT = ReplyOptions(max_tokens=16)


@pytest.fixture(scope="module")
def small_engine(home: Path) -> Iterator[Engine]:
    """The shipped model with a context that a few questions fill."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALSPEC_HOME", str(home))
        loaded = Engine("", LoadSettings(context=640, threads=1))
    yield loaded
    loaded.close()


def adds_up(turn: Turn) -> None:
    """The window's parts are all of the prompt."""
    window = turn.window
    assert window is not None
    assert window.prompt == turn.metrics.prompt_tokens
    assert window.free(len(turn.reply_tokens)) == window.size - window.prompt - len(turn.reply_tokens)


@pytest.fixture
def three(make_library: MakeLibrary, tmp_path: Path) -> Library:
    """A library of three documents of five towns each, together too long to be read whole unasked."""
    files = [
        make_pdf(tmp_path / f"{name}.pdf", [town(number) for number in range(first, first + 5)])
        for name, first in (("north", 0), ("south", 5), ("west", 10))
    ]
    return make_library(files)


def test_one_document_is_read_whole_and_once(engine: Engine, three: Library) -> None:
    south = next(info for info in three.documents() if info.name == "south.pdf")
    session = Session(engine, three)
    options = ReplyOptions(max_tokens=16, whole=(south.id,))
    first = last(session.ask("Which town is named first?", options))
    assert first.documents == (south.id,)
    assert all(town(number).split()[3] in first.content for number in range(5, 10))
    assert "north.pdf" not in first.content
    assert {made.file for made in first.given} == {"south.pdf"}
    second = last(session.ask("And which comes last?", options))
    assert second.content == second.question, "the text is in the prompt already"
    assert second.metrics.reused_tokens >= first.metrics.prompt_tokens
    for turn in (first, second):
        adds_up(turn)
    assert first.window is not None
    assert second.window is not None
    assert abs(first.window.documents - south.tokens) < 40
    assert second.window.documents == first.window.documents
    assert (first.window.earlier, first.window.size) == (0, CONTEXT)
    assert second.window.earlier == len(engine.tokenize(first.question)) + len(first.reply_tokens)


def test_all_documents_are_read_where_they_fit(engine: Engine, three: Library) -> None:
    turn = last(Session(engine, three).ask("Summarise this.", WHOLE))
    assert {*turn.documents} == {info.id for info in three.documents()}
    assert turn.notices == [] or "Stopped at" in turn.notices[0]


def test_what_does_not_fit_is_told_with_figures_and_nothing_is_sent(engine: Engine, towns: Library) -> None:
    (info,) = towns.documents()
    session = Session(engine, towns)
    for turns in range(2):
        with pytest.raises(ContextTooLongError, match=r"towns\.pdf needs [\d,]+ tokens") as caught:
            last(session.ask("Summarise this.", ReplyOptions(max_tokens=16, whole=(info.id,))))
        said = str(caught.value)
        needs, room, size = (int(figure.replace(",", "")) for figure in re.findall(r"(\d[\d,]+)", said)[:3])
        assert needs >= info.tokens > room > CONTEXT / 2
        assert size == CONTEXT
        advised = int(re.findall(r"context length of ([\d,]+)", said)[0].replace(",", ""))
        assert advised >= needs + size - room
        assert advised % 512 == 0
        assert "Best passages" in said
        assert "single document" not in said
        assert len(session.turns) == turns
        last(session.ask("Say hello.", SHORT))
    # With the best passages it is answered; how much of the text the answer rests on is said.
    summary = last(session.ask("Summarise this.", SHORT))
    assert "too long to be read whole" in summary.notices[0]


def test_several_that_do_not_fit_are_named(small_engine: Engine, three: Library) -> None:
    with pytest.raises(ContextTooLongError, match=r"north\.pdf, south\.pdf, west\.pdf need") as caught:
        last(Session(small_engine, three).ask("Summarise this.", WHOLE))
    assert "Choose a single document" in str(caught.value) or "choose a single document" in str(caught.value)


def test_what_cannot_be_read_is_told(engine: Engine, harbour: Library, make_library: MakeLibrary, tmp_path) -> None:
    for library in (None, make_library([])):
        with pytest.raises(SettingsError, match="no document to read whole"):
            last(Session(engine, library).ask("Summarise this.", WHOLE))
    with pytest.raises(SettingsError, match="no longer in this library"):
        last(Session(engine, harbour).ask(WHEN, ReplyOptions(whole=(9999,))))
    mixed = make_library([make_pdf(tmp_path / "harbour.pdf", HARBOUR)])
    waiting = mixed.add(make_pdf(tmp_path / "later.pdf", ["Not yet read."]))
    with pytest.raises(SettingsError, match=r"later\.pdf is still being indexed"):
        last(Session(engine, mixed).ask(WHEN, ReplyOptions(whole=(waiting.id,))))
    turn = last(Session(engine, mixed).ask(WHEN, WHOLE))
    assert turn.notices[0] == "Not in this answer: later.pdf is still being indexed."
    assert "Ada Torrent" in turn.content


def test_a_document_stays_where_turns_are_forgotten(small_engine: Engine, harbour: Library) -> None:
    """It is read once, however long the chat gets."""
    session = Session(small_engine, harbour)
    options = ReplyOptions(max_tokens=40, whole=())
    turns = [last(session.ask(WHEN, options))]
    while not (turns[-1].window or ContextUsage()).forgotten and len(turns) < 30:
        turns.append(last(session.ask(f"{TIDE} This is question {len(turns)}.", options)))
    turns.append(last(session.ask("Who is the pilot?", options)))
    window = turns[-1].window
    assert window is not None
    assert window.forgotten > 0
    assert turns[0].window is not None
    assert window.documents == turns[0].window.documents
    assert [turn.content == turn.question for turn in turns] == [False, *[True] * (len(turns) - 1)]
    for turn in turns[1:]:
        adds_up(turn)
        assert turn.metrics.reused_tokens >= turns[0].metrics.prompt_tokens
    assert any("is longer than" in notice for notice in turns[-1].notices)
    # Without the wish for it, and once nothing holds it any more, it is sent again.
    session.cut(0)
    again = last(session.ask(WHEN, options))
    assert "Ada Torrent" in again.content


def test_a_wish_that_fails_leaves_the_chat_as_it_was(small_engine: Engine, three: Library) -> None:
    session = Session(small_engine, three)
    options = ReplyOptions(max_tokens=16, whole=(three.documents()[0].id,))
    last(session.ask("Which town comes first?", options))
    before = list(session.turns), session.prompts.selection.copy()
    with pytest.raises(ContextTooLongError):
        last(session.ask("Summarise this.", WHOLE))
    assert (list(session.turns), session.prompts.selection) == before
    assert last(session.ask("And the second?", options)).content == "And the second?"


def test_an_own_system_prompt_is_sent_from_then_on(engine: Engine, harbour: Library) -> None:
    """Documents are answered from all the same."""
    session = Session(engine)
    plain = last(session.ask("Say hello.", SHORT))
    own = last(session.ask("Say hello.", ReplyOptions(max_tokens=16, system="Answer in one word, whatever is asked.")))
    assert session.system
    assert own.metrics.reused_tokens < plain.metrics.prompt_tokens, "the prompt begins with other words"
    kept = last(session.ask("Say hello.", SHORT))
    assert kept.metrics.reused_tokens >= own.metrics.prompt_tokens
    for turn in (plain, own, kept):
        adds_up(turn)
    assert plain.window is not None
    assert own.window is not None
    assert own.window.system > 3
    last(session.ask("Say hello.", ReplyOptions(max_tokens=16, system="")))
    assert session.system == ""
    with_documents = Session(engine, harbour, "Answer in one word.")
    turn = last(with_documents.ask(WHEN, SHORT))
    assert turn.window is not None
    assert turn.window.system > len(engine.tokenize(DOCUMENT_SYSTEM)) + 5


def test_continuing_keeps_the_figures_right(engine: Engine, harbour: Library) -> None:
    session = Session(engine, harbour)
    last(session.ask(TIDE, SHORT))
    cut = last(session.ask("Write a long story about the harbour.", ReplyOptions(max_tokens=8, whole=())))
    before = cut.window
    longer = last(session.go_on(ReplyOptions(max_tokens=8)))
    assert longer.window == before


def test_a_window_is_kept_and_read_again() -> None:
    window = ContextUsage(2048, 40, 900, 100, 20, 3)
    assert ContextUsage.of_record(window.record()) == window
    assert ContextUsage.of_record({}) == ContextUsage()
    for wrong in ({"size": -1}, {"size": "2"}, {"documents": 1.5}, {"forgotten": True}, {"size": 10**12}):
        with pytest.raises(ValueError, match="whole number"):
            ContextUsage.of_record(wrong)


def test_what_is_offered_to_be_read_whole_fits(small_engine: Engine, make_library: MakeLibrary, tmp_path: Path) -> None:
    size = small_engine.model.context_size
    room = whole_room(size) - FRAME
    words = ["tide"]
    while len(small_engine.tokenize(" ".join([*words, "tide"]))) <= room:
        words.append("tide")
    path = tmp_path / "longest.txt"
    path.write_text(" ".join(words))
    library = make_library([path])
    (info,) = library.documents()
    assert room - 4 <= info.tokens <= room
    question = "When is the tide of which this document tells the highest, and who says so?"
    builder = PromptBuilder(small_engine, library, "", [])
    turn, prompt = builder.compose(question, ReplyOptions(max_tokens=4096, whole=(info.id,)))
    assert turn.documents == (info.id,)
    assert len(prompt) <= size - max(64, size // 8)
