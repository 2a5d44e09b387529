"""Chats that outlive the program, on the shipped model: what is kept, and when; and that a chat goes on."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest

from localspec.chat.engine import Engine
from localspec.chat.history import SAVE_SECONDS, TITLE_CHARACTERS, History, Recording, title_of
from localspec.chat.methods import DEFAULT_METHOD
from localspec.chat.session import Session
from localspec.chat.turn import ReplyOptions, Turn, Update
from localspec.chat.turn_tree import TurnTree
from localspec.stores.conversations import DATABASE
from localspec.stores.library import Library
from localspec.stores.stored_turns import StoredConversation, StoredTurn
from tests.chat.test_session import SHORT, TIDE, WHEN, fresh, last, until


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    opened = History(tmp_path)
    assert opened.is_open
    yield opened
    opened.close()


def restored(kept: StoredConversation) -> list[Turn]:
    """The turns of a kept conversation that are shown, to go on with."""
    return TurnTree.of_stored(kept).turns


def record(recording: Recording, updates: Iterator[Update]) -> Turn:
    """Keep a reply as the page does."""
    turn: Turn | None = None
    for update in updates:
        turn = update.turn
        recording.note(turn)
    assert recording.end(turn) == ""
    assert turn is not None
    return turn


def assert_same(read: list[Turn], turns: list[Turn]) -> None:
    """All is as it was, but for the figures, of which a record keeps less than a reply at work has, and for the
    settings, which are not kept."""
    assert len(read) == len(turns)
    for one, other in zip(read, turns, strict=True):
        for each in fields(Turn):
            if each.name not in ("metrics", "made_with"):
                assert getattr(one, each.name) == getattr(other, each.name), each.name


def talk(history: History, session: Session, questions: tuple[str, ...], options: ReplyOptions = SHORT) -> int:
    """A conversation of these questions; returns its id."""
    identity = 0
    for question in questions:
        recording = Recording(history, identity, "harbour", TurnTree(session.turns))
        record(recording, session.ask(question, options))
        identity = recording.conversation
    return identity


def test_a_chat_goes_on_after_a_restart_as_if_nothing_had_been(
    engine: Engine, harbour: Library, tmp_path: Path
) -> None:
    history = History(tmp_path)
    session = Session(engine, harbour)
    identity = talk(history, session, (WHEN, TIDE))
    history.close()
    history = History(tmp_path)
    conversation = history.store.load(identity)
    turns = restored(conversation)
    history.close()
    assert_same(turns, session.turns)
    assert [turn.reply_tokens for turn in turns] == [turn.reply_tokens for turn in session.turns]
    assert turns[0].metrics.figures() == pytest.approx(session.turns[0].metrics.figures(), abs=1e-6)
    fresh(engine)
    here = last(session.ask("Who is the pilot?", SHORT))
    fresh(engine)
    there = Session(engine, harbour, turns=turns)
    after = last(there.ask("Who is the pilot?", SHORT))
    assert after.metrics.prompt_tokens == here.metrics.prompt_tokens
    assert after.content == here.content == "Who is the pilot?", "the document was sent again"
    assert after.given == here.given
    assert after.reply_tokens == here.reply_tokens
    again = last(there.ask("And the tide?", SHORT))
    assert again.metrics.reused_tokens >= after.metrics.prompt_tokens + len(after.reply_tokens) - 3


def test_tokens_of_another_model_are_made_anew(engine: Engine) -> None:
    turns = [
        Turn("Hello", "Hello", reply="Good morning.", reply_tokens=[1, 2, 3], finish="end", tokenizer="other"),
        Turn("Hello", "Hello", reply="Good morning.", reply_tokens=[10**6], finish="end",
             tokenizer=engine.tokenizer_fingerprint),
    ]  # fmt: skip
    session = Session(engine, turns=turns)
    for turn in session.turns:
        assert turn.reply_tokens == engine.tokenize("Good morning.").tolist()
        assert turn.tokenizer == engine.tokenizer_fingerprint
    assert last(session.ask("And now?", SHORT)).reply


def test_a_document_of_another_library_is_not_taken_for_this_ones(engine: Engine, harbour: Library) -> None:
    session = Session(engine, harbour)
    last(session.ask(WHEN, SHORT))
    for turn in session.turns:
        turn.library = "another"
    later = last(Session(engine, harbour, turns=session.turns).ask(TIDE, SHORT))
    assert "Ada Torrent" in later.content
    assert [made.number for made in later.given] == [3, 4], "a number would stand for two passages"


def test_the_question_is_there_before_the_answer_and_the_answer_while_it_is_written(
    engine: Engine, harbour: Library, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localspec.chat.history.SAVE_SECONDS", 0.02)
    session = Session(engine, harbour)
    recording = Recording(history, 0, "harbour", TurnTree(session.turns))
    updates = session.ask(WHEN, ReplyOptions("plain", max_tokens=60))
    recording.note(until(updates, "reading").turn)
    (turn,) = history.store.load(recording.conversation).turns
    assert (turn.question, turn.reply, turn.finish) == (WHEN, "", "")
    assert history.store.newest()[0].title == WHEN
    seen = ""
    for update in updates:
        recording.note(update.turn)
        time.sleep(0.01)
        (turn,) = history.store.load(recording.conversation).turns
        assert turn.reply.startswith(seen)
        assert turn.finish == ""
        seen = turn.reply
    assert seen
    # As after a kill: what was written last is there, with its tokens.
    (partly,) = restored(history.store.load(recording.conversation))
    assert partly.finish == "interrupted"
    assert partly.is_cut
    assert session.turns[0].reply.startswith(partly.reply)
    assert session.turns[0].reply_tokens[: len(partly.reply_tokens)] == partly.reply_tokens
    recording.end(session.turns[0])
    assert_same(restored(history.store.load(recording.conversation)), session.turns)


def test_a_reply_that_was_broken_off_goes_on(engine: Engine, harbour: Library, history: History) -> None:
    fresh(engine)
    whole = last(Session(engine, harbour).ask(WHEN, ReplyOptions("plain", max_tokens=30)))
    fresh(engine)
    updates = Session(engine, harbour).ask(WHEN, ReplyOptions("plain", max_tokens=30))
    partly = until(updates, "writing", 7).turn
    identity = history.store.begin("Broken", "harbour")
    history.store.put(identity, 0, partly.stored())
    updates.close()
    session = Session(engine, harbour, turns=restored(history.store.load(identity)))
    recording = Recording(history, identity, "harbour", TurnTree(session.turns), goes_on=True)
    turn = record(recording, session.go_on(ReplyOptions("plain", max_tokens=23)))
    assert turn.reply_tokens == whole.reply_tokens
    assert_same(restored(history.store.load(identity)), [turn])


def test_nothing_is_written_more_than_once_a_second(engine: Engine, history: History) -> None:
    writes: list[str] = []
    store = history.store
    plain = store.write_on

    def counted(
        conversation: int, number: int, reply: str, tokens: Sequence[int], origins: bytes | None = None
    ) -> None:
        writes.append(reply)
        plain(conversation, number, reply, tokens, origins)

    store.write_on = counted  # type: ignore[method-assign]
    session = Session(engine)
    started = time.monotonic()
    talk(history, session, ("Tell me a long story.",), ReplyOptions("plain", max_tokens=150))
    assert len(writes) <= (time.monotonic() - started) / SAVE_SECONDS + 1


def test_a_question_without_a_word_of_an_answer_leaves_no_trace(engine: Engine, history: History) -> None:
    session = Session(engine)
    for questions in ((), ("Say hello.",)):
        identity = talk(history, session, questions)
        before = history.store.newest()
        recording = Recording(history, identity, "harbour", TurnTree(session.turns))
        updates = session.ask("Nothing comes of it.", SHORT)
        recording.note(until(updates, "reading").turn)
        assert history.store.load(recording.conversation).turns[-1].question == "Nothing comes of it."
        updates.close()
        assert recording.end(None) == ""
        assert recording.conversation == identity
        assert [info.id for info in history.store.newest()] == [info.id for info in before]


def test_an_answer_is_hidden_with_the_first_word_of_the_one_in_its_place(engine: Engine, history: History) -> None:
    session = Session(engine)
    identity = talk(history, session, ("Say hello.", "Say goodbye."))
    before = history.store.load(identity)
    for words in (0, 1):
        recording = Recording(history, identity, "harbour", TurnTree(session.turns), instead_of=0)
        updates = session.ask("Say hello again.", SHORT, instead_of=0)
        for _ in range(words + 1):
            recording.note(until(updates, "writing" if words else "reading").turn)
        updates.close()
        recording.end(session.turns[0] if words else None)
        kept = history.store.load(identity)
        if words:
            assert [turn.question for turn in kept.turns] == ["Say hello again."]
            assert tuple(node.turn for node in kept.nodes[:2]) == before.turns
        else:
            assert kept == before


def test_undo_and_delete_reach_the_disk(engine: Engine, history: History, tmp_path: Path) -> None:
    session = Session(engine)
    identity = talk(history, session, ("Say hello to Xyzzy.",))
    history.store.bin.put("chat", identity)
    assert history.store.newest() == []
    assert any(b"Xyzzy" in file.read_bytes() for file in tmp_path.glob(f"{DATABASE}*")), "it can be taken back"
    history.purge("chat", identity)
    limit = time.monotonic() + 20
    while any(b"Xyzzy" in file.read_bytes() for file in tmp_path.glob(f"{DATABASE}*")):
        assert time.monotonic() < limit, "it is still in the file"
        time.sleep(0.05)


def test_without_a_store_chatting_goes_on(engine: Engine, history: History, tmp_path: Path) -> None:
    second = History(tmp_path)  # as a second window has it
    assert not second.is_open
    assert "another LocalSpec" in second.problem
    session = Session(engine)
    assert talk(second, session, ("Say hello.",)) == 0
    assert session.turns[0].reply
    second.close()
    assert history.is_open


def test_a_damaged_store_is_told_and_a_new_one_kept(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"no database" * 1000)
    history = History(tmp_path)
    assert "set aside as conversations-damaged-" in history.problem
    assert talk(history, Session(engine), ("Say hello.",))
    assert "set aside" in history.problem
    history.close()


def test_a_newer_store_is_left_alone_and_chatting_goes_on(engine: Engine, tmp_path: Path) -> None:
    History(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection, connection:
        connection.execute("INSERT INTO migrations (name) VALUES ('conversations-99-more')")
    before = (tmp_path / DATABASE).read_bytes()
    history = History(tmp_path)
    assert "newer version" in history.problem
    assert talk(history, Session(engine), ("Say hello.",)) == 0
    history.close()
    assert (tmp_path / DATABASE).read_bytes() == before


def test_what_cannot_be_written_is_told_until_it_can(engine: Engine, history: History) -> None:
    history.store.tidy()  # free pages would take some more
    connection = history.store._database._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    session = Session(engine)
    recording = Recording(history, 0, "harbour", TurnTree(session.turns))
    updates = session.ask("Say hello. " * 300, ReplyOptions(DEFAULT_METHOD, max_tokens=8))
    for update in updates:
        recording.note(update.turn)
    assert "disk is full" in recording.end(session.turns[0])
    assert "disk is full" in history.problem
    connection.execute("PRAGMA max_page_count = 1000000")
    recording = Recording(history, recording.conversation, "harbour", TurnTree(session.turns))
    record(recording, session.ask("Say goodbye.", SHORT))  # what could not be kept then is kept with it
    assert history.problem == ""
    assert history.store.newest()[0].title.startswith("Say hello.")
    assert_same(restored(history.store.load(recording.conversation)), session.turns)


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("When was it built?", "When was it built?"),
        ("  When\nwas   it built?", "When was it built?"),
        ("word " * 40, ("word " * 40)[:59].rstrip() + "…"),
        ("x" * 100, "x" * TITLE_CHARACTERS + "…"),
        ("", "a.pdf, b.pdf"),
    ],
)
def test_a_chat_is_called_by_its_first_question(question: str, title: str) -> None:
    assert title_of(StoredTurn(question, question, files=("a.pdf", "b.pdf"))) == title
