"""Chats that are kept, in a real browser: listed, found, renamed, deleted, gone on with, exported, imported."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from localspec import texts
from localspec.stores.conversations import Conversations
from localspec.stores.stored_turns import StoredConversation, StoredTurn
from tests.running import RunningApp
from tests.ui.test_browser import LONG, Visit

pytestmark = pytest.mark.browser

STORY = "Write a very long story about a lighthouse and its keeper."
SHORT = 12
BESIDE = ".note, .problem, .citations, .activity, .meter, .figures-line, .first-colours, .actions"
"""What stands under the text of an answer."""
HOSTILE = '<img src="http://evil.example/p.png" onerror="alert(1)"> ![p](http://evil.example/q.png) <b>x</b>'


class ChatVisit(Visit):
    """A tab, with its list of chats."""

    @property
    def rows(self) -> Locator:
        return self.page.locator("#chats .chat")

    @property
    def questions(self) -> Locator:
        return self.page.locator("#chat .user.message")

    def row(self, title: str) -> Locator:
        return self.rows.filter(has=self.page.locator(".open", has_text=title))

    def open(self, title: str) -> None:
        self.row(title).locator(".open").click()
        expect(self.row(title)).to_have_class(re.compile("current"))

    def choose_action(self, title: str, action: str) -> None:
        self.row(title).get_by_label("More actions for").click()
        self.row(title).get_by_text(action, exact=True).click()

    def new_chat(self) -> None:
        self.page.locator("#new-chat").click()
        expect(self.answers).to_have_count(0)

    def find(self, text: str) -> None:
        self.page.get_by_placeholder(texts.SEARCH_CHATS).fill(text)

    def begin_story(self, seconds: float = 0.0) -> Locator:
        """Ask for more than there is time for, and wait until some of it is there."""
        growing = self.ask_endlessly(STORY)
        limit = time.monotonic() + 2 * LONG / 1000
        written = 0.0
        while not written or time.monotonic() - written < seconds or len(self.letters(growing)) < 30:
            assert time.monotonic() < limit
            self.page.wait_for_timeout(50)
            if not written and self.letters(growing) and self.panel.get_attribute("data-state") == "writing":
                written = time.monotonic()
        return growing

    def act(self, answer: Locator, name: str) -> None:
        """Press one of the buttons under an answer."""
        answer.locator(".actions").get_by_role("button", name=name, exact=True).click()

    def shows(self, questions: Sequence[str], answers: Sequence[str]) -> None:
        """The chat is these questions with these answers, and no more."""
        expect(self.questions).to_contain_text(list(questions))
        expect(self.answers).to_contain_text(list(answers))
        assert [self.text_of(answer) for answer in self.answers.all()] == [_letters(answer) for answer in answers]

    def stop_later(self, growing: Locator, written: str) -> None:
        """Wait until an answer is longer than what was `written` of it, and stop it."""
        limit = time.monotonic() + 2 * LONG / 1000
        while len(self.text_of(growing)) <= len(written):
            assert time.monotonic() < limit
            self.page.wait_for_timeout(50)
        self.page.locator("#entry .stop-button").click()
        expect(growing).to_contain_text(texts.STOPPED)
        self.wait()
        assert self.text_of(growing).startswith(written)

    def text_of(self, answer: Locator) -> str:
        """The answer as it was written, without what is said about it."""
        found = answer.evaluate(
            "node => { const copy = node.querySelector('.md').cloneNode(true);"
            f" copy.querySelectorAll('{BESIDE}').forEach((one) => one.remove());"
            " return copy.textContent; }"
        )
        return _letters(str(found))


def _letters(text: str) -> str:
    return re.sub(r"[^a-zA-Z]", "", text)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("chats")


@pytest.fixture(scope="module")
def app(home: Path) -> Iterator[RunningApp]:
    """One application for the tests that need no start of their own."""
    started = RunningApp(home)
    try:
        started.wait_until_served()
        yield started
    finally:
        started.close()


@pytest.fixture
def visit(browser: Browser, app: RunningApp) -> Iterator[ChatVisit]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    visited = ChatVisit(context, app)
    visited.longest(SHORT)
    yield visited
    context.close()


def started(home: Path) -> RunningApp:
    app = RunningApp(home)
    app.wait_until_served()
    return app


def test_a_chat_is_there_again_after_a_restart_and_goes_on(browser: Browser, tmp_path: Path) -> None:
    app = started(tmp_path)
    try:
        tab = ChatVisit(browser.new_context(), app)
        expect(tab.page.locator("#chats")).to_contain_text("No chats yet")
        tab.longest(SHORT)
        tab.ask("When was the first lighthouse built?")
        growing = tab.begin_story()
        tab.page.locator("#entry .stop-button").click()
        tab.wait()
        tab.ends("stopped")
        written = tab.text_of(growing)
        shown = [tab.text_of(tab.answers.nth(0)), written]
        assert all(shown)
        tab.page.context.close()
        app.close()
        assert "Traceback" not in app.log.read_text()

        app = started(tmp_path)
        tab = ChatVisit(browser.new_context(), app)
        expect(tab.rows).to_have_count(1)
        tab.open("When was the first lighthouse built?")
        expect(tab.answers).to_have_count(2)
        assert [tab.text_of(tab.answers.nth(number)) for number in range(2)] == shown
        expect(tab.questions.nth(1)).to_contain_text(STORY)
        expect(tab.answers.nth(1)).to_contain_text(texts.STOPPED)
        assert int(tab.figure("tokens")) > 0, "the figures of the last answer are kept"
        tab.longest(20)
        tab.page.get_by_role("button", name=texts.GO_ON).click()
        tab.ends("done")
        tab.wait()
        longer = tab.text_of(tab.answers.nth(1))
        assert longer.startswith(written)
        assert len(longer) > len(written)
        tab.ask("And the second one?")
        expect(tab.questions).to_have_count(3)
        expect(tab.rows).to_have_count(1)
        tab.assert_quiet()
    finally:
        app.close()


def test_a_kill_in_the_middle_of_an_answer_leaves_chat_and_answer(browser: Browser, tmp_path: Path) -> None:
    app = started(tmp_path)
    try:
        tab = ChatVisit(browser.new_context(), app)
        tab.longest(SHORT)
        first = tab.text_of(tab.ask("Say hello."))
        growing = tab.begin_story(seconds=2.5)
        written = tab.text_of(growing)
        app.process.kill()
        app.process.wait()
        tab.page.context.close()

        app = started(tmp_path)
        tab = ChatVisit(browser.new_context(), app)
        tab.open("Say hello.")
        assert tab.text_of(tab.answers.nth(0)) == first
        expect(tab.answers.nth(1)).to_contain_text(texts.INTERRUPTED)
        kept = tab.text_of(tab.answers.nth(1))
        assert len(kept) > 20
        assert kept.startswith(written[:20])
        tab.longest(20)
        tab.page.get_by_role("button", name=texts.GO_ON).click()
        tab.ends("done")
        assert tab.text_of(tab.answers.nth(1)).startswith(kept)
        assert len(tab.text_of(tab.answers.nth(1))) > len(kept)
        expect(tab.answers.nth(1)).not_to_contain_text(texts.INTERRUPTED)
        tab.assert_quiet()
    finally:
        app.close()


def test_an_answer_goes_on_in_a_chat_that_nobody_looks_at(browser: Browser, app: RunningApp, visit: ChatVisit) -> None:
    context = browser.new_context()
    other = ChatVisit(context, app)
    other.longest(SHORT)
    other.ask("Closing this tab soon.")
    written = other.text_of(other.begin_story())
    context.close()
    expect(visit.row("Closing this tab soon.")).to_be_visible()
    visit.open("Closing this tab soon.")
    visit.stop_later(visit.answers.nth(1), written)
    # Another chat, while an answer is written.
    visit.new_chat()
    visit.longest(SHORT)
    visit.ask("Leaving this chat soon.")
    written = visit.text_of(visit.begin_story())
    visit.open("Closing this tab soon.")
    expect(visit.answers.nth(1)).to_contain_text(texts.STOPPED)
    expect(visit.page.locator("#entry .submit-button")).to_be_visible()
    visit.open("Leaving this chat soon.")
    visit.stop_later(visit.answers.nth(1), written)
    visit.assert_quiet()


def test_chats_are_listed_found_renamed_and_deleted(visit: ChatVisit) -> None:
    visit.ask("What is a zebra?")
    visit.new_chat()
    visit.ask(f"What is a giraffe? {HOSTILE}")
    expect(visit.rows.first).to_contain_text("What is a giraffe?")
    expect(visit.row("What is a giraffe?")).to_have_class(re.compile("current"))

    # By words of the question, with the place where they stand; signs are no more than text.
    visit.find("zebr")
    expect(visit.rows).to_have_count(1)
    expect(visit.rows.locator("mark").first).to_have_text("zebra")
    for query in ('"zebra AND (', "zebra*", "'; DROP TABLE turns --", HOSTILE):
        visit.find(query)
        expect(visit.page.locator("#chats")).not_to_contain_text("Traceback")
    visit.find("giraffe")
    expect(visit.rows).to_have_count(1)
    expect(visit.rows.locator("mark").first).to_have_text("giraffe")
    visit.find("no such word anywhere")
    expect(visit.page.locator("#chats")).to_contain_text(texts.NOTHING_FOUND)
    visit.find("")
    expect(visit.row("zebra")).to_be_visible()

    # With the keyboard alone.
    menu = visit.row("zebra").get_by_label("More actions for")
    menu.focus()
    menu.press("Enter")
    expect(visit.row("zebra").get_by_text(texts.RENAME, exact=True)).to_be_focused()
    visit.page.keyboard.press("Enter")
    title = visit.page.get_by_label(texts.NEW_TITLE)
    expect(title).to_be_focused()
    visit.page.keyboard.press("Escape")
    expect(visit.row("What is a zebra?")).to_be_visible()
    visit.choose_action("zebra", texts.RENAME)
    expect(title).to_be_focused()
    title.fill(f"Stripes {HOSTILE}")
    visit.page.wait_for_timeout(1500)  # what is being typed is not lost to a list that is shown anew
    expect(title).to_have_value(f"Stripes {HOSTILE}"[:120])
    title.press("Enter")
    expect(visit.row("Stripes <img")).to_be_visible()
    visit.choose_action("Stripes", texts.RENAME)
    title.fill("Only stripes")
    visit.page.locator("#chats").get_by_role("button", name=texts.SAVE).click()
    visit.open("Only stripes")
    expect(visit.questions).to_have_text(re.compile("What is a zebra"))

    # A deleted chat goes at once; the open one leaves an empty page, and comes back to it.
    number = visit.rows.count()
    visit.choose_action("Only stripes", texts.DELETE)
    expect(visit.rows).to_have_count(number - 1)
    expect(visit.answers).to_have_count(0)
    expect(visit.row("Only stripes")).to_have_count(0)
    visit.page.locator("#chats .undo").get_by_role("button", name=texts.UNDO).click()
    expect(visit.rows).to_have_count(number)
    expect(visit.questions).to_have_text(re.compile("What is a zebra"))
    visit.choose_action("Only stripes", texts.DELETE)
    expect(visit.answers).to_have_count(0)
    expect(visit.rows).to_have_count(number - 1)
    visit.ask("A new one begins.")
    expect(visit.rows).to_have_count(number)
    expect(visit.page.locator("#chats img, #chats script, #chats b")).to_have_count(0)
    visit.assert_quiet()


def test_the_list_can_be_closed_and_stays_so(visit: ChatVisit) -> None:
    column, button = visit.page.locator("#chats-column"), visit.page.locator("#toggle-chats")
    expect(column).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    button.focus()
    button.press("Enter")
    expect(column).to_be_hidden()
    expect(button).to_have_attribute("aria-expanded", "false")
    visit.page.reload()
    expect(visit.entry).to_be_visible()
    expect(column).to_be_hidden()
    button.click()
    expect(column).to_be_visible()


def test_what_is_typed_stays_when_another_chat_is_begun_or_opened(visit: ChatVisit) -> None:
    visit.ask("Name a metal.")
    visit.entry.fill("Half a ques")
    visit.new_chat()
    visit.entry.press_sequentially("tion")
    visit.open("Name a metal.")
    expect(visit.answers).to_have_count(1)
    expect(visit.entry).to_have_value("Half a question")
    visit.questions.last.get_by_text(texts.EDIT, exact=True).click()
    expect(visit.entry).to_have_value("Name a metal.")
    visit.new_chat()
    expect(visit.entry).to_have_value("")


def test_an_answer_is_asked_for_again_edited_and_taken_back(visit: ChatVisit) -> None:
    visit.choose("Plain")
    visit.likeliest()
    visit.ask("Name a colour.")
    first = visit.text_of(visit.answers.first)
    visit.ask("Name an animal.")
    visit.ask("Name a town.")
    expect(visit.questions).to_have_count(3)

    # Retry: the last answer anew; with the same settings it is the same, and that is said.
    before = visit.text_of(visit.answers.last)
    visit.act(visit.answers.last, texts.RETRY)
    expect(visit.page.locator(".notice")).to_contain_text("The answer is the same")
    visit.wait()
    expect(visit.questions).to_have_count(3)
    assert visit.text_of(visit.answers.last) == before
    visit.longest(SHORT - 7)
    visit.act(visit.answers.last, texts.RETRY)
    expect(visit.answers.last).to_contain_text("Stopped at the 5-token limit")
    visit.wait()
    assert before.startswith(visit.text_of(visit.answers.last))

    # Edit: the question is in the entry; what follows it is hidden when it is sent, and not before.
    visit.questions.nth(1).get_by_role("button", name=texts.EDIT).click()
    expect(visit.entry).to_have_value("Name an animal.")
    expect(visit.page.locator("#below")).to_contain_text("its answer, and 1 question after it, will be kept")
    visit.page.locator("#below").get_by_role("button", name=texts.CANCEL).click()
    expect(visit.entry).to_have_value("")
    expect(visit.questions).to_have_count(3)
    visit.questions.nth(1).get_by_role("button", name=texts.EDIT).click()
    expect(visit.entry).to_have_value("Name an animal.")
    visit.send("Name a plant.")
    expect(visit.questions).to_have_count(2)
    visit.wait()
    expect(visit.questions.nth(1)).to_contain_text("Name a plant.")
    assert visit.text_of(visit.answers.first) == first

    # An edit of which nothing comes leaves what was there.
    visit.questions.first.get_by_role("button", name=texts.EDIT).click()
    expect(visit.entry).to_have_value("Name a colour.")
    visit.grammar("root ::= (")
    visit.send("Name a number.")
    expect(visit.page.locator(".notice").last).to_contain_text(texts.KEPT_BEFORE)
    expect(visit.entry).to_have_value("Name a number.")
    expect(visit.questions).to_have_count(2)
    assert visit.text_of(visit.answers.first) == first
    visit.grammar("")
    visit.page.locator("#below").get_by_role("button", name=texts.CANCEL).click()
    expect(visit.entry).to_have_value("")

    # Undo: the last question stands in the entry again.
    visit.act(visit.answers.last, texts.UNDO)
    expect(visit.entry).to_have_value("Name a plant.")
    expect(visit.questions).to_have_count(1)
    # All of it is so on disk.
    visit.new_chat()
    visit.open("Name a colour.")
    expect(visit.questions).to_have_count(1)
    assert visit.text_of(visit.answers.first) == first
    visit.act(visit.answers.last, texts.UNDO)
    expect(visit.row("Name a colour.")).to_have_count(0)
    expect(visit.entry).to_have_value("Name a colour.")
    visit.assert_quiet()


def test_answers_have_versions_that_are_gone_between(visit: ChatVisit) -> None:
    """An earlier answer is written again, the one before comes back with what followed it, and an edited one is gone on
    from."""
    asked = ("Name a colour.", "Name an animal.", "Name a town.")
    said = ("The colour is green", "The animal is a heron", "The town is Keel")
    for question, answer in zip(asked, said, strict=True):
        visit.force(answer)
        visit.ask(question)
    expect(visit.page.locator("#chat .branches")).to_have_count(0)

    # Retry of the first: what followed goes from sight with the answer from before.
    visit.force("The colour is red")
    visit.act(visit.answers.first, texts.RETRY)
    expect(visit.answers.first).to_contain_text("The colour is red")
    expect(visit.answers.first.locator(".branches")).to_have_text("‹2/2")
    visit.wait()
    visit.shows(asked[:1], ["The colour is red"])

    # ‹ leads back to all of it, › forth; the new one is gone on with by itself.
    visit.act(visit.answers.first, "‹")
    visit.shows(asked, said)
    expect(visit.answers.first.locator(".branches")).to_have_text("1/2›")
    visit.act(visit.answers.first, "›")
    visit.shows(asked[:1], ["The colour is red"])
    visit.force("The plant is a fern")
    visit.ask("Name a plant.")
    visit.shows([asked[0], "Name a plant."], ["The colour is red", "The plant is a fern"])
    visit.act(visit.answers.first, "‹")
    visit.shows(asked, said)

    # An answer is edited: taken back first, then kept beside the one before.
    visit.act(visit.answers.nth(1), texts.EDIT)
    expect(visit.entry).to_have_value(said[1])
    expect(visit.page.locator("#below")).to_contain_text(texts.EDITING_ANSWER)
    visit.page.locator("#below").get_by_role("button", name=texts.CANCEL).click()
    expect(visit.entry).to_have_value("")
    visit.shows(asked, said)
    visit.act(visit.answers.nth(1), texts.EDIT)
    expect(visit.entry).to_have_value(said[1])
    visit.send("The animal is an owl")
    expect(visit.entry).to_have_value("")
    visit.shows(asked[:2], [said[0], "The animal is an owl"])
    expect(visit.answers.nth(1).locator(".branches")).to_have_text("‹2/2")
    expect(visit.page.locator("#below")).not_to_contain_text(texts.EDITING_ANSWER)

    # It is gone on from, and so it is on disk.
    visit.force("It eats mice")
    visit.ask("What does it eat?")
    now = [*asked[:2], "What does it eat?"], [said[0], "The animal is an owl", "It eats mice"]
    visit.shows(*now)
    visit.new_chat()
    visit.open(asked[0])
    visit.shows(*now)
    visit.act(visit.answers.nth(1), "‹")
    visit.shows(asked, said)
    # What another version says is found, and is what is shown then.
    visit.find("fern")
    visit.open(asked[0])
    visit.shows([asked[0], "Name a plant."], ["The colour is red", "The plant is a fern"])
    visit.find("")
    visit.assert_quiet()


def test_chats_are_exported_and_imported(visit: ChatVisit, tmp_path: Path) -> None:
    visit.ask("Export this, please.")
    visit.page.wait_for_timeout(100)

    def download(link: Locator) -> Path:
        with visit.page.expect_download() as event:
            link.click()
        path = tmp_path / event.value.suggested_filename
        event.value.save_as(path)
        return path

    row = visit.row("Export this, please.")
    row.get_by_label("More actions for").click()
    text = download(row.get_by_text(texts.EXPORT_MARKDOWN))
    row.get_by_label("More actions for").click()  # what was chosen has closed it
    one = download(row.get_by_text(texts.EXPORT_JSON))
    assert text.name == "Export-this-please.md"
    assert "## Question 1\n\nExport this, please.\n\n### Answer\n\n" in text.read_text()
    assert "tokens/s" in text.read_text()
    (conversation,) = json.loads(one.read_text())["conversations"]
    assert conversation["turns"][0]["figures"]["tokens_per_second"] > 0

    def all_as(label: str) -> Locator:
        visit.page.get_by_label(texts.CHATS_MENU).click()
        return visit.page.get_by_text(label, exact=True)

    everything = download(all_as(texts.EXPORT_ALL_JSON))
    assert len(json.loads(everything.read_text())["conversations"]) == visit.rows.count()
    assert "# Export this, please." in download(all_as(texts.EXPORT_ALL_MARKDOWN)).read_text()

    def bring(path: Path) -> None:
        visit.page.get_by_label(texts.CHATS_MENU).click()
        with visit.page.expect_file_chooser() as chooser:
            visit.page.get_by_text(texts.IMPORT_CHATS, exact=True).locator("visible=true").click()
        chooser.value.set_files(path)

    number = visit.rows.count()
    conversation["title"] = "Brought from elsewhere"
    edited = tmp_path / "edited.json"
    edited.write_text(json.dumps({**json.loads(one.read_text()), "conversations": [conversation]}))
    bring(edited)
    expect(visit.page.locator(".notice")).to_contain_text("1 chat imported.")
    expect(visit.rows).to_have_count(number + 1)
    visit.open("Brought from elsewhere")
    expect(visit.questions).to_contain_text("Export this, please.")
    visit.ask("It goes on.")
    expect(visit.questions).to_have_count(2)

    broken = tmp_path / "broken.json"
    conversation["turns"][0]["reply"] = 5
    broken.write_text(json.dumps({**json.loads(one.read_text()), "conversations": [conversation]}))
    bring(broken)
    expect(visit.page.locator(".notice").last).to_contain_text("question 1: “reply” must be a text")
    expect(visit.rows).to_have_count(number + 1)
    visit.assert_quiet()


def test_addresses_of_exports_are_for_our_own_page(app: RunningApp) -> None:
    assert app.request("GET", "/export/all.json").status == 200
    assert app.request("GET", "/export/all.json", {"Host": "evil.example"}).status == 403
    assert app.request("GET", "/export/all.json", {"Origin": "http://evil.example"}).status == 403
    assert app.request("GET", "/export/999999.md").status == 404
    assert app.request("GET", "/export/../secret.md").status != 200
    answer = app.request("GET", "/export/all.json")
    assert answer.getheader("content-disposition", "").startswith("attachment;")
    assert answer.getheader("cache-control") == "no-store"


def test_five_hundred_chats_are_shown_in_parts(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "stores").mkdir()
    store = Conversations(tmp_path / "stores")
    store.add(
        StoredConversation(
            f"Chat {number}", "documents", (StoredTurn("Question", "Question", f"Answer {number}", finish="end"),),
            changed=f"2026-01-01T{number // 60:02}:{number % 60:02}:00+00:00",
        )
        for number in range(500)
    )  # fmt: skip
    store.close()
    app = started(tmp_path)
    try:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        tab = ChatVisit(context, app)
        expect(tab.rows).to_have_count(100)
        expect(tab.rows.first).to_contain_text("Chat 499")
        tab.page.get_by_role("button", name=texts.MORE_CHATS).click()
        expect(tab.rows).to_have_count(200)
        tab.find("answer 7")
        expect(tab.row("Chat 7").first).to_be_visible()
        tab.find("Chat 123")
        expect(tab.rows.first).to_contain_text("Chat 123")
        tab.open("Chat 123")
        expect(tab.answers).to_have_text(re.compile("Answer 123"))
        tab.assert_quiet()
        context.close()
    finally:
        app.close()


def test_a_damaged_file_is_told_and_chatting_goes_on(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "stores").mkdir()
    (tmp_path / "stores" / "conversations.db").write_bytes(b"no database" * 1000)
    app = started(tmp_path)
    try:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        tab = ChatVisit(context, app)
        expect(tab.page.locator("#chats .problem")).to_contain_text("set aside as conversations-damaged-")
        tab.longest(SHORT)
        tab.ask("Does it work?")
        expect(tab.row("Does it work?")).to_be_visible()
        tab.assert_quiet()
        context.close()
    finally:
        app.close()
