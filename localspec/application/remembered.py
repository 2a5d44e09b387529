"""The model that was chosen last, with its settings, for the next start."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from localspec.config import cache_folder
from localspec.models.files.catalogue import AUTOMATIC
from localspec.models.llama import LoadSettings

_logger = logging.getLogger(__name__)

FILE = "model.json"
_LARGEST = 2**16


@dataclass(frozen=True, slots=True)
class Choice:
    """What is loaded, and how, as the fields of the page say it."""

    model: str = ""  # Name, or path of a file; "" = the default model
    draft: str = AUTOMATIC
    context: int = 0  # 0 = automatic
    gpu_layers: int = -1  # -1 = automatic
    threads: int = 0  # 0 = every core

    @property
    def settings(self) -> LoadSettings:
        """How it is loaded."""
        return LoadSettings(self.context, self.threads, self.gpu_layers)


def recall() -> Choice | None:
    """What was kept; None where nothing was, or it cannot be read."""
    try:
        with _file().open(encoding="utf-8") as file:
            stored = json.loads(file.read(_LARGEST))
        return _parsed(stored)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        _logger.info("The last choice of a model is not known: %s", error)
        return None


def keep(choice: Choice) -> None:
    """Remember a choice. Not being able to is no error: the next start takes what was known before."""
    file = _file()
    temporary = file.with_name(f"{file.name}.new")
    with contextlib.suppress(OSError):
        with temporary.open("w", encoding="utf-8") as written:
            json.dump(asdict(choice), written, indent=1)
            written.flush()
            os.fsync(written.fileno())
        temporary.replace(file)


def _file() -> Path:
    return cache_folder() / FILE


def _parsed(stored: Any) -> Choice:  # noqa: ANN401 - JSON
    """Raises ValueError, TypeError for what is no choice."""
    if not isinstance(stored, dict):
        raise ValueError("no object")
    kinds = {"str": str, "int": int}
    for known in fields(Choice):
        if known.name in stored and type(stored[known.name]) is not kinds[str(known.type)]:
            raise ValueError(f"{known.name} is of another type")
    return Choice(**stored)
