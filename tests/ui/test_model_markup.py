"""The part about models as markup: every state says what it should, and nothing that a file says does anything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from localspec import texts
from localspec.application.downloads import FAILED, RUNNING, STOPPED, UNDER_WAY, WAITING, DownloadState
from localspec.models.files.catalogue import CatalogueEntry, WheelPiece, catalogue_entries
from localspec.models.files.inventory import Unusable
from localspec.models.fit.fitting import Ways, fit, ways
from localspec.models.fit.memory import Footprint, Room
from localspec.models.llama import Device, Graphics, kernels
from localspec.ui import catalogue_markup, model_markup
from localspec.ui.catalogue_markup import BetterModel, DownloadQuestion, EntryState
from localspec.ui.elements import model_button, read_model_button
from tests.ui.test_panel import HOSTILE, Tags

GIB = 2**30
TARGET = Footprint("big", 4 * GIB, 100_000, 50_000, 32_768, layers=39)
DRAFT = Footprint("small", GIB // 2, 10_000, 50_000, 4096, layers=9)
ENTRY = CatalogueEntry("tiny-1", "Tiny", "owner/Tiny", "tiny.gguf", 5 * 10**8, "MIT", 1000, 1000, 4096, draft="smaller")
ROOMY = Room(64 * GIB, 64 * GIB)


def shown(room: Room, *, context: int = 0, gpu_layers: int = -1) -> Tags:
    found = fit(TARGET, DRAFT, room, context=context, gpu_layers=gpu_layers)
    return Tags(model_markup.fit(found, ways(found), ["other"], loaded=False, counts_loaded=False))


def test_a_choice_that_fits_tells_its_parts() -> None:
    tags = shown(ROOMY)
    for words in (
        "big fits: it needs about 6.1 GiB of memory, 64.0 GiB are available.", "4.0 GiB", "512 MiB", "draft small",
        "embedding model", "context of 8,192 tokens (it was trained for 32,768)",
        "all layers on the CPU",
    ):  # fmt: skip
        assert words in tags.text, words
    assert "What would fit" not in tags.text


def test_one_that_does_not_says_what_would() -> None:
    tags = shown(Room(5 * GIB + GIB // 2, 16 * GIB), context=30_000)
    assert "big does not fit: it needs about 8.1 GiB of memory, 5.5 GiB are available." in tags.text
    for label in ("What would fit", "Context ", "other", texts.FIT_CLOSE):
        assert label in tags.text
    assert texts.FIT_ANYWAY not in tags.text, "the cache alone leaves too little"
    tight = shown(Room(5 * GIB, 16 * GIB), context=8192)
    assert texts.FIT_ANYWAY in tight.text
    never = shown(Room(3 * GIB, 4 * GIB))
    assert "This computer has 4.0 GiB in all" in never.text
    assert texts.FIT_ANYWAY not in never.text


@pytest.mark.parametrize(
    ("gpu", "layers", "words"),
    [
        (24.0, -1, "all layers on the GPU (Card, 24.0 GiB free)"),
        (4.0, -1, "of 39 layers on the GPU (Card): no more fit into its 4.0 GiB"),
        (1.0, -1, "none fits on the GPU"),
        (24.0, 5, "5 layers on the GPU, as you chose"),
        (24.0, 0, "all layers on the CPU, as you chose"),
        (24.0, 99, "all layers on the GPU, as you chose"),
        (0.0, -1, "whose free memory is unknown"),
    ],
)
def test_the_gpu_layers_are_explained(gpu: float, layers: int, words: str) -> None:
    card = Device("Card", int(gpu * GIB), int(gpu * GIB))
    tags = shown(Room(64 * GIB, 64 * GIB, True, (card,)), gpu_layers=layers)
    assert words in tags.text
    assert ("On the GPU:" in tags.text) == ("CPU" not in words and "none" not in words and gpu > 0)


def test_too_many_layers_are_told_as_such() -> None:
    tags = shown(Room(64 * GIB, 64 * GIB, True, (Device("Card", 4 * GIB, 4 * GIB),)), context=8192, gpu_layers=40)
    assert "GiB on the GPU (Card), 4.0 GiB are available." in tags.text
    assert "GPU layers" in tags.text


@pytest.mark.parametrize(
    ("described", "state", "words"),
    [
        (
            "avx512-vnni-bf16: f32 f16 q4_0; attention",
            "ours",
            "LocalSpec's (avx512-vnni-bf16), 3 weight types and attention",
        ),
        ("neon-dotprod: q8_0", "ours", "LocalSpec's (neon-dotprod), 1 weight type"),
        ("off", "llama", "llama.cpp's (turned off)"),
        ("not built", "llama", "llama.cpp's (not built)"),
        ("none for this processor", "llama", "llama.cpp's (none for this CPU)"),
    ],
)
def test_it_is_told_whose_kernels_serve(described: str, state: str, words: str) -> None:
    told = model_markup.kernels(described)
    assert Tags(told).text == f"Kernels: {words}"
    assert f'data-kernels="{state}"' in told


def test_the_kernels_that_are_here_are_told_in_words_for_people() -> None:
    told = Tags(model_markup.kernels(kernels())).text.removeprefix("Kernels: ")
    assert told.startswith("LocalSpec's (") or told in texts.KERNELS_OF_LLAMA.values()


@pytest.mark.parametrize(("loud", "style"), [(True, "problem"), (False, "quiet")])
def test_the_device_and_an_idle_card_are_told(loud: bool, style: str) -> None:
    told = model_markup.graphics(Graphics("Device: the processor.", f"A card lies idle {HOSTILE}", loud))
    assert Tags(told).text.startswith("Device: the processor.")
    assert "A card lies idle" in Tags(told).text
    assert f'class="{style}"' in told.partition("A card")[0].rpartition("<")[2]
    assert HOSTILE not in told


def test_without_an_idle_card_there_is_one_quiet_line() -> None:
    told = model_markup.graphics(Graphics("Device: NVIDIA GeForce RTX 4090 (CUDA)."))
    assert Tags(told).text == "Device: NVIDIA GeForce RTX 4090 (CUDA)."
    assert told.startswith('<p class="quiet" data-figure="device">')
    assert told.count("<p") == 1


def test_every_offer_of_the_catalogue_can_be_shown() -> None:
    states = [EntryState(offer, 3 * GIB, "fits", False, 0) for offer in catalogue_entries()]
    tags = Tags(catalogue_markup.catalogue(states, None))
    for offer in catalogue_entries():
        assert offer.title in tags.text
        assert offer.about, f"{offer.name}: say what it is good for"
        assert offer.about in tags.text
    assert tags.text.count(texts.DOWNLOAD) == len(states)


def test_a_download_is_asked_for_first() -> None:
    question = DownloadQuestion(ENTRY, ENTRY, "hub.example", 4 * 10**8, 10**8, 9 * 10**9, True, True)
    state = EntryState(ENTRY, GIB, "fits", False, 10**8)
    before = Tags(catalogue_markup.catalogue([state], None)).text
    assert "100 MB already downloaded" in before
    assert texts.DOWNLOAD_GO_ON in before
    asked = catalogue_markup.catalogue([state], question)
    text = Tags(asked).text
    for words in ("400 MB from hub.example (owner/Tiny)", "models/tiny-1", "MIT", "9.0 GB are free", "500 MB"):
        assert words in text, words
    assert "model:get=tiny-1" in asked
    full = DownloadQuestion(ENTRY, None, "hub.example", 4 * 10**8, 0, 10**8, False, False)
    refused = catalogue_markup.catalogue([state], full)
    assert "Not enough disk space" in Tags(refused).text
    assert "model:get=" not in refused
    here = catalogue_markup.catalogue([EntryState(ENTRY, GIB, "fits", True, 0)], None)
    assert "data-press" not in here


def card(kind: str, done: int = 0, *states: DownloadState, enough: bool = True) -> Tags:
    """The card of the start page, which is of this kind."""
    draft = replace(ENTRY, name="draft-1", bytes=10**8)
    pieces = (WheelPiece("a==1.0", ENTRY.bytes, "0" * 64),)
    target = replace(ENTRY, draft="draft-1", pieces=pieces)
    page = catalogue_markup.better(BetterModel(target, draft, "hub.example", done, 9 * 10**9, enough, states))
    assert f'data-better="{kind}"' in page
    return Tags(page)


def test_the_start_page_offers_the_recommended_model() -> None:
    text = card("offer").text
    for words in (texts.BETTER_TITLE.format(size="500 MB"), "600 MB in all", "hub.example", "package index", "MIT"):
        assert words in text, words
    assert "Download 600 MB" in text
    assert "Download 100 MB" in card("offer", 5 * 10**8).text
    full = card("offer", enough=False).text
    assert "Not enough disk space" in full
    assert "Download 600" not in full
    assert catalogue_markup.better(None) == ""


def test_the_card_tells_how_the_download_goes() -> None:
    waits = DownloadState(replace(ENTRY, name="draft-1"), WAITING, 0, 10**8)
    runs = DownloadState(ENTRY, RUNNING, 10**8, 5 * 10**8, 2 * 10**7, notice="hub.example does not answer.")
    text = card("under-way", 10**8, runs, waits).text
    assert "100 MB of 600 MB · 20 MB/s · about 20 seconds left" in text
    assert "hub.example does not answer." in text
    assert "Cancel" in text
    assert "stopping" in card("under-way", 10**8, replace(runs, state="stopping"), waits).text
    failed = card("open", 10**8, replace(runs, state=FAILED, problem="No network. Look for the cable."))
    assert "Look for the cable." in failed.text
    assert "100 MB already downloaded" in failed.text
    assert "Download 500 MB" in card("open", 10**8, replace(runs, state=STOPPED), replace(waits, state=STOPPED)).text
    assert "Load" in card("here", 6 * 10**8, replace(runs, state="done"), replace(waits, state="done")).text


def test_downloads_tell_speed_and_time_left() -> None:
    text = Tags(catalogue_markup.downloads([DownloadState(ENTRY, RUNNING, 10**8, 5 * 10**8, 2 * 10**7)])).text
    assert "100 MB of 500 MB · 20 MB/s · about 20 seconds left" in text
    for state in (*UNDER_WAY, STOPPED, FAILED, "done"):
        assert Tags(catalogue_markup.downloads([DownloadState(ENTRY, state, 1, 2)])).text
    failed = catalogue_markup.downloads([DownloadState(ENTRY, FAILED, problem="No network. Look for the cable.")])
    assert "Look for the cable." in Tags(failed).text
    assert "model:get=tiny-1" in failed


def test_what_files_and_drivers_say_is_shown_not_run() -> None:
    card = Device(HOSTILE, 24 * GIB, 24 * GIB)
    evil = Footprint(HOSTILE, 10**9, 1000, 0, 4096, layers=3)
    found = fit(evil, evil, Room(GIB, 2 * GIB, True, (card,)), context=4096)
    own = CatalogueEntry("a", HOSTILE, "o/a", "a.gguf", 10, HOSTILE, 1, 1, 1, about=HOSTILE)
    for page in (
        model_markup.fit(found, Ways(512, 1, True), [HOSTILE], loaded=False, counts_loaded=True),
        model_markup.fit_problem(HOSTILE),
        model_markup.unusable([Unusable(HOSTILE, HOSTILE)] * 30),
        catalogue_markup.catalogue([EntryState(own, 1, "never", False, 0)], None, HOSTILE),
        catalogue_markup.catalogue(
            [EntryState(own, 1, "never", False, 0)], DownloadQuestion(own, own, HOSTILE, 1, 1, 10**9, True, True)
        ),
        catalogue_markup.downloads([DownloadState(own, FAILED, problem=HOSTILE)]),
        catalogue_markup.downloads([DownloadState(own, RUNNING, notice=HOSTILE)]),
        *(
            catalogue_markup.better(BetterModel(own, None, HOSTILE, 1, 10, True, states))
            for states in (
                (),
                (DownloadState(own, FAILED, problem=HOSTILE),),
                (DownloadState(own, RUNNING, notice=HOSTILE),),
            )
        ),
    ):
        tags = Tags(page)
        assert set(tags.tags) <= {
            "div",
            "p",
            "br",
            "b",
            "ul",
            "li",
            "table",
            "tbody",
            "tr",
            "th",
            "td",
            "button",
            "span",
        }
        assert not any(name.startswith("on") for name in tags.attributes)
        assert "\n" not in page
        assert "![" not in page
        assert "$$" not in page


@pytest.mark.parametrize("what", ["", "own model", "a/b=c:d", "Größe ☃", HOSTILE])
def test_buttons_are_read_as_they_were_made(what: str) -> None:
    made = model_button("model", what, "Label")
    name = made.split('data-press="')[1].split('"')[0]
    assert " " not in name
    assert read_model_button(name) == ("model", what)


@pytest.mark.parametrize("name", ["", "ask", "build", "models:get=x", "endpoint-on"])
def test_buttons_of_other_parts_are_left_alone(name: str) -> None:
    assert read_model_button(name) is None
