"""The sampling fields follow the model that is loaded until the person chooses."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from localspec.application.conversation import Conversation
from localspec.application.model_manager import ModelManager
from localspec.application.state import Application
from localspec.chat.sampling_defaults import recommend
from localspec.chat.sampling_presets import SETTINGS
from localspec.models.llama.sampling import RANDOM_SEED
from localspec.ui.options import SAMPLING_ORDER, reply_options
from localspec.ui.page import Page
from localspec.ui.part import Tick

SMALL, LARGE = recommend("smollm2", 135_000_000, {}), recommend("gemma3", 8_000_000_000, {})


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Page:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    page = Page(Application())
    with gr.Blocks():
        page.build()
    return page


def use(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    engine = SimpleNamespace(name=name, recommended=SMALL if name == "small" else LARGE)
    monkeypatch.setattr(ModelManager, "engine", property(lambda manager: engine))


def opened(page: Page) -> Conversation:
    """A tab whose fields say what they should."""
    conversation = page.application.new_conversation()
    page.opening(conversation)
    return conversation


def told(page: Page, conversation: Conversation) -> dict[str, object]:
    tick = Tick(conversation, "auto")
    page.sampling.tell(tick)
    tick.end()
    return {name: update["value"] for name, update in tick.updates.items()}


def test_a_new_page_asks_for_what_is_recommended_with_a_fresh_seed(page: Page) -> None:
    values: list[Any] = [getattr(field, "value", None) for field in page.settings]
    options = reply_options(*values)
    assert options.recommended
    assert options.sampling.seed == RANDOM_SEED


def test_no_number_field_is_empty_at_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    with gr.Blocks() as blocks:
        Page(Application()).build()
    values = [block.value for block in blocks.blocks.values() if isinstance(block, gr.Number)]
    assert len(values) > 8
    # Gradio would turn it into 0 as the page opens: what may be empty is a text field, like the seed.
    assert None not in values


def test_fields_follow_the_model_until_the_person_chooses(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    conversation = opened(page)
    assert told(page, conversation) == {}, "no model is loaded"
    use(monkeypatch, "small")
    assert told(page, conversation) == {name: getattr(SMALL.sampling, name) for name in SETTINGS}
    assert told(page, conversation) == {}, "once"
    use(monkeypatch, "large")
    assert told(page, conversation) == {name: getattr(LARGE.sampling, name) for name in SETTINGS}
    page.sampling.presets.take(conversation, "", [0.3, 40, 0.95, 0.05, 1.0, 0.0])
    use(monkeypatch, "small")
    assert told(page, conversation) == {}


def test_choosing_is_remembered(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, "small")
    request: Any = SimpleNamespace(session_hash="tab")
    conversation = page.application.conversation("tab")
    assert page.sampling.presets.pick("Creative", request)[1] == 1.1
    chosen = [conversation.own_sampling]
    assert page.sampling.presets.pick("Recommended", request)[1] == 0.2
    chosen.append(conversation.own_sampling)
    assert page.sampling.presets.matching(request, 0.0, 40, 0.95, 0.05, 1.0, 0.0) == "Precise"
    chosen.append(conversation.own_sampling)
    assert chosen == [True, False, True]


def test_a_comparison_reads_the_document_that_is_picked(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Any] = []
    monkeypatch.setattr(page.comparison, "_start", lambda conversation, options, *asked: begun.append(options))
    request: Any = SimpleNamespace(session_hash="tab")
    page.application.conversation("tab").library = "letters"
    values: list[Any] = [getattr(field, "value", None) for field in page.settings]
    values[SAMPLING_ORDER.index("read")] = "3 letters"
    page.comparison.compare(request, {"text": "Why?"}, *values)
    (options,) = begun
    assert options.whole == (3,)
    assert options.recommended, "it is drawn like an answer of the chat"
