"""What Python is told about our kernels, and the choice at run time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from localspec import native

ASK = "from localspec import native as n; print(n.describe(), n.enabled(), n.attends(), n.serves(3), sep='|')"


def asked(kernels: str) -> list[str]:
    """describe, enabled, attends and serves(Q4_1) of a process started with LOCALSPEC_KERNELS=kernels."""
    environment = {**os.environ, "LOCALSPEC_KERNELS": kernels}
    answer = subprocess.run([sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, check=True)
    return answer.stdout.strip().split("|")


def test_a_build_without_kernels_serves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("LLAMA_CPP_LIB_PATH", str(tmp_path))
    native._library.cache_clear()
    try:
        assert not native.built()
        assert native.describe() == "not built"
        assert not (native.enabled() or native.attends() or native.serves(3))
    finally:
        monkeypatch.undo()
        native._library.cache_clear()


@pytest.mark.skipif(not native.built(), reason="this llama.cpp was built without our kernels")
def test_they_can_be_switched_off():
    assert asked("off") == ["off", "False", "False", "False"]


@pytest.mark.skipif(not native.enabled(), reason=f"our kernels don't serve here: {native.describe()}")
def test_they_tell_what_serves_and_one_kind_can_be_asked_for():
    name, served = native.describe().split(": ", 1)
    assert "q4_1" in served
    assert served.endswith("; attention")
    assert asked(name) == [native.describe(), "True", "True", "True"]
    assert asked("")[1] == "True"
    assert asked("of another processor") == ["none for this processor", "False", "False", "False"]
