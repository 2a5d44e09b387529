"""The weight format on the page: tried by itself, given way to answers, chosen, and taken back. In a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from localspec.application import tuning_child
from localspec.models.files.catalogue import resolve
from localspec.models.llama import LoadSettings
from localspec.models.quantization import format_search, formats, tuned
from localspec.models.quantization.quality import held_texts
from localspec.models.quantization.tuned import Tuning
from tests.models.quantization.forced import each_faster_than_the_one_before
from tests.running import RunningApp
from tests.ui.test_browser import ENDLESS, LONG, Visit

pytestmark = pytest.mark.browser


def opened(browser: Browser, app: RunningApp) -> Visit:
    """A tab with short answers."""
    visited = Visit(browser.new_context(viewport={"width": 1280, "height": 800}), app)
    visited.longest(16)
    return visited


def part(tab: Visit, kind: str) -> Locator:
    return tab.page.locator(f"#formats [data-formats={kind}]")


def press(tab: Visit, label: str) -> None:
    with tab.settings_tab("models"):
        tab.page.locator("#formats").get_by_role("button", name=label, exact=True).click()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Tuning]]:
    """A folder where the default model was tuned, of two formats, and the other one won; the person went back."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALSPEC_HOME", str(home))
        patch.setattr(format_search, "_MIXED_TYPES", 0)
        patch.setattr(formats, "TRIED", ("BF16",))
        patch.setattr(tuning_child, "held_texts", lambda: held_texts()[:2])
        each_faster_than_the_one_before(patch)
        found = tuned.use(tuning_child.tune(resolve(""), LoadSettings()), False)
    yield home, found


def test_formats_are_tried_by_themselves_and_give_way(browser: Browser, tmp_path: Path) -> None:
    app = RunningApp(tmp_path, tunes=True)
    try:
        app.wait_until_served()
        tab = opened(browser, app)
        expect(part(tab, "running")).to_contain_text("Trying", timeout=2 * LONG)
        # It can be given up, and begun by hand.
        press(tab, "Stop")
        expect(part(tab, "none")).to_contain_text("GB of disk")
        press(tab, "Tune for this computer")
        expect(part(tab, "running")).to_contain_text("Trying")
        # An answer comes first: nothing is tried while it is written. This grammar has no end.
        tab.longest(7000)
        tab.grammar(ENDLESS)
        tab.send("Who built the lighthouse?")
        expect(tab.page.locator("#panel section[data-state=writing]")).to_be_attached()
        expect(part(tab, "running")).to_contain_text("Paused while the model is busy")
        tab.page.locator("#entry .stop-button").click()
        tab.wait()
        expect(part(tab, "running")).to_contain_text("Trying")
        tab.assert_quiet()
        tab.page.context.close()
    finally:
        app.close()
    assert not list((tmp_path / "models").rglob("*.json")), "what is half done is not believed"

    # Begun anew at the next start, for it was not finished.
    again = RunningApp(tmp_path, tunes=True)
    try:
        again.wait_until_served()
        tab = opened(browser, again)
        expect(part(tab, "running")).to_contain_text("Trying", timeout=2 * LONG)
        tab.page.context.close()
    finally:
        again.close()


def test_the_chosen_format_is_used_and_taken_back(
    browser: Browser, measured: tuple[Path, Tuning], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, found = measured
    monkeypatch.setenv("LOCALSPEC_HOME", str(home))
    app = RunningApp(home)
    try:
        app.wait_until_served()
        tab = opened(browser, app)
        status = tab.page.locator("#status [data-model=ready]")
        expect(part(tab, "offered")).to_contain_text("The original is in use")
        tuned_now = re.compile(re.escape(f"tuned: {found.chosen}"))
        expect(status).not_to_have_attribute("title", tuned_now)
        tab.open_settings("models")
        tab.page.locator("#formats summary").click()
        rows = tab.page.locator("#formats tr[data-format]")
        expect(rows).to_have_count(len(found.figures))
        expect(rows.first).to_contain_text("original")
        expect(rows.first).to_contain_text(re.compile(r"\d+\.\d"))
        chosen = tab.page.locator("#formats tr.chosen")
        expect(chosen).to_contain_text("chosen")
        # The sentence promises what the table shows.
        expect(chosen).to_contain_text(found.best.times_as_fast)
        expect(part(tab, "offered").locator("p").first).to_contain_text(f"{found.spread} times as fast")
        first = tab.ask("Name three colours.")

        press(tab, f"Use {found.chosen} now")
        expect(status).to_have_attribute("title", tuned_now, timeout=2 * LONG)
        expect(part(tab, "used")).to_contain_text("times as fast")
        # The chat goes on with it.
        tab.ask("Name three more.")
        expect(first).to_be_visible()

        press(tab, "Use the original")
        expect(status).to_be_visible(timeout=2 * LONG)
        expect(status).not_to_have_attribute("title", tuned_now)
        expect(part(tab, "offered")).to_be_attached()
        tab.ask("And three animals?")
        tab.assert_quiet()
        # The disk space is given back; the file is made again when it is wanted again.
        assert not (tuned.folder_of(found.fingerprint) / found.file).exists()
        press(tab, f"Use {found.chosen} now")
        expect(status).to_have_attribute("title", tuned_now, timeout=2 * LONG)
        assert (tuned.folder_of(found.fingerprint) / found.file).is_file()
        tab.page.context.close()
    finally:
        app.close()
