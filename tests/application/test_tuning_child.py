"""Choosing a format with the shipped model: real conversions and measurements, of few types and on little text."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from localspec import native
from localspec.application import tuning_child
from localspec.application.tuning import TUNING_CHILD
from localspec.application.tuning_child import tune
from localspec.chat.engine import Engine
from localspec.chat.session import Session
from localspec.chat.turn import ReplyOptions
from localspec.errors import ModelError
from localspec.models.files.catalogue import SHIPPED_DRAFT, resolve
from localspec.models.llama import LoadSettings
from localspec.models.quantization import format_search, formats, needs, tuned
from localspec.models.quantization.format_search import ORIGINAL, SHOWN_ROWS, TOO_FAR, TuningProgress
from localspec.models.quantization.quality import held_texts
from localspec.models.quantization.tuned import Tuning
from localspec.models.quantization.tuning_run import TuningRun
from localspec.models.quantization.turn_taking import CHOSEN
from tests.models.quantization.forced import each_faster_than_the_one_before

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow

SETTINGS = LoadSettings(context=512, threads=1, gpu_layers=0)


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two types, one of which loses far too much, for all layers at once, and two pieces of text."""
    monkeypatch.setattr(format_search, "_MIXED_TYPES", 0)
    monkeypatch.setattr(formats, "TRIED", ("BF16", "Q4_0"))
    monkeypatch.setattr(tuning_child, "held_texts", lambda: held_texts()[:2])


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Tuning, list[TuningProgress]]]:
    """The shipped model, tuned in a folder of its own. Whatever is faster on the machine of the tests, BF16 is used."""
    told: list[TuningProgress] = []
    home = tmp_path_factory.mktemp("tuned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCALSPEC_HOME", str(home))
        patch.setattr(format_search, "_MIXED_TYPES", 1)
        patch.setattr(formats, "TRIED", ("BF16", "Q4_0"))
        patch.setattr(tuning_child, "held_texts", lambda: held_texts()[:2])
        # Which of the two is faster is the machine's business; here BF16 has to be chosen.
        each_faster_than_the_one_before(patch)
        found = tune(resolve(""), SETTINGS, thorough=True, report=told.append)
    yield home, found, told


def test_what_was_measured(chosen: tuple[Path, Tuning, list[TuningProgress]]) -> None:
    home, found, told = chosen
    original, *others = found.figures
    assert (original.format, original.note) == ("Q4_1, head Q8_0", ORIGINAL)
    assert len(others) >= 2
    for one in found.figures:
        assert set(SHOWN_ROWS) <= set(one.seconds), one
        assert all(seconds > 0 for seconds in one.seconds.values())
        assert one.bytes > 50_000_000
    assert len({one.format for one in found.figures}) == len(found.figures)
    assert not any("mixed" in one.format for one in found.figures)
    by_name = {one.format: one for one in others}
    near, far = by_name["BF16, head Q8_0"], by_name["Q4_0, head Q8_0"]
    assert near.mean_divergence is not None
    assert 0 < near.mean_divergence < 0.01
    assert far.mean_divergence is not None
    assert far.mean_divergence > 0.05
    assert far.note == TOO_FAR
    assert [one.note for one in found.figures].count(CHOSEN) == 1
    # What is said of the speed is what the table shows.
    assert original.gain == 1.0
    for one in found.figures:
        assert one.least_gain <= one.gain <= one.most_gain
        assert one.tokens_per_second == pytest.approx(one.gain * original.tokens_per_second)
    assert found.speedup == found.best.gain > 1.0
    assert told[0].format == ORIGINAL
    assert all(0 <= one.done <= one.total for one in told)
    folder = tuned.folder_of(found.fingerprint).name
    kept = {path.name for path in (home / "models" / ".tuned" / folder).iterdir()} - {".lock"}
    assert len(kept) == 2, "one file and one note"
    assert found.file in kept


def test_the_engine_loads_what_was_chosen(
    chosen: tuple[Path, Tuning, list[TuningProgress]], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, found, _ = chosen
    monkeypatch.setenv("LOCALSPEC_HOME", str(home))
    own = resolve("")

    def loaded(model: str = "", settings: LoadSettings = SETTINGS) -> tuple[str, bool, str, str, str]:
        engine = Engine(model, settings)
        try:
            facts = (engine.model.path.name, engine.model.bitwise, engine.draft_name, engine.format_name, engine.name)
            if engine.tuning is not None:
                assert engine.weights_fingerprint != engine.original_fingerprint
                *_, last = Session(engine).ask("Name three colours.", ReplyOptions(max_tokens=8))
                assert last.turn.reply
            return facts
        finally:
            engine.close()

    assert loaded()[:3] == (own.path.name, True, SHIPPED_DRAFT), "chosen, but not in use yet"
    found = tuned.use(found, True)
    tuned_facts = loaded()
    exact = native.attends()  # 16-bit products are the same for any rows only with our kernels
    assert tuned_facts == (found.file, exact, SHIPPED_DRAFT, f"{found.chosen}, {found.speedup:.2f}×", "smollm2-135m")
    # The file itself, and the original on request.
    assert loaded(str(own.path))[0] == own.path.name
    assert loaded("", replace(SETTINGS, original=True))[0] == own.path.name
    assert loaded("", replace(SETTINGS, threads=2))[0] == own.path.name, "another device"

    # A file that is gone, or damaged, costs the tuning only.
    path = found.path
    assert path is not None
    content = path.read_bytes()
    path.unlink()
    engine = Engine("", SETTINGS)
    assert engine.tuning is None
    assert "is gone" in engine.format_problem
    engine.close()
    path.write_bytes(content[:1_000_000] + bytes(len(content) - 1_000_000))
    assert loaded()[0] in (own.path.name, found.file), "zeros for weights are no reason to fail"
    path.write_bytes(b"none" + content[4:])
    engine = Engine("", SETTINGS)
    assert engine.tuning is None
    assert "not a GGUF" in engine.format_problem
    engine.close()
    path.write_bytes(content)

    # What is known is not measured again; a file that is gone is made again.
    path.unlink()
    begun = time.monotonic()
    again = tune(own, SETTINGS, report=lambda progress: pytest.fail("measured again"))
    assert again.file == found.file
    assert again.path is not None
    assert time.monotonic() - begun < 60


def test_too_little_memory_leaves_the_original(own_home: Path, quickly: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "_WORKING_MEMORY", 2**60)
    found = tune(resolve(""), SETTINGS)
    assert (found.file, found.chosen) == ("", "")
    assert all("of memory to be measured" in one.note for one in found.figures[1:])


def test_too_little_disk_leaves_the_original(own_home: Path, quickly: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "_SPARE_DISK", 2**60)
    found = tune(resolve(""), SETTINGS)
    assert found.file == ""
    assert all("GB are free" in one.note for one in found.figures[1:])


def test_a_folder_that_cannot_be_written_is_told(own_home: Path) -> None:
    (own_home / "models").mkdir()
    (own_home / "models" / ".tuned").write_text("no folder")
    with pytest.raises(ModelError, match="could not be written"):
        tune(resolve(""), SETTINGS)


def wait_for(condition, seconds: float = 90.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_run_gives_way_and_is_stopped_without_a_trace(own_home: Path) -> None:
    busy = False
    ended: list[TuningRun] = []
    run = TuningRun(TUNING_CHILD, "smollm2-135m", SETTINGS, lambda: busy, ended.append)
    run.start()
    wait_for(lambda: run.format not in ("", ORIGINAL))
    child = next(one for one in psutil.Process().children() if "tuning_child" in " ".join(one.cmdline()))
    busy = True
    wait_for(lambda: run.halted)
    wait_for(lambda: child.status() == psutil.STATUS_STOPPED, 5)
    used = child.cpu_times()
    time.sleep(0.3)
    assert child.cpu_times() == used
    busy = False
    wait_for(lambda: not run.halted)
    wait_for(lambda: child.cpu_times() != used, 10)
    run.stop()
    assert not run.running
    assert not child.is_running()
    assert ended == []
    assert run.error is None
    assert not list((own_home / "models" / ".tuned").rglob("*.json"))


def test_a_failing_run_says_why(own_home: Path) -> None:
    ended: list[TuningRun] = []
    run = TuningRun(TUNING_CHILD, "absent", SETTINGS, lambda: False, ended.append)
    run.start()
    wait_for(lambda: bool(ended))
    assert run.error is not None
    assert "no model called 'absent'" in run.error.message


def test_killed_in_the_middle_and_begun_anew(own_home: Path, quickly: None) -> None:
    """The process is killed while a format is tried; the next one removes what is left and finds its way."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", TUNING_CHILD, "smollm2-135m", "--threads", "1"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=ROOT)
    folder = own_home / "models" / ".tuned"
    try:
        wait_for(lambda: any(folder.rglob("work-*")))
    finally:
        child.kill()
        child.communicate()
    left = list(folder.rglob("work-*"))
    assert left
    found = tune(resolve(""), SETTINGS)
    assert found.figures[0].note == ORIGINAL
    assert not any(path.exists() and path.name.startswith("work-") for path in folder.rglob("*"))


def test_the_process_ends_with_its_parent(own_home: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", TUNING_CHILD, "smollm2-135m", "--threads", "1"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=ROOT)
    assert child.stdin is not None
    assert child.stdout is not None
    assert b"original" in child.stdout.readline()
    child.stdin.close()
    assert child.wait(20) == 1
    child.stdout.close()
