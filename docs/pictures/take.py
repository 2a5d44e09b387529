"""Takes the pictures of the README: a fresh LocalSpec answers questions about a PDF, in Chromium.

    python docs/pictures/take.py MODEL PDF "QUESTION" [MORE QUESTIONS …]

MODEL is a name or a GGUF file; the pictures show its real answers.

Writes chat.png, chat-dark.png and, of a passage that the answer cites, passage.png (1280 × 800 each), and
chat-narrow.png (420 × 800) beside this file.
CHROMIUM names the browser where it is not found.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).resolve().parent
PICTURE = HERE / "chat.png"
PASSAGE = HERE / "passage.png"
DARK = HERE / "chat-dark.png"
NARROW = HERE / "chat-narrow.png"
PATIENCE = 240_000
"""Milliseconds for the first load, which measures this computer, and for each answer."""


def main(model: str, pdf: Path, questions: list[str]) -> None:
    """Start, ask, take the picture, stop."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        program = [sys.executable, str(HERE.parents[1] / "app.py")]
        command = [*program, "--no-browser", "--port", str(port), "--model", model]
        with subprocess.Popen(
            command, env={**os.environ, "LOCALSPEC_HOME": home}, stdout=subprocess.PIPE, text=True
        ) as app:
            try:
                said = app.stdout.readline() if app.stdout is not None else ""  # "LocalSpec is running at …"
                address = re.search(r"http://\S+", said)
                if address is None:
                    sys.exit(f"It did not start: {said}")
                take(address.group(), pdf, questions)
            finally:
                app.terminate()
                app.wait()


def take(address: str, pdf: Path, questions: list[str]) -> None:
    """The picture of a chat about `pdf`."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.locator("#status [data-model=ready]").wait_for(timeout=PATIENCE)
        page.locator("#entry input[type=file]").first.set_input_files(pdf)
        page.locator("#attachments .attachment[data-state=ready]").wait_for(timeout=PATIENCE)
        for question in questions:
            ask(page, question)
        page.locator("#chat button.figures-line").last.click()  # opens the panel
        page.wait_for_timeout(1500)
        page.locator("#chat .message").last.scroll_into_view_if_needed()
        page.screenshot(path=PICTURE)
        source = page.locator("#chat button.citation").last
        if source.count():
            source.click()
            page.locator("dialog.passage[open]").wait_for(timeout=PATIENCE)
            page.screenshot(path=PASSAGE)
        inside = page.context.storage_state()  # with the secret that lets this browser in
        for scheme, picture, width in (("dark", DARK, 1280), ("light", NARROW, 420)):
            context = browser.new_context(
                viewport={"width": width, "height": 800}, color_scheme=scheme, storage_state=inside
            )
            again = context.new_page()
            again.goto(address)
            again.locator("#status [data-model=ready]").wait_for(timeout=PATIENCE)
            show_first(again)
            again.wait_for_timeout(1500)
            again.screenshot(path=picture)
            context.close()
        browser.close()


def show_first(page: Page) -> None:
    """Open the chat that is first in the list, which on narrow windows is closed."""
    first = page.locator("#chats .open").first
    page.locator("#toggle-chats").wait_for()
    was_closed = not first.is_visible()
    if was_closed:
        page.locator("#toggle-chats").click()
    first.click()
    page.locator("#chat .message").last.wait_for(timeout=PATIENCE)  # on narrow windows the list closes by itself
    page.locator("#chat .message").last.scroll_into_view_if_needed()


def ask(page: Page, question: str) -> None:
    """Send a question and wait for the whole answer."""
    page.locator("#entry textarea").fill(question)
    page.locator("#entry .submit-button").click()
    page.locator("#entry .stop-button").wait_for(timeout=PATIENCE)
    page.locator("#entry .submit-button").wait_for(timeout=PATIENCE)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
