"""The draft model: its share in the panel, its picker, and why one is not used. In a real browser with real models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from localspec.chat.report import SEARCHES_ALONE
from localspec.models.files.catalogue import SHIPPED_DRAFT
from tests.running import RunningApp, foreign_draft
from tests.ui.test_browser import LIGHTHOUSE, LONG, Visit

pytestmark = pytest.mark.browser


@pytest.fixture
def tab(browser: Browser, running: RunningApp, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A new tab over a library of its own, with short answers and RASD."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    visited = Visit(context, running)
    visited.pick_library(request.node.name[5:40], running.home)
    visited.longest(24)
    visited.choose("RASD")
    yield visited
    context.close()


def line(tab: Visit, state: str) -> Locator:
    return tab.page.locator(f"#draft-status [data-draft={state}]")


def pick(tab: Visit, draft: str) -> None:
    """Type a draft, as people do who paste a path."""
    tab.open_settings("models")
    field = tab.page.locator("#draft input")
    field.fill(draft)
    field.press("Enter")
    field.blur()


def test_rasd_shows_who_drafted_and_where_the_time_went(tab: Visit, tmp_path: Path) -> None:
    expect(line(tab, "used")).to_contain_text(re.compile(rf"{SHIPPED_DRAFT} drafts for .* [\d,]+ of its [\d,]+ tokens"))
    expect(tab.page.locator("#method-explained")).to_contain_text("The small model's guesses")
    expect(tab.page.locator("#alone .draft")).to_have_count(0)
    document = tmp_path / "keeper.md"
    document.write_text("\n\n".join(LIGHTHOUSE), encoding="utf-8")
    tab.drop(document)
    # As published, drafts are made whether they pay on this computer or not.
    tab.size_trees("paper")
    answer = tab.ask("Repeat word for word what the text says about the lamp and the lens.")
    expect(answer).not_to_contain_text("Without a draft model")

    assert int(tab.panel.locator("[data-drafted=draft]").inner_text()) > 0
    assert int(tab.panel.locator("[data-accepted=draft]").inner_text()) >= 0
    assert re.fullmatch(r"\d+%", tab.panel.locator("[data-rate=draft]").inner_text())
    times = {
        name: tab.panel.locator(f"[data-time={name}]").inner_text()
        for name in ("drafting", "retrieval", "verification", "rest")
    }
    assert all(re.fullmatch(r"\d+ ms|\d+\.\d s", time) for time in times.values()), times
    assert times["drafting"] != "0 ms"
    assert SEARCHES_ALONE not in tab.figure("verdict")

    # The draft model alone; and a method without one has no part of it.
    tab.choose("Draft model")
    tab.ask("How should the lamp be cleaned?")
    expect(tab.panel.locator("[data-drafted]")).to_have_count(1)
    expect(tab.panel.locator("[data-drafted=draft]")).to_be_attached()
    tab.choose("REST")
    tab.ask("Who built it?")
    expect(tab.panel.locator("[data-drafted=draft]")).to_have_count(0)
    assert tab.panel.locator("[data-time=drafting]").inner_text() == "0 ms"
    tab.assert_quiet()


def test_an_unsuitable_draft_is_named_and_the_chat_goes_on(tab: Visit, tmp_path: Path) -> None:
    noise = tmp_path / "noise.gguf"
    noise.write_bytes(np.random.default_rng(1).bytes(4000))
    other = foreign_draft(tmp_path / "other.gguf")
    load = tab.page.locator("#load")
    alone = tab.page.locator("#alone .draft")
    try:
        for path, words in ((noise, "noise.gguf"), (other, "other.gguf cannot draft for")):
            # It is said when it is picked, and again when it was tried.
            pick(tab, str(path))
            expect(line(tab, "unfit")).to_contain_text(words)
            load.click()
            expect(line(tab, "problem")).to_contain_text("The chat goes on without a draft model", timeout=2 * LONG)
            expect(line(tab, "problem")).to_contain_text(words)
            expect(alone).to_contain_text("RASD drafts from searches alone")
            expect(alone).to_contain_text(words)
            expect(tab.page.locator("#status [data-model=ready]")).to_be_visible()
            answer = tab.ask("Say hello.")
            expect(answer).not_to_contain_text("No answer")
            expect(answer).to_contain_text(f"Without a draft model: {path.name}")
            assert SEARCHES_ALONE in tab.figure("verdict")
        # What stands in the file is shown and does nothing.
        expect(alone).to_contain_text("<b>![x](//evil.example/q)")
        expect(tab.page.locator("#draft-status, #alone, #chat").locator("b, img, a")).to_have_count(0)

        # Asking for none is no trouble, but a method that needs one says so.
        pick(tab, "None")
        expect(line(tab, "pending")).to_be_visible()
        load.click()
        expect(line(tab, "none")).to_have_text("No draft model is loaded.", timeout=2 * LONG)
        expect(alone).to_contain_text("pick one in the settings under “Models”")
        tab.choose("REST")
        expect(alone).to_have_count(0)
    finally:
        # Other tests use the same application.
        pick(tab, "Automatic")
        load.click()
        expect(line(tab, "used")).to_be_visible(timeout=2 * LONG)
    tab.assert_quiet()
