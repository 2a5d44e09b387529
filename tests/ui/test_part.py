"""What tabs are told: what has changed, once. Without a browser."""

from __future__ import annotations

import ast
import contextvars
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from localspec.application.chats import View
from localspec.application.conversation import Conversation
from localspec.application.state import Application
from localspec.application.tuning import PRESSES
from localspec.chat.turn import Turn
from localspec.errors import ModelError
from localspec.models.files.catalogue import DEFAULT_MODEL
from localspec.ui import part
from localspec.ui.page import Page
from localspec.ui.part import Part, Tick, html, identity, inform, only, remember, warned
from tests.running import finished

UI = Path(part.__file__).parent
SAYS = {"warn", "inform", "warned"}


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


def test_markup_keeps_its_element_after_nothing_of_it_has_changed() -> None:
    with gr.Blocks() as blocks:
        made = html("shown")
        gr.Button().click(lambda: None, None, made)
    [handler] = blocks.fns.values()
    state = SessionState(blocks)

    async def sent() -> list[object]:  # one value after the other, in one tab
        return [(await blocks.postprocess_data(handler, one, state))[0] for one in ("1", gr.skip(), "2", None)]

    first, _, second, empty = finished(sent())
    for shown, markup in ((first, "1"), (second, "2"), (empty, "")):
        assert re.fullmatch(rf'<div class="drawn" data-sent="\d+">{markup}</div>', str(shown))
    assert len({first, second, empty}) == 3
    assert made.get_block_name() == "markdown"
    assert not list(UI.glob("*.pyi")), "Gradio has written a file of type hints"


def test_what_a_component_shows_at_first_need_not_be_told() -> None:
    tick = Tick(Conversation(), "auto")
    tick.tell("system", "", first="")
    tick.tell("learning", "off", False)
    assert tick.updates == {"learning": False}


def test_a_tick_that_is_cut_off_is_told_again() -> None:
    tab = Conversation()
    Tick(tab, "auto").tell("status", "ready")
    assert told(tab, status="ready") == {"status": "ready"}


def test_what_a_handler_sends_while_a_tick_is_under_way_is_not_forgotten() -> None:
    tab = Conversation()
    tick = Tick(tab, "auto")
    tick.tell("entry", "Send", first="Send")  # nothing that would have to be sent
    remember(tab, {"entry": "Stop"})
    tick.end()
    assert told(tab, entry="Stop") == {}
    assert told(tab, entry="Send") == {"entry": "Send"}


def test_what_a_handler_and_a_tick_have_both_sent_is_not_told_again() -> None:
    tab = Conversation()
    tick = Tick(tab, "auto")
    tick.tell("seed", "7")
    remember(tab, {"seed": "7"})
    tick.end()
    assert told(tab, seed="7") == {}


def test_where_both_have_sent_something_else_the_next_tick_tells_it_again() -> None:
    tab = Conversation()
    assert told(tab, entry="Send") == {"entry": "Send"}
    tick = Tick(tab, "auto")
    tick.tell("entry", "Stop")
    remember(tab, {"entry": "Send"})
    tick.end()
    tick = Tick(tab, "auto")
    tick.tell("entry", "Send", first="Send")
    assert tick.updates == {"entry": "Send"}


def test_a_library_that_was_left_meanwhile_is_not_taken_for_the_new_one() -> None:
    tab = Conversation()
    tick = Tick(tab, "auto")
    tick.tell("documents", "rows")
    tick.tell("max_tokens", "512")
    tab.use_library("another")
    remember(tab, {"max_tokens": "40"})  # typed before that tick's 512 came
    tick.end()
    assert told(tab, documents="rows", max_tokens="40") == {"documents": "rows", "max_tokens": "40"}


def test_handlers_know_their_tab_before_they_tell_it_something() -> None:
    """Else what they say is lost."""
    told, wrong = 0, []
    for path in sorted(Path(part.__file__).parent.glob("*.py")):
        for handler in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(handler, ast.FunctionDef) or all(one.arg != "request" for one in handler.args.args):
                continue
            calls = [(one.lineno, ast.unparse(one.func)) for one in ast.walk(handler) if isinstance(one, ast.Call)]
            says = [line for line, name in calls if name in ("warn", "warned", "inform")]
            knows = [line for line, name in calls if name.endswith(".conversation")]
            told += bool(says)
            if says and min(says) <= min(knows, default=min(says)):
                wrong.append(f"{path.name}: {handler.name}")
    assert told > 5
    assert wrong == []


def test_updates_stand_where_a_handler_has_its_outputs() -> None:
    assert only(("chat", "panel", "entry"), {"panel": "figures"}) == (gr.skip(), "figures", gr.skip())


@pytest.mark.parametrize(("sent", "number"), [("7", 7), ("", 0), ("-1", 0), ("²", 0), ("9" * 30, 0), ("1; x", 0)])
def test_numbers_that_the_page_sends(sent: str, number: int) -> None:
    assert identity(sent) == number


def test_what_goes_wrong_is_said_to_the_tab_that_asked() -> None:
    application = Application()
    asked, tab = Part(application), application.conversation("tab")

    def fail() -> None:
        raise ModelError("It is no model.", "Choose another.")

    def handle() -> None:
        asked.conversation(cast("gr.Request", SimpleNamespace(session_hash="tab")))
        with warned("model"):
            fail()
        with warned("model"):
            fail()
        inform("Done.")
        with pytest.raises(ZeroDivisionError), warned():
            divmod(1, 0)

    contextvars.copy_context().run(handle)
    assert [(one.kind, one.text) for one in tab.notices] == [
        ("problem", "It is no model. Choose another."),
        ("info", "Done."),
    ], "what is said of a topic takes the place of what was said before"
    assert not application.conversation("other").notices


def test_whom_it_is_said_to_is_known_before_anything_is_said() -> None:
    """A handler asks for its tab first: what it says before that is said to nobody."""
    for_handlers = {"warned", "changed", "add_dropped"}  # these know the tab
    wrong = []
    for file in sorted(UI.glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        bodies = [tree.body, *(one.body for one in tree.body if isinstance(one, ast.ClassDef))]
        for function in (one for body in bodies for one in body if isinstance(one, ast.FunctionDef)):
            calls = [one for one in ast.walk(function) if isinstance(one, ast.Call)]
            says = [one.lineno for one in calls if isinstance(one.func, ast.Name) and one.func.id in SAYS]
            asks = [one.func for one in calls if isinstance(one.func, ast.Attribute)]
            known = [one.lineno for one in asks if one.attr == "conversation"]
            given = "conversation" in {argument.arg for argument in function.args.args}
            if says and not given and function.name not in for_handlers and min(says) < min(known, default=sys.maxsize):
                wrong.append(f"{file.name}: {function.name}")
    assert wrong == []


def test_notices_go_when_they_are_closed_or_their_cause_is_gone() -> None:
    tab = Conversation()
    tab.warn("No memory.", "model")
    tab.inform("Added.")
    tab.warn("No answer.", "answer")
    tab.settle("model")
    assert [one.text for one in tab.notices] == ["Added.", "No answer."]
    tab.dismiss(tab.notices[0].number)
    assert [one.text for one in tab.notices] == ["No answer."]
    tab.inform("Again.")
    assert len({one.number for one in tab.notices}) == 2


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


def test_a_kept_answer_is_seen_as_it_ended() -> None:
    for finish, state in (("end", "done"), ("length", "done"), ("stopped", "stopped"), ("interrupted", "interrupted")):
        view = View.of(Turn("Q", "Q", reply="One", finish=finish))
        assert (view.state, view.text, view.is_final) == (state, "One", True)


def test_what_buttons_cannot_do_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    page = Page(Application())
    with gr.Blocks():
        page.build()
    request = cast("gr.Request", SimpleNamespace(session_hash="tab"))
    tab, fields = page.application.conversation("tab"), (DEFAULT_MODEL, "", "", 9000, -1, 0)
    handlers: list[tuple[str, Callable[[], object]]] = [
        ("No model is loaded", lambda: page.models.unload(request)),
        ("a longer one is not possible", lambda: page.models.load(request, *fields)),
        ("No model is loaded", lambda: page.press(f"{PRESSES[0]} 1 ", "auto", request)),
        ("missing.json", lambda: page.chat_list.import_file(str(tmp_path / "missing.json"), request)),
    ]
    for words, handle in handlers:
        # Each request has a context of its own.
        contextvars.Context().run(handle)
        assert [one.text for one in tab.notices if words in one.text], words
        tab.notices = ()
