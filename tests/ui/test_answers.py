"""What people see of answers, in a real browser: formulas, cited passages, the context, presets, whole documents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from localspec import texts
from localspec.stores.conversations import Conversations
from localspec.stores.stored_turns import Citation, StoredConversation, StoredTurn
from tests.builders import make_pdf
from tests.running import RunningApp
from tests.ui.test_browser import LIGHTHOUSE, Visit

pytestmark = pytest.mark.browser

KEPT = "The kept text of a document that is gone: it cost $5 <b>and</b> $10."
FORMULAS = r"""The area is $A=\pi r^2$ [1], and it costs $5 and $10. Also \(a^2+b^2\), and

$$
\int_0^1 x^2\,dx
$$

- in a list: \[\sum_{k=1}^{n} k\]

```python
price = "$x$ and \(y\)"
```

Hostile: $\href{javascript:alert(1)}{a}$ \(\includegraphics{http://evil.example/p.png}\) $$\def\a{\a\a}\a$$
$\rule{9999em}{9999em}$ <img src=x onerror=alert(2)> ![p](http://evil.example/q.png)
"""


class AnswerVisit(Visit):
    """A tab, with the parts that belong to answers."""

    @property
    def dialog(self) -> Locator:
        return self.page.locator("dialog.passage[open]")

    def open(self, title: str) -> None:
        row = self.page.locator("#chats .chat").filter(has_text=title).first
        row.locator(".open").click()
        expect(row).to_have_class(re.compile("current"))

    def window(self) -> dict[str, int]:
        """What the context meter says."""
        found: dict[str, str] = self.page.evaluate(
            "Object.fromEntries([...document.querySelectorAll('.window b')].map(b => [b.dataset.window, b.innerText]))"
        )
        return {name: int(tokens.replace(",", "")) for name, tokens in found.items()}

    def pick(self, field: str, label: str) -> None:
        """Choose in a dropdown."""
        self.page.locator(f"{field} input").click()
        self.page.get_by_role("option", name=label).first.click()

    def read(self, label: str) -> None:
        """Choose what the next question is read with."""
        menu = self.page.locator("#active-library details")
        menu.locator("summary").click()
        menu.get_by_role("button", name=label).first.click()
        expect(menu.locator(".picked")).to_contain_text(label)
        self.settings.pop("read", None)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    home = tmp_path_factory.mktemp("answers")
    (home / "stores").mkdir()
    kept = Conversations(home / "stores")
    gone = Citation(1, "gone.pdf", 7, "", KEPT)
    turn = StoredTurn(
        "Show me formulas", "Show me formulas", FORMULAS, finish="end", given=(gone,), citations=[gone],
        window={"size": 4096, "system": 40, "documents": 1200, "earlier": 300, "question": 4, "forgotten": 2},
    )  # fmt: skip
    kept.add([StoredConversation("Formulas", "documents", (turn,))])
    kept.close()
    (home / "stores" / "presets.json").write_text('{"format": "localspec-presets", "presets"')
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
    visited.longest(40)
    yield visited
    context.close()


def test_formulas_of_a_kept_answer_are_drawn_and_nothing_else_is(visit: AnswerVisit) -> None:
    visit.open("Formulas")
    answer = visit.answers.first
    expect(answer.locator(".katex")).to_have_count(4)
    expect(answer.locator(".katex-display")).to_have_count(2)
    expect(answer.locator(".katex-error, a[href^=javascript], img")).to_have_count(0)
    expect(answer.locator("pre code")).to_contain_text('price = "$x$ and \\(y\\)"')
    expect(answer.locator(".copy_code_button")).to_have_count(1)
    expect(answer).to_contain_text("and it costs $5 and $10.")
    expect(answer).to_contain_text("\\rule{9999em}{9999em}")
    # Drawn by what is served here.
    assert any("KaTeX" in url for url in visit.requests)

    # What was left out, and what that means.
    assert visit.window() == {"system": 40, "documents": 1200, "earlier": 300, "question": 4, "free": 4096 - 1544}
    expect(visit.page.locator(".window .forgotten")).to_contain_text("2 earlier questions were dropped")

    # A marker in the answer opens its passage; the chat's own text is shown where there is no other.
    answer.locator("button.marker").click()
    expect(visit.dialog.locator("h2")).to_have_text("[1] gone.pdf, page 7")
    expect(visit.dialog.locator(".note")).to_contain_text("does not exist")
    expect(visit.dialog.locator("mark")).to_have_text(KEPT)
    visit.page.keyboard.press("Escape")
    expect(visit.dialog).to_have_count(0)

    # What is copied is what was written.
    visit.page.locator("#chat").get_by_role("button", name="Copy message").last.click()
    visit.page.wait_for_function("async () => Boolean(await navigator.clipboard.readText())")
    copied = visit.page.evaluate("navigator.clipboard.readText()")
    assert "The area is $A=\\pi r^2$ [1], and it costs $5 and $10." in copied
    assert 'price = "$x$ and \\(y\\)"' in copied
    assert "<img src=x onerror=alert(2)> ![p](http://evil.example/q.png)" in copied
    assert "gone.pdf" not in copied
    assert not re.search("[\u2061-\u2064]", copied)
    visit.assert_quiet()


def test_formulas_are_drawn_while_the_answer_is_written(visit: AnswerVisit) -> None:
    visit.longest(1500)
    rest = " ".join(f"word{number}" for number in range(180))
    visit.force(f"So $x^2$ costs $5 and $10.\n\nMore of it.\n\nThat is {rest} and $y_1$ is the end.")
    visit.page.evaluate(
        """() => {
          window.seen = [];
          new MutationObserver(() => {
            const writing = document.querySelector("#panel section[data-state=writing]");
            const answer = [...document.querySelectorAll("#chat .bot.message")].at(-1);
            if (writing && answer) window.seen.push([answer.querySelectorAll(".katex").length, answer.innerText]);
          }).observe(document.body, {childList: true, subtree: true});
        }"""
    )
    answer = visit.ask("Say it.")
    expect(answer.locator(".katex")).to_have_count(2)
    expect(answer).to_contain_text("costs $5 and $10.")
    seen = visit.page.evaluate("window.seen")
    assert any(count == 1 and "word3" in text and "$5 and $10" in text for count, text in seen)
    assert not any("x^2$" in text and count for count, text in seen)
    visit.grammar("")
    visit.assert_quiet()


def test_a_citation_opens_the_passage_and_outlives_its_document(
    browser: Browser, app: RunningApp, visit: AnswerVisit, tmp_path: Path
) -> None:
    visit.pick_library("cited", app.home)
    visit.drop(make_pdf(tmp_path / "lighthouse.pdf", LIGHTHOUSE, title="Handbook"))
    visit.force("The lamp must be cleaned every morning [2] with vinegar and water.")
    answer = visit.ask("How is the lamp to be cleaned?")
    source = answer.locator("button.citation").first
    expect(source).to_contain_text("lighthouse.pdf, page 2")
    assert visit.window()["documents"] > 100
    assert sum(visit.window().values()) == int(visit.page.locator(".window").get_attribute("data-size") or 0)

    # By keyboard, with what stands around it; Escape gives the focus back.
    source.focus()
    visit.page.keyboard.press("Enter")
    expect(visit.dialog.locator("h2")).to_have_text("[2] lighthouse.pdf, page 2")
    expect(visit.dialog.locator("mark").filter(has_text="soft cotton cloth")).to_be_visible()
    expect(visit.dialog.locator(".passage-page")).to_have_text(["Page 1", "Page 2", "Page 3", "Page 4"])
    expect(visit.dialog.locator(".passage-text")).to_contain_text("Maren Oldfield")
    visit.page.keyboard.press("Escape")
    expect(visit.dialog).to_have_count(0)
    expect(source).to_be_focused()
    answer.locator("button.marker").click()
    expect(visit.dialog.locator("h2")).to_have_text("[2] lighthouse.pdf, page 2")
    visit.dialog.get_by_role("button", name=texts.CLOSE).click()
    expect(visit.dialog).to_have_count(0)

    visit.grammar("")

    # The document goes; another tab opens the chat from disk.
    with visit.settings_tab("documents"):
        visit.page.get_by_role("button", name="Remove lighthouse.pdf").click()
        expect(visit.page.locator("#documents")).to_contain_text("No documents")
    other = AnswerVisit(browser.new_context(), app)
    other.open("How is the lamp to be cleaned?")
    other.answers.first.locator("button.citation").first.click()
    expect(other.dialog.locator(".note")).to_contain_text("lighthouse.pdf was removed from the library")
    expect(other.dialog.locator("mark")).to_contain_text("soft cotton cloth")
    for one in (visit, other):
        one.assert_quiet()
    other.page.context.close()


def test_a_document_is_read_whole_or_it_is_said_why_not(visit: AnswerVisit, app: RunningApp, tmp_path: Path) -> None:
    visit.pick_library("whole", app.home)
    long = tmp_path / "ledger.txt"
    long.write_text("\n".join(f"Entry {number}: {number * 7919 % 10007} crates of tea." for number in range(900)))
    visit.drop(make_pdf(tmp_path / "lighthouse.pdf", LIGHTHOUSE), long)
    visit.taken()
    visit.longest(8)
    visit.read("lighthouse.pdf (whole, ")
    visit.ask("Who built it?")
    assert 100 < visit.window()["documents"] < 400

    # What cannot fit is not to be picked, and says why.
    visit.page.locator("#active-library summary").click()
    for name in ("ledger.txt (whole, ", "All documents ("):
        choice = visit.page.locator("#active-library").get_by_role("button", name=name)
        expect(choice).to_be_disabled()
        expect(choice).to_contain_text(re.compile(r"too long: [\d,]+ tokens left"))
    visit.page.keyboard.press("Escape")
    visit.read(texts.READ_PASSAGES)
    expect(visit.ask("What is entry 5?")).not_to_contain_text("No answer")
    visit.assert_quiet()


def test_no_documents_is_a_choice_that_stays_with_its_chat(visit: AnswerVisit, app: RunningApp, tmp_path: Path) -> None:
    visit.pick_library("without", app.home)
    visit.drop(make_pdf(tmp_path / "lighthouse.pdf", LIGHTHOUSE))
    visit.taken()
    visit.longest(8)
    visit.read(texts.READ_NONE)
    expect(visit.ask("Who built the lighthouse of Velm?").locator(".citations")).to_have_count(0)
    assert "documents" not in visit.window()

    field = visit.page.locator("#active-library .picked")
    visit.page.locator("#new-chat").click()
    expect(visit.answers).to_have_count(0)
    expect(field).to_have_text(texts.READ_NONE)  # a new chat begins with what was chosen last
    visit.read(texts.READ_PASSAGES)
    visit.ask("How tall is the lighthouse of Velm?")
    assert visit.window()["documents"] > 100
    visit.open("Who built the lighthouse of Velm?")
    expect(field).to_have_text(texts.READ_NONE)
    expect(visit.page.locator(".window [data-window=documents]")).to_have_count(0)
    visit.page.locator("#new-chat").click()
    expect(field).to_have_text(texts.READ_PASSAGES)
    visit.assert_quiet()


def test_a_system_prompt_belongs_to_its_chat(browser: Browser, app: RunningApp, visit: AnswerVisit) -> None:
    field = visit.page.locator("#system textarea")
    with visit.settings_tab("sampling"):
        field.fill("Answer like a pirate.")
    visit.longest(4)
    visit.ask("Who are you?")
    assert visit.window()["system"] > 5
    visit.page.locator("#new-chat").click()
    expect(field).to_have_value("")
    visit.open("Who are you?")
    expect(field).to_have_value("Answer like a pirate.")
    with visit.settings_tab("sampling"):
        field.fill("Answer like a queen.")
        field.blur()
    other = AnswerVisit(browser.new_context(), app)
    other.open("Who are you?")
    expect(other.page.locator("#system textarea")).to_have_value("Answer like a queen.")
    other.page.context.close()
    visit.assert_quiet()


def test_presets_set_the_fields_and_a_broken_file_breaks_nothing(visit: AnswerVisit, tmp_path: Path) -> None:
    page = visit.page
    visit.open_settings("sampling")
    told = page.locator("#presets-told")
    expect(told).to_contain_text("was renamed to presets-damaged-")
    temperature, choice = page.get_by_label("Temperature"), page.locator("#sampling-preset input")
    expect(choice).to_have_value(texts.PRESET_RECOMMENDED)
    expect(temperature).to_have_value("0.2")
    expect(page.get_by_label("DRY")).to_have_value("0.8")
    visit.pick("#sampling-preset", "Creative")
    expect(temperature).to_have_value("1.1")
    # What the model is recommended does not come back by itself, and an empty seed stays empty.
    expect(page.locator("#seed input, #seed textarea")).to_have_value("")
    visit.settings |= {"temperature": 1.1, "top_k": 0, "repeat_penalty": 1.05, "seed": "", "sampling": "Creative"}
    visit.longest(4)
    visit.ask("Say hello.")

    visit.open_settings("sampling")
    temperature.fill("0.3")
    temperature.blur()
    expect(choice).to_have_value(texts.PRESET_OWN)
    page.locator("#preset-name input, #preset-name textarea").fill("Letters")
    page.locator("#preset-save").click()
    expect(told).to_contain_text("“Letters” was saved")
    visit.pick("#sampling-preset", "Precise")
    expect(temperature).to_have_value("0")
    visit.pick("#sampling-preset", "Letters")
    expect(temperature).to_have_value("0.3")
    page.locator("#preset-name input, #preset-name textarea").fill("Mail")
    page.locator("#preset-rename").click()
    expect(choice).to_have_value("Mail")
    with page.expect_download() as download:
        page.get_by_text(texts.PRESETS_EXPORT).click()
    exported = tmp_path / "exported.json"
    download.value.save_as(exported)
    page.locator("#preset-delete").click()
    expect(told).to_contain_text("“Mail” was deleted")

    broken = tmp_path / "broken.json"
    broken.write_bytes(exported.read_bytes()[:-9])
    chooser = page.locator("#import-presets")
    with page.expect_file_chooser() as picked:
        chooser.click()
    picked.value.set_files(broken)
    expect(told).to_contain_text("Nothing was changed")
    with page.expect_file_chooser() as picked:
        chooser.click()
    picked.value.set_files(exported)
    expect(told).to_contain_text("1 preset imported")
    visit.pick("#sampling-preset", "Mail")
    expect(temperature).to_have_value("0.3")
    visit.assert_quiet()


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (420, 800)])
def test_the_page_still_fits_its_window(browser: Browser, app: RunningApp, width: int, height: int) -> None:
    visited = AnswerVisit(browser.new_context(viewport={"width": width, "height": height}), app)
    if width < 1000:
        visited.page.locator("#toggle-chats").click()
    visited.open("Formulas")
    if width < 1000:  # it lay over the chat that was picked
        expect(visited.page.locator("#chats-column")).to_be_hidden()
    expect(visited.page.locator(".window")).to_be_visible()
    assert visited.page.evaluate("document.documentElement.scrollWidth") <= width
    box = visited.page.locator("#entry").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= height
    visited.page.context.close()
