"""Graphics processors as ggml tells of them. Without one, its list still holds the processor, which is asked here."""

from __future__ import annotations

import ctypes

import psutil
import pytest

from localspec.models.llama import devices, gpu_devices
from localspec.models.llama.devices import Device

_PROCESSOR = 0


def test_the_functions_are_there_and_answer() -> None:
    library = devices._library()
    found = [library.get(number) for number in range(library.count())]
    processor = next(device for device in found if library.type(device) == _PROCESSOR)
    described = devices._described(library, processor, _PROCESSOR)
    assert described.name
    assert described.total == pytest.approx(psutil.virtual_memory().total, rel=0.01)
    assert 0 < described.free <= described.total


class FakeLibrary:
    """ggml's list with graphics processors: what it would say where there are some."""

    def __init__(self, *kinds: int) -> None:
        self.kinds = kinds

    def count(self) -> int:
        return len(self.kinds)

    def get(self, number: int) -> int:
        return number

    def type(self, device: int) -> int:
        return self.kinds[device]

    def name(self, device: int) -> bytes:
        return f"GPU{device}".encode()

    def description(self, device: int) -> bytes:
        return b"" if device == 0 else f"Card {device}".encode()

    def memory(self, device: int, free: object, total: object) -> None:
        ctypes.cast(free, ctypes.POINTER(ctypes.c_size_t))[0] = 1000 + device  # type: ignore[arg-type]
        ctypes.cast(total, ctypes.POINTER(ctypes.c_size_t))[0] = 2000 + device  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ((0,), ()),
        ((1, 0), (Device("GPU0", 1000, 2000),)),
        ((0, 1, 2, 1), (Device("Card 1", 1001, 2001), Device("Card 3", 1003, 2003))),
        ((0, 2, 2), (Device("Card 1", 1001, 2001, True),)),
    ],
)
def test_cards_come_before_what_is_built_in(
    kinds: tuple[int, ...], expected: tuple[Device, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "gpu_offload_available", lambda: True)
    monkeypatch.setattr(devices, "_has_unified_memory", lambda: False)
    monkeypatch.setattr(devices, "_library", lambda: FakeLibrary(*kinds))
    assert gpu_devices() == expected


def test_a_build_without_the_functions_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> object:
        raise AttributeError("ggml_backend_dev_count")

    monkeypatch.setattr(devices, "_library", missing)
    monkeypatch.setattr(devices, "gpu_offload_available", lambda: True)
    assert gpu_devices() is None
    monkeypatch.setattr(devices, "gpu_offload_available", lambda: False)
    assert gpu_devices() == ()
