"""Which device computes and which cards lie idle, as files of the set-up and of Linux tell it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from localspec import texts
from localspec.models.llama import Device, Graphics, cards, graphics
from localspec.models.llama.cards import SETUP_FILE, Card, SetUp, described, set_up

NO_CARD = SetUp("cpu", "no NVIDIA GPU answers: using the CPU")
RTX = Device("NVIDIA GeForce RTX 4090", 20 * 2**30, 24 * 2**30)


def card(folder: Path, number: int, vendor: str, memory: int | None = None) -> None:
    """A card as the kernel lists it, with one output."""
    device = folder / "pci" / f"0000:0{number}:00.0"
    device.mkdir(parents=True)
    (device / "vendor").write_text(f"{vendor}\n")
    if memory is not None:
        (device / "mem_info_vram_total").write_text(f"{memory}\n")
    for name in (f"card{number}", f"card{number}-HDMI-A-1", f"renderD{128 + number}"):
        (folder / "drm" / name).mkdir(parents=True)
        (folder / "drm" / name / "device").symlink_to(device)


def test_cards_are_found_once_with_their_vendor(tmp_path: Path) -> None:
    card(tmp_path, 0, "0x8086")
    card(tmp_path, 1, "0x10de")
    card(tmp_path, 2, "0x1002", 8 * 2**30)
    card(tmp_path, 3, "0x1002", 512 * 2**20)
    card(tmp_path, 4, "0x1a03")  # a server's display controller
    card(tmp_path, 5, "0x1002")  # another driver, which does not tell its memory
    found = cards.cards(tmp_path / "drm")
    expected = [Card("Intel", True), Card("NVIDIA"), Card("AMD"), Card("AMD", True), Card("AMD")]
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert cards.cards(tmp_path / "nowhere") == ()


def test_what_the_setup_wrote_is_read(tmp_path: Path) -> None:
    assert set_up(tmp_path) is None
    (tmp_path / SETUP_FILE).write_text("cpu\nthe driver is too old\nUpdate it.\n")
    assert set_up(tmp_path) == SetUp("cpu", "the driver is too old", "Update it.")
    (tmp_path / SETUP_FILE).write_text("cuda\nNVIDIA GPU found: using it\n")
    assert set_up(tmp_path) == SetUp("cuda", "NVIDIA GPU found: using it")
    (tmp_path / SETUP_FILE).write_bytes(b"")
    assert set_up(tmp_path) is None


@pytest.mark.parametrize(
    ("devices", "chosen", "found", "expected"),
    [
        ((), NO_CARD, (), Graphics(texts.DEVICE_PROCESSOR)),
        ((), None, (), Graphics(texts.DEVICE_PROCESSOR)),
        (None, SetUp("cuda", "found"), (), Graphics(texts.DEVICE_UNTOLD)),
        (
            (RTX,),
            SetUp("cuda", "found"),
            (Card("NVIDIA"), Card("Intel", True)),
            Graphics("Device: NVIDIA GeForce RTX 4090 (CUDA)."),
        ),
        ((RTX, RTX), None, (), Graphics("Device: NVIDIA GeForce RTX 4090, NVIDIA GeForce RTX 4090 (GPU).")),
        (
            (),
            SetUp("vulkan", "asked for by LOCALSPEC_BACKEND"),
            (),
            Graphics(texts.DEVICE_PROCESSOR, texts.IDLE_NO_DEVICE.format(backend="Vulkan"), True),
        ),
        (
            (),
            SetUp("cpu", "the NVIDIA driver serves CUDA 12, not 13", "Update it."),
            (Card("NVIDIA"), Card("AMD")),
            Graphics(texts.DEVICE_PROCESSOR, "The NVIDIA driver serves CUDA 12, not 13. Update it.", True),
        ),
        ((), NO_CARD, (Card("NVIDIA"), Card("AMD")), Graphics(texts.DEVICE_PROCESSOR, texts.IDLE_NVIDIA, True)),
        ((), None, (Card("NVIDIA"),), Graphics(texts.DEVICE_PROCESSOR, texts.IDLE_UNKNOWN, True)),
        (
            (),
            NO_CARD,
            (Card("Intel", True), Card("AMD")),
            Graphics(texts.DEVICE_PROCESSOR, texts.IDLE_VULKAN.format(vendor="AMD"), True),
        ),
        ((), NO_CARD, (Card("AMD", True),), Graphics(texts.DEVICE_PROCESSOR, texts.IDLE_BUILT_IN.format(vendor="AMD"))),
        (
            (),
            SetUp("cpu", "asked for by LOCALSPEC_BACKEND"),
            (Card("NVIDIA"),),
            Graphics(texts.DEVICE_PROCESSOR, texts.IDLE_ASKED),
        ),
        ((), SetUp("cpu", "asked for by LOCALSPEC_BACKEND"), (), Graphics(texts.DEVICE_PROCESSOR)),
    ],
)
def test_what_is_said(
    devices: Sequence[Device] | None, chosen: SetUp | None, found: Sequence[Card], expected: Graphics
) -> None:
    assert described(devices, chosen, found) == expected


def test_this_computer_is_described() -> None:
    assert graphics().device.startswith("Device: ")


def test_what_can_be_done_names_the_command_and_the_packages() -> None:
    for said in (texts.IDLE_VULKAN, texts.IDLE_BUILT_IN):
        assert "LOCALSPEC_BACKEND=vulkan ./start.sh" in said
        assert "libvulkan-dev" in said
