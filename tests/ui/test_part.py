"""What tabs are told: what has changed, once. Without a browser."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import gradio as gr
import pytest

from localspec.application.chats import Chat, Exchange, View
from localspec.application.state import Application, Conversation
from localspec.chat.turn import Turn
from localspec.errors import ModelError
from localspec.ui import chat_part
from localspec.ui.page import Page
from localspec.ui.part import Tick, identity, only, remember, warned


def told(conversation: Conversation, **parts: str) -> dict[str, object]:
    tick = Tick(conversation, "auto")
    for name, shown in parts.items():
        tick.tell(name, shown)
    tick.end()
    return tick.updates


def test_only_what_has_changed_is_told() -> None:
    tab = Conversation()
    assert told(tab, status="loading", fit="") == {"status": "loading", "fit": ""}
    assert told(tab, status="ready", fit="") == {"status": "ready"}
    remember(tab, {"fit": "It fits."})
    assert told(tab, status="ready", fit="It fits.") == {}
    assert all(isinstance(seen, int) for seen in tab.seen.values()), "no markup is kept beside the data"


def test_what_a_component_shows_at_first_need_not_be_told() -> None:
    tick = Tick(Conversation(), "auto")
    tick.tell("system", "", first="")
    tick.tell("learning", "off", False)
    assert tick.updates == {"learning": False}


def test_a_tick_that_is_cut_off_is_told_again() -> None:
    tab = Conversation()
    Tick(tab, "auto").tell("status", "ready")
    assert told(tab, status="ready") == {"status": "ready"}


def test_a_library_that_was_left_meanwhile_is_not_taken_for_the_new_one() -> None:
    tab = Conversation()
    tick = Tick(tab, "auto")
    tick.tell("documents", "rows")
    tab.use_library("another")
    tick.end()
    assert told(tab, documents="rows") == {"documents": "rows"}


def test_updates_stand_where_a_handler_has_its_outputs() -> None:
    assert only(("chat", "panel", "entry"), {"panel": "figures"}) == (gr.skip(), "figures", gr.skip())


@pytest.mark.parametrize(("sent", "number"), [("7", 7), ("", 0), ("-1", 0), ("²", 0), ("9" * 30, 0), ("1; x", 0)])
def test_numbers_that_the_page_sends(sent: str, number: int) -> None:
    assert identity(sent) == number


def test_what_goes_wrong_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", said.append)

    def fail() -> None:
        raise ModelError("It is no model.", "Choose another.")

    with warned():
        fail()
    assert len(said) == 1
    with pytest.raises(ZeroDivisionError), warned():
        divmod(1, len(said) - 1)


def test_every_part_is_told_under_a_name_of_its_own() -> None:
    page = Page(cast("Application", SimpleNamespace()))
    with gr.Blocks():
        page.build()
    names = [name for part in page.parts for name in part.told]
    assert len(names) == len(set(names))
    assert len(page.named(names)) == len(names), "each of them is built"
    assert len({id(component) for component in page.named(names)}) == len(names)
    places = [component.elem_id for component in page.named(names) if component.elem_id]
    assert len(places) == len(set(places))


def test_an_answer_that_cannot_go_on_stays_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gr, "Warning", lambda *_, **__: None)
    turn, view = Turn("Q", "Q", reply="One", finish="length"), View("done", text="One")
    exchange = Exchange("Q", view=view, turn=turn)
    tab = Conversation(chat=Chat(turns=[turn], exchanges=[exchange]))
    wanted = chat_part._Wanted("Q", goes_on=True)
    written, before = chat_part._placed(tab.chat, wanted)
    assert written is exchange
    failed = View("failed", text="One", error=ModelError("The model is gone."))
    written.view, written.turn = failed, None
    chat_part._put_back(tab, wanted, written, before, failed)
    assert (exchange.view, exchange.turn, tab.chat.exchanges) == (view, turn, [exchange])


def test_a_kept_answer_is_seen_as_it_ended() -> None:
    for finish, state in (("end", "done"), ("length", "done"), ("stopped", "stopped"), ("interrupted", "interrupted")):
        view = View.of(Turn("Q", "Q", reply="One", finish=finish))
        assert (view.state, view.text, view.is_final) == (state, "One", True)
