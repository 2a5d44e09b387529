"""Kill -9 while documents are indexed, at every stage of it: the next start goes on, and nothing is lost."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.running import RunningApp
from tests.ui.test_browser import LIGHTHOUSE, LONG
from tests.ui.test_chat_part import SHORT, ChatVisit, started

pytestmark = pytest.mark.browser

PARTS = 700
"""Some 250 passages: work for ten seconds and more on a small computer."""


def long_document(path: Path) -> Path:
    """A text in which every part is about something else."""
    parts = [
        f"Station {number} lies at kilometre {number * 7 % 1000} of the line. Keeper number {number * 13 % 997} notes"
        f" the wind at noon, counts {number * 31 % 500} birds, and rings the bell {number % 9 + 1} times."
        for number in range(PARTS)
    ]
    parts.append(
        "The master of all stations is called Wilhelmina Quist, and she lives in the tower at the end of the line."
    )
    path.write_text("\n\n".join(parts), encoding="utf-8")
    return path


def stage(home: Path, name: str) -> str:
    """What the library has of a document."""
    file = home / "stores" / "documents" / "library.db"
    if not file.exists():
        return ""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as database:
        row = database.execute("SELECT stage FROM documents WHERE name = ?", [name]).fetchone()
    return str(row[0]) if row else ""


def check(home: Path) -> None:
    """Both databases are whole, as the kill has left them."""
    for file in (home / "stores" / "documents" / "library.db", home / "stores" / "conversations.db"):
        with closing(sqlite3.connect(file, timeout=30)) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)], file


def kill_at(app: RunningApp, stages: tuple[str, ...], name: str) -> str:
    """End it as soon as a document is at one of these stages; the stage it is at."""
    limit = time.monotonic() + LONG / 1000
    while stage(app.home, name) not in stages:
        assert time.monotonic() < limit, stage(app.home, name)
        time.sleep(0.01)
    app.process.kill()
    app.process.wait()
    return stage(app.home, name)


def test_a_kill_while_documents_are_indexed_loses_nothing(browser: Browser, tmp_path: Path) -> None:
    small, large = tmp_path / "lighthouse.md", long_document(tmp_path / "stations.txt")
    small.write_text("\n\n".join(LIGHTHOUSE), encoding="utf-8")
    app = started(tmp_path)
    try:
        tab = ChatVisit(browser.new_context(), app)
        tab.longest(SHORT)
        tab.drop(small)
        told = tab.text_of(tab.ask("Who built the lighthouse?"))
        expect(tab.page.locator("#documents .document.ready")).to_have_count(1)
        tab.drop(large)
        reached = [kill_at(app, ("queued", "parsed", "passages", "ngrams"), large.name)]
        check(tmp_path)
        tab.page.context.close()

        # It goes on by itself, and may be killed as often as it likes: what was done is not done again.
        app = started(tmp_path)
        tab = ChatVisit(browser.new_context(), app)
        reached.append(kill_at(app, ("ngrams",), large.name))
        assert reached[-1] == "ngrams", "its vectors were being made"
        check(tmp_path)
        tab.page.context.close()

        app = started(tmp_path)
        tab = ChatVisit(browser.new_context(), app)
        tab.longest(SHORT)
        expect(tab.page.locator("#documents .document")).to_have_count(2)
        expect(tab.page.locator("#documents .document.ready")).to_have_count(2, timeout=4 * LONG)
        tab.open("Who built the lighthouse?")
        assert tab.text_of(tab.answers.first) == told
        tab.force("The master of all stations is called Wilhelmina Quist.")
        answer = tab.ask("What is the master of all stations called?")
        expect(answer.locator("button.citation").first).to_contain_text("stations.txt")
        tab.assert_quiet()
    finally:
        app.close()
    check(tmp_path)
