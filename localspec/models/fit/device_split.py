"""Which part of each model lies on which GPU, as llama.cpp splits layers, and what loads are measured to take there."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import ceil

_LEAST, _MOST = 0.5, 2.0
"""A load that took further from what was counted for it was measured while other programs took or gave memory."""
_ALL = 10**6
"""Stands for all layers where their numbers are compared"""


@dataclass(frozen=True, slots=True)
class DeviceLoad:
    """What one model puts on the GPUs."""

    layers: int  # that lie there, the LM head counted as one; 0 = not known, so as many as you like
    spread: int  # Bytes that come with the layers, as many with each
    at_head: int  # Bytes that come with the LM head, which is the last layer


@dataclass(frozen=True, slots=True)
class MeasuredLoad:
    """What a load took, measured on each GPU."""

    context: int  # Tokens
    gpu_layers: int  # -1 = all
    took: tuple[int, ...]  # Bytes by GPU
    counted: tuple[int, ...]  # Bytes that had been counted for it


def layers_by_device(layers: int, free: Sequence[int]) -> list[int]:
    """How many of `layers` layers each GPU gets: in proportion to its free bytes, in their order (llama.cpp's
    `load_tensors` without a tensor split)."""
    counts = [0] * len(free)
    total = sum(free)
    ends = list(accumulate(free))
    for layer in range(layers):
        counts[min(bisect_right(ends, layer * total / layers), len(free) - 1)] += 1
    return counts


def needed_by_device(loads: Sequence[DeviceLoad], free: Sequence[int]) -> list[int]:
    """Bytes on each GPU when the models are loaded one after the other into GPUs with `free` bytes."""
    needed = [0] * len(free)
    for load in loads:
        left = [max(0, here - taken) for here, taken in zip(free, needed, strict=True)]
        shares: Sequence[float] = layers_by_device(load.layers, left) if load.layers else (left if any(left) else free)
        whole = sum(shares)
        if not whole:
            continue
        for device, share in enumerate(shares):
            needed[device] += ceil(load.spread * share / whole)
        needed[max(device for device, share in enumerate(shares) if share)] += load.at_head
    return needed


def corrections(measured: Sequence[MeasuredLoad], context: int, gpu_layers: int, devices: int) -> list[float]:
    """By what to multiply the bytes that are counted for each of the GPUs: by what the measured load that is most alike
    took, ÷ what was counted for it. 1 where nothing was measured."""

    def unlike(load: MeasuredLoad) -> tuple[bool, int]:
        numbers = (_ALL if layers < 0 else layers for layers in (load.gpu_layers, gpu_layers))
        return load.context != context, abs(next(numbers) - next(numbers))

    alike = min((load for load in measured if len(load.took) == devices), key=unlike, default=None)
    if alike is None:
        return [1.0] * devices
    pairs = zip(alike.took, alike.counted, strict=True)
    return [min(max(took / counted, _LEAST), _MOST) if took and counted else 1.0 for took, counted in pairs]
