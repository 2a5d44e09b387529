"""How long until the first word of an answer about an indexed PDF, on the command line and in the page?

usage: python -m benchmarks.first_word PDF QUESTION... [--model NAME] [--draft NAME] [--chromium FILE] [--no-page]

The file is indexed first, into a home of its own. On the command line the clock runs from the start of a process
that has everything to load (`ask QUESTION`) to the first character of the answer; in the page, whose model is loaded,
from the press of the key to the first character that is shown. Each question is asked once in a chat of its own, so
that nothing read before is kept. The last line is JSON, in seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from playwright.sync_api import Page

from benchmarks.with_page import PATIENCE, REPOSITORY, empty_chat, open_page
from localspec.config import DEFAULT_LIBRARY

LIBRARY = ("--library", DEFAULT_LIBRARY)
"""The one that the page opens with. The command line reads documents only where it is told to."""

BEGUN = """() => {
  const answer = [...document.querySelectorAll('#chat .bot.message')].at(-1)
  return answer && !answer.querySelector('.activity, .meter') && /\\S/.test(answer.innerText)
}"""
"""The last answer shows more than what is being done."""


def on_command_line(question: str, arguments: list[str], environment: dict[str, str]) -> float:
    """Seconds from the start of the process to the answer's first character; then it is ended."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "localspec", "ask", question, *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    first = process.stdout.read(1)
    seconds = time.perf_counter() - started
    process.kill()
    process.communicate()
    if not first:
        raise SystemExit(f"no answer to {question!r}")
    return seconds


def in_page(page: Page, question: str) -> float:
    """Seconds from the press of the key to the answer's first character; the rest is waited for."""
    empty_chat(page)
    page.locator("#entry textarea").fill(question)
    page.evaluate("document.querySelector('#panel section').dataset.old = ''")
    started = time.perf_counter()
    page.locator("#entry textarea").press("Enter")
    page.wait_for_function(BEGUN, polling=20, timeout=PATIENCE)
    seconds = time.perf_counter() - started
    page.locator("#panel section:not([data-old])[data-state=done]").wait_for(state="attached", timeout=PATIENCE)
    return seconds


def main() -> None:
    """Index, then ask in both ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pdf", type=Path)
    parser.add_argument("questions", nargs="+")
    parser.add_argument("--model")
    parser.add_argument("--draft")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--no-page", action="store_true")
    options = parser.parse_args()
    named = {"--model": options.model, "--draft": options.draft}
    models = [word for option, name in named.items() if name for word in (option, name)]
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"LOCALSPEC_HOME": home}
        indexing = [sys.executable, "-m", "localspec", "index", str(options.pdf.resolve())]
        subprocess.run(indexing, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.DEVNULL)
        ways = {
            "command_line": [
                on_command_line(question, [*LIBRARY, *models], environment) for question in options.questions
            ]
        }
        if not options.no_page:
            with open_page(environment, options.chromium, *models) as page:
                ways["page"] = [in_page(page, question) for question in options.questions]
    for way, seconds in ways.items():
        print(way, *(f"{each:.2f}" for each in seconds))
    print(
        json.dumps({way: {"median": round(median(each), 2), "most": round(max(each), 2)} for way, each in ways.items()})
    )


if __name__ == "__main__":
    main()
