"""Which GPU gets which part: as llama.cpp splits layers, each GPU for itself, corrected by what was measured."""

from __future__ import annotations

import pytest

from localspec.models.fit.device_split import DeviceLoad, MeasuredLoad, corrections, layers_by_device, needed_by_device
from localspec.models.fit.fitting import ALL, NONE_FITS, SOME, fit, ways
from localspec.models.fit.memory import GPU_RESERVE, memory_report
from tests.models.fit.test_fitting import DRAFT, GIB, TARGET, computer


@pytest.mark.parametrize(
    ("layers", "free", "expected"),
    [
        (33, [8], [33]),
        (33, [8, 8], [17, 16]),
        (8, [3, 1], [6, 2]),
        (33, [24, 1], [32, 1]),
        (20, [24, 1], [20, 0]),
        (5, [0, 8], [0, 5]),
        (3, [0, 0], [0, 3]),
        (0, [8, 8], [0, 0]),
        (33, [10, 10, 10], [11, 11, 11]),
    ],
)
def test_layers_go_by_free_memory(layers: int, free: list[int], expected: list[int]) -> None:
    """With llama.cpp's `upper_bound(splits, layer / layers)`."""
    assert layers_by_device(layers, free) == expected


def test_the_head_lies_with_the_last_layer() -> None:
    assert needed_by_device([DeviceLoad(8, 800, 70)], [300, 100]) == [600, 270]
    assert needed_by_device([DeviceLoad(20, 2000, 70)], [24, 1]) == [2070, 0]
    assert needed_by_device([DeviceLoad(0, 800, 70)], [300, 100]) == [600, 270], "layers that are not known"


def test_the_draft_is_split_by_what_the_target_leaves() -> None:
    both = [DeviceLoad(4, 400, 0), DeviceLoad(4, 40, 0)]
    assert needed_by_device(both, [900, 300]) == [300 + 30, 100 + 10]
    assert needed_by_device([DeviceLoad(2, 600, 0), DeviceLoad(4, 40, 0)], [301, 300]) == [600, 40]
    assert needed_by_device([DeviceLoad(4, 0, 0)], [900, 300]) == [0, 0]


def test_two_cards_that_have_room_together_but_not_each() -> None:
    """7 and 1.2 GiB: all layers and what is kept free are 7.3 GiB, but a seventh does not fit on the small one."""
    room = computer(64, 7, 1.2)
    whole = memory_report(TARGET, DRAFT, gpu_layers=-1, room=room, embedder=False)
    assert whole.gpu_free is not None
    assert whole.needed_on_gpu < whole.gpu_free
    assert whole.fullest.name == "Card 1.2"
    assert not whole.fits_on_gpu
    made = fit(TARGET, DRAFT, room)
    assert (made.layers_why, made.fits) == (SOME, True)
    assert [0 < device.needed <= device.free for device in made.report.on_devices] == [True, True]
    tiny = fit(TARGET, DRAFT, computer(64, 24, 0.4))
    assert (tiny.layers_why, tiny.report.on_devices[1].needed) == (ALL, 0), "what has no layers needs nothing"
    asked = fit(TARGET, DRAFT, room, gpu_layers=40)
    assert not asked.fits
    assert ways(asked).gpu_layers == made.gpu_layers


def test_the_parts_are_those_of_the_cards() -> None:
    report = memory_report(TARGET, DRAFT, gpu_layers=-1, room=computer(64, 12, 6), embedder=False)
    first, second = report.on_devices
    assert first.needed + second.needed == pytest.approx(report.needed_on_gpu, abs=10)
    assert (first.needed - GPU_RESERVE) / (second.needed - GPU_RESERVE) == pytest.approx(2, rel=0.1)


# -- what was measured ------------------------------------------------------------------------------------------------


def test_the_load_that_is_most_alike_corrects() -> None:
    loads = [
        MeasuredLoad(8192, -1, (300, 50), (200, 100)),
        MeasuredLoad(8192, 10, (90, 0), (100, 0)),
        MeasuredLoad(4096, 20, (900, 10), (100, 100)),
        MeasuredLoad(8192, 5, (9,), (3,)),
    ]
    assert corrections(loads, 8192, -1, 2) == [1.5, 0.5]
    assert corrections(loads, 8192, 12, 2) == [0.9, 1.0]
    assert corrections(loads, 4096, 12, 2) == [2.0, 0.5], "no more than twice or half"
    assert corrections(loads, 8192, 1, 1) == [2.0], "of as many cards only"
    assert corrections([], 8192, -1, 2) == [1.0, 1.0]


def test_a_load_that_took_less_lets_more_layers_fit() -> None:
    room = computer(64, 4)
    first = fit(TARGET, None, room)
    assert first.layers_why == SOME
    counted = first.report.on_devices[0].needed - GPU_RESERVE
    for factor, layers in ((0.75, range(30, 40)), (1.5, range(1, first.gpu_layers))):
        load = MeasuredLoad(first.context, first.gpu_layers, (int(counted * factor),), (counted,))
        exact = memory_report(
            TARGET, context=first.context, embedder=False, gpu_layers=first.gpu_layers, room=room, measured=[load]
        )
        assert exact.on_devices[0].needed == pytest.approx(counted * factor + GPU_RESERVE, abs=2)
        assert exact.needed_on_gpu == pytest.approx(exact.on_devices[0].needed, abs=10)
        assert exact.needed == pytest.approx(first.report.needed - 600 * 2**20, abs=10), "elsewhere as before"
        again = fit(TARGET, None, room, measured=[load])
        assert again.gpu_layers in layers
        assert again.measured == (load,)


def test_what_fits_whole_or_not_at_all_with_measurements() -> None:
    load = MeasuredLoad(8192, -1, (3 * GIB,), (5 * GIB,))
    assert fit(TARGET, None, computer(64, 5)).layers_why == SOME
    assert fit(TARGET, None, computer(64, 5), measured=[load]).layers_why == ALL
    assert fit(TARGET, None, computer(64, 1), measured=[load]).layers_why == NONE_FITS
