"""Is anything lost in the window, and does Stop answer? Run in headless Chromium as people use it.

usage: python -m benchmarks.window [--model NAME] [--reloads N] [--stops N] [--tokens N] [--chromium FILE]

*Reloads*: the page is loaded again at random moments of an answer; at its end the answer must be there whole, once, as
it is kept on the disk. *Stops*: a prompt of so many tokens is sent, and stopped at random moments while it is read;
told are the seconds from the press to the word "Stopping", and to the end. The last line is JSON."""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time

from playwright.sync_api import Page, expect

from benchmarks.with_page import ENTRY, MESSAGES, QUESTION, empty_chat, open_page
from localspec import texts

SUBMIT, STOP = "#entry .submit-button", "#entry .stop-button"
READING = "#chat .meter, #chat .activity"
WATCH = f"""() => {{
  window.stopped = new Promise((done) => document.addEventListener("click", (event) => {{
    const pressed = event.timeStamp, seconds = () => (performance.now() - pressed) / 1000;
    let word = 0;
    const look = () => {{
      const ended = document.querySelector('{SUBMIT}');
      if (!word && (ended || document.querySelector('#chat').innerText.includes({json.dumps(texts.STOPPING)}))) {{
        word = seconds();
      }}
      if (ended) {{ watch.disconnect(); done([word, seconds()]); }}
    }};
    const watch = new MutationObserver(look);
    watch.observe(document.body, {{ subtree: true, childList: true, attributes: true, characterData: true }});
    look();
  }}, {{ once: true, capture: true }}));
}}"""
"""From a press on Stop on: resolves to the seconds to the word, and to the end."""
WORD = "lighthouse keeper lamp oil stairs storm harbour light "
"""Eight words, about ten tokens."""


def kept_reply(page: Page) -> tuple[int, str]:
    """How many questions the chat of this page holds on the disk, and its last answer."""
    number = page.url.rpartition("chat=")[2]
    exported = page.request.get(f"{page.url.partition('#')[0].rstrip('/')}/export/{number}.json")
    turns = exported.json()["conversations"][0]["turns"]
    return len(turns), turns[-1]["reply"]


def letters(text: str) -> str:
    """Without what Markdown shows in another way."""
    return "".join(character for character in text if character.isalnum())


def reloads(page: Page, count: int, moments: random.Random) -> dict[str, int]:
    """How many of the answers were there whole at the end."""
    whole = 0
    for number in range(count):
        empty_chat(page)
        page.locator(ENTRY).fill(QUESTION.format(number=number + 1))
        page.locator(ENTRY).press("Enter")
        time.sleep(moments.uniform(0.0, 5.0))
        page.reload()
        expect(page.locator(SUBMIT)).to_be_visible()
        expect(page.locator(f"{MESSAGES}.bot")).to_have_count(1)
        expect(page.locator("#chat .figures-line")).to_be_visible()
        questions, reply = kept_reply(page)
        shown = letters(page.locator(f"{MESSAGES}.bot").inner_text())
        whole += questions == 1 and shown.count(letters(reply)) == 1
    return {"reloads": count, "answers_there_whole_once": whole}


def stops(page: Page, count: int, tokens: int, moments: random.Random) -> dict[str, float]:
    """Seconds from the press on Stop to the word, and to the end."""
    words, ends = [], []
    for number in range(count):
        empty_chat(page)
        page.locator(ENTRY).fill(f"Text {number}: {WORD * (tokens // 10)}\nWhat is it about?")
        page.locator(ENTRY).press("Enter")
        expect(page.locator(STOP)).to_be_visible()
        expect(page.locator(READING).first).to_be_visible()
        page.wait_for_function("() => document.querySelector('#chat').innerText.includes('token')")
        time.sleep(moments.uniform(0.2, 3.0))
        page.evaluate(WATCH)
        page.locator(STOP).click(no_wait_after=True)
        word, end = page.evaluate("window.stopped")
        words.append(word)
        ends.append(end)
    return {
        "stops": count,
        "stopping_said_longest_seconds": round(max(words), 3),
        "ended_median_seconds": round(sorted(ends)[len(ends) // 2], 3),
        "ended_longest_seconds": round(max(ends), 3),
    }


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="")
    parser.add_argument("--reloads", type=int, default=20)
    parser.add_argument("--stops", type=int, default=10)
    parser.add_argument("--tokens", type=int, default=5000)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    moments = random.Random(18)
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"LOCALSPEC_HOME": home, "LOCALSPEC_TUNE": "off"}
        arguments = ["--model", options.model] if options.model else []
        with open_page(environment, options.chromium, *arguments) as page:
            figures: dict[str, float] = dict(reloads(page, options.reloads, moments)) if options.reloads else {}
            if options.stops:
                figures |= stops(page, options.stops, options.tokens, moments)
    for name, value in figures.items():
        print(f"{name:32s} {value}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
