"""Answers that fail at once: what was typed, and what was there before, is there again. Without a browser."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from localspec import texts
from localspec.application.chats import Chat
from localspec.application.preferences import Chosen
from localspec.application.replying import ReplyTask
from localspec.application.state import Application
from localspec.chat.turn import Turn
from localspec.ui.options import SAMPLING_ORDER
from localspec.ui.page import Page


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Page:
    """Of an application without a model, in which an answer is over before its beginning returns: so it is on a busy
    computer, now and then."""
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    begin = ReplyTask.start

    def begin_and_end(task: ReplyTask) -> None:
        begin(task)
        assert task.wait(60)

    monkeypatch.setattr(ReplyTask, "start", begin_and_end)
    page = Page(Application())
    with gr.Blocks() as blocks:
        page.build()
        page.connect(blocks)
    return page


def test_an_edited_question_whose_answer_fails_at_once_is_still_edited(page: Page) -> None:
    request: Any = SimpleNamespace(session_hash="tab")
    conversation = page.application.conversation("tab")
    chat = Chat()
    chat.add(Turn("Name a colour.", "Name a colour.", "Red.", [1, 2], "own", finish="end"), 0)
    conversation.show(chat)
    conversation.editing = 0
    chosen = Chosen()
    settings = [getattr(chosen, name, "") for name in SAMPLING_ORDER]
    page.chat.reply(request, {"text": "Name a number.", "files": []}, *settings)
    assert conversation.editing == 0
    assert [exchange.question for exchange in conversation.chat.exchanges] == ["Name a colour."]
    assert conversation.entry[1] == "Name a number."
    assert any(texts.KEPT_BEFORE in notice.text for notice in conversation.notices)
