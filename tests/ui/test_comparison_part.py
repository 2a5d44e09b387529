"""In a real browser: where each word came from, an answer beside plain decoding, and all methods on one prompt."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from localspec import texts
from localspec.chat.methods import METHODS
from tests.running import RunningApp
from tests.ui.test_browser import ENDLESS, LONG
from tests.ui.test_chat_part import ChatVisit

pytestmark = pytest.mark.browser

SIGNS = "née 🙂 日本語 **bold** $$x$$ <b>x</b>  two"
"""Written by a grammar: signs of several tokens, Markdown, mathematics, tags and a double space."""
REPEAT = "Write the word lighthouse ten times, separated by commas."


class Measuring(ChatVisit):
    """A tab, with what is measured in it."""

    @property
    def measured(self) -> Locator:
        return self.page.locator("#measured section")

    def mark(self, on: bool) -> None:
        self.page.locator("#show-origins input").set_checked(on)
        expect(self.page.locator("#chat .origins")).to_have_count(self.answers.count() if on else 0)

    def ended(self, state: str = "done") -> None:
        expect(self.page.locator(f"#measured section[data-state={state}]")).to_be_visible(timeout=3 * LONG)

    def line(self, method: str) -> Locator:
        return self.measured.locator(f"li[data-method={method}]")

    def said(self) -> list[str]:
        """The chat as it is shown."""
        return [*self.questions.all_inner_texts(), *self.answers.all_inner_texts()]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("measured")


@pytest.fixture(scope="module")
def app(home: Path) -> Iterator[RunningApp]:
    started = RunningApp(home)
    try:
        started.wait_until_served()
        yield started
    finally:
        started.close()


@pytest.fixture
def visit(browser: Browser, app: RunningApp) -> Iterator[Measuring]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    visited = Measuring(context, app)
    visited.page.locator("#heading [data-view=panel]").click()
    visited.longest(24)
    yield visited
    context.close()


def written(answer: Locator) -> str:
    return str(answer.locator(".origins").evaluate("node => node.innerText"))


def as_usual(answer: Locator) -> list[str]:
    """What an answer shows, part by part, without what stands only under the last or first one."""
    shown = answer.locator(".md").first.evaluate(
        "node => [...node.children].filter((part) => !part.matches('.actions, .first-colours'))"
        ".map((part) => part.innerText)"
    )
    return [str(part) for part in shown]


def test_words_are_marked_by_where_they_came_from(visit: Measuring, browser: Browser, app: RunningApp) -> None:
    visit.longest(64)
    visit.grammar(f'root ::= "{SIGNS}"')
    visit.ask("Write the signs.")
    answer = visit.answers.first
    expect(answer.locator("strong")).to_have_text("bold")
    before = as_usual(answer)
    assert any("bold" in part for part in before)
    visit.mark(True)
    assert written(answer) == SIGNS, "not a sign may be another, or be drawn as something else"
    expect(answer.locator(".origins b, .origins strong, .origins .katex")).to_have_count(0)
    expect(answer.locator(".origins .from").first).to_have_attribute("title", re.compile(r"\w"))
    assert answer.locator(".origins .from > span").count() > 8, "each token is an element"
    expect(answer.locator(".origins-legend")).to_contain_text(texts.SOURCES["target"])

    # A further answer is marked when it is complete, by the sources that the panel counts.
    visit.grammar("")
    visit.longest(48)
    visit.ask(REPEAT)
    expect(visit.page.locator("#chat .origins")).to_have_count(2)
    legend = visit.answers.last.locator(".origins-legend").inner_text()
    drafted = visit.panel.locator("[data-source=prompt]")
    if drafted.count():
        assert f"{texts.SOURCES['prompt']} {drafted.inner_text()} token" in legend
        expect(visit.answers.last.locator(".origins .from-prompt").first).to_be_visible()
    marked = written(visit.answers.last)
    assert len(marked) > 20

    visit.mark(False)
    assert as_usual(visit.answers.first) == before
    visit.assert_quiet()

    # All of it is there again where the chat is opened anew.
    later = Measuring(browser.new_context(), app)
    later.open("Write the signs.")
    expect(later.answers).to_have_count(2)
    later.mark(True)
    assert [written(later.answers.nth(number)) for number in range(2)] == [SIGNS, marked]
    later.page.context.close()


def test_an_answer_that_came_from_elsewhere_is_not_marked_and_says_so(visit: Measuring, tmp_path: Path) -> None:
    turn = {"question": "Who?", "reply": "The **keeper**.", "finish": "end"}
    chats = {"format": "localspec-chats", "version": 1, "conversations": [{"title": "Brought", "turns": [turn]}]}
    file = tmp_path / "chats.json"
    file.write_text(json.dumps(chats), encoding="utf-8")
    visit.page.locator("#chats-column input[type=file]").set_input_files(file)
    visit.open("Brought")
    visit.page.locator("#show-origins input").check()
    expect(visit.answers.last).to_contain_text("are unknown")
    expect(visit.answers.last.locator("strong")).to_have_text("keeper")
    expect(visit.page.locator("#chat .origins")).to_have_count(0)
    visit.assert_quiet()


def test_an_answer_is_measured_beside_plain_decoding(visit: Measuring, app: RunningApp) -> None:
    visit.page.locator("#measure-plain").click()
    expect(visit.page.locator(".notice")).to_contain_text(texts.MEASURE_NOTHING.rstrip("."))

    visit.ask("When was the first lighthouse built?")
    visit.longest(128)
    visit.grammar(ENDLESS)
    visit.ask(REPEAT)
    for name, value in (
        ("replies", "2"),
        ("tokens", r"\d+"),
        ("speedup", r"[\d.]+×|–"),
        ("tokens-per-second", r"[\d.]+"),
    ):
        expect(visit.panel.locator(f"[data-chat={name}]")).to_have_text(re.compile(f"^{value}$"))
    before, tokens = visit.said(), int(visit.figure("tokens"))
    assert tokens == 128
    line = visit.answers.last.locator("button.figures-line")
    expect(line).to_contain_text("128 tokens · ")
    expect(line).to_have_attribute("name", "figures 1")
    visit.page.locator("#measure-plain").click()
    visit.ended()
    expect(visit.measured.locator(".verdict")).to_contain_text(texts.PLAIN_SAME)
    expect(visit.measured.locator(".verdict")).to_have_attribute("data-same", "yes")
    for method in ("auto", "plain"):
        assert float(visit.line(method).locator("[data-figure=tokens-per-second]").inner_text()) > 0
        expect(visit.line(method).locator("[data-figure=tokens]")).to_have_text(f"{tokens} tokens")
    assert [said for said in visit.said() if " · " not in said] == [said for said in before if " · " not in said]
    told = visit.line("auto").locator("[data-figure=speedup]").inner_text()
    if re.fullmatch(r"\d+\.\d\d×", told):  # else the computer was too busy, and it says so
        expect(visit.panel.locator("[data-figure=speedup]")).to_have_text(told)
        expect(visit.panel).to_contain_text(texts.BASELINE_SOURCES["paired"])
        expect(line).to_contain_text(f" · {float(told[:-1]):.1f} × · ")
    visit.measured.locator("[data-act=unmeasure]").click()
    expect(visit.measured).to_have_count(0)
    visit.longest(24)
    visit.grammar("")

    # What is of an earlier answer goes when another one comes.
    visit.page.locator("#measure-plain").click()
    visit.ended()
    visit.ask("And now?")
    expect(visit.measured).to_have_count(0)
    visit.assert_quiet()
    assert "Traceback" not in app.log.read_text()


def test_methods_are_compared_on_what_is_typed_and_the_chat_stays(visit: Measuring, app: RunningApp) -> None:
    visit.page.locator("#compare-methods").click()
    expect(visit.page.locator(".notice")).to_contain_text(texts.COMPARE_NOTHING.rstrip("."))
    visit.entry.fill(REPEAT)
    visit.page.locator("#compare-methods").click()
    expect(visit.measured).to_contain_text(REPEAT)
    visit.ended()
    methods = [name for name, method in METHODS.items() if not method.for_measuring]
    expect(visit.measured.locator("li[data-state=done]")).to_have_count(len(methods))
    for method in methods:
        told = visit.line(method).locator("[data-figure=speedup]").inner_text()
        assert re.fullmatch(r"\d+\.\d+×", told) or told in (texts.PAIRED_FEW_SHORT, texts.PAIRED_DISTURBED_SHORT)
        expect(visit.line(method).locator(".track.speed")).to_be_attached()
        if method != "plain":
            expect(visit.line(method)).to_contain_text(texts.SAME_AS_PLAIN)
    expect(visit.entry).to_have_value(REPEAT)
    expect(visit.answers).to_have_count(0)
    assert not visit.page.locator("#chats .chat.current").count()

    # Another one is stopped in the middle; what is there stays, and the chat can go on meanwhile.
    visit.longest(256)
    visit.grammar(ENDLESS)
    visit.entry.fill("Write a very long story about a lighthouse and its keeper.")
    visit.page.locator("#compare-methods").click()
    expect(visit.line("plain").locator("[data-figure=tokens]")).to_be_visible()
    visit.page.locator("#measure-plain").click()
    expect(visit.page.locator(".notice").last).to_contain_text(re.compile("already running|no answer"))
    visit.measured.locator("[data-act=halt]").click()
    visit.ended("stopped")
    expect(visit.measured).to_contain_text(texts.MEASURE_BROKEN_OFF)
    expect(visit.measured.locator("li[data-state=stopped]")).to_have_count(len(methods))
    visit.longest(12)
    visit.grammar("")
    visit.ask("Say hello.")
    expect(visit.answers).to_have_count(1)
    visit.assert_quiet()
    assert "Traceback" not in app.log.read_text()
