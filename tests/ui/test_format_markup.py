"""What the page says about the weight format, state by state. Without a browser."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from localspec import texts
from localspec.application.tuning import PRESSES, Tuner, TuningState
from localspec.chat.library_setup import states_of
from localspec.models.llama import LoadSettings
from localspec.models.quantization import tuned
from localspec.models.quantization.needs import Needs
from localspec.models.quantization.tuned import Figures, Tuning
from localspec.models.quantization.turn_taking import DISTURBED, WITHIN_SPREAD
from localspec.ui.model_markup import formats
from tests.ui.test_panel import Tags

OWN = Figures("Q4_1, head Q8_0", 98_000_000, {1: 0.0069, 2: 0.0137, 4: 0.02, 8: 0.0277, 16: 0.0475}, 165.0, 0.0, 1.0,
              note="original")  # fmt: skip
WIDE = Figures(
    "BF16", 271_000_000, {1: 0.0076, 2: 0.0107}, 180.0, 0.0035, 0.966, 3500, "chosen", 1.09, 1.05, 1.12
)  # fmt: skip
OLD = replace(WIDE, gain=0.0, least_gain=0.0, most_gain=0.0)
FAILED = Figures("F16", 271_000_000, {}, 0.0, None, None, note="<b>no</b> room")
TUNING = Tuning("some", "ab" * 32, "device", (OWN, WIDE, FAILED), "BF16", "BF16-BF16-BF16.gguf", 271_000_000, True)


def untold(note: str) -> Tuning:
    """One whose best format could not be told from the original."""
    return replace(TUNING, figures=(OWN, replace(WIDE, note=note), FAILED), chosen="", file="", in_use=False)


NEEDS = Needs(552_000_000, 10**9, 10**11, 10**11)
STATE = TuningState("some", True, False, NEEDS, False, False, 0.0, "", None, False, False, (), "")


@pytest.mark.parametrize(
    ("changes", "kind", "words", "buttons"),
    [
        ({}, "none", "0.6 GB of disk", ["tune"]),
        ({"possible": False}, "file", "chosen by its path", []),
        ({"needs": None}, "impossible", "cannot be converted", []),
        ({"running": True, "format": "F16", "fraction": 0.5}, "running", "Trying F16", ["untune"]),
        ({"running": True, "halted": True}, "running", texts.FORMAT_HALTED, ["untune"]),
        ({"tuning": TUNING, "in_use": True}, "used", "1.05 to 1.12 times as fast", ["use-original", "retune"]),
        ({"tuning": replace(TUNING, figures=(OWN, OLD)), "in_use": True}, "used", "older version",
         ["use-original", "retune"]),
        ({"tuning": replace(TUNING, figures=(OWN, OLD)), "waits": True}, "offered", "older version",
         ["use-tuned", "use-original", "retune"]),
        ({"tuning": untold(DISTURBED)}, "untold", "other programs used the CPU", ["retune"]),
        ({"tuning": untold(WITHIN_SPREAD)}, "untold", "within the measurement error", ["retune"]),
        ({"tuning": TUNING, "waits": True}, "offered", "next start", ["use-tuned", "use-original", "retune"]),
        ({"tuning": replace(TUNING, in_use=False), "waits": True}, "offered", "original is in use",
         ["use-tuned", "retune"]),
        ({"tuning": replace(TUNING, file="", chosen="")}, "original", "No other format", ["retune"]),
        ({"tuning": TUNING, "in_use": True, "stale": ("work", "letters")}, "used", "work, letters", None),
        ({"problem": "disk <full>"}, "none", "disk", ["tune"]),
    ],
)  # fmt: skip
def test_every_state(changes: dict[str, object], kind: str, words: str, buttons: list[str] | None) -> None:
    shown = formats(replace(STATE, **changes))  # type: ignore[arg-type]
    assert f'data-formats="{kind}"' in shown
    plain = shown.replace("&#46;", ".").replace("&#45;", "-").replace("&#95;", "_")
    assert words in plain
    if buttons is not None:
        assert [name for name in PRESSES if f'data-press="{name}"' in shown] == [
            name for name in PRESSES if name in buttons
        ]
    assert "<full>" not in shown


def test_the_table_shows_what_was_measured_and_runs_nothing() -> None:
    shown = formats(replace(STATE, tuning=TUNING, in_use=True))
    assert shown.count("<tr data-format") == 3
    assert shown.count('class="chosen"') == 1
    for figure in ("47&#46;5", "0&#46;0035", "96&#46;6", "180", "–"):
        assert figure in shown
    assert "<b>" not in shown


@pytest.mark.parametrize("tuning", [untold(DISTURBED), untold(WITHIN_SPREAD), replace(TUNING, figures=(OWN, OLD))])
def test_what_was_not_measured_in_turn_promises_nothing(tuning: Tuning) -> None:
    shown = Tags(formats(replace(STATE, tuning=tuning, waits=bool(tuning.file)))).text
    assert "times as fast here" not in shown
    assert tuning.spread == ""


def test_the_sentence_says_what_the_table_shows() -> None:
    page = formats(replace(STATE, tuning=TUNING, in_use=True))
    shown = Tags(page).text
    assert "1.09 (1.05–1.12)" in shown
    assert "1.05 to 1.12 times as fast here as the original" in shown


def test_without_a_model_there_is_nothing_to_say() -> None:
    assert formats(None) == ""


class Reloads:
    """Counts how often the model is loaded again."""

    def __init__(self) -> None:
        self.count = 0

    def reload(self) -> None:
        self.count += 1


@pytest.mark.parametrize(
    ("states", "untouched", "in_use", "reloads"), [(0, True, True, 1), (0, False, True, 0), (5, True, False, 0)]
)
def test_a_format_nobody_asked_for_takes_nothing_away(
    states: int, untouched: bool, in_use: bool, reloads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once while nothing was asked; from the next start on else; never by itself where states would be of no use."""
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    settings = LoadSettings()
    found = replace(TUNING, in_use=False, device=tuned.device_key(settings))
    tuned.write(found)
    folder = tmp_path / "stores" / "work"
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "library.db")) as connection:
        connection.execute("CREATE TABLE state_targets (fingerprint TEXT, states INTEGER)")
        connection.execute("INSERT INTO state_targets VALUES (?, ?)", (found.fingerprint, states))
        connection.commit()
    assert states_of(found.fingerprint) == (["work"] if states else [])
    models = Reloads()
    tuner = Tuner(models, lambda: False, lambda: untouched)  # type: ignore[arg-type]
    tuner._decide(found)
    known = tuned.read(found.fingerprint, settings)
    assert known is not None
    assert known.in_use == in_use
    assert models.count == reloads
