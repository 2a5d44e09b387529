"""What is chosen on the page stays: after a reload, in a second tab, and after a start at another port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from localspec import texts
from localspec.application.preferences import THEMES
from tests.running import RunningApp

pytestmark = pytest.mark.browser
LONG = 60_000
WATCH = """
window.themes = [];
window.fields = [];
const look = () => {
  if (document.body) {
    const dark = document.documentElement.classList.contains("dark");
    themes.push(`${dark} ${getComputedStyle(document.body).backgroundColor}`);
    for (const field of document.querySelectorAll("#max-tokens input")) if (field.value) fields.push(field.value);
    for (const field of document.querySelectorAll("#method input")) if (field.value) fields.push(field.value);
  }
  requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
"""What was to be seen in each frame."""


class Tab:
    """A tab, seen by its settings."""

    def __init__(self, page: Page, app: RunningApp) -> None:
        self.page = page
        self.page.set_default_timeout(LONG)
        self.page.add_init_script(WATCH)
        self.page.goto(app.sign_in_address)
        self.wait()

    def wait(self) -> None:
        """Until it was told what there is."""
        expect(self.page.locator("#method input")).not_to_have_value("", timeout=LONG)
        expect(self.page.locator("#look [data-theme]")).to_be_attached(timeout=LONG)

    def field(self, name: str) -> Any:
        return self.page.locator(f"{name} input, {name} textarea").first

    def labelled(self, label: str) -> Any:
        return self.page.locator("#advanced-part").get_by_label(label, exact=True)

    def open(self, name: str) -> None:
        """This tab of the settings, which stay open."""
        if not self.page.locator("#settings").is_visible():
            self.page.locator("#heading [data-view=settings]").click()
        self.page.locator(f"#to-{name}").click()
        expect(self.page.locator(f"#tab-{name}")).to_be_visible()

    def close(self) -> None:
        """The settings, if they are open."""
        if self.page.locator("#settings").is_visible():
            self.page.locator("[data-view=close-settings]").click()
        expect(self.page.locator("#settings")).to_be_hidden()

    def pick(self, field: str, label: str) -> None:
        self.field(field).click()
        self.page.get_by_role("option", name=label).first.click()

    def choose(self, field: str, label: str) -> None:
        """One of a few."""
        self.page.locator(field).get_by_text(label, exact=True).click()

    def choose_method(self, label: str) -> None:
        self.close()
        self.pick("#method", label)
        expect(self.field("#method")).to_have_value(label)

    def choose_theme(self, name: str) -> None:
        self.open("look")
        self.choose("#theme", texts.THEME_CHOICES[name])

    def type(self, field: Any, text: str) -> None:
        field.fill(text)
        field.blur()

    @property
    def chosen(self) -> dict[str, object]:
        """What the page says of what was chosen."""
        page = self.page
        names = {"max_tokens": "#max-tokens", "sampling": "#sampling-preset", "thinking": "#thinking", "seed": "#seed"}
        names |= {"read": "#read", "method": "#method"}
        values: dict[str, object] = {name: self.field(place).input_value() for name, place in names.items()}
        values["temperature"] = self.labelled("Temperature").input_value()
        values["rows"] = self.labelled("Max rows").input_value()
        values["theme"] = page.locator("#theme input:checked").get_attribute("value")
        values["sizing"] = page.locator("#advanced-part input[type=radio]:checked").get_attribute("value")
        values["chats"] = page.locator("#chats-column").is_visible()
        values["explained"] = page.locator("#method-explained").get_by_text("No drafts:").count()
        return values


def kept(app: RunningApp) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((app.home / "stores" / "preferences.json").read_text())
    return found


def keeps(tab: Tab, app: RunningApp, **wanted: object) -> None:
    """Wait until this is on disk."""
    for _ in range(200):
        now = kept(app) if (app.home / "stores" / "preferences.json").exists() else {}
        if {name: now.get(name) for name in wanted} == wanted:
            return
        tab.page.wait_for_timeout(100)
    raise AssertionError((now, wanted))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("preferences")


@pytest.fixture(scope="module")
def app(home: Path) -> Iterator[RunningApp]:
    started = RunningApp(home)
    try:
        started.wait_until_served()
        yield started
    finally:
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield context.new_page()
    context.close()


WANTED: dict[str, object] = {
    "max_tokens": "77", "sampling": texts.PRESET_OWN, "thinking": "Off", "seed": "5", "temperature": "0.3",
    "rows": "3", "read": "none", "method": "Plain", "theme": "dark", "sizing": "paper", "chats": False,
    "explained": 1,
}  # fmt: skip


def choose_all(tab: Tab) -> None:
    """Something else than is usual."""
    tab.choose_method("Plain")
    tab.page.locator(".active-library summary").click()
    tab.page.get_by_role("button", name=texts.READ_NONE, exact=True).click()
    tab.page.locator("#toggle-chats").click()
    tab.open("sampling")
    tab.pick("#sampling-preset", "Creative")
    expect(tab.labelled("Temperature")).to_have_value("1.1")
    tab.type(tab.labelled("Temperature"), "0.3")
    tab.type(tab.field("#max-tokens"), "77")
    tab.type(tab.labelled("Max rows"), "3")
    tab.type(tab.field("#seed"), "5")
    tab.pick("#thinking", "Off")
    tab.choose("#advanced-part", "paper")
    tab.choose_theme("dark")


def test_all_stays_after_a_reload_in_a_second_tab_and_after_a_start(browser: Browser, tmp_path: Path) -> None:
    app = RunningApp(tmp_path)
    try:
        app.wait_until_served()
        first = Tab(browser.new_context(viewport={"width": 1280, "height": 900}).new_page(), app)
        choose_all(first)
        expect(first.field("#sampling-preset")).to_have_value(texts.PRESET_OWN)
        keeps(first, app, temperature=0.3, top_p=0.98, sampling="", theme="dark", chats=False, read="none", rows=3,
              max_tokens=77, seed="5", thinking="off", preset="paper", method="plain")  # fmt: skip
        assert first.chosen == WANTED
        first.page.reload()
        first.wait()
        assert first.chosen == WANTED
        expect(first.page.locator(".active-library .picked")).to_have_text(texts.READ_NONE)
        second = Tab(first.page.context.new_page(), app)
        assert second.chosen == WANTED
        first.page.context.close()
    finally:
        app.close()
    again = RunningApp(tmp_path, log="again.log")
    assert again.port != app.port
    try:
        again.wait_until_served()
        third = Tab(browser.new_context(viewport={"width": 1280, "height": 900}).new_page(), again)
        assert third.chosen == WANTED
        # Once the model is there, the fields go on saying what was chosen and not what is recommended for it.
        expect(third.page.locator("#status [data-model=ready]")).to_be_visible(timeout=2 * LONG)
        third.page.wait_for_timeout(4000)
        assert third.chosen == WANTED
        # Nothing else was to be seen before.
        assert set(third.page.evaluate("fields")) == {"77", "Plain"}
        third.open("sampling")
        third.pick("#sampling-preset", texts.PRESET_RECOMMENDED)
        expect(third.labelled("Temperature")).not_to_have_value("0.3")
        recommended = third.labelled("Temperature").input_value()
        third.page.reload()
        third.wait()
        assert third.labelled("Temperature").input_value() == recommended
        third.page.context.close()
    finally:
        again.close()


def test_other_tabs_follow_but_not_under_the_hands_of_somebody(page: Page, app: RunningApp) -> None:
    here, there = Tab(page, app), Tab(page.context.new_page(), app)
    here.open("sampling")
    there.open("sampling")
    # Somebody is typing, and has come as far as this.
    there.field("#max-tokens").fill("")
    there.page.wait_for_timeout(500)
    here.type(here.field("#max-tokens"), "60")
    here.choose_method("Plain")
    here.choose_theme("dark")
    here.open("sampling")
    here.pick("#sampling-preset", "Creative")
    expect(there.field("#method")).to_have_value("Plain")
    expect(there.page.locator("#theme input[value=dark]")).to_be_checked()
    expect(there.page.locator("body.dark")).to_be_attached()
    expect(there.field("#sampling-preset")).to_have_value("Creative")
    expect(there.labelled("Temperature")).to_have_value("1.1")
    there.page.wait_for_timeout(2000)
    assert there.field("#max-tokens").input_value() == ""
    there.field("#max-tokens").press_sequentially("81")
    there.field("#max-tokens").blur()
    expect(here.field("#max-tokens")).to_have_value("81")
    keeps(here, app, max_tokens=81)


@pytest.mark.parametrize(("system", "theme"), [("light", "dark"), ("dark", "light"), ("dark", "system")])
def test_the_theme_is_there_before_anything_is_painted(
    browser: Browser, app: RunningApp, system: Any, theme: str
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=system)
    tab = Tab(context.new_page(), app)
    tab.choose_theme(theme)
    if theme != "system":
        keeps(tab, app, theme=theme)
    tab.page.reload()
    tab.wait()
    tab.page.wait_for_timeout(1000)
    dark = {"system": system}.get(theme, theme) == "dark"
    seen = tab.page.evaluate("themes")
    assert {one.split()[0] for one in seen} == {str(dark).lower()}
    for one in seen:
        red = int(one.split("(")[1].split(",")[0])
        assert (red < 60) == dark, seen
    # The system changes its mind at night.
    tab.page.emulate_media(color_scheme="light" if system == "dark" else "dark")
    tab.page.wait_for_timeout(300)
    now = dark if theme != "system" else system != "dark"
    assert tab.page.evaluate("document.body.classList.contains('dark')") == now
    context.close()


def test_system_prompts_are_saved_by_name(page: Page, app: RunningApp, tmp_path: Path) -> None:
    tab = Tab(page, app)
    tab.open("sampling")
    field, choice, name = tab.field("#system"), tab.field("#saved-prompt"), tab.field("#prompt-name")
    told = page.locator("#prompts-told")
    expect(choice).to_have_value(texts.PROMPT_BUILT_IN)
    tab.type(field, "You are a pirate.")
    expect(choice).to_have_value(texts.PROMPT_OWN)
    name.fill("Pirate")
    page.locator("#prompt-save").click()
    expect(told).to_contain_text("“Pirate” was saved")
    expect(choice).to_have_value("Pirate")
    # It is this chat's; a new one has none, and can have this one.
    tab.close()
    page.locator("#new-chat").click()
    expect(field).to_have_value("")
    expect(choice).to_have_value(texts.PROMPT_BUILT_IN)
    other = Tab(page.context.new_page(), app)
    other.open("sampling")
    other.pick("#saved-prompt", "Pirate")
    expect(other.field("#system")).to_have_value("You are a pirate.")
    other.page.wait_for_timeout(2000)
    expect(other.field("#system")).to_have_value("You are a pirate.")
    other.pick("#saved-prompt", texts.PROMPT_BUILT_IN)
    expect(other.field("#system")).to_have_value("")
    other.page.close()

    tab.open("sampling")
    tab.pick("#saved-prompt", "Pirate")
    expect(name).to_have_value("Pirate")
    name.fill("Corsair")
    page.locator("#prompt-rename").click()
    expect(choice).to_have_value("Corsair")
    with page.expect_download() as download:
        page.get_by_text(texts.PROMPTS_EXPORT).click()
    exported = tmp_path / "exported.json"
    download.value.save_as(exported)
    assert json.loads(exported.read_text())["prompts"] == [{"name": "Corsair", "text": "You are a pirate."}]
    page.locator("#prompt-delete").click()
    expect(told).to_contain_text("“Corsair” was deleted")
    expect(field).to_have_value("You are a pirate.")
    expect(choice).to_have_value(texts.PROMPT_OWN)
    # What was deleted by mistake is one press away.
    page.locator("#prompt-save").click()
    expect(choice).to_have_value("Corsair")
    page.locator("#prompt-delete").click()
    expect(choice).to_have_value(texts.PROMPT_OWN)
    with page.expect_file_chooser() as picked:
        page.locator("#import-prompts").click()
    picked.value.set_files(exported)
    expect(told).to_contain_text("1 system prompt imported")
    tab.pick("#saved-prompt", "Corsair")
    expect(field).to_have_value("You are a pirate.")


def test_methods_and_radios_go_by_arrow_keys_and_every_field_by_tab(page: Page, app: RunningApp) -> None:
    tab = Tab(page, app)
    tab.choose_method("Auto")
    for key, method, label in (("ArrowDown", "plain", "Plain"), ("ArrowUp", "auto", "Auto")):
        page.locator("#method input").focus()
        page.keyboard.press(key)
        page.keyboard.press("Enter")
        expect(tab.field("#method")).to_have_value(label)
        keeps(tab, app, method=method)
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.closest('#method')"), "one choice is one stop"
    page.keyboard.press("Shift+Tab")
    expect(page.locator("#method input")).to_be_focused()
    page.keyboard.press("Escape")

    tab.open("sampling")
    expect(page.locator("#to-sampling")).to_be_focused()
    reached, unseen = [], []
    for _ in range(60):
        page.keyboard.press("Tab")
        where, outline = page.evaluate(
            """() => {
              const one = document.activeElement;
              if (!one.closest("#settings")) return [null, false];
              const shown = one.type === "radio" ? one.closest("label") : one;
              const style = getComputedStyle(shown);
              const box = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
              return [one.closest("[id]:not([id^=range]):not([id^=component]) ")?.id ?? "", box];
            }"""
        )
        if where is None:
            break
        reached.append(where)
        unseen += [] if outline else [where]
    wanted = {
        "saved-prompt",
        "system",
        "prompt-name",
        "prompt-save",
        "prompt-rename",
        "prompt-delete",
        "import-prompts",
        "sampling-preset",
        "preset-name",
        "preset-save",
        "max-tokens",
        "seed",
        "thinking",
    }
    assert wanted <= set(reached), reached
    assert unseen == []

    tab.open("look")
    theme = page.locator("#theme input:checked").get_attribute("value")
    assert theme in THEMES
    page.keyboard.press("Tab")
    expect(page.locator("#theme input:checked")).to_be_focused()
    page.keyboard.press("ArrowRight")
    after = THEMES[(THEMES.index(theme) + 1) % len(THEMES)]
    expect(page.locator(f"#theme input[value={after}]")).to_be_checked()
    page.keyboard.press("Tab")
    assert not page.evaluate("document.activeElement.closest('#theme')"), "one choice is one stop"


def test_a_damaged_file_is_set_aside_and_said(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "stores").mkdir()
    (tmp_path / "stores" / "preferences.json").write_text('{"theme": "da', encoding="utf-8")
    app = RunningApp(tmp_path)
    try:
        app.wait_until_served()
        tab = Tab(browser.new_context(viewport={"width": 1280, "height": 900}).new_page(), app)
        expect(tab.page.locator("#preferences-told")).to_contain_text("It was renamed to preferences-damaged-")
        tab.choose_theme("dark")
        expect(tab.page.locator("#preferences-told .problem")).to_have_count(0)
        keeps(tab, app, theme="dark")
        tab.page.context.close()
    finally:
        app.close()
