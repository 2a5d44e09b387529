from __future__ import annotations

import os
from pathlib import Path

import pytest

from localspec.errors import DocumentError, LocalSpecError, StoreError

LATIN_1_NAME = os.fsdecode(b"caf\xe9.txt") if os.name == "posix" else "caf\udce9.txt"


def test_a_file_name_that_is_not_utf8_can_be_written_and_recognized() -> None:
    error = DocumentError(Path("folder") / LATIN_1_NAME, f"cannot be read ({LATIN_1_NAME}).", f"Rename {LATIN_1_NAME}.")
    for text in (str(error), error.message, error.reason, error.advice, *error.args):
        assert "caf\\udce9.txt" in text
        text.encode("utf-8")
    assert error.path == Path("folder") / LATIN_1_NAME  # still opens the file


@pytest.mark.parametrize("kind", [LocalSpecError, StoreError])
def test_every_error_can_be_written(kind: type[LocalSpecError]) -> None:
    error = kind(f"{LATIN_1_NAME} is missing.", f"Look for {LATIN_1_NAME}.")
    assert str(error) == "caf\\udce9.txt is missing. Look for caf\\udce9.txt."
    str(error).encode("utf-8")


def test_other_names_stay_as_they_are() -> None:
    error = DocumentError("Grüße 🎉.txt", "holds no text.", "Check it.")
    assert str(error) == "Grüße 🎉.txt: holds no text. Check it."


def test_a_message_without_advice_has_no_trailing_space() -> None:
    assert str(LocalSpecError("The disk is full.")) == "The disk is full."
