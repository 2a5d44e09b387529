"""Before layers go to a graphics card: a child tries the load, and whatever becomes of it, this process goes on.

There is no card here: the room is given, and a script stands in for what a load on such a card does. The program that
really loads is run as well, with all layers on the processor.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localspec.config import cache_folder
from localspec.errors import ModelError, ModelFileError, OutOfMemoryError
from localspec.models import offload
from localspec.models.choice import draft_entry, fit_of
from localspec.models.device_trial import SETTINGS, Trial
from localspec.models.files.catalogue import AUTOMATIC, DEFAULT_MODEL, NO_DRAFT, SHIPPED_DRAFT, resolve, resolve_draft
from localspec.models.files.child import Child, child_of, run
from localspec.models.fit.fitting import ALL, SOME
from localspec.models.fit.memory import GPU_RESERVE, Room
from localspec.models.llama import Device, LoadSettings
from localspec.models.offload import Proven, proven
from tests.measurements import measurements

pytestmark = pytest.mark.slow

GIB = 2**30
MIB = 2**20
CARD = Device("Card", 4 * GIB, 8 * GIB)
ROOM = Room(64 * GIB, 64 * GIB, True, (CARD,))
WHOLE = LoadSettings(context=1024)
CARD_SCRIPT = """
import json, os, signal, sys
end, most, took, log = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4]
told = json.loads(sys.argv[5])
with open(log, "a") as file:
    file.write(json.dumps(told) + "\\n")
layers = told["settings"]["gpu_layers"]
if 0 <= layers <= most:
    print(json.dumps({"took": took}))
elif end == "memory":
    print(json.dumps({"kind": "memory", "message": "no room for more"}))
    sys.exit(1)
elif end in ("failed", "settings"):
    print(json.dumps({"kind": end, "message": "it cannot"}))
    sys.exit(1)
elif end == "full":
    sys.stderr.write("CUDA error: out of memory\\n")
    os.abort()
else:
    sys.stderr.write("ggml-cuda.cu:110: GGML_ASSERT(fine) failed\\n")
    sys.stderr.flush()
    os.kill(os.getpid(), getattr(signal, end))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One folder for all tests, so that the files are checked once."""
    with pytest.MonkeyPatch.context() as patch:
        folder = measurements.lend(tmp_path_factory.mktemp("home"))
        patch.setenv("LOCALSPEC_HOME", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def nothing_measured(home: Path) -> None:
    (home / "stores" / ".cache" / "gpu-loads.json").unlink(missing_ok=True)


class StandIn:
    """A card on which `most` layers can be loaded, and what becomes of a process that tries more."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.end, self.most, self.took = "memory", 999, [100 * MIB]
        self._log = folder / "trials"
        self._script = folder / "card.py"
        self._script.write_text(CARD_SCRIPT)
        monkeypatch.setattr(offload, "child_of", self._child)

    def _child(self, module: str, *arguments: str) -> Child:
        whole = child_of(module)
        command = [sys.executable, str(self._script), self.end, str(self.most), json.dumps(self.took), str(self._log)]
        return whole._replace(command=[*command, *arguments])

    @property
    def trials(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []

    @property
    def layers(self) -> list[int]:
        return [trial["settings"]["gpu_layers"] for trial in self.trials]


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return StandIn(tmp_path, monkeypatch)


def load(settings: LoadSettings = WHOLE, room: Room = ROOM, *, draft: str = NO_DRAFT) -> Proven:
    return proven("", draft, settings, automatic=settings.gpu_layers < 0, room=lambda: room)


# -- what works -------------------------------------------------------------------------------------------------------


def test_nothing_is_tried_on_the_processor(card: StandIn) -> None:
    none = LoadSettings(gpu_layers=0)
    assert load(none) == Proven(none)
    assert load(room=Room(64 * GIB, 64 * GIB)) == Proven(WHOLE)
    assert card.trials == []


def test_a_load_is_tried_with_the_very_settings(card: StandIn) -> None:
    settings = LoadSettings(2048, 3, 30)
    assert load(settings, draft=AUTOMATIC) == Proven(settings)
    (trial,) = card.trials
    assert Trial(trial["model"], trial["draft"], LoadSettings(**trial["settings"])) == Trial(
        str(resolve("").path), str(resolve_draft(SHIPPED_DRAFT).path), settings
    )


def test_what_worked_is_not_tried_again(card: StandIn) -> None:
    card.most, card.took = 30, [300 * MIB]
    settings = LoadSettings(1024, gpu_layers=12)
    for _ in range(2):
        assert load(settings) == Proven(settings)
    assert card.layers == [12]
    load(LoadSettings(1024, gpu_layers=13))
    load(LoadSettings(2048, gpu_layers=12))
    load(settings, draft=DEFAULT_MODEL)
    assert len(card.trials) == 4, "other layers, another context, a draft beside it"
    full = Room(64 * GIB, 64 * GIB, True, (Device("Card", 350 * MIB, 8 * GIB),))
    load(settings, full)
    assert len(card.trials) == 5, "less is free than it took"
    load(settings, Room(64 * GIB, 64 * GIB, True, (Device("Other", 4 * GIB, 8 * GIB),)))
    assert len(card.trials) == 6


def test_what_a_load_took_counts_the_next_time(card: StandIn) -> None:
    settings = LoadSettings(1024, gpu_layers=30)
    before = fit_of("", NO_DRAFT, settings, ROOM).report.on_devices[0].needed - GPU_RESERVE
    tight = Room(64 * GIB, 64 * GIB, True, (Device("Card", GPU_RESERVE + int(before * 1.1), 8 * GIB),))
    assert fit_of("", NO_DRAFT, WHOLE, tight).layers_why == ALL
    card.took = [int(before * 1.25)]
    load(settings)
    after = fit_of("", NO_DRAFT, settings, ROOM).report.on_devices[0].needed - GPU_RESERVE
    assert after == pytest.approx(before * 1.25, abs=2)
    assert fit_of("", NO_DRAFT, WHOLE, tight).layers_why == SOME
    load(LoadSettings(1024, gpu_layers=29))
    stored = json.loads((cache_folder() / "gpu-loads.json").read_text())
    ((second, first),) = stored.values()
    assert second["counted"][0] == pytest.approx(first["counted"][0], rel=0.05), "what is counted is not corrected"


# -- a card that is full ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["memory", "full"])
def test_a_full_card_gets_fewer_layers(card: StandIn, end: str) -> None:
    card.end, card.most = end, 20
    found = load()
    assert card.layers == [-1, 15]
    assert found.settings == LoadSettings(1024, gpu_layers=15)
    assert found.notice == "The GPU (Card) is full: 15 of 30 layers are on the GPU, the others on the CPU."


def test_the_fit_says_how_many_where_the_card_is_full_by_now(card: StandIn) -> None:
    """Another program took memory between the look at the card and the load."""
    card.most = 8
    needed = fit_of("", NO_DRAFT, LoadSettings(1024, gpu_layers=8), ROOM).report.needed_on_gpu
    rooms = [ROOM, ROOM, Room(64 * GIB, 64 * GIB, True, (Device("Card", needed + 10, 8 * GIB),))]
    found = proven("", NO_DRAFT, WHOLE, automatic=True, room=lambda: rooms.pop(0) if len(rooms) > 1 else rooms[0])
    assert card.layers == [-1, 8]
    assert found.settings.gpu_layers == 8


def test_a_card_that_takes_nothing_leaves_it_to_the_processor(card: StandIn) -> None:
    card.most = -1
    found = load()
    assert card.layers == [-1, 15, 7, 3], "so many trials, no more"
    assert found.settings == LoadSettings(1024, gpu_layers=0)
    assert found.notice == "The GPU (Card) is full: smollm2-135m is loaded on the CPU instead."


def test_too_many_layers_that_were_chosen_are_told(card: StandIn) -> None:
    card.most = 20
    with pytest.raises(OutOfMemoryError) as caught:
        load(LoadSettings(1024, gpu_layers=30))
    assert "The GPU (Card) is full: 30 layers of smollm2-135m do not fit." in str(caught.value)
    assert caught.value.advice == "Choose 15 GPU layers, or -1 for as many as fit."
    assert card.layers == [30], "nothing else is tried in place of what the person chose"
    with pytest.raises(OutOfMemoryError, match="Choose 0 GPU layers"):
        card.most = 0
        load(LoadSettings(1024, gpu_layers=1))


# -- a crash ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["SIGABRT", "SIGSEGV", "SIGBUS"])
def test_a_crash_leads_to_the_processor(card: StandIn, end: str) -> None:
    card.end, card.most = end, -1
    found = load()
    assert card.layers == [-1, 15]
    assert found.settings == LoadSettings(1024, gpu_layers=0)
    assert found.notice.startswith(
        f"llama.cpp crashed with layers of smollm2-135m on the GPU (Card; {end}: GGML_ASSERT(fine) failed): "
        "it is loaded on the CPU instead."
    )
    assert "GPU layers 0 keeps all on the CPU" in found.notice
    assert "LOCALSPEC_BACKEND=cpu ./start.sh" in found.notice
    assert "damaged" not in found.notice
    assert load().notice == found.notice
    assert len(card.trials) == 4, "a crash is not remembered: a driver may be newer by then"


def test_a_crash_that_fewer_layers_do_not_have(card: StandIn) -> None:
    card.end, card.most = "SIGSEGV", 20
    found = load()
    assert found.settings.gpu_layers == 15
    assert "llama.cpp crashed" in found.notice
    assert "15 of 30 layers are on the GPU" in found.notice


def test_a_crash_with_layers_that_were_chosen_is_told(card: StandIn) -> None:
    card.end, card.most = "SIGABRT", 5
    with pytest.raises(ModelError) as caught:
        load(LoadSettings(1024, gpu_layers=20))
    assert not isinstance(caught.value, ModelFileError | OutOfMemoryError)
    assert "llama.cpp crashed with layers of smollm2-135m" in caught.value.message
    assert "GPU layers 0" in caught.value.advice
    assert card.layers == [20]


def test_numbers_that_are_wrong_there_are_no_damaged_file(card: StandIn) -> None:
    card.end, card.most = "failed", -1
    found = load()
    assert found.settings.gpu_layers == 0
    assert "llama.cpp cannot run smollm2-135m on the GPU (Card; it cannot)" in found.notice


def test_settings_that_the_model_cannot_have_are_left_to_the_load(card: StandIn) -> None:
    card.end, card.most = "settings", -1
    assert load() == Proven(WHOLE)


def test_the_computer_running_out_of_memory_is_no_matter_of_layers(card: StandIn) -> None:
    card.end, card.most = "SIGKILL", -1
    with pytest.raises(OutOfMemoryError, match="the system ran out of memory"):
        load()


def test_a_trial_that_takes_too_long(card: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offload, "patience", lambda size: 0.01)
    found = load()
    assert found.settings.gpu_layers == 0
    assert "no result after 0 seconds" in found.notice


def test_a_damaged_file_is_told_before_the_card_is_tried(card: StandIn, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(resolve("").path.read_bytes()[:3_000_000])
    with pytest.raises(ModelFileError, match="cut off, or damaged"):
        proven(str(damaged), NO_DRAFT, WHOLE, automatic=True, room=lambda: ROOM)
    assert card.trials == []


# -- the program that loads -------------------------------------------------------------------------------------------


@pytest.fixture
def trial_settings() -> LoadSettings:
    """Layers stay on the processor: that is all there is here."""
    return LoadSettings(context=1024, threads=1, gpu_layers=0)


def asked(trial: Trial) -> offload._Outcome:
    """What becomes of a real child."""
    return offload._ask(trial, fit_of("", NO_DRAFT, trial.settings, ROOM))


def test_the_real_program_loads_target_and_draft(trial_settings: LoadSettings) -> None:
    target = resolve("")
    draft = draft_entry(target, AUTOMATIC)
    assert draft is not None
    outcome = asked(Trial(str(target.path), str(draft.path), trial_settings))
    assert (outcome.kind, outcome.took, outcome.reason) == ("works", (), "")


def test_the_real_program_tells_why_it_fails(trial_settings: LoadSettings, tmp_path: Path) -> None:
    target = str(resolve("").path)
    long = LoadSettings(context=10**7, gpu_layers=0)
    assert asked(Trial(target, "", long)).kind == SETTINGS
    short = LoadSettings(context=64, threads=1, gpu_layers=0)
    assert asked(Trial(target, "", short)).kind == "works", "the shortest context there is"
    half = tmp_path / "half.gguf"
    half.write_bytes(resolve("").path.read_bytes()[:3_000_000])
    failed = asked(Trial(str(half), "", trial_settings))
    assert failed.kind == "failed"
    assert "half.gguf" in failed.reason
    assert asked(Trial(target, str(half), trial_settings)).kind == "failed", "the draft beside it counts as well"


def test_what_llama_cpp_says_before_an_abort_is_kept(tmp_path: Path) -> None:
    """Its log goes to stderr at once: an abort takes all else with it."""
    script = tmp_path / "abort.py"
    script.write_text(
        "import llama_cpp, os, sys\n"
        "from localspec.models.llama import echo_log\n"
        "echo_log()\n"
        "llama_cpp.llama_model_load_from_file(b'absent.gguf', llama_cpp.llama_model_default_params())\n"
        "os.abort()\n"
    )
    ended = run(child_of(offload.TRIAL)._replace(command=[sys.executable, str(script)]), 60)
    assert ended.crashed
    assert ended.how == "SIGABRT"
    assert "absent.gguf" in ended.error_output
