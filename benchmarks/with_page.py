"""Does the page slow decoding down? The same questions from the command line and in the page, in turn.

usage: python -m benchmarks.with_page [--rounds N] [--method NAME] [--model NAME] [--chromium FILE]

The application runs as people start it, with a tab of headless Chromium that draws every update. Both tell the speed
of decoding as they show it to people; of the page, also what the whole reply took from the press of the key to the
last word. Then what an idle page costs: processor seconds per second of the application and of the browser, with the
page open, while an answer is written, and with the page closed. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

import psutil
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
SETTLING_SECONDS = 10.0
"""Until a page that was just opened, or an answer that was just written, is followed by rest."""

READY = "#status [data-model=ready]"
MESSAGES = "#chat .message"
NEW_CHAT = "New chat"
METHOD = "#method"
PANEL = "#panel section"
ENTRY = "#entry textarea"
SPEED = "[data-figure=tokens-per-second]"
"""Where things are on the page."""
DONE = """(place) => new Promise((done) => {
  const look = () => { if (document.querySelector(place)) { watch.disconnect(); done(); } };
  const watch = new MutationObserver(look);
  watch.observe(document.querySelector("#panel"), { subtree: true, childList: true, attributes: true });
  look();
})"""


class ProcessorTime:
    """Of a tree of processes, from the beginning on: those that end meanwhile are counted up to the last look."""

    def __init__(self, roots: Sequence[psutil.Process]) -> None:
        self._roots = list(roots)
        self._before: dict[psutil.Process, float] = {}
        self._last: dict[psutil.Process, float] = {}
        self._look()
        self._before = dict(self._last)

    def seconds(self) -> float:
        """Processor seconds so far."""
        self._look()
        return sum(used - self._before.get(process, 0.0) for process, used in self._last.items())

    def _look(self) -> None:
        for root in self._roots:
            with suppress(psutil.NoSuchProcess):
                for process in (root, *root.children(recursive=True)):
                    with suppress(psutil.NoSuchProcess):
                        times = process.cpu_times()
                        self._last[process] = times.user + times.system


def processes() -> dict[str, list[psutil.Process]]:
    """The application's process and the browser's first one, both below this one."""
    found: dict[str, list[psutil.Process]] = {"application": [], "browser": []}
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            line = process.cmdline()
            if any(word.endswith("app.py") for word in line):
                found["application"].append(process)
            elif "chrom" in process.name() and not any(word.startswith("--type=") for word in line):
                found["browser"].append(process)
    return found


def costs(wait: Callable[[], object]) -> dict[str, float]:
    """Processor seconds per second while `wait` waits: of the application, and of the browser."""
    begun, times = time.perf_counter(), {name: ProcessorTime(roots[:1]) for name, roots in processes().items()}
    wait()
    seconds = time.perf_counter() - begun
    return {name: round(used.seconds() / seconds, 4) for name, used in times.items()}


def page_costs(page: Page, method: str, seconds: float) -> dict[str, dict[str, float]]:
    """What it costs while nothing happens, while an answer is written, and with the page closed."""

    def rest() -> None:
        page.wait_for_timeout(1000 * seconds)

    page.wait_for_timeout(1000 * SETTLING_SECONDS)
    found = {"idle_page": costs(rest), "writing": costs(lambda: in_page(page, QUESTION.format(number=0), method))}
    page.wait_for_timeout(1000 * SETTLING_SECONDS)
    found["idle_page_with_a_chat"] = costs(rest)
    browser = page.context.browser
    assert browser is not None
    other = browser.new_page()  # the browser stays
    page.close()
    other.wait_for_timeout(1000 * SETTLING_SECONDS)
    found["no_page"] = costs(lambda: other.wait_for_timeout(1000 * seconds))
    return found


def from_command_line(question: str, method: str, environment: dict[str, str], *arguments: str) -> float:
    """Tokens per second as `ask --json` tells."""
    done = subprocess.run(
        [sys.executable, "-m", "localspec", "ask", question, "--method", method, "--json", *arguments],
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
            expect(page.locator(READY)).to_be_visible()
            yield page
            browser.close()
    finally:
        application.terminate()
        application.wait()


def empty_chat(page: Page) -> None:
    """A new chat, if one is open; it empties the entry, too."""
    if page.locator(MESSAGES).count():
        page.get_by_role("button", name=NEW_CHAT).click()
        expect(page.locator(MESSAGES)).to_have_count(0)


def in_page(page: Page, question: str, method: str) -> tuple[float, float]:
    """Tokens per second as the panel shows, and seconds of the whole reply."""
    empty_chat(page)
    page.locator(f"{METHOD} input").click()
    page.get_by_role("option", name=METHODS[method].label, exact=True).click()
    page.evaluate("place => document.querySelector(place).dataset.old = ''", PANEL)
    page.locator(ENTRY).fill(question)
    started = time.perf_counter()
    page.locator(ENTRY).press("Enter")
    # Not asked for again and again: that would be work beside the decoding.
    page.evaluate(DONE, f"{PANEL}:not([data-old])[data-state=done]")
    seconds = time.perf_counter() - started
    return float(page.locator(SPEED).inner_text().replace(",", "")), seconds


def main() -> None:
    """Measure in turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--method", default="plain")
    parser.add_argument("--model", default="")
    parser.add_argument("--idle-seconds", type=float, default=30.0, help="each look at what an idle page costs")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    command_line: list[float] = []
    page_speeds: list[float] = []
    whole: list[float] = []
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"LOCALSPEC_HOME": home, "LOCALSPEC_TUNE": "off"}
        chosen = ("--model", options.model) if options.model else ()
        with open_page(environment, options.chromium, *chosen) as page:
            for number in range(options.rounds):
                question = QUESTION.format(number=number + 1)
                speed, seconds = in_page(page, question, options.method)
                page_speeds.append(speed)
                whole.append(seconds)
                command_line.append(from_command_line(question, options.method, environment, *chosen))
                print(f"{question[:40]}: {speed} tokens/s in the page, {command_line[-1]:.1f} without", flush=True)
            costing = page_costs(page, options.method, options.idle_seconds)
    figures = {
        "method": options.method,
        "page_tokens_per_second": round(median(page_speeds), 1),
        "command_line_tokens_per_second": round(median(command_line), 1),
        "page_against_command_line": round(median(page_speeds) / median(command_line), 3),
        "seconds_of_a_reply_in_the_page": round(median(whole), 2),
    }
    for name, value in figures.items():
        print(f"{name:34s} {value}")
    for name, each in costing.items():
        print(f"processor seconds per second, {name}: " + ", ".join(f"{part} {used}" for part, used in each.items()))
    print(json.dumps({**figures, "processor_seconds_per_second": costing}))


if __name__ == "__main__":
    main()
