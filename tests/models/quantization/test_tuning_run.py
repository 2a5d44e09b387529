"""Measurements that something else disturbed."""

from __future__ import annotations

from localspec.models.quantization.tuning_run import Interruptions


def test_a_disturbed_measurement_is_made_again() -> None:
    interruptions = Interruptions()
    calls: list[int] = []

    def work() -> int:
        calls.append(1)
        interruptions.count += len(calls) < 3
        return len(calls)

    assert interruptions.undisturbed(work) == 3
