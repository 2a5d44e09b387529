"""Branches of a chat: whatever a person does, in whatever order, the chat is what a simple tree in memory says, also
after a restart. A script writes the answers, as the page, `ReplyTask` and `Session` do; `test_branch_answers` asks the
model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localspec import texts
from localspec.application.asking import Asked
from localspec.application.branching import edit_answer, show_found, show_sibling, show_turn, take_back
from localspec.application.changes import ALL
from localspec.application.chats import Chat, Exchange, View
from localspec.application.conversation import Conversation
from localspec.application.replying import ReplyTask
from localspec.application.state import Application
from localspec.chat.history import Recording
from localspec.chat.transfer import as_json, as_markdown, read_json
from localspec.chat.turn import EDITED, ReplyOptions, Turn
from localspec.errors import DiskFullError, SettingsError
from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.totals import totals
from localspec.stores.stored_turns import NO_PARENT, Citation, StoredConversation


@dataclass
class Model:
    """A turn, and what may follow it; the first one of a tree stands for none."""

    question: str = ""
    reply: str = ""
    finish: str = ""
    children: list[Model] = field(default_factory=list)
    shown: int = -1

    def add(self, child: Model) -> None:
        self.children.append(child)
        self.shown = len(self.children) - 1

    def path(self) -> list[Model]:
        """From this one to the last that is shown."""
        return [self, *self.children[self.shown].path()] if self.children else [self]

    def as_tuple(self) -> tuple[Any, ...]:
        return (self.question, self.reply, self.finish, self.shown, tuple(one.as_tuple() for one in self.children))


def model_of(kept: StoredConversation) -> Model:
    """The tree that a kept conversation says."""
    made = {NO_PARENT: Model()}
    for node in kept.tree:
        made[node.number] = Model(node.turn.question, node.turn.reply, node.turn.finish)
        made[node.parent].children.append(made[node.number])
        if node.shown:
            made[node.parent].shown = len(made[node.parent].children) - 1
    return made[NO_PARENT]


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    made = Application()
    yield made
    made.close()


def answered(
    application: Application, chat: Chat, question: str, reply: str, instead_of: int | None = None, words: bool = True
) -> Turn:
    """An answer as a session writes it, and a `ReplyTask` keeps it; without `words`, nothing comes of it."""
    recording = Recording(
        application.history, chat.identity, chat.library, chat.tree, instead_of=instead_of, system=chat.system
    )
    before = list(chat.turns)
    turn = Turn(question, question)
    chat.turns[len(before) if instead_of is None else instead_of :] = [turn]
    recording.note(turn)
    keep(application, chat, recording)
    if words:
        turn.reply, turn.reply_tokens = reply[:1], [1]
        recording.note(turn)
        turn.reply, turn.reply_tokens, turn.finish = reply, [1, 2], "end"
        chat.exchanges[len(chat.turns) - 1 :] = [Exchange(question, view=View.of(turn), turn=turn)]
    else:
        chat.turns[:] = before
    recording.end(turn if words else None)
    keep(application, chat, recording)
    return turn


def continued(application: Application, chat: Chat, more: str) -> None:
    """The last answer, written on."""
    turn = chat.turns[-1]
    recording = Recording(application.history, chat.identity, chat.library, chat.tree, goes_on=True)
    turn.reply, turn.reply_tokens, turn.finish = turn.reply + more, [*turn.reply_tokens, 3], ""
    recording.note(turn)
    turn.finish = "length"
    recording.end(turn)
    chat.exchanges[-1].view = View.of(turn)


def keep(application: Application, chat: Chat, recording: Recording) -> None:
    if recording.conversation != chat.identity:
        chat.identity = recording.conversation
        if chat.identity:
            application.chats.keep(chat)


class Talk:
    """A chat and the tree that it should be."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.chat, self.model = Chat(), Model()
        self.said = 0

    def do(self, kind: str, where: int, which: int) -> None:
        """One thing that a person does, where it can be done."""
        chat, path = self.chat, self.model.path()[1:]
        self.said += 1
        question, reply = f"Q{self.said}?", f"A{self.said}."
        if kind == "ask":
            answered(self.application, chat, question, reply)
            self.model.path()[-1].add(Model(question, reply, "end"))
        elif kind == "nothing":
            answered(
                self.application, chat, question, reply, where % len(path) if path and which else None, words=False
            )
        elif not path:
            return
        else:
            self.change(kind, where % len(path), which, question, reply)

    def change(self, kind: str, position: int, which: int, question: str, reply: str) -> None:
        application, chat = self.application, self.chat
        path = self.model.path()
        parent, turn = path[position], path[position + 1]
        if kind in ("retry", "edit"):
            asked = turn.question if kind == "retry" else question
            answered(application, chat, asked, reply, instead_of=position)
            parent.add(Model(asked, reply, "end"))
        elif kind == "edit answer":
            edit_answer(application, chat, position, reply)
            parent.add(Model(turn.question, reply, EDITED))
        elif kind == "switch":
            index = which % len(parent.children)
            show_sibling(application, chat, position, index)
            parent.shown = index
        elif kind == "continue":
            continued(application, chat, reply)
            path[-1].reply, path[-1].finish = path[-1].reply + reply, "length"
        elif kind == "take back":
            take_back(application, chat, position if which % 3 == 0 else len(path) - 2)
            gone = parent if which % 3 == 0 else path[-2]
            gone.children, gone.shown = [], -1
        elif kind == "reopen":
            application.close()
            self.application = Application()
            self.chat = self.application.chats.get(chat.identity)
        elif kind == "import":
            file = application.history.store.load(chat.identity)
            path_of_file = Path(application.history.store._database.path).with_name("chats.json")
            path_of_file.write_text("".join(as_json([file])), encoding="utf-8")
            application.history.store.add(read_json(path_of_file))
            chat.identity = max(info.id for info in application.history.store.newest())
            self.chat = application.chats.get(chat.identity)
        elif kind == "delete":
            application.chats.delete(chat.identity)
            self.chat, self.model = Chat(), Model()

    def check(self) -> None:
        """The chat, the page's exchanges, and the disk are as the tree says."""
        chat, path = self.chat, self.model.path()
        shown = [(one.question, one.reply, one.finish) for one in path[1:]]
        assert [(turn.question, turn.reply, turn.finish) for turn in chat.turns] == shown
        assert [node.turn for node in chat.tree.path] == chat.turns
        assert [(one.question, one.view.text) for one in chat.exchanges if one.view] == [one[:2] for one in shown]
        assert all(one.turn is turn for one, turn in zip(chat.exchanges, chat.turns, strict=True))
        for position, parent in enumerate(path[:-1]):
            assert chat.siblings(position) == (parent.shown, len(parent.children))
        store = self.application.history.store
        if not chat.turns:
            assert chat.identity == 0
            return
        kept = store.load(chat.identity)
        assert model_of(kept).as_tuple() == self.model.as_tuple()
        (markdown,) = as_markdown([kept])
        assert markdown.count("## Question") == len(shown)


KINDS = st.sampled_from(
    [
        *("ask", "ask", "ask", "retry", "retry", "edit", "edit answer", "switch", "switch", "switch", "continue"),
        *("take back", "nothing", "reopen", "import", "delete"),
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(KINDS, st.integers(0, 5), st.integers(0, 5)), max_size=25))
def test_a_chat_is_what_a_simple_tree_says(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, steps: list[tuple[str, int, int]]
) -> None:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path_factory.mktemp("home")))
    talk = Talk(Application())
    try:
        for step in steps:
            talk.do(*step)
            talk.check()
    finally:
        talk.application.close()


def test_what_could_not_be_written_is_kept_with_its_branches_later(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = Talk(application)
    talk.do("ask", 0, 0)
    store = application.history.store

    def full(*_: object, **__: object) -> None:
        raise DiskFullError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(store, "put", full)
        for step in (
            ("ask", 0, 0),
            ("retry", 1, 0),
            ("switch", 1, 0),
            ("ask", 0, 0),
            ("retry", 0, 0),
            ("switch", 0, 0),
        ):
            talk.do(*step)
        with pytest.raises(DiskFullError):
            edit_answer(application, talk.chat, 0, "Another.")
    assert application.history.problem
    assert len(store.load(talk.chat.identity).turns) == 1
    talk.do("ask", 0, 0)
    talk.check()
    assert talk.chat.siblings(1) == (0, 2)


def test_a_search_finds_hidden_branches_and_a_turn_can_be_shown(application: Application) -> None:
    talk = Talk(application)
    for step in (("ask", 0, 0), ("ask", 0, 0), ("retry", 0, 0)):
        talk.do(*step)
    store = application.history.store
    assert [turn.reply for turn in talk.chat.turns] == ["A3."]
    (info,) = store.search("A2")
    assert info.id == talk.chat.identity
    assert store.found(info.id, "A") == store.found(info.id, "?") == [2, 1, 0]
    assert store.found(info.id, " ") == store.found(info.id, "A7") == []
    show_found(application, talk.chat, "A")
    assert [turn.reply for turn in talk.chat.turns] == ["A3."], "it is there already"
    show_found(application, talk.chat, "A2")
    assert [turn.reply for turn in talk.chat.turns] == ["A1.", "A2."]
    assert [turn.reply for turn in store.load(info.id).turns] == ["A1.", "A2."]
    show_turn(application, talk.chat, 99)
    assert [turn.reply for turn in talk.chat.turns] == ["A1.", "A2."]


def test_without_a_store_branches_are_there_until_the_end(application: Application) -> None:
    assert application.history.is_open
    second = Application()  # as a second window has it
    try:
        assert not second.history.is_open
        talk = Talk(second)
        steps = (("ask", 0, 0), ("ask", 0, 0), ("retry", 0, 0), ("edit answer", 0, 0), ("switch", 0, 0))
        for step in steps:
            talk.do(*step)
        assert [turn.reply for turn in talk.chat.turns] == ["A1.", "A2."]
        assert talk.chat.siblings(0) == (0, 3)
        talk.do("take back", 1, 0)
        assert [turn.reply for turn in talk.chat.turns] == ["A1."]
        assert talk.chat.identity == 0
    finally:
        second.close()


def test_nothing_is_changed_while_an_answer_is_written(application: Application) -> None:
    talk = Talk(application)
    talk.do("ask", 0, 0)
    talk.do("retry", 0, 0)
    chat = talk.chat
    chat.reply = ReplyTask(application, Conversation(chat=chat), Asked("Another?"), ReplyOptions())
    attempts: list[Callable[[], object]] = [
        lambda: show_sibling(application, chat, 0, 0),
        lambda: show_turn(application, chat, 0),
        lambda: edit_answer(application, chat, 0, "Mine."),
        lambda: take_back(application, chat, 0),
    ]
    for attempt in attempts:
        with pytest.raises(SettingsError, match=texts.BUSY):
            attempt()
    chat.reply = None
    del chat.exchanges[1:]  # the one that was asked has its place at once
    talk.check()


def test_tabs_that_show_the_chat_hear_of_it(application: Application) -> None:
    talk = Talk(application)
    talk.do("ask", 0, 0)
    talk.do("retry", 0, 0)
    heard: list[str] = []
    end = application.changes.listen(heard.append)
    for kind in ("switch", "edit answer", "take back"):
        heard.clear()
        talk.do(kind, 0, 0)
        assert ALL in heard
    end()


def test_what_is_not_there_is_refused(application: Application) -> None:
    talk = Talk(application)
    talk.do("ask", 0, 0)
    for position, index in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        with pytest.raises(SettingsError, match=texts.TURN_GONE):
            show_sibling(application, talk.chat, position, index)
    with pytest.raises(SettingsError, match=texts.EMPTY_ANSWER):
        edit_answer(application, talk.chat, 0, " \n")
    edit_answer(application, talk.chat, 0, "A1.")  # as it was
    talk.check()


def test_an_edited_answer_is_the_persons(application: Application) -> None:
    """No figures, no origins, and of its citations those whose marks still stand."""
    cited = [Citation(number, "a.pdf", number, "", f"Passage {number}.") for number in (1, 2)]
    talk = Talk(application)
    talk.do("ask", 0, 0)
    turn = talk.chat.turns[0]
    turn.given, turn.citations, turn.method = tuple(cited), cited, "auto"
    turn.metrics = ReplyMetrics(steps=2, tokens=2)
    edit_answer(application, talk.chat, 0, "Mine [2],\r\nnot [12].")
    (mine,) = talk.chat.turns
    assert (mine.reply, mine.finish, mine.edited, mine.method) == ("Mine [2],\nnot [12].", EDITED, True, "")
    assert mine.citations == cited[1:]
    assert mine.given == tuple(cited)
    assert totals(one.metrics for one in talk.chat.turns if one.is_measure).replies == 0
    assert mine.can_go_on
    assert not mine.origins
    view = talk.chat.exchanges[0].view
    assert view is not None
    assert (view.state, view.text) == ("done", mine.reply)
    assert turn.citations == cited, "the answer from before is as it was"
    kept = application.history.store.load(talk.chat.identity).turns[0]
    assert (kept.finish, kept.edited, kept.metrics["tokens"]) == (EDITED, True, 0)


def test_branches_may_give_one_number_to_other_passages(application: Application, tmp_path: Path) -> None:
    store = application.history.store
    talk = Talk(application)
    for number in range(2):
        turn = answered(application, talk.chat, f"Q{number}", "A", instead_of=0 if number else None)
        made = Citation(1, f"{number}.pdf", 1, "", f"Passage {number}.", 7 + number)
        turn.given, turn.citations = (made,), [made]
        recording = Recording(application.history, talk.chat.identity, "documents", talk.chat.tree, goes_on=True)
        assert recording.end(turn) == ""
    for index in (0, 1):
        show_sibling(application, talk.chat, 0, index)
        kept = store.load(talk.chat.identity)
        assert [made.file for made in kept.turns[0].citations] == [f"{index}.pdf"]
        assert [made.source for made in kept.turns[0].given] == [7 + index]
        (tmp_path / "chats.json").write_text("".join(as_json([kept])), encoding="utf-8")
        assert read_json(tmp_path / "chats.json") == [as_read(kept)]


def as_read(kept: StoredConversation) -> StoredConversation:
    """As it is read: what means nothing elsewhere is left out."""

    def read(turn: Any) -> Any:
        return replace(turn, reply_tokens=[], thinking_tokens=0, tokenizer="", library="", documents=())

    nodes = [replace(node, turn=read(node.turn)) for node in kept.tree]
    return StoredConversation.of_nodes(kept.title, kept.library, nodes, kept.created, kept.changed, kept.system)
