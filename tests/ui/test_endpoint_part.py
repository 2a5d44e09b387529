"""The switch for other programs: in the page, at the start, and behind the page's guard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import openai
import pytest
from openai import OpenAI
from playwright.sync_api import Browser, expect

from localspec import texts
from localspec.application.state import Application
from localspec.endpoint.service import Service
from localspec.models.embedder import Embedder
from localspec.ui.endpoint_part import OFF, ON, PRESSES, RENEW, press, shown
from tests.running import RunningApp
from tests.ui.test_browser import Visit
from tests.ui.test_panel import HOSTILE, Tags

HELLO: dict[str, Any] = {
    "model": "localspec",
    "messages": [{"role": "user", "content": "Say hello."}],
    "temperature": 0,
}


@pytest.fixture
def tab(browser: Browser, running: RunningApp) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=running.address)
    yield Visit(context, running)
    context.close()


def client(base_url: str, token: str) -> OpenAI:
    return OpenAI(base_url=base_url, api_key=token, max_retries=0, timeout=60)


@pytest.mark.browser
def test_switch_on_copy_use_and_switch_off(tab: Visit, running: RunningApp) -> None:
    part = tab.page.locator("#endpoint")
    assert running.request("GET", "/v1/models").status == 404
    tab.open_settings("endpoint")
    expect(part.locator("[data-endpoint=off]")).to_contain_text("OpenAI-compatible API")
    expect(part.locator("code")).to_have_count(0)

    part.get_by_role("button", name=texts.SWITCH_ON).click()
    expect(part.locator("[data-endpoint=on]")).to_be_visible()
    copied = []
    for name in (texts.ENDPOINT_URL, texts.ENDPOINT_TOKEN, texts.MODEL):
        button = part.get_by_role("button", name=texts.COPY_NAME.format(name=name))
        button.click()
        expect(button).to_have_text(texts.COPIED)
        copied.append(tab.page.evaluate("navigator.clipboard.readText()"))
        expect(button).to_have_text(texts.COPY)
    base_url, token, model = copied
    assert base_url == f"{running.address}/v1"
    assert part.locator("code").all_inner_texts() == copied

    # The model answers both in turn, with the same words.
    with client(base_url, token) as made:
        answer = made.chat.completions.create(**{**HELLO, "model": model}, max_tokens=12)
        pieces = [
            part.choices[0].delta.content or ""
            for part in made.chat.completions.create(**{**HELLO, "model": model}, max_tokens=12, stream=True)
        ]
    said = answer.choices[0].message.content or ""
    assert said == "".join(pieces) != ""
    assert len(pieces) > 3
    tab.longest(12)
    tab.likeliest()
    assert re.sub("[^a-zA-Z]", "", said) in tab.letters(tab.ask("Say hello."))

    # Another token; the one before is worth nothing any more.
    tab.open_settings("endpoint")
    part.get_by_role("button", name=texts.NEW_TOKEN).click()
    expect(part.locator("code").nth(1)).not_to_have_text(token)
    another = part.locator("code").nth(1).inner_text()
    with pytest.raises(openai.AuthenticationError):
        client(base_url, token).models.list()
    assert client(base_url, another).models.list().data[0].id == model

    # The page's guard stands before the endpoint as well.
    own = {"Authorization": f"Bearer {another}"}
    assert running.request("GET", "/v1/models", own).status == 200
    for foreign in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}):
        assert running.request("GET", "/v1/models", {**own, **foreign}).status == 403
        assert running.request("POST", "/v1/chat/completions", {**own, **foreign}, b"{}").status == 403

    part.get_by_role("button", name=texts.SWITCH_OFF).click()
    expect(part.locator("[data-endpoint=off]")).to_be_visible()
    assert running.request("GET", "/v1/models", own).status == 404
    expect(part.locator("code")).to_have_count(0)
    tab.assert_quiet()


@pytest.mark.slow
def test_switched_on_at_the_start_and_ended_in_the_middle_of_an_answer(tmp_path: Path) -> None:
    app = RunningApp(tmp_path, "--endpoint")
    try:
        app.wait_until_served()
        assert app.said("base URL")
        told = re.search(r"base URL (\S+), token (\S+)", app.log.read_text())
        assert told is not None
        base_url, token = told.groups()
        assert base_url == f"{app.address}/v1"
        # The model may still be loading: then the request waits for it.
        fields = {**HELLO, "messages": [{"role": "user", "content": "Write a very long story."}]}
        with client(base_url, token) as made, made.chat.completions.create(**fields, stream=True) as stream:
            parts = iter(stream)
            for _ in range(4):
                next(parts)
            app.process.terminate()
            with pytest.raises((openai.APIError, StopIteration)):
                while True:
                    next(parts)
        assert app.process.wait(30) == 0
        assert "Traceback" not in app.log.read_text()
    finally:
        app.close()


def test_a_second_start_says_where_the_switch_is(running: RunningApp) -> None:
    second = RunningApp(running.home, "--endpoint", log="second-endpoint.log")
    assert second.process.wait(60) == 0
    assert texts.ENDPOINT_LATER.format(part=texts.ENDPOINT) in second.log.read_text()
    assert running.request("GET", "/v1/models").status == 404


def test_what_is_shown_can_do_nothing_and_the_token_is_not_shown_while_off() -> None:
    state = SimpleNamespace(is_on=False, token="secret-token", base_url="http://127.0.0.1:1/v1")
    service = cast(Service, state)
    page = shown(service, HOSTILE)
    assert not Tags(page).open
    assert "secret-token" not in page
    state.is_on = True
    page = shown(service, HOSTILE)
    tags = Tags(page)
    assert not tags.open
    assert "img" not in tags.tags
    assert "\n" not in page
    assert HOSTILE in tags.text
    assert "secret-token" in tags.text
    assert texts.ENDPOINT_NO_MODEL in Tags(shown(service, "")).text


def test_every_button_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    service = Service(
        lambda cancelled: pytest.fail("not asked"), lambda name, engine: pytest.fail("not asked"), Embedder()
    )
    assert set(PRESSES) == {ON, OFF, RENEW}
    states, tokens = [], []
    for name in (ON, RENEW, OFF):
        press(service, name)
        states.append(service.is_on)
        tokens.append(service.token)
    assert states == [True, True, False]
    assert tokens[0] != tokens[1] == tokens[2]
    assert not service.was_asked


def test_a_request_counts_as_something_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    application = Application()
    assert application.is_untouched
    monkeypatch.setattr(Service, "was_asked", True)
    assert not application.is_untouched
