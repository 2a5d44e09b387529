"""System prompts under a name, in a real file: what they do not share with the presets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localspec.chat.system_prompts import (
    BUILT_IN_PROMPT,
    PROMPT_CHARACTERS,
    SYSTEM_PROMPTS,
    SystemPrompt,
    SystemPrompts,
)
from localspec.errors import SettingsError

PIRATE = "You are a pirate.\nSay “arr”, ä and 日本."


def test_texts_outlive_the_program(tmp_path: Path) -> None:
    prompts = SystemPrompts(tmp_path)
    assert prompts.all() == []
    assert not prompts.save(SystemPrompt("Pirate", f"  {PIRATE}\n"))
    again = SystemPrompts(tmp_path)
    assert again.all() == [SystemPrompt("Pirate", PIRATE)]
    assert again.rename("Pirate", "Corsair") == "Corsair"
    assert again.get("Corsair").text == PIRATE
    again.delete("Corsair")
    assert SystemPrompts(tmp_path).all() == []


def test_the_name_of_a_text(tmp_path: Path) -> None:
    prompts = SystemPrompts(tmp_path)
    prompts.save(SystemPrompt("Pirate", PIRATE))
    assert prompts.name_of(f"{PIRATE} ") == "Pirate"
    assert prompts.name_of("You are kind.") == ""
    assert prompts.name_of(" ") == BUILT_IN_PROMPT


@pytest.mark.parametrize(
    ("name", "text"),
    [("A", " \n"), ("A", "x" * (PROMPT_CHARACTERS + 1)), ("", "x"), ("built-IN", "x"), ("x" * 61, "x")],
)
def test_what_cannot_be_saved(tmp_path: Path, name: str, text: str) -> None:
    prompts = SystemPrompts(tmp_path)
    with pytest.raises(SettingsError):
        prompts.save(SystemPrompt(name, text))
    assert not (tmp_path / SYSTEM_PROMPTS.file).exists()


@pytest.mark.parametrize("entry", [7, {"name": "A"}, {"name": "A", "text": 3}, {"name": "A", "text": ""}])
def test_a_broken_file_is_set_aside(tmp_path: Path, entry: object) -> None:
    content = json.dumps({"format": "localspec-prompts", "version": 1, "prompts": [entry]})
    (tmp_path / SYSTEM_PROMPTS.file).write_text(content, encoding="utf-8")
    prompts = SystemPrompts(tmp_path)
    assert prompts.all() == []
    (aside,) = tmp_path.glob("prompts-damaged-*.json")
    assert aside.name in prompts.problem
    assert "no system prompts are saved now" in prompts.problem


def test_presets_are_no_prompts(tmp_path: Path) -> None:
    file = tmp_path / "exported.json"
    file.write_text('{"format": "localspec-presets", "version": 1, "presets": []}', encoding="utf-8")
    with pytest.raises(SettingsError, match="no system prompts"):
        SYSTEM_PROMPTS.read(file)


def test_an_export_can_be_read_as_long_as_it_may_get(tmp_path: Path) -> None:
    prompts = SystemPrompts(tmp_path)
    prompts.add([SystemPrompt(f"Long {number}", "日" * PROMPT_CHARACTERS) for number in range(200)])
    file = tmp_path / "exported.json"
    file.write_text(prompts.exported(), encoding="utf-8")
    assert len(SYSTEM_PROMPTS.read(file)) == 200


def test_half_a_character_is_a_question_mark(tmp_path: Path) -> None:
    SystemPrompts(tmp_path).save(SystemPrompt("A", "Say \ud83d"))
    assert SystemPrompts(tmp_path).get("A").text == "Say ?"
