"""What a page is told of a reply that is stopped, whatever the model is at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

from localspec import texts
from localspec.application.chats import Chat
from localspec.application.replying import ReplyTask
from localspec.chat.engine import Engine
from localspec.chat.turn import ReplyOptions


def reply_over(use: Callable[[Callable[[], bool]], Any]) -> ReplyTask:
    application = SimpleNamespace(models=SimpleNamespace(use=use))
    conversation = SimpleNamespace(chat=Chat(), library="default")
    return ReplyTask(cast(Any, application), cast(Any, conversation), "Hello?", (), ReplyOptions())


def test_it_says_at_once_that_it_stops() -> None:
    """Although what it waits for goes on."""
    busy = threading.Event()

    @contextmanager
    def use(_cancelled: Callable[[], bool]) -> Iterator[Engine | None]:
        busy.wait()
        yield None

    reply = reply_over(use)
    reply.start()
    views = reply.views()
    assert not next(views).stopping
    reply.stop()
    view = next(views)
    assert (view.stopping, view.activity, view.fraction) == (True, texts.STOPPING, None)
    assert not view.is_final
    reply._publish(activity=texts.FINDING, fraction=0.5)
    view = next(views)
    assert (view.stopping, view.activity, view.fraction) == (True, texts.STOPPING, None), "nothing else is said of it"
    busy.set()
    *_, last = views
    assert (last.state, last.stopping, last.is_final) == ("stopped", False, True)
    reply.stop()
    assert reply._view is last
