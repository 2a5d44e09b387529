"""Sampling settings under a name, in a real file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localspec.chat.named_file import MOST
from localspec.chat.sampling_presets import BUILT_IN, FILE, PRESETS, Preset, Presets
from localspec.errors import SettingsError, StoreError
from localspec.models.llama.sampling import SamplingSettings

VALUES: dict[str, Any] = {"temperature": 0.4, "top_k": 20, "top_p": 0.8, "min_p": 0.1, "repeat_penalty": 1.2,
                          "dry_multiplier": 0.5}  # fmt: skip


def names(presets: Presets) -> list[str]:
    return [preset.name for preset in presets.all()]


def test_precise_is_greedy_and_what_is_usual() -> None:
    precise, balanced, creative = BUILT_IN
    assert SamplingSettings(**precise.values) == SamplingSettings()
    assert SamplingSettings(**precise.values).is_greedy
    assert 0 < balanced.temperature < creative.temperature


def test_own_presets_outlive_the_program(tmp_path: Path) -> None:
    presets = Presets(tmp_path)
    assert names(presets) == ["Precise", "Balanced", "Creative"]
    assert not presets.save(Preset("  My\nletters ", **VALUES))
    assert presets.save(Preset("My letters", **{**VALUES, "top_k": 30}))
    presets.save(Preset("Ärger", **VALUES))
    again = Presets(tmp_path)
    assert names(again) == ["Precise", "Balanced", "Creative", "My letters", "Ärger"]
    assert again.get("My letters").values == {**VALUES, "top_k": 30}
    assert again.problem == ""
    assert again.rename("My letters", "Letters") == "Letters"
    again.delete("Ärger")
    assert names(Presets(tmp_path)) == ["Precise", "Balanced", "Creative", "Letters"]


def test_built_in_ones_stay(tmp_path: Path) -> None:
    presets = Presets(tmp_path)
    for change in (
        lambda: presets.save(Preset("precise", **VALUES)),
        lambda: presets.save(Preset("recommended", **VALUES)),
        lambda: presets.rename("Precise", "Mine"),
        lambda: presets.delete("Precise"),
        lambda: presets.save(Preset(" ", **VALUES)),
        lambda: presets.save(Preset("x" * 61, **VALUES)),
        lambda: presets.delete("None of these"),
        lambda: presets.get("None of these"),
    ):
        with pytest.raises(SettingsError):
            change()
    assert names(presets) == ["Precise", "Balanced", "Creative"]
    assert not (tmp_path / FILE).exists()


def test_a_name_that_is_taken_is_kept(tmp_path: Path) -> None:
    presets = Presets(tmp_path)
    presets.save(Preset("A", **VALUES))
    presets.save(Preset("B", **{**VALUES, "top_k": 1}))
    with pytest.raises(SettingsError, match="already"):
        presets.rename("A", "B")
    assert presets.get("A").top_k == 20
    assert presets.rename("A", "A") == "A"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"\xff\xfe\x00", b"[1, 2]", b'{"format": "localspec-chats", "version": 1}', b"[" * 100_000,
        b'{"format": "localspec-presets", "version": 9, "presets": []}',
        b'{"format": "localspec-presets", "version": 1, "presets": {}}',
        b'{"format": "localspec-presets", "version": 1, "presets": [7]}',
        b'{"format": "localspec-presets", "version": 1, "presets": [{"name": "A"}]}',
        *(
            json.dumps(
                {"format": "localspec-presets", "version": 1, "presets": [{"name": "A", **VALUES, name: value}]}
            ).encode()
            for name, value in (
                ("temperature", 99), ("temperature", float("nan")), ("top_k", 1.5), ("top_k", float("inf")),
                ("top_p", "1"), ("min_p", True), ("name", ""), ("name", 3), ("name", "Balanced"), ("top_p", None),
            )
        ),
    ],
)  # fmt: skip
def test_a_broken_file_is_set_aside_and_nothing_breaks(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(SettingsError, match=r"presets\.json"):
        PRESETS.read(tmp_path / FILE)
    presets = Presets(tmp_path)
    assert names(presets) == ["Precise", "Balanced", "Creative"]
    assert "presets.json" in presets.problem
    (aside,) = tmp_path.glob("presets-damaged-*.json")
    assert aside.read_bytes() == content
    assert aside.name in presets.problem
    presets.save(Preset("A", **VALUES))
    assert presets.problem == ""
    assert names(Presets(tmp_path)) == ["Precise", "Balanced", "Creative", "A"]


def test_an_exported_file_is_imported_whole_or_not_at_all(tmp_path: Path) -> None:
    first, second = Presets(tmp_path / "a"), Presets(tmp_path / "b")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for name in ("A", "B"):
        first.save(Preset(name, **VALUES))
    file = tmp_path / "exported.json"
    file.write_text(first.exported(), encoding="utf-8")
    second.save(Preset("B", **{**VALUES, "top_k": 1}))
    assert second.add(PRESETS.read(file)) == 2
    assert second.get("B").top_k == 20
    many = [Preset(f"C{number}", **VALUES) for number in range(MOST)]
    with pytest.raises(SettingsError):
        second.add(many)
    assert names(Presets(tmp_path / "b")) == ["Precise", "Balanced", "Creative", "A", "B"]


def test_what_cannot_be_written_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    presets = Presets(folder)
    presets.save(Preset("A", **VALUES))
    folder.rename(tmp_path / "away")
    with pytest.raises(StoreError, match=r"presets\.json"):
        presets.save(Preset("B", **VALUES))
    (tmp_path / "away").rename(folder)
    assert names(presets) == names(Presets(folder)) == ["Precise", "Balanced", "Creative", "A"]


def test_files_from_before_dry_are_read(tmp_path: Path) -> None:
    old = {name: value for name, value in VALUES.items() if name != "dry_multiplier"}
    content = {"format": "localspec-presets", "version": 1, "presets": [{"name": "Old", **old}]}
    (tmp_path / "old.json").write_text(json.dumps(content), encoding="utf-8")
    (preset,) = PRESETS.read(tmp_path / "old.json")
    assert preset.values == {**old, "dry_multiplier": 0.0}
