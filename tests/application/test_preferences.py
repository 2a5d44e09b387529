"""What the person has chosen on the page, in a real file."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.application.preferences import FILE, FORMAT, NAMES, Chosen, Preferences, checked
from localspec.application.state import Application
from localspec.chat.sampling_presets import RECOMMENDED
from localspec.errors import SettingsError, StoreError

OTHERS: dict[str, Any] = {
    "method": "plain", "preset": "paper", "rows": 3, "sampling": "Mail", "temperature": 0.25, "top_k": 7, "top_p": 0.5,
    "min_p": 0.25, "repeat_penalty": 1.5, "dry_multiplier": 0.5, "seed": "12", "grammar": 'root ::= "ä"',
    "max_tokens": 99, "thinking": "off", "read": "4 my letters", "theme": "dark", "chats": False, "panel": True,
    "library": "my letters", "tab": "look",
}  # fmt: skip
"""Of every field another value than the usual one"""


def on_disk(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return found


def test_every_field_outlives_the_program(tmp_path: Path) -> None:
    preferences = Preferences(tmp_path)
    assert preferences.chosen == Chosen()
    assert not (tmp_path / FILE).exists(), "nothing was chosen"
    assert sorted(OTHERS) == sorted(NAMES)
    preferences.update(**OTHERS)
    again = Preferences(tmp_path)
    assert again.chosen == Chosen(**OTHERS)
    assert all(getattr(again.chosen, name) != getattr(Chosen(), name) for name in NAMES)
    assert again.problem == ""


def test_the_version_grows_with_changes_alone(tmp_path: Path) -> None:
    preferences = Preferences(tmp_path)
    preferences.update(theme="dark")
    preferences.update(theme="dark")
    preferences.update(rows=None)
    assert preferences.version == 1
    preferences.update(theme="light", rows=2)
    assert preferences.version == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", "nothing"), ("method", None), ("preset", ""), ("rows", -1), ("rows", 2.5), ("rows", None),
        ("rows", True), ("temperature", -1), ("temperature", float("nan")), ("temperature", "1"), ("top_p", 0),
        ("top_k", 1e999), ("max_tokens", 0), ("max_tokens", None), ("thinking", "much"), ("read", "some"),
        ("theme", "blue"), ("chats", 1), ("panel", "open"), ("seed", "-1"), ("seed", "x"), ("library", "x" * 201),
        ("other", 1), ("grammar", "x" * 100_001),
    ],
)  # fmt: skip
def test_what_a_field_cannot_hold_changes_nothing(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(SettingsError):
        checked(name, value)
    preferences = Preferences(tmp_path)
    preferences.update(**{"tab": "look", name: value})
    assert preferences.chosen == Chosen(tab="look")


def test_numbers_are_of_the_fields_kind() -> None:
    assert (checked("top_k", 3.0), checked("temperature", 1)) == (3, 1.0)
    assert isinstance(checked("top_k", 3.0), int)
    assert isinstance(checked("temperature", 1), float)


@given(
    name=st.sampled_from(NAMES),
    value=st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.lists(st.integers()),
)
def test_any_value_is_refused_or_can_be_kept(name: str, value: object) -> None:
    try:
        kept = checked(name, value)
    except SettingsError:
        return
    assert checked(name, json.loads(json.dumps(kept, ensure_ascii=False).encode())) == kept


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe\x00", b"[1]", b'{"format": "localspec-presets"}', b"[" * 100_000, b" " * 2**21]
)
def test_a_damaged_file_is_set_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    preferences = Preferences(tmp_path)
    assert preferences.chosen == Chosen()
    (aside,) = tmp_path.glob("preferences-damaged-*.json")
    assert aside.read_bytes() == content
    assert FILE in preferences.problem
    assert aside.name in preferences.problem
    preferences.update(theme="dark")
    assert preferences.problem == ""
    assert Preferences(tmp_path).chosen == Chosen(theme="dark")


def test_a_newer_version_finds_what_it_wrote(tmp_path: Path) -> None:
    newer = {"format": FORMAT, "version": 2, "theme": "dark", "method": "telepathy", "rows": "many", "font": [1, "ä"]}
    (tmp_path / FILE).write_text(json.dumps(newer), encoding="utf-8")
    preferences = Preferences(tmp_path)
    assert preferences.problem == ""
    assert preferences.chosen == Chosen(theme="dark"), "what cannot be used is as usual"
    preferences.update(rows=4)
    assert on_disk(tmp_path)["font"] == [1, "ä"]
    assert on_disk(tmp_path)["version"] == 2
    assert on_disk(tmp_path)["rows"] == 4


def test_half_a_character_can_be_kept(tmp_path: Path) -> None:
    Preferences(tmp_path).update(grammar='root ::= "\ud83d"')
    assert Preferences(tmp_path).chosen.grammar == 'root ::= "?"'


def test_what_cannot_be_written_holds_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    preferences = Preferences(folder)
    folder.rename(tmp_path / "away")
    with pytest.raises(StoreError, match=r"preferences\.json"):
        preferences.update(theme="dark")
    assert preferences.chosen.theme == "dark"
    assert FILE in preferences.problem
    (tmp_path / "away").rename(folder)
    preferences.update(rows=2)
    assert preferences.problem == ""
    assert Preferences(folder).chosen == Chosen(theme="dark", rows=2)


def test_without_the_file_all_is_as_usual(tmp_path: Path) -> None:
    preferences = Preferences(tmp_path)
    preferences.update(theme="dark")
    preferences.look()
    assert (preferences.chosen.theme, preferences.version) == ("dark", 1)
    (tmp_path / FILE).unlink()
    preferences.look()
    assert (preferences.chosen, preferences.version) == (Chosen(), 2)


def test_threads_lose_nothing(tmp_path: Path) -> None:
    preferences = Preferences(tmp_path)
    wanted: dict[str, Any] = {"rows": 5, "theme": "dark", "max_tokens": 77, "chats": False, "seed": "9", "top_k": 3}
    threads = [threading.Thread(target=preferences.update, kwargs={name: wanted[name]}) for name in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Preferences(tmp_path).chosen == Chosen(**wanted)


# -- the library used last ------------------------------------------------------------------------------------------


@pytest.fixture
def application(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Application:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    (tmp_path / "stores" / "letters").mkdir(parents=True)
    (tmp_path / "stores" / "letters" / "library.db").touch()
    return Application()


def test_a_new_tab_goes_on_with_the_library_used_last(application: Application) -> None:
    assert application.conversation("a").library == "documents"
    application.conversation("a").use_library("letters")
    assert application.conversation("b").library == "letters"
    assert application.conversation("b").switched, "its picker is told"
    assert Application().conversation("c").library == "letters", "after a restart"
    application.preferences.update(library="gone")
    assert application.conversation("d").library == "documents"


def test_what_is_recommended_is_the_usual() -> None:
    assert Chosen().sampling == RECOMMENDED
