"""Chats and tabs: a chat is found by what the address of a page says, whoever shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from localspec.application.asking import Asked
from localspec.application.chats import Chat, Exchange
from localspec.application.replying import ReplyTask
from localspec.application.state import Application
from localspec.chat.turn import ReplyOptions


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Application:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    return Application()


def test_a_chat_is_found_by_its_token_until_it_has_an_id(application: Application) -> None:
    chat = Chat()
    assert chat.address == "", "nothing was asked in it"
    chat.exchanges.append(Exchange("Why?"))
    application.chats.hold(chat)
    assert application.chats.addressed(chat.address) is chat
    for unknown in ("", "x", "-1", "9" * 30, "12", "../../etc", "²"):
        assert application.chats.addressed(unknown) is None


def test_a_tab_that_goes_ends_no_answer(application: Application) -> None:
    tab = application.conversation("tab")
    reply = tab.chat.reply = ReplyTask(application, tab, Asked("Why?"), ReplyOptions())
    application.chats.hold(tab.chat)
    chat = tab.chat
    application.leave("tab")
    assert not reply.is_stopping
    assert application.chats.addressed(chat.address) is chat
    assert application.chats.writing() == [chat]
    application.conversation("tab").show(Chat())
    assert not reply.is_stopping


def test_chats_that_nobody_shows_are_held_only_so_long(application: Application) -> None:
    shown = application.conversation("tab").chat
    application.chats.hold(shown)
    begun = [Chat() for _ in range(80)]
    for chat in begun:
        application.chats.hold(chat)
    assert application.chats.addressed(begun[-1].token) is begun[-1]
    assert application.chats.addressed(begun[0].token) is None
    assert application.chats.addressed(shown.token) is shown


def test_the_fingerprint_follows_what_pages_show(application: Application) -> None:
    application.conversation("tab", looks=True)
    first = application._fingerprint()
    assert application._fingerprint() == first
    application.models.notice = "Another model is loaded."
    second = application._fingerprint()
    assert second != first
    application.endpoint.switch(True)
    assert application._fingerprint() != second
    cast("Any", application).endpoint.switch(False)
