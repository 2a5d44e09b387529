"""The list of chats and the texts around it: what is shown, and that nothing in it can act. Without a browser."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec import texts
from localspec.application.chats import Chat, Exchange
from localspec.application.state import CHATS_LISTED, Application, Conversation, ListState
from localspec.chat.turn import Turn
from localspec.errors import StoreError
from localspec.stores.conversations import MARK, UNMARK, ConversationInfo
from localspec.stores.stored_turns import StoredConversation, StoredTurn
from localspec.ui import elements
from localspec.ui.chat_list import below, chats
from localspec.ui.chat_list_part import ChatListPart
from localspec.ui.chat_updates import ChatUpdates
from localspec.ui.exports import file_name
from localspec.ui.messages import message, messages
from tests.ui.test_panel import HOSTILE, Tags

INFO = ConversationInfo(3, "The lamp", "documents", "2026-01-02T03:04:05+00:00", "2026-01-03T03:04:05+00:00")


def shown(*infos: ConversationInfo, state: ListState | None = None, current: int = 0, more: bool = False) -> str:
    return chats(infos, state or ListState(), current, "", more)


def test_a_chat_can_be_opened_renamed_exported_and_deleted() -> None:
    page = shown(INFO, replace(INFO, id=4), current=4)
    for wanted in ("open 3", "rename 3", "ask 3", "open 4"):
        assert f'data-act="{wanted}"' in page
    for link in ("/export/3.md", "/export/3.json"):
        assert f'href="{link}"' in page
    assert page.count('aria-current="true"') == page.count('class="chat current"') == 1
    assert not Tags(page).open
    assert "\n\n" not in page


def test_nothing_is_deleted_or_renamed_without_a_second_press() -> None:
    page = shown(INFO, state=ListState(deleting=3))
    assert 'data-act="delete 3"' in page
    assert 'data-act="keep"' in page
    assert page.index("keep") < page.index("delete 3"), "no button stands where the first one stood"
    page = shown(INFO, state=ListState(renaming=3))
    assert 'value="The lamp"' in page
    assert 'data-act="title 3"' in page
    assert 'data-act="delete 3"' not in page


def test_an_empty_list_says_why() -> None:
    assert texts.NO_CHATS.split(".")[0] in html.unescape(shown())
    assert texts.NOTHING_FOUND.rstrip(".") in html.unescape(shown(state=ListState(query="x")))
    assert texts.MORE_CHATS in shown(INFO, more=True)
    assert "problem" in chats([], ListState(), 0, "The disk is full.", False)


@given(st.text(), st.text(), st.sampled_from([ListState(), ListState(renaming=3), ListState(deleting=3)]))
def test_texts_of_others_are_only_text(title: str, snippet: str, state: ListState) -> None:
    for text, found in ((title, snippet), (HOSTILE, HOSTILE), (f'"{title}', f"{MARK}{snippet}{UNMARK}{MARK}")):
        info = replace(INFO, title=text, snippet=found, library=text)
        page = chats([info], state, 0, found, False)
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
    application.delete_chat(1)
    assert one.chat.identity == two.chat.identity == 0
    assert one.chat is not two.chat
    with pytest.raises(StoreError, match="not there"):
        application.chat(1)


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
        handlers.delete(conversation, about)
        handlers.rename(conversation, f"{about} New")
    handlers.delete(conversation, "5")  # nobody was asked
    after = application.history.store.newest()
    assert {info.id for info in after} == {info.id for info in before}


def test_a_library_that_is_not_there_is_not_begun_for_a_chat(application: Application) -> None:
    kept = StoredConversation("Elsewhere", "../evil", (StoredTurn("Q", "Q", "A", finish="end"),))
    application.history.store.add([kept])
    identity = application.history.store.search("Elsewhere")[0].id
    conversation = opened(application, "one", identity)
    assert conversation.library == "documents"


def test_what_is_not_in_the_chat_is_taken_back_alone() -> None:
    turn = Turn("First?", "First?", reply="One.", finish="end")
    chat = Chat(turns=[turn], exchanges=[Exchange("First?", turn=turn), Exchange("Nothing came of this.")])
    chat.cut(1)
    assert chat.turns == [turn]
    chat.cut(0)
    assert chat.turns == []
    assert messages(chat) == []
