"""What is chosen where a person leaves it open, and what would fit where their choice does not."""

from __future__ import annotations

import pytest

from localspec.models.fit.fitting import (
    ALL,
    ASKED,
    MIN_CONTEXT,
    NO_BUILD,
    NONE_FITS,
    SHORTENED,
    SOME,
    TRAINED,
    UNMEASURED,
    USUAL,
    Ways,
    fit,
    ways,
    without_crowding,
)
from localspec.models.fit.memory import EMBEDDER_BYTES, GPU_RESERVE, Footprint, Room
from localspec.models.llama import DEFAULT_CONTEXT, Device

GIB = 2**30
TARGET = Footprint("big", 4 * GIB, 100_000, 0, 32_768, layers=39)
DRAFT = Footprint("small", GIB // 2, 10_000, 0, 4096, layers=9)


def computer(main: float, *gpus: float, total: float = 0.0, shared: bool = False) -> Room:
    """One with so many GiB free, here and on each GPU."""
    devices = tuple(Device(f"Card {size}", int(size * GIB), int(size * GIB), shared) for size in gpus)
    return Room(int(main * GIB), int((total or main) * GIB), bool(gpus), devices)


# -- context ----------------------------------------------------------------------------------------------------------


def test_the_usual_context_where_there_is_memory() -> None:
    made = fit(TARGET, DRAFT, computer(64))
    assert (made.context, made.context_why, made.fits) == (DEFAULT_CONTEXT, USUAL, True)
    made = fit(DRAFT, None, computer(64))
    assert (made.context, made.context_why) == (4096, TRAINED)


def test_it_is_halved_until_it_fits() -> None:
    whole = fit(TARGET, DRAFT, computer(64)).report.needed
    for halvings, context in enumerate((8192, 4096, 2048)):
        needed = fit(TARGET, DRAFT, computer(64), context=context).report.needed
        made = fit(TARGET, DRAFT, Room(needed, needed))
        assert (made.context, made.fits) == (context, True)
        assert made.context_why == (SHORTENED if halvings else USUAL)
        assert fit(TARGET, DRAFT, Room(needed - 1, needed)).context < context
    assert whole > needed


def test_what_fits_in_no_way_keeps_the_usual_one() -> None:
    made = fit(TARGET, DRAFT, computer(2))
    assert (made.context, made.fits) == (DEFAULT_CONTEXT, False)
    assert ways(made) == Ways()


def test_a_number_that_was_chosen_is_kept() -> None:
    made = fit(TARGET, DRAFT, computer(5.5), context=30_000)
    assert (made.context, made.context_why, made.fits) == (30_000, ASKED, False)
    possible = ways(made)
    assert possible.context is not None
    assert fit(TARGET, DRAFT, computer(5.5), context=possible.context).fits
    assert not fit(TARGET, DRAFT, computer(5.5), context=possible.context * 2).fits
    assert possible.context >= MIN_CONTEXT


# -- GPU layers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("room", "layers", "why"),
    [
        (computer(64), 0, NO_BUILD),
        (computer(64, 24), -1, ALL),
        (computer(64, 4, 4), -1, ALL),
        (computer(64, 1.05), 0, NONE_FITS),
        (Room(64 * GIB, 64 * GIB, True), -1, UNMEASURED),
        (Room(64 * GIB, 64 * GIB, True, (Device("x", 0, 0),)), -1, UNMEASURED),
    ],
)
def test_as_many_layers_as_fit(room: Room, layers: int, why: str) -> None:
    made = fit(TARGET, DRAFT, room)
    assert (made.gpu_layers, made.layers_why, made.fits) == (layers, why, True)


def test_a_small_gpu_takes_as_many_as_it_can() -> None:
    made = fit(TARGET, DRAFT, computer(64, 4))
    assert made.layers_why == SOME
    assert 0 < made.gpu_layers <= 39
    free = 4 * GIB
    assert made.report.needed_on_gpu <= free
    more = fit(TARGET, DRAFT, computer(64, 4), context=made.context, gpu_layers=made.gpu_layers + 1)
    assert more.report.needed_on_gpu > free
    assert more.layers_why == ASKED
    assert not more.fits
    assert ways(more).gpu_layers == made.gpu_layers
    # What does not lie there lies in main memory.
    parts = made.report.parts
    assert made.report.needed + made.report.needed_on_gpu == sum(part.bytes for part in parts)


def test_layers_that_were_chosen_are_kept() -> None:
    room = computer(64, 24)
    assert fit(TARGET, DRAFT, room, gpu_layers=0).report.needed_on_gpu == 0
    assert fit(TARGET, DRAFT, room, gpu_layers=7).gpu_layers == 7
    for many in (40, 999):
        assert fit(TARGET, DRAFT, room, gpu_layers=many).gpu_layers == -1
    assert fit(TARGET, DRAFT, computer(64), gpu_layers=7).gpu_layers == 0, "no build for it"


def test_a_model_of_unknown_layers_lies_there_whole_or_not_at_all() -> None:
    entry = Footprint("entry", 4 * GIB, 1000, 0, 4096)
    assert fit(entry, None, computer(64, 8)).layers_why == ALL
    assert fit(entry, None, computer(64, 4)).gpu_layers == 0


def test_shared_memory_is_counted_once_and_against_both() -> None:
    made = fit(TARGET, None, computer(8, 6.5, total=16, shared=True))
    assert made.gpu_layers == -1
    assert made.report.needed == 4 * GIB + 8192 * 100_000 + EMBEDDER_BYTES + GPU_RESERVE
    # The GPU may take more than is free here: then main memory decides, and layers elsewhere would not help.
    tight = fit(TARGET, None, computer(4.2, 12, total=16, shared=True))
    assert not tight.fits


# -- what would fit ---------------------------------------------------------------------------------------------------


def test_going_without_the_draft_is_a_way_where_it_helps() -> None:
    needed = fit(TARGET, DRAFT, computer(64), context=512).report.needed
    made = fit(TARGET, DRAFT, Room(needed - 1, needed), context=512)
    assert ways(made) == Ways(None, None, True)
    alone = fit(TARGET, None, Room(GIB, GIB), context=512)
    assert not ways(alone).without_draft


def test_trying_makes_sense_only_where_model_and_cache_have_room() -> None:
    made = fit(TARGET, DRAFT, computer(5, total=16), context=8192)
    assert not made.fits
    assert made.could_be_tried, "without draft and embedding model it has room, and the computer has more in all"
    assert not fit(TARGET, DRAFT, computer(5, total=5), context=8192).could_be_tried
    assert not fit(TARGET, DRAFT, computer(3, total=16), context=8192).could_be_tried
    assert not fit(TARGET, DRAFT, computer(64)).could_be_tried, "it fits"
    assert fit(TARGET, DRAFT, computer(3, total=16)).could_ever_fit
    assert not fit(TARGET, DRAFT, computer(3)).could_ever_fit


def test_an_embedding_model_that_is_there_already_is_not_counted_again() -> None:
    made = fit(TARGET, DRAFT, computer(64), embedder=False)
    assert made.report.needed == fit(TARGET, DRAFT, computer(64)).report.needed - EMBEDDER_BYTES


# -- a draft that nobody asked for ------------------------------------------------------------------------------------


def test_a_draft_gives_way_before_the_context_is_shortened() -> None:
    usual = fit(TARGET, None, computer(64), embedder=False)
    tight = computer((usual.report.needed + DRAFT.file_bytes // 2) / GIB)
    crowded, alone = fit(TARGET, DRAFT, tight, embedder=False), fit(TARGET, None, tight, embedder=False)
    assert crowded.context < alone.context
    assert alone.fits
    chosen = without_crowding(crowded, alone)
    assert (chosen.draft, chosen.context, chosen.gave_way) == (None, alone.context, DRAFT.name)
    roomy = computer(64)
    both = fit(TARGET, DRAFT, roomy, embedder=False)
    assert without_crowding(both, fit(TARGET, None, roomy, embedder=False)) is both
    tiny = computer(1)
    neither = fit(TARGET, DRAFT, tiny, embedder=False)
    assert without_crowding(neither, fit(TARGET, None, tiny, embedder=False)) is neither


def test_it_gives_way_before_layers_leave_the_gpu() -> None:
    for free in (5.3, 5.6, 5.9, 6.2):
        room = computer(64, free)
        crowded, alone = fit(TARGET, DRAFT, room, embedder=False), fit(TARGET, None, room, embedder=False)
        chosen = without_crowding(crowded, alone)
        assert chosen.gpu_layers == alone.gpu_layers or chosen is crowded
        if alone.layers_why == ALL:
            assert chosen.layers_why == ALL
