"""What people see of the model's Markdown, and what they copy of it, in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, expect

from localspec import texts
from localspec.stores.conversations import Conversations
from localspec.stores.stored_turns import StoredConversation, StoredTurn
from tests.running import RunningApp
from tests.ui.markdown_cases import MARKDOWN_CASES
from tests.ui.test_answers import AnswerVisit
from tests.ui.test_browser import LONG

pytestmark = pytest.mark.browser

COPY = re.compile("^(Copy|Copied) message$")
"""A button is called otherwise once it was pressed."""

GROWING = "\n\n".join(
    case.text
    for case in MARKDOWN_CASES
    if "`" in case.text and case.text.count("```") % 2 == 0 and "\r" not in case.text and "~~~~" not in case.text
)[:1500]
"""An answer that a grammar makes the model write, and so with its beginnings: code of all kinds."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    home = tmp_path_factory.mktemp("markdown")
    (home / "stores").mkdir()
    kept = Conversations(home / "stores")
    turns = [StoredTurn(f"Repeat: {one.text}", "Repeat", one.text, finish="end") for one in MARKDOWN_CASES]
    kept.add([StoredConversation("Brackets", "documents", tuple(turns))])
    kept.close()
    started = RunningApp(home)
    try:
        started.wait_until_served()
        yield started
    finally:
        started.close()


@pytest.fixture
def visit(browser: Browser, app: RunningApp) -> Iterator[AnswerVisit]:
    context = browser.new_context(
        viewport={"width": 1280, "height": 800}, permissions=["clipboard-read", "clipboard-write"]
    )
    visited = AnswerVisit(context, app)
    yield visited
    context.close()


def copied(visit: AnswerVisit, button: Locator) -> str:
    """What a button copies."""
    visit.page.evaluate("navigator.clipboard.writeText('nothing yet')")
    button.evaluate("button => button.click()")
    limit = time.monotonic() + LONG / 1000
    # Asked from here: a promise that is not kept yet would do for the page's own waiting.
    while (text := str(visit.page.evaluate("navigator.clipboard.readText()"))) == "nothing yet":
        assert time.monotonic() < limit, "Nothing was copied"
        visit.page.wait_for_timeout(20)
    return text


def test_code_is_shown_and_copied_as_the_model_wrote_it(visit: AnswerVisit) -> None:
    visit.open("Brackets")
    expect(visit.answers).to_have_count(len(MARKDOWN_CASES))
    copies = visit.page.locator("#chat").get_by_role("button", name=COPY)
    expect(copies).to_have_count(2 * len(MARKDOWN_CASES))
    for number, case in enumerate(MARKDOWN_CASES):
        answer = visit.answers.nth(number)
        shown = answer.inner_text()
        for words in case.words:
            assert words in shown, case
        assert answer.locator("pre code").all_text_contents() == [f"{block}\n" for block in case.blocks]
        assert answer.locator("code:not(pre code)").all_text_contents() == list(case.spans)
        buttons = answer.locator(".copy_code_button")
        assert [copied(visit, button) for button in buttons.all()] == list(case.blocks)
        assert copied(visit, copies.nth(2 * number)) == f"Repeat: {case.text}"
        assert copied(visit, copies.nth(2 * number + 1)) == case.text
        # What is told to those who hear the page.
        expect(answer.locator("[data-testid=bot]")).to_have_attribute("aria-label", f"bot's message: {case.text}")
    assert visit.page.locator("#chat .message :is(img, script, details, think, iframe)").count() == 0
    # Colours are there, and no diagram.
    assert visit.page.locator("#chat code.language-markup .token").count() > 0
    assert visit.page.locator("#chat .mermaid").count() == 0
    visit.assert_quiet()


def test_no_beginning_of_an_answer_shows_an_entity_or_runs_anything(visit: AnswerVisit) -> None:
    visit.longest(2000)
    visit.force(GROWING)
    visit.page.evaluate(
        """() => {
          window.seen = [];
          new MutationObserver(() => {
            const answer = [...document.querySelectorAll("#chat .bot.message")].at(-1);
            if (answer) window.seen.push([answer.innerText, answer.querySelectorAll("img, script, iframe").length]);
          }).observe(document.querySelector("#chat"), {childList: true, subtree: true, characterData: true});
        }"""
    )
    visit.ask("Say it.")
    seen = visit.page.evaluate("window.seen")
    assert len({text for text, _ in seen}) > 5
    assert not any(count for _, count in seen)
    for text, _ in seen:
        for entity in re.findall(r"&(?:#\w+|lt|gt|amp|quot);", text):
            assert entity in GROWING
        assert "written:" not in text
    buttons = visit.page.locator("#chat").get_by_role("button", name=COPY)
    assert copied(visit, buttons.last) == GROWING
    visit.grammar("")
    visit.assert_quiet()


def test_without_a_clipboard_the_same_is_copied(browser: Browser, app: RunningApp) -> None:
    # At the address of another computer browsers give pages none.
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    context.add_init_script("window.own = navigator.clipboard; delete Navigator.prototype.clipboard;")
    visited = AnswerVisit(context, app)
    visited.open("Brackets")
    expect(visited.answers).to_have_count(len(MARKDOWN_CASES))
    case = next(one for one in MARKDOWN_CASES if one.blocks and "\t" in one.blocks[0])
    answer = visited.answers.nth(MARKDOWN_CASES.index(case))
    button = visited.page.locator("#chat").get_by_role("button", name=COPY)
    for one, expected in (
        (button.nth(2 * MARKDOWN_CASES.index(case) + 1), case.text),
        (answer.locator(".copy_code_button").first, case.blocks[0]),
    ):
        one.click()
        visited.page.wait_for_function("async (text) => await own.readText() === text", arg=expected)
    context.close()


def test_a_whole_chat_is_copied_as_markdown(visit: AnswerVisit) -> None:
    row = visit.page.locator("#chats .chat").filter(has_text="Brackets").first
    row.locator("summary").click()
    text = copied(visit, row.get_by_role("button", name=texts.COPY_MARKDOWN))
    assert text.startswith("# Brackets\n\n")
    assert text.count("### Answer") == len(MARKDOWN_CASES)
    for case in MARKDOWN_CASES:
        assert case.text in text
    visit.assert_quiet()
