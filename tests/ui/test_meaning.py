"""Drafts by meaning and learnt answers, in a real browser with the real model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from localspec.chat.report import NO_STATES
from tests.running import RunningApp
from tests.ui.test_browser import ENDLESS, LIGHTHOUSE, LONG, Visit

pytestmark = pytest.mark.browser


@pytest.fixture
def tab(browser: Browser, running: RunningApp, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A new tab over a library of its own, with short answers."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    visited = Visit(context, running)
    visited.pick_library(request.node.name[5:40], running.home)
    visited.longest(16)
    yield visited
    context.close()


LEARNT = ("Delete", "Cancel")
"""Buttons about learnt answers that are called as others are"""


def part(tab: Visit, name: str) -> Locator:
    return tab.page.locator(f"#{name}")


def press(tab: Visit, label: str) -> None:
    with tab.settings_tab("documents") as documents:
        place = documents.locator("#learnt") if label in LEARNT else documents
        place.get_by_role("button", name=label, exact=True).click()


def learn(tab: Visit, on: bool) -> None:
    with tab.settings_tab("documents"):
        tab.page.get_by_label("Learn from my chats").set_checked(on)


def test_documents_are_read_by_meaning_when_asked(tab: Visit, tmp_path: Path) -> None:
    document = tmp_path / "keeper.md"
    document.write_text("\n\n".join(LIGHTHOUSE), encoding="utf-8")
    tab.drop(document)
    tab.taken()
    notice = part(tab, "meaning").locator("[data-meaning=missing]")
    expect(notice).to_have_count(0)  # the method that was chosen at first needs none of it

    tab.choose("DReSD")
    expect(notice).to_contain_text(re.compile(r"[\d,]+ tokens of this library are not read yet"))
    expect(notice).to_contain_text("Takes about")

    # While an answer is written, the reading waits: there is time to look. This grammar has no end.
    tab.longest(7000)
    tab.grammar(ENDLESS)
    tab.send("Who built the lighthouse?")
    expect(tab.page.locator("#panel section[data-state=writing]")).to_be_attached()
    reading = part(tab, "meaning").locator("[data-meaning=reading]")
    press(tab, "Build drafts by meaning")
    expect(reading).to_contain_text("left to read")
    expect(notice).to_have_count(0)
    press(tab, "Stop reading")
    expect(notice).to_be_attached()
    press(tab, "Build drafts by meaning")
    expect(reading).to_be_attached()
    tab.page.locator("#entry .stop-button").click()
    tab.wait()
    expect(part(tab, "documents")).to_contain_text("drafts by meaning", timeout=2 * LONG)
    expect(part(tab, "meaning").locator(".meaning")).to_have_count(0)
    expect(part(tab, "indexing").locator(".meter, .problem")).to_have_count(0)

    tab.grammar("")
    tab.longest(16)
    answer = tab.ask("How should the lamp be cleaned?")
    expect(answer).not_to_contain_text("No answer")
    assert re.fullmatch(r"\d+\.\d", tab.figure("neighbours"))
    assert re.fullmatch(r"\d\.\d\d|–", tab.figure("similarity"))
    assert NO_STATES not in tab.figure("verdict")

    # Another method has no use for it, and says nothing of it.
    tab.choose("REST")
    tab.ask("Who built it?")
    expect(tab.panel.locator("[data-figure=neighbours]")).to_have_count(0)
    tab.assert_quiet()


def test_an_empty_library_says_where_drafts_come_from(tab: Visit) -> None:
    tab.choose("DReSD")
    expect(part(tab, "meaning").locator("[data-meaning=empty]")).to_contain_text("let the library learn from chats")
    tab.ask("Count from one to ten in words.")
    assert NO_STATES in tab.figure("verdict")
    # The answer is learnt with its states: that is something to draft from.
    expect(part(tab, "learnt")).to_contain_text("1 answer learnt")
    expect(part(tab, "meaning").locator(".meaning")).to_have_count(0)
    tab.ask("Name the days of the week.")
    assert NO_STATES not in tab.figure("verdict")
    tab.assert_quiet()


def test_answers_are_learnt_and_forgotten_as_the_library_says(tab: Visit, running: RunningApp) -> None:
    box = tab.page.locator("#learning input")
    learnt = part(tab, "learnt")
    expect(box).to_be_checked()
    expect(learnt).to_contain_text("No learnt answers yet.")
    tab.ask("Count from one to ten in words.")
    expect(learnt).to_contain_text(re.compile(r"1 answer learnt \(\d+ tokens\)"))

    # Forgetting asks first.
    press(tab, "Delete learnt answers")
    expect(learnt).to_contain_text("Delete the one learnt answer of this library permanently?")
    press(tab, "Cancel")
    expect(learnt).to_contain_text("1 answer learnt")
    press(tab, "Delete learnt answers")
    press(tab, "Delete")
    expect(learnt).to_contain_text("No learnt answers yet.")

    # Answers are stored in the order they were given: when the second is there, the first was left out.
    learn(tab, False)
    expect(learnt.locator("[data-learns=off]")).to_be_attached()
    tab.ask("Name the days of the week.")
    expect(box).not_to_be_checked()
    learn(tab, True)
    expect(learnt.locator("[data-learns=on]")).to_be_attached()
    tab.ask("Name the months of the year.")
    expect(learnt).to_contain_text("1 answer learnt")

    # Every library has its own setting and its own answers.
    expect(box).to_be_checked()
    learn(tab, False)
    expect(learnt.locator("[data-learns=off]")).to_be_attached()
    own = part(tab, "library").locator("input").input_value()
    tab.pick_library("another_that_learns", running.home)
    expect(learnt.locator("[data-learns=on]")).to_contain_text("No learnt answers yet.")
    expect(box).to_be_checked()
    tab.pick_library(own, running.home)
    expect(learnt.locator("[data-learns=off]")).to_contain_text("1 answer learnt")
    expect(box).not_to_be_checked()
    tab.assert_quiet()
