"""What a page is told of a reply that is stopped, whatever the model is at; and of one that nothing comes of."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from localspec import texts
from localspec.application.asking import Asked
from localspec.application.chats import Exchange, View
from localspec.application.conversation import Conversation
from localspec.application.replying import ReplyTask
from localspec.application.state import Application
from localspec.chat.engine import Engine
from localspec.chat.turn import ReplyOptions, Turn
from localspec.errors import ModelError

SOON = 60.0
Use = Callable[..., object]


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Application:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    return Application()


def asked(application: Application, tab: Conversation, asked: Asked, use: Use) -> ReplyTask:
    application.models.use = use  # type: ignore[method-assign, assignment]
    reply = tab.chat.reply = ReplyTask(application, tab, asked, ReplyOptions())
    return reply


def seen(tab: Conversation) -> View:
    view = tab.chat.exchanges[-1].view
    assert view is not None
    return view


def test_it_says_at_once_that_it_stops(application: Application) -> None:
    """Although what it waits for goes on."""
    busy = threading.Event()

    @contextmanager
    def use(_cancelled: Callable[[], bool]) -> Iterator[Engine | None]:
        busy.wait()
        yield None

    tab = application.conversation("tab")
    reply = asked(application, tab, Asked("Hello?"), use)
    reply.start()
    assert not seen(tab).stopping
    heard: list[str] = []
    application.changes.listen(heard.append)
    reply.stop()
    assert heard == ["all"]
    view = seen(tab)
    assert (view.stopping, view.activity, view.fraction) == (True, texts.STOPPING, None)
    assert not view.is_final
    reply._publish(activity=texts.FINDING, fraction=0.5)
    view = seen(tab)
    assert (view.stopping, view.activity, view.fraction) == (True, texts.STOPPING, None), "nothing else is said of it"
    busy.set()
    assert reply.wait(SOON)
    last = seen(tab)
    assert (last.state, last.stopping, last.is_final) == ("stopped", False, True)
    assert tab.chat.is_idle
    reply.stop()
    assert seen(tab) is last
    application.changes.close()


@contextmanager
def broken(_cancelled: Callable[[], bool]) -> Iterator[Engine | None]:
    yield from ()
    raise ModelError("The model is gone.", "Load another.")


def test_what_was_typed_comes_back_when_it_fails(application: Application) -> None:
    tab = application.conversation("tab")
    reply = asked(application, tab, Asked("Hello?", typed=True), broken)
    reply.start()
    assert reply.wait(SOON)
    assert tab.entry == (1, "Hello?", False)
    assert seen(tab).state == "failed"
    assert not tab.notices, "it is said in the chat"


@pytest.mark.parametrize("goes_on", [True, False])
def test_an_answer_stays_when_nothing_comes_of_another_one(application: Application, goes_on: bool) -> None:
    turn = Turn("Why?", "Why?", reply="Because.", finish="length")
    tab = application.conversation("tab")
    before = Exchange("Why?", view=View.of(turn), turn=turn)
    tab.chat.turns.append(turn)
    tab.chat.exchanges.append(before)
    view = before.view
    again = Asked("Why?", goes_on=True) if goes_on else Asked("Why?", instead_of=0)
    reply = asked(application, tab, again, broken)
    reply.start()
    assert reply.wait(SOON)
    assert tab.chat.exchanges == [before]
    assert (before.view, before.turn) == (view, turn)
    (notice,) = tab.notices
    assert "The model is gone." in notice.text
    assert texts.KEPT_BEFORE in notice.text
