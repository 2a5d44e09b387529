"""What trying formats of a model takes, told beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from localspec.models.files.catalogue import resolve
from localspec.models.quantization.needs import needs_of


def test_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    found = needs_of(resolve(""))
    assert 2 * 230_000_000 < found.disk < 10**9
    assert found.memory > found.disk / 2
    assert found.free_disk > 0
    assert found.free_memory > 0
