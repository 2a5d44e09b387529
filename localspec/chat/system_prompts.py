"""System prompts under names of the person's own, which are kept in a small file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localspec.chat.named_file import NamedFile, NamedKind, writable
from localspec.errors import SettingsError

PROMPT_CHARACTERS = 8000
BUILT_IN_PROMPT = "Built-in"
"""In place of a name: no prompt of the person's own."""
_LARGEST_FILE = 8 * 2**20


@dataclass(frozen=True, slots=True)
class SystemPrompt:
    """A text under a name, without blanks around it. Raises SettingsError for an empty or too long one."""

    name: str
    text: str

    def __post_init__(self) -> None:
        text = writable(self.text).strip()
        object.__setattr__(self, "text", text)
        if not text:
            raise SettingsError("There is no system prompt to save.", "Write one first.")
        if len(text) > PROMPT_CHARACTERS:
            raise SettingsError(f"A system prompt has at most {PROMPT_CHARACTERS:,} characters.", "Shorten it.")


def _read_one(name: str, entry: Mapping[str, Any]) -> SystemPrompt:
    text = entry.get("text")
    if not isinstance(text, str):
        raise ValueError("“text” must be a text.")
    return SystemPrompt(name, text)


SYSTEM_PROMPTS: NamedKind[SystemPrompt] = NamedKind(
    *("prompts.json", "localspec-prompts", "system prompt", "system prompts", _read_one, (), (BUILT_IN_PROMPT,)),
    largest_file=_LARGEST_FILE,
    list_name="prompts",
)
"""How they are kept"""


class SystemPrompts(NamedFile[SystemPrompt]):
    """The system prompts of a folder. Any thread may call any method."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, SYSTEM_PROMPTS)

    def name_of(self, text: str) -> str:
        """The first name under which this text is saved; "" where it is not, `BUILT_IN_PROMPT` for no text."""
        wanted = text.strip()
        if not wanted:
            return BUILT_IN_PROMPT
        return next((prompt.name for prompt in self.all() if prompt.text == wanted), "")
