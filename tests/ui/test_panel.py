"""Figures and texts as markup: what is shown, and that nothing in it can act."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import gradio as gr
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localspec import texts
from localspec.application.conversation import Conversation
from localspec.application.model_manager import DraftState, ModelManager
from localspec.application.state import Application
from localspec.chat.citations import Citation
from localspec.chat.methods import METHODS, listed
from localspec.chat.report import NO_STATES, SEARCHES_ALONE
from localspec.chat.turn import ReplyOptions
from localspec.errors import SettingsError
from localspec.models.files.catalogue import AUTOMATIC, NO_DRAFT
from localspec.models.llama.sampling import RANDOM_SEED
from localspec.speculation.interface import DraftTimes, Retrieval, Step
from localspec.speculation.metrics import ReplyMetrics
from localspec.speculation.paired import PairedSpeed
from localspec.speculation.tree import EVIDENCE, SOURCE_DRAFT, SOURCE_LEARNT, SOURCE_REST, SOURCE_TARGET, DraftTree
from localspec.stores.library import DocumentInfo, IngestionProgress
from localspec.ui import app, elements, panel
from localspec.ui.library_markup import DocumentParts, documents, learnt, meaning, progress_line
from localspec.ui.library_part import pressed
from localspec.ui.library_updates import LIBRARY_PARTS
from localspec.ui.model_markup import alone, draft_status
from localspec.ui.options import load_settings, reply_options
from localspec.ui.page import Page
from localspec.ui.settings_part import explain

STYLES = Path(app.__file__).parent / "styles"

HOSTILE = "<img src=http://evil.example/a onerror=alert(1)>![x](http://evil.example/b) $$x$$ `c`"


def step(accepted: int, drafted: int, seconds: float = 0.02, source: int = SOURCE_REST) -> Step:
    """A step that drafted a chain of `drafted` tokens from `source`, of which `accepted` were right."""
    tree = DraftTree.of(
        np.arange(drafted, dtype=np.int32),
        np.arange(-1, drafted - 1, dtype=np.int32),
        np.full(drafted, source, np.uint8),
        np.zeros((drafted, EVIDENCE), np.float32),
        np.ones(drafted, np.float32),
    )
    sources = np.array([source] * accepted + [SOURCE_TARGET], np.uint8)
    emitted = np.arange(accepted + 1, dtype=np.int32)
    return Step(emitted, sources, tree, np.arange(accepted, dtype=np.int32), 0.001, seconds, 0.0005, 0.0005, "")


def metrics_of(*steps: Step, plain_seconds: float = 0.02) -> ReplyMetrics:
    metrics = ReplyMetrics(plain_seconds=plain_seconds, prompt_tokens=300, reused_tokens=120, prefill_seconds=1.5)
    for each in steps:
        metrics.add(each)
    return metrics


def figure(page: str, name: str) -> str:
    found = re.search(rf'data-figure="{name}">([^<]*)<', page)
    assert found, f"{name} is not in the panel"
    return found.group(1)


def shown_in(page: str, kind: str, name: str) -> str:
    found = re.search(rf'data-{kind}="{name}">([^<]*)<', page)
    assert found, f"{kind} of {name} is not in the panel"
    return found.group(1)


class Tags(HTMLParser):
    """Collects tags and attributes, and checks that what is opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in ("br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


# ---- the panel ----


def test_figures_are_those_of_the_metrics() -> None:
    metrics = metrics_of(*[step(3, 4), step(1, 4), step(0, 0)] * 3)
    page = panel.panel(metrics, "rest", has_documents=True, state="writing")
    assert figure(page, "tokens") == "21"
    assert figure(page, "acceptance") == "50%"
    assert figure(page, "accepted-length") == "1.33"
    assert figure(page, "tokens-per-step") == "2.33"
    assert figure(page, "tokens-per-second") == f"{metrics.tokens_per_second:.1f}"
    assert figure(page, "speedup") == f"{metrics.speedup:.2f}×"
    assert figure(page, "baseline") == "50.0"
    assert texts.BASELINE_SOURCES["before"] in page
    assert "× as fast as plain decoding" in figure(page, "verdict")
    assert figure(page, "reused") == "120"
    assert 'data-source="REST">12<' in page
    assert 'data-source="target">9<' in page
    assert re.findall(r'data-time="(\w+)"', page) == ["drafting", "retrieval", "verification", "rest", "prefill"]
    assert shown_in(page, "drafted", "REST") == "24"
    assert shown_in(page, "accepted", "REST") == "12"
    assert shown_in(page, "rate", "REST") == "50%"
    assert texts.SOURCE_SHARED not in page
    tags = Tags(page)
    assert not tags.open
    assert "\n\n" not in page  # a blank line would end the block in Markdown


def test_baseline_from_the_reply_itself_is_said() -> None:
    page = panel.panel(metrics_of(*[step(0, 0)] * 6), "rest", has_documents=False, state="done")
    assert texts.BASELINE_SOURCES["own"] in page
    assert figure(page, "acceptance") == "–"


def test_what_was_measured_before_an_answer_is_one_figure_for_all_of_it() -> None:
    """It was said to be of the load, and followed every decode since."""
    seen = set()
    metrics = ReplyMetrics(plain_seconds=0.02)
    for _ in range(30):
        metrics.add(step(3, 4))
        page = panel.panel(metrics, "rest", has_documents=True, state="writing")
        assert texts.BASELINE_SOURCES["before"] in page
        seen.add(figure(page, "baseline"))
    assert seen == {"50.0"}


@pytest.mark.parametrize("tokens", [1, 3, 40])
def test_a_plain_answer_is_as_fast_as_itself(tokens: int) -> None:
    metrics = metrics_of(*[replace(step(0, 0, 0.017), propose_seconds=0.0)] * tokens)
    page = panel.panel(metrics, "plain", has_documents=True, state="done")
    assert figure(page, "speedup") == "1.0×"


def test_drafting_that_came_to_nothing_is_one_story() -> None:
    """It said that nothing was drafted beside a quarter of the time in drafting."""
    metrics = metrics_of(*[replace(step(0, 0), propose_seconds=0.0074)] * 20)
    page = panel.panel(metrics, "auto", has_documents=True, state="done")
    said = html.unescape(figure(page, "verdict"))
    assert "drafted nothing" not in said
    assert "found no drafts worth checking" in said
    assert "Searching took 26% of the time" in said
    assert figure(page, "speedup") == "0.74×"
    assert 'class="slower" data-figure="speedup"' in page
    assert texts.TIME_DRAFTING == "draft model", "a row names who worked, not what came of it"
    quick = metrics_of(*[replace(step(0, 0), propose_seconds=0.0002)] * 20)
    page = panel.panel(quick, "auto", has_documents=True, state="done")
    assert "drafted nothing" in figure(page, "verdict")
    assert figure(page, "speedup") == "1.0×"


def test_what_cannot_be_told_says_so() -> None:
    few = panel.panel(metrics_of(step(3, 4), step(3, 4)), "rest", has_documents=True, state="done")
    assert figure(few, "speedup") == "–"
    assert "too short to compare" in figure(few, "verdict")
    disturbed = metrics_of(*[replace(step(3, 4), disturbed=True)] * 10)
    page = panel.panel(disturbed, "rest", has_documents=True, state="done")
    assert figure(page, "speedup") == "–"
    assert "Other programs used the CPU" in figure(page, "verdict")
    assert figure(page, "tokens-per-second") != "–", "how fast it came is known"


def test_a_measurement_in_turns_is_what_the_panel_tells() -> None:
    metrics = metrics_of(step(3, 4), step(3, 4))
    metrics.paired = PairedSpeed(1.31, 1.27, 1.35, 8, 0.02)
    page = panel.panel(metrics, "rest", has_documents=True, state="done")
    assert figure(page, "speedup") == "1.31×"
    assert texts.BASELINE_SOURCES["paired"] in page
    assert "1.31× as fast" in figure(page, "verdict")


def test_learnt_answers_have_a_row_of_their_own() -> None:
    metrics = metrics_of(step(2, 3, source=SOURCE_LEARNT), step(1, 2))
    page = panel.panel(metrics, "rest", has_documents=True, state="done")
    assert shown_in(page, "source", "learnt") == "2"
    assert shown_in(page, "source", "REST") == "1"
    assert texts.SOURCES["learnt"] in page
    styles = "".join((STYLES / f"{name}.css").read_text() for name in app.STYLES)
    for name in texts.SOURCES:
        kind = panel.names_to_class(name)
        assert f".source-{kind} " in styles
        assert kind == "target" or f".from-{kind} " in styles
        assert styles.count(f"--source-{kind}:") == 2, "light and dark"


def test_plain_says_that_speculation_is_off() -> None:
    page = panel.panel(metrics_of(step(0, 0)), "plain", has_documents=True, state="done")
    assert "Plain decoding" in figure(page, "verdict")


def test_before_the_first_step_there_are_no_figures_to_read() -> None:
    page = panel.panel(ReplyMetrics(), "rest", has_documents=False, state="reading")
    assert figure(page, "speedup") == "–"
    assert "<svg" not in page
    assert 'data-state="empty"' in panel.empty()


def test_similar_moments_are_counted_where_they_are_looked_for() -> None:
    metrics = metrics_of(step(1, 2))
    assert "neighbours" not in panel.panel(metrics, "rest", has_documents=True, state="done")
    metrics.retrieval = Retrieval()
    page = panel.panel(metrics, "dresd", has_documents=True, state="done")
    assert figure(page, "neighbours") == figure(page, "similarity") == "–"
    metrics.retrieval.count(np.array([0.75, 0.5, 0.88], np.float32))
    metrics.retrieval.count(np.empty(0, np.float32))
    page = panel.panel(metrics, "dresd", has_documents=True, state="done")
    assert figure(page, "neighbours") == "1.5"
    assert figure(page, "similarity") == "0.71"
    assert not Tags(page).open
    assert "\n\n" not in page


def test_drafts_are_split_by_source() -> None:
    metrics = metrics_of(step(2, 4, source=SOURCE_DRAFT), step(1, 3, source=SOURCE_REST | SOURCE_DRAFT), step(0, 0))
    page = panel.panel(metrics, "rasd", has_documents=True, state="done")
    assert [shown_in(page, kind, "draft") for kind in ("drafted", "accepted", "rate")] == ["7", "3", "43%"]
    assert [shown_in(page, kind, "REST") for kind in ("drafted", "accepted", "rate")] == ["3", "1", "33%"]
    assert shown_in(page, "source", "REST") == "1"  # a token counts for one source
    assert shown_in(page, "source", "draft") == "2"
    assert 'data-drafted="target"' not in page
    assert texts.SOURCE_SHARED in page
    assert not Tags(page).open
    # A source none of whose drafts was accepted is there, too.
    page = panel.panel(metrics_of(step(0, 2)), "rest", has_documents=True, state="done")
    assert shown_in(page, "drafted", "REST") == "2"
    assert 'data-source="REST"' not in page
    # And without drafts there are no empty columns.
    assert texts.SOURCE_DRAFTED not in panel.panel(metrics_of(step(0, 0)), "plain", has_documents=True, state="done")


def test_time_is_split_into_drafting_searching_verifying_and_the_rest() -> None:
    metrics = metrics_of(*[step(1, 2)] * 10)
    metrics.propose_seconds = 0.4
    metrics.decode_seconds, metrics.sample_seconds, metrics.rest_seconds = 1.3, 0.1, 0.2
    metrics.times = DraftTimes(prefill=0.26, drafting=0.3, retrieval=0.16, overlapped=0.06)
    page = panel.panel(metrics, "rasd", has_documents=True, state="done")
    names = ("drafting", "retrieval", "verification", "rest", "prefill", "draft-prefill", "overlapped")
    times = [shown_in(page, "time", name) for name in names]
    # The rest: keeping 0.2 s, and what proposing took beside drafting and searching, 0.4 - (0.3 + 0.16 - 0.06) s.
    assert times == ["0.3 s", "0.2 s", "1.4 s", "0.2 s", "1.5 s", "0.3 s", "60 ms"]
    assert re.findall(r'<td class="share">(\d+%)</td></tr>', page)[-4:] == ["15%", "8%", "70%", "10%"]
    assert not Tags(page).open
    assert "\n\n" not in page
    metrics.times = None  # a method without a draft model: proposing is searching
    page = panel.panel(metrics, "rest", has_documents=True, state="done")
    assert [shown_in(page, "time", name) for name in names[:4]] == ["0 ms", "0.4 s", "1.4 s", "0.2 s"]
    assert "overlapped" not in page
    assert "draft-prefill" not in page


def test_a_missing_draft_model_is_said_in_the_panel() -> None:
    for method, has_draft, said in (("rasd", False, True), ("rasd", True, False), ("rest", False, False)):
        page = panel.panel(metrics_of(step(1, 2)), method, has_documents=True, state="done", has_draft=has_draft)
        assert (SEARCHES_ALONE in html.unescape(figure(page, "verdict"))) is said


def test_a_library_without_states_is_said_where_they_are_used() -> None:
    metrics = metrics_of(step(1, 2))
    for method, said in (("dresd", True), ("rasd", True), ("rest", False), ("draft", False)):
        page = panel.panel(metrics, method, has_documents=True, state="done", has_states=False)
        assert (NO_STATES in html.unescape(figure(page, "verdict"))) is said


def test_slower_than_plain_is_marked() -> None:
    slow = panel.panel(metrics_of(*[step(1, 4, 0.2)] * 10), "rest", has_documents=True, state="done")
    assert 'class="slower" data-figure="speedup"' in slow


@settings(deadline=None)
@given(st.lists(st.integers(0, 64), max_size=300))
def test_plot_holds_the_last_steps_inside_its_frame(accepted: list[int]) -> None:
    drawn = panel.plot(accepted)
    boxes = re.findall(r'x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', drawn)
    assert len(boxes) == min(len(accepted), panel.PLOTTED_STEPS)
    for x, y, width, height in (map(float, box) for box in boxes):
        assert x + width <= 400.2
        assert y >= 0
        assert y + height == pytest.approx(72, abs=0.15)


# ---- texts of others ----


@settings(deadline=None)
@given(st.text())
def test_literal_text_is_only_text(text: str) -> None:
    assert Tags(elements.lines(text)).tags.count("br") == len(Tags(elements.lines(text)).tags)
    assert not re.search(r"[<>$`*_\[\]!]", elements.literal(text))


def test_hostile_names_and_passages_are_shown_not_run() -> None:
    info = DocumentInfo(1, f"{HOSTILE}.pdf", "pdf", "failed", f"{HOSTILE}: bad", None, 0, 0, 0, "2026-01-01")
    source = Citation(1, f"{HOSTILE}.pdf", 3, "", f"{HOSTILE}\n\n<script>alert(1)</script>")
    pages = [
        documents(HOSTILE, [info], DocumentParts()), elements.citations([source]),
        elements.question(HOSTILE, [HOSTILE]),
        elements.note(HOSTILE),
        progress_line(IngestionProgress(0, 1, HOSTILE, "reading", 0.5, 3.0)),
        progress_line(IngestionProgress(problem=HOSTILE)),
    ]  # fmt: skip
    for page in pages:
        tags = Tags(page)
        assert not {"img", "script", "a"} & set(tags.tags)
        assert not any(name.startswith("on") for name in tags.attributes)
        assert "\n\n" not in page
        assert "![" not in page
        assert "$$" not in page
        assert "<img src=http://evil.example/a" in tags.text


def test_progress_says_document_share_and_time_left() -> None:
    shown = Tags(progress_line(IngestionProgress(1, 3, "a.pdf", "vectors", 0.42, 12.0))).text
    assert shown == "search by meaning: a.pdf · 42% · 1 of 3 documents · about 12.0 s left"
    states = IngestionProgress(0, 1, "a.pdf", "states", 0.5, 180.0, states_left=900)
    assert Tags(progress_line(states)).text == "drafts by meaning: a.pdf · 50% · about 3 min left"
    assert progress_line(IngestionProgress()) == ""


@pytest.mark.parametrize(
    ("states", "missing", "reading", "state", "words", "button"),
    [
        (0, 21_300, False, "missing", "21,300 tokens of this library are not read", "build"),
        (90, 1, False, "missing", "1 token of this library is not read", "build"),
        (90, 210, True, "reading", "210 tokens left to read", "unbuild"),
        (0, 0, True, "empty", "Nothing to draft from by meaning yet", ""),
        (None, 0, False, "never", "does not support drafts by meaning", ""),
    ],
)
def test_drafts_by_meaning_say_what_they_lack(
    states: int | None, missing: int, reading: bool, state: str, words: str, button: str
) -> None:
    page = meaning("default", states, missing, reading=reading, seconds=130.0)
    tags = Tags(page)
    assert f'data-meaning="{state}"' in page
    assert words in tags.text
    assert ("Takes about 2 minutes" in tags.text) is (state == "missing")
    assert re.findall(r'data-press="(\w+)"', page) == ([button] if button else [])
    assert not tags.open


def test_drafts_by_meaning_that_are_there_need_no_words() -> None:
    assert meaning("default", 21_300, 0, reading=True, seconds=0.0) == ""
    # Answers were learnt, and there is no document.
    assert meaning("default", 12, 0, reading=False, seconds=0.0) == ""
    assert "Takes" not in Tags(meaning("default", 0, 5, reading=False, seconds=None)).text


def test_documents_with_drafts_by_meaning_say_so_quietly() -> None:
    infos = [DocumentInfo(each, "a.md", "md", "ready", "", None, 9, 1, 3, "2026-01-01") for each in (1, 2)]
    rows = documents("default", infos, DocumentParts(states={2: 2})).split("<li ")[1:]
    assert ["ready · drafts by meaning" in html.unescape(row) for row in rows] == [True, False]
    assert all("ready" in row for row in rows)


def test_learnt_answers_are_counted_and_forgetting_asks_first() -> None:
    shown = learnt("default", 142, 21_300, learns=True, asking=False)
    assert "142 answers learnt (21,300 tokens)" in html.unescape(shown)
    assert figure(html.unescape(shown), "learnt") == "142 answers learnt (21,300 tokens)"
    assert re.findall(r'data-press="(\w+)"', shown) == ["ask"]
    asking = learnt("default", 1, 12, learns=True, asking=True)
    assert "Delete the one learnt answer of this library permanently?" in Tags(asking).text
    assert re.findall(r'data-press="(\w+)"', asking) == ["keep", "forget"]
    several = learnt("default", 1_204, 9_000, learns=True, asking=True)
    assert "Delete all 1,204 learnt answers of this library permanently?" in Tags(several).text
    assert "Documents and chats stay" in Tags(several).text
    off = learnt("default", 2, 30, learns=False, asking=False)
    assert 'data-learns="off"' in off
    assert "New answers are not saved." in Tags(off).text
    for learns in (True, False):
        nothing = learnt("default", 0, 0, learns=learns, asking=True)
        assert "data-press" not in nothing
        assert not Tags(nothing).open


@pytest.mark.parametrize("name", ["default", "papers 2", HOSTILE, 'a"b'])
def test_buttons_name_their_library(name: str) -> None:
    info = DocumentInfo(7, "a.md", "md", "ready", "", None, 9, 1, 3, "2026-01-01")
    parts = [
        documents(name, [info], DocumentParts()), meaning(name, 0, 5, reading=False, seconds=None),
        meaning(name, 0, 5, reading=True, seconds=None), learnt(name, 3, 30, learns=True, asking=False),
        learnt(name, 3, 30, learns=True, asking=True),
    ]  # fmt: skip
    for part in parts:
        named = re.search(r'^<[^>]* data-library="([^"<>]*)"', part)
        assert named
        assert html.unescape(named.group(1)) == name
        assert "<button" in part
    assert pressed(f"7 12 {name}") == ("7", name)


def test_presses_made_for_another_library_change_nothing() -> None:
    conversation = Conversation(library="new")
    # Nothing else is there: whatever would be changed is missed.
    page = Page(cast("Application", SimpleNamespace(conversation=lambda _: conversation)))
    tab = cast("gr.Request", SimpleNamespace(session_hash="tab"))
    for wanted in ("1 1 old", "1 1", "1", "", "build 2 old", "ask 3 old", "forget 4 old"):
        for handler in (page.library.remove, page.press):
            assert handler(wanted, "rest", tab) == tuple(gr.skip() for _ in LIBRARY_PARTS)
    assert conversation.forgetting == ""
    with pytest.raises(AttributeError, match="models"):
        page.library.remove("1 1 new", "rest", tab)
    with pytest.raises(AttributeError, match="models"):
        page.press("build 1 new", "rest", tab)


def test_picking_a_library_takes_the_one_before_off_the_page() -> None:
    conversation = Conversation(library="old", seen={"documents": 1, "learning": 2, "seed": 3}, forgetting="old")
    under_way = conversation.seen
    page = Page(cast("Application", SimpleNamespace(conversation=lambda _: conversation)))
    tab = cast("gr.Request", SimpleNamespace(session_hash="tab"))
    assert page.library.pick("new", tab) == ("new", *("" for _ in LIBRARY_PARTS))
    # What a tick under way writes down as sent is not taken for the new library's.
    under_way["documents"] = 1
    assert conversation.seen == {"seed": 3}
    assert conversation.forgetting == ""


@pytest.mark.parametrize(
    ("draft", "state", "words", "warns"),
    [
        (DraftState("big", "small", "small", 16_384, 49_152), "used", "it knows 16,384 of its 49,152 tokens", False),
        (DraftState("big", "small", problem="small.gguf is damaged."), "problem", "No draft model is used", True),
        (DraftState("big", AUTOMATIC, problem="It does not fit."), "problem", "It does not fit.", False),
        (DraftState("big", AUTOMATIC), "none", "There is no draft model for big here.", False),
        (DraftState("big", NO_DRAFT), "none", "No draft model is loaded.", False),
        (DraftState("big", possible=False), "none", "big cannot undo rejected drafts", False),
    ],
)
def test_the_draft_in_use_is_named_or_why_none_is(draft: DraftState, state: str, words: str, warns: bool) -> None:
    shown = draft_status(draft)
    assert f'data-draft="{state}"' in shown
    assert words in Tags(shown).text
    assert ('class="draft problem"' in shown) is warns
    assert draft_status(None) == ""


def test_methods_that_need_a_draft_model_say_why_they_go_without() -> None:
    used = DraftState("big", "small", "small", 16_384, 49_152)
    failed = DraftState("big", "small", problem="small.gguf is damaged.")
    for method in listed():
        shown = Tags(alone(failed, method)).text
        assert ("small.gguf is damaged." in shown) is METHODS[method].needs_draft
        assert alone(used, method) == alone(None, method) == ""
    assert "Choose one in Settings → Model" in Tags(alone(DraftState("big", NO_DRAFT), "rasd")).text
    assert "There is no draft model for big" in Tags(alone(DraftState("big", AUTOMATIC), "draft")).text


def test_what_a_draft_file_says_is_shown_not_run() -> None:
    problem = f"{HOSTILE}.gguf cannot draft for big: token 7 is '{HOSTILE}' in the draft.\n\n# {HOSTILE}"
    draft = DraftState(f"big{HOSTILE}", HOSTILE, problem=problem)
    for page in (draft_status(draft), alone(draft, "rasd"), draft_status(DraftState(HOSTILE, name=HOSTILE))):
        tags = Tags(page)
        assert set(tags.tags) <= {"div", "br"}
        assert not any(name.startswith("on") for name in tags.attributes)
        assert "\n" not in page
        assert "![" not in page
        assert "$$" not in page
        assert "<img src=http://evil.example/a" in tags.text


def test_methods_are_explained_and_those_for_measuring_not_offered() -> None:
    assert [METHODS[name].label for name in listed()] == ["Auto", "Plain", "REST", "DReSD", "Draft model", "RASD"]
    for name in listed():
        assert Tags(explain(name)).text == METHODS[name].explanation


def test_a_load_that_began_just_now_keeps_no_tick_waiting() -> None:
    models = ModelManager(lambda: None)
    models.loading = "another"
    with models.use(lambda: bool(models.loading)) as engine:
        assert engine is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "10 seconds"), (34, "30 seconds"), (56, "1 minute"), (700, "12 minutes"), (7_000, "2 hours")],
)
def test_estimates_are_rounded(seconds: float, words: str) -> None:
    assert texts.roughly(seconds) == words


def test_citation_shows_number_file_and_page() -> None:
    text = Tags(elements.citations([Citation(2, "a_b.pdf", 7, "", "The passage.")])).text
    assert text == "2 a_b.pdf, page 7"


def test_marks_are_escaped_once() -> None:
    assert html.unescape(elements.literal("nine o'clock & <b>")) == "nine o'clock & <b>"


# ---- settings ----


def test_settings_reach_the_reply() -> None:
    options = reply_options("rest", "paper", 16, 99, 0.7, 20, 0.9, 0.1, 1.1, 5, ' root ::= "a" ')
    assert (options.method, options.sizing, options.rows, options.max_tokens) == ("rest", "paper", 16, 99)
    assert (options.sampling.temperature, options.sampling.seed, options.sampling.grammar) == (0.7, 5, 'root ::= "a"')
    assert reply_options("rest", "device", 0, 1, 0, 40, 1, 0, 1, None, "").sampling.seed == RANDOM_SEED
    assert (options.whole, options.system, options.recommended) == (None, "", False)


@pytest.mark.parametrize(("typed", "seed"), [("", RANDOM_SEED), (" ", RANDOM_SEED), ("0", 0), (" 17 ", 17), (5, 5)])
def test_an_empty_seed_is_a_fresh_one(typed: str | int, seed: int) -> None:
    assert reply_options("rest", "device", 0, 1, 0, 40, 1, 0, 1, typed, "").sampling.seed == seed


@pytest.mark.parametrize("typed", ["x", "1.5", "nan", "inf", "-1", "99999999999"])
def test_a_seed_that_is_none_is_told(typed: str) -> None:
    with pytest.raises(SettingsError, match="seed"):
        reply_options("rest", "device", 0, 1, 0, 40, 1, 0, 1, typed, "")


def test_the_recommended_preset_is_no_set_of_fields() -> None:
    def chosen(preset: str) -> ReplyOptions:
        return reply_options(
            "rest", "device", 0, 1, 0.4, 40, 1, 0, 1.1, "7", "", dry_multiplier=0.9, sampling=preset
        )  # fmt: skip

    assert chosen("").sampling.dry_multiplier == 0.9
    assert not chosen("Precise").recommended
    options = chosen("Recommended")
    assert options.recommended
    assert options.sampling.seed == 7


def test_what_is_read_whole_belongs_to_its_library() -> None:
    def options(read: str | None, system: str | None = None) -> ReplyOptions:
        return reply_options("rest", "device", 0, 1, 0, 40, 1, 0, 1, None, "", read, system, library="my work")

    assert options("").whole is options(None).whole is options(texts.READ_PASSAGES).whole is None
    assert options("all").whole == ()
    assert options("17 my work", " Be short. ").whole == (17,)
    assert options("", " Be short. ").system == "Be short."
    assert options("").documents == options("all").documents == "auto"
    for none in ("none", texts.READ_NONE):
        assert (options(none).documents, options(none).whole) == ("none", None)
    for wrong in ("17 documents", "17", "x my work", f"{'9' * 30} my work", "Whole: <b>"):
        with pytest.raises(SettingsError, match="not in the library my work"):
            options(wrong)


def test_settings_that_cannot_be_name_their_field() -> None:
    with pytest.raises(SettingsError, match="top-k is empty"):
        reply_options("rest", "device", 0, 1, 0, None, 1, 0, 1, None, "")
    with pytest.raises(SettingsError, match="rows must be a whole number"):
        reply_options("rest", "device", 1.5, 1, 0, 1, 1, 0, 1, None, "")
    with pytest.raises(SettingsError, match="temperature"):
        reply_options("rest", "device", 0, 1, -1, 1, 1, 0, 1, None, "")
    with pytest.raises(SettingsError, match="threads"):
        load_settings(0, -1, -2)
