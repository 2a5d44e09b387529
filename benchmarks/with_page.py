"""Does the page slow decoding down? The same questions from the command line and in the page, in turn.

usage: python -m benchmarks.with_page [--rounds N] [--method NAME] [--chromium FILE]

The application runs as people start it, with a tab of headless Chromium that draws every update. Both tell the speed
of decoding as they show it to people; of the page, also what the whole reply took from the press of the key to the
last word. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, expect, sync_playwright

from localspec.chat.methods import METHODS

REPOSITORY = Path(__file__).resolve().parents[1]
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
QUESTION = "Write a report about lighthouse number {number}: who built it, how it works, and what became of it."
PATIENCE = 120_000
"""Milliseconds."""


def from_command_line(question: str, method: str, environment: dict[str, str]) -> float:
    """Tokens per second as `ask --json` tells."""
    done = subprocess.run(
        [sys.executable, "-m", "localspec", "ask", question, "--method", method, "--json"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1])["tokens_per_second"])


@contextmanager
def open_page(environment: dict[str, str], chromium: str, *arguments: str) -> Iterator[Page]:
    """The application as people start it, with these arguments, in a tab whose model is ready."""
    application = subprocess.Popen(
        [sys.executable, str(REPOSITORY / "app.py"), "--no-browser", *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert application.stdout is not None
        address = application.stdout.readline().split()[-1]  # "LocalSpec is running at …"
        with sync_playwright() as playwright:
            expect.set_options(timeout=PATIENCE)
            browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
            page = browser.new_page()
            page.goto(address)
            expect(page.locator("#status [data-model=ready]")).to_be_visible()
            yield page
            browser.close()
    finally:
        application.terminate()
        application.wait()


def empty_chat(page: Page) -> None:
    """A new chat, if one is open; it empties the entry, too."""
    if page.locator("#chat .message").count():
        page.get_by_role("button", name="New chat").click()
        expect(page.locator("#chat .message")).to_have_count(0)


def in_page(page: Page, question: str, method: str) -> tuple[float, float]:
    """Tokens per second as the panel shows, and seconds of the whole reply."""
    empty_chat(page)
    page.locator("#method input").click()
    page.get_by_role("option", name=METHODS[method].label, exact=True).click()
    page.evaluate("document.querySelector('#panel section').dataset.old = ''")
    page.locator("#entry textarea").fill(question)
    started = time.perf_counter()
    page.locator("#entry textarea").press("Enter")
    expect(page.locator("#panel section:not([data-old])[data-state=done]")).to_be_attached()
    seconds = time.perf_counter() - started
    return float(page.locator("[data-figure=tokens-per-second]").inner_text().replace(",", "")), seconds


def main() -> None:
    """Measure in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--method", default="plain")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    command_line: list[float] = []
    page_speeds: list[float] = []
    whole: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"LOCALSPEC_HOME": home, "LOCALSPEC_TUNE": "off"}
        with open_page(environment, options.chromium) as page:
            for number in range(options.rounds):
                question = QUESTION.format(number=number + 1)
                speed, seconds = in_page(page, question, options.method)
                page_speeds.append(speed)
                whole.append(seconds)
                command_line.append(from_command_line(question, options.method, environment))
    figures = {
        "method": options.method,
        "page_tokens_per_second": round(median(page_speeds), 1),
        "command_line_tokens_per_second": round(median(command_line), 1),
        "page_against_command_line": round(median(page_speeds) / median(command_line), 3),
        "seconds_of_a_reply_in_the_page": round(median(whole), 2),
    }
    for name, value in figures.items():
        print(f"{name:34s} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
