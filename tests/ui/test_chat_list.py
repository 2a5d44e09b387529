"""The list of chats and the texts around it: what is shown, and that nothing in it can act. Without a browser."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec import texts
from localspec.application.chats import Chat, Exchange
from localspec.application.conversation import Conversation
from localspec.application.list_states import CHATS_LISTED, ListState
from localspec.application.state import Application
from localspec.chat.turn import Turn
from localspec.errors import StoreError
from localspec.stores.chat_folders import ChatFolder
from localspec.stores.conversations import MARK, UNMARK, ConversationInfo
from localspec.stores.deleted_chats import DeletedItem
from localspec.stores.stored_turns import StoredConversation, StoredTurn
from localspec.ui import elements
from localspec.ui.chat_list import Listed, below, chats, head_menu
from localspec.ui.chat_list_part import ChatListPart
from localspec.ui.chat_part import ChatPart
from localspec.ui.chat_updates import ChatUpdates
from localspec.ui.exports import file_name
from localspec.ui.messages import message, messages
from tests.ui.test_panel import HOSTILE, Tags

INFO = ConversationInfo(3, "The lamp", "documents", "2026-01-02T03:04:05+00:00", "2026-01-03T03:04:05+00:00")


NOW = datetime(2026, 1, 10, 12, tzinfo=timezone(timedelta(hours=9)))


def drawn(listed: Listed, state: ListState | None = None, current: int = 0, problem: str = "") -> str:
    return chats(listed, state or ListState(), current, problem, NOW)


def shown(*infos: ConversationInfo, state: ListState | None = None, current: int = 0, more: bool = False) -> str:
    return drawn(Listed(infos, more), state, current)


def test_a_chat_can_be_opened_renamed_pinned_filed_exported_and_deleted() -> None:
    page = shown(INFO, replace(INFO, id=4, pinned=True, folder=2), current=4)
    for wanted in ("open 3", "rename 3", "pin 3", "file 3", "delete 3", "open 4", "unpin 4", "into 4 0"):
        assert f'data-act="{wanted}"' in page
    assert 'data-act="into 3 0"' not in page
    for link in ("/export/3.md", "/export/3.json"):
        assert f'href="{link}"' in page
    assert page.count('aria-current="true"') == page.count('class="chat current"') == 1
    assert page.count('<details class="menu"') == page.count('aria-label="More actions for The lamp"') == 2
    assert not Tags(page).open
    assert "\n\n" not in page


def test_all_chats_are_exported_and_imported_from_one_menu() -> None:
    page = head_menu()
    for wanted in ("/export/all.md", "/export/all.json", 'data-opens="#import-chats"'):
        assert wanted in page
    assert not Tags(page).open


def test_a_title_or_a_folder_is_typed_in_the_row_of_its_chat() -> None:
    page = shown(INFO, state=ListState(renaming=3))
    assert 'value="The lamp"' in html.unescape(page)
    assert 'data-typed="title 3"' in page
    assert 'data-act="title 3"' in page
    assert 'data-act="delete 3"' not in page
    folders = (ChatFolder(7, "Work"), ChatFolder(8, "Home"))
    page = drawn(Listed(filed=(replace(INFO, folder=7),), folders=folders), ListState(filing=3))
    assert 'data-typed="move 3"' in page
    assert 'data-act="into 3 8"' in page
    assert 'data-act="into 3 7"' not in page, "it is there already"
    page = drawn(Listed(folders=folders), ListState(renaming_folder=8))
    assert 'data-typed="title-folder 8"' in page
    assert 'data-act="rename-folder 7"' in page
    assert 'data-act="rename-folder 8"' not in page


def headings(page: str) -> list[str]:
    return [part.split("</h2>")[0] for part in page.split("<h2>")[1:]]


def test_chats_stand_under_the_day_they_changed_on_where_the_person_is() -> None:
    times = [
        "2026-01-10T02:59:00+00:00",  # 11:59 there
        "2026-01-09T15:00:00Z",  # midnight there
        "2026-01-09T14:59:59.999+00:00",
        "2026-01-08T20:00:00+00:00",
        "2026-01-08T14:59:00+00:00",
        "2026-01-02T15:00:00+00:00",
        "2026-01-02T14:59:00+00:00",
        "0001-01-01T00:00:00+00:00",
        "no time",
    ]
    page = shown(*(replace(INFO, id=number, changed=time) for number, time in enumerate(times, 1)))
    assert headings(page) == [texts.TODAY, texts.YESTERDAY, texts.PREVIOUS_WEEK, texts.OLDER]
    counts = [part.count("<li") for part in page.split("<h2>")[1:]]
    assert counts == [2, 2, 2, 3]
    assert headings(shown(replace(INFO, changed="2026-01-12T00:00:00+00:00"))) == [texts.TODAY], "a clock was wrong"
    assert headings(shown(INFO, state=ListState(query="lamp"))) == [], "what is found stands by how well it fits"


def test_pinned_chats_stand_on_top_and_then_folders() -> None:
    filed = [
        replace(INFO, id=1, title="One", pinned=True, folder=7),
        replace(INFO, id=2, title="Two", folder=7),
        replace(INFO, id=3, title="Three", folder=8),
    ]
    folders = (ChatFolder(8, "Home", collapsed=True), ChatFolder(7, "Work"))
    page = drawn(Listed((replace(INFO, id=4, title="Four"),), False, filed, folders))
    assert headings(page)[0] == texts.PINNED
    assert [page.index(f"open {number}") for number in (1, 2, 4)] == sorted(
        page.index(f"open {number}") for number in (1, 2, 4)
    )
    assert page.count('data-act="open 1"') == 1
    assert "open 3" not in page, "its folder is collapsed"
    assert 'data-act="unfold 8" aria-expanded="false"' in page
    assert 'data-act="fold 7" aria-expanded="true"' in page
    assert not Tags(page).open


def test_what_was_deleted_can_be_taken_back() -> None:
    items = (DeletedItem("chat", 3, "The lamp", "x"), DeletedItem("folder", 3, "Work", "w"))
    page = drawn(Listed(deleted=items))
    for wanted in ("restore chat 3", "purge chat 3", "restore folder 3", "purge folder 3"):
        assert f'data-act="{wanted}"' in page
    assert "data-say" not in page, "another tab deleted it, or it was long ago"
    page = drawn(Listed(deleted=items), ListState(deleted=("folder", 3)))
    assert "Folder “Work” was deleted; its chats are kept." in html.unescape(page.split('data-say="')[1])
    assert page.count('data-act="restore folder 3"') == 2
    assert "data-say" not in drawn(Listed(deleted=items[:1]), ListState(deleted=("folder", 3))), "it is back"
    assert "more-deleted" in drawn(Listed(deleted=items, more_deleted=True))
    assert not Tags(page).open


def test_an_empty_list_says_why() -> None:
    assert texts.NO_CHATS.split(".")[0] in html.unescape(shown())
    assert texts.NOTHING_FOUND.rstrip(".") in html.unescape(shown(state=ListState(query="x")))
    assert texts.MORE_CHATS in shown(INFO, more=True)
    assert "problem" in drawn(Listed(), problem="The disk is full.")


STATES = [
    *(ListState(), ListState(renaming=3), ListState(filing=3), ListState(renaming_folder=3), ListState(query="x")),
    *(ListState(deleted=("chat", 3)), ListState(deleted=("folder", 3))),
]


@given(st.text(), st.text(), st.sampled_from(STATES))
def test_texts_of_others_are_only_text(title: str, snippet: str, state: ListState) -> None:
    for text, found in ((title, snippet), (HOSTILE, HOSTILE), (f'"{title}', f"{MARK}{snippet}{UNMARK}{MARK}")):
        info = replace(INFO, title=text, snippet=found, library=text)
        deleted = (DeletedItem("chat", 3, text, found), DeletedItem("folder", 3, text, found))
        page = drawn(
            Listed((info,), True, (replace(info, folder=3),), (ChatFolder(3, text),), deleted), state, problem=found
        )
        tags = Tags(page)
        assert not {"img", "script", "b"} & set(tags.tags)
        assert not any(name.startswith("on") for name in tags.attributes)
        assert not tags.open
        assert "![" not in page


def test_found_words_are_marked_and_marks_in_a_text_mean_nothing() -> None:
    page = shown(replace(INFO, snippet=f"a {MARK}lamp{UNMARK} <b> {UNMARK}{MARK}x"))
    assert "<mark>lamp</mark>" in page
    assert page.count("<mark>") == 1
    assert "&#60;b&#62;" in page
    assert MARK not in page
    assert UNMARK not in page


def test_what_can_be_done_is_said_above_the_entry() -> None:
    assert below(None, 3, False) == ""
    assert 'data-act="continue"' in below(None, 3, True)
    assert "2 questions after it" in below(0, 3, True)
    assert "after it" not in below(2, 3, True)
    assert 'data-act="continue"' not in below(2, 3, True)


def test_a_question_has_a_button_to_edit_it() -> None:
    page = elements.question(HOSTILE, ["a.pdf"], 4)
    assert 'name="edit 4"' in page
    assert "edit" not in elements.question("", ["a.pdf"], 4), "there is nothing to edit"
    assert not Tags(page).open


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("How is the lamp cleaned?", "How-is-the-lamp-cleaned.md"), ("../../etc/passwd", "etc-passwd.md"),
        ("???", "chat.md"), ("灯塔", "灯塔.md"), ('a"\r\nSet-Cookie: x', "a-Set-Cookie-x.md"),
        ("x" * 300, "x" * 60 + ".md"),
    ],
)  # fmt: skip
def test_exports_have_names_that_every_system_takes(title: str, name: str) -> None:
    assert file_name(title, "md") == name


# ---- what the handlers do, without a page ----


@pytest.fixture
def application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    turns = (
        StoredTurn("First?", "First?", "One.", finish="end"),
        StoredTurn("Second?", "Second?", "Tw", finish="stopped"),
    )
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    made = Application()
    made.history.store.add(
        StoredConversation(f"Chat {number}", "documents", turns) for number in range(CHATS_LISTED + 20)
    )
    yield made
    made.close()


def handlers_of(application: Application) -> ChatListPart:
    return ChatListPart(application, ChatUpdates(application))


def opened(application: Application, key: str, identity: int) -> Conversation:
    conversation = application.conversation(key)
    handlers_of(application).open(conversation, str(identity))
    return conversation


def test_tabs_share_a_chat_and_one_that_is_deleted_leaves_both(application: Application) -> None:
    one, two = opened(application, "one", 1), opened(application, "two", 1)
    assert one.chat is two.chat
    assert [exchange.question for exchange in one.chat.exchanges] == ["First?", "Second?"]
    assert texts.STOPPED.split(".")[0] in html.unescape(message(one.chat.exchanges[1]))
    application.chats.delete(1)
    assert one.chat.identity == two.chat.identity == 0
    assert one.chat is not two.chat
    with pytest.raises(StoreError, match="no longer exists"):
        application.chats.get(1)


def test_a_chat_that_is_taken_back_is_shown_where_it_was_and_nothing_else_is(application: Application) -> None:
    handlers = handlers_of(application)
    here, blank, busy, other = (opened(application, key, 1) for key in ("here", "blank", "busy", "other"))
    handlers.delete(here, "1")
    opened(application, "other", 2)
    busy.chat.exchanges.append(Exchange("Something new?"))
    handlers.restore(here, "chat 1")
    assert here.chat is blank.chat
    assert here.chat.identity == 1
    assert [exchange.question for exchange in here.chat.exchanges] == ["First?", "Second?"]
    assert busy.chat.exchanges[0].question == "Something new?"
    assert other.chat.identity == 2
    # A tab that has begun another chat since does not get it either.
    handlers.delete(here, "1")
    blank.show(Chat())
    handlers.restore(here, "chat 1")
    assert (here.chat.identity, blank.chat.identity) == (1, 0)


def test_what_a_tab_deleted_last_is_offered_until_it_is_back_or_waved_away(application: Application) -> None:
    handlers, tab = handlers_of(application), application.conversation("one")

    def offered() -> str:
        drawn = handlers.updates.beside(tab)["chats"]
        return html.unescape(drawn.split('data-say="')[1].split('"')[0]) if "data-say" in drawn else ""

    handlers.delete(tab, "120")
    assert "“Chat 119” was deleted." in offered()
    handlers.delete(tab, "119")
    assert "“Chat 118” was deleted." in offered()
    handlers.restore(tab, "chat 119")
    assert offered() == ""
    assert "restore chat 120" in handlers.updates.beside(tab)["chats"]
    handlers.delete(tab, "118")
    handlers.dismiss(tab, "")
    assert offered() == ""
    handlers.purge(tab, "chat 118")
    assert "restore chat 118" not in handlers.updates.beside(tab)["chats"]
    other = application.conversation("two")
    assert "data-say" not in handlers.updates.beside(other)["chats"]


def test_chats_are_filed_by_what_is_pressed(application: Application) -> None:
    handlers, tab = handlers_of(application), application.conversation("one")

    def do(name: str, about: str) -> str:
        handlers.actions[name](tab, about)
        return handlers.updates.beside(tab)["chats"]

    assert 'data-typed="move 120"' in do("file", "120")
    page = do("move", "120 My work")
    assert 'data-act="fold 1"' in page
    assert "Chat 119" in page.split("chat-folder")[1].split("</section>")[0]
    assert 'data-act="unfold 1"' in do("fold", "1")
    assert 'data-act="fold 1"' in do("unfold", "1")
    assert 'data-typed="title-folder 1"' in do("rename-folder", "1")
    assert "Other" in do("title-folder", "1 Other")
    assert headings(do("pin", "3"))[0] == texts.PINNED, "also one that is not among the newest"
    assert texts.PINNED not in headings(do("unpin", "3"))
    assert "chat-folder" not in do("delete-folder", "1")
    assert "chat-folder" in do("restore", "folder 1")
    assert "Chat 119" not in do("into", "120 0").split("chat-folder")[1].split("</section>")[0]


def test_the_list_is_made_anew_only_where_it_changed(application: Application) -> None:
    handlers, conversation = handlers_of(application), application.conversation("one")
    first = handlers.updates.beside(conversation)["chats"]
    assert first.count("<li") == CHATS_LISTED
    assert handlers.updates.beside(conversation)["chats"] is first
    application.history.store.rename(120, "Another name")
    second = handlers.updates.beside(conversation)["chats"]
    assert "Another name" in second
    # A title that is being typed is not taken away by what happens elsewhere.
    handlers.ask_title(conversation, "119")
    typing = handlers.updates.beside(conversation)["chats"]
    application.history.store.rename(118, "Yet another name")
    assert handlers.updates.beside(conversation)["chats"] is typing
    handlers.keep(conversation)
    assert "Yet another name" in handlers.updates.beside(conversation)["chats"]
    handlers.more(conversation, "")
    assert handlers.updates.beside(conversation)["chats"].count("<li") == CHATS_LISTED + 20


def test_a_press_that_means_nothing_changes_nothing(application: Application) -> None:
    handlers, conversation = handlers_of(application), application.conversation("one")
    before = application.history.store.newest()
    for about in ("", "x", "-1", "9" * 30, "1; DROP TABLE turns", "²"):
        with pytest.raises(StoreError):
            handlers.open(conversation, about)
        for name, action in handlers.actions.items():
            if name not in ("open", "more", "more-deleted"):
                with suppress(StoreError):
                    action(conversation, about)
        for kind in ("chat", "folder", "turns", ""):
            handlers.purge(conversation, f"{kind} {about}")
        handlers.rename(conversation, f"{about} New")
    handlers.purge(conversation, "chat 5")  # it was not deleted
    after = application.history.store.newest()
    assert {info.id for info in after} == {info.id for info in before}


def test_a_library_that_is_not_there_is_not_begun_for_a_chat(application: Application) -> None:
    kept = StoredConversation("Elsewhere", "../evil", (StoredTurn("Q", "Q", "A", finish="end"),))
    application.history.store.add([kept])
    identity = application.history.store.search("Elsewhere")[0].id
    conversation = opened(application, "one", identity)
    assert conversation.library == "documents"


@pytest.mark.parametrize("name", ["edit", "rewrite"])
def test_what_is_edited_leaves_the_entry_with_its_chat(application: Application, name: str) -> None:
    handlers, tab = handlers_of(application), opened(application, "one", 1)
    edit = ChatPart(application, handlers.updates).actions[name]

    def begin() -> tuple[tuple[int, str, bool], int | None, int | None]:
        edit(tab, "0")
        assert tab.entry[1]
        return tab.entry, tab.editing, tab.rewriting

    edited = begin()
    handlers.open(tab, "1")
    assert (tab.entry, tab.editing, tab.rewriting) == edited, "it is open already"
    for leave in (handlers.open, handlers.delete):
        opened(application, "one", 1)
        count = begin()[0][0]
        leave(tab, "2" if leave == handlers.open else "1")
        assert (tab.entry, tab.editing, tab.rewriting) == ((count + 1, "", True), None, None)


def test_what_is_not_in_the_chat_is_taken_back_alone() -> None:
    turn = Turn("First?", "First?", reply="One.", finish="end")
    chat = Chat(turns=[turn], exchanges=[Exchange("First?", turn=turn), Exchange("Nothing came of this.")])
    chat.cut(1)
    assert chat.turns == [turn]
    chat.cut(0)
    assert chat.turns == []
    assert messages(chat) == []
