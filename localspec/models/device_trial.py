"""Loads a model for trial with layers on the graphics card, with all settings of the chat and its draft beside it.

Run as a program (`python -m localspec.models.device_trial JSON`, started by `offload`) it loads, decodes a prefill
batch, one row and a draft, and prints one line of JSON: `took`, the bytes that this took of the memory of each GPU, or
`kind` and `message` of what failed. Warnings and errors of llama.cpp also go to stderr, where they outlive an abort.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from localspec.errors import DraftMismatchError, ModelError, ModelFileError, OutOfMemoryError, SettingsError
from localspec.models.draft import DraftModel
from localspec.models.llama import (
    PREFILL_ROWS,
    LlamaModel,
    LoadSettings,
    echo_log,
    gpu_devices,
    recent_log,
    tells_of_short_memory,
)
from localspec.models.llama.trial_load import without_core_file

MEMORY, SETTINGS, FAILED = "memory", "settings", "failed"
"""Kinds of failure: too little memory; settings that the model cannot have; anything else."""
_DRAFT_ROWS = 16


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be tried; `draft` is "" where there is none."""

    model: str
    draft: str
    settings: LoadSettings

    def as_json(self) -> str:
        """As an argument of the program."""
        return json.dumps(asdict(self))


def _examine(trial: Trial) -> dict[str, Any]:
    """What it took, or why it failed, as the process that asked reads it."""
    try:
        _free()  # the first question makes a driver reserve memory for this process: the chat's has its own already
        before = _free()
        with ExitStack() as open_models:
            model = open_models.enter_context(closing(LlamaModel(Path(trial.model), trial.settings)))
            draft = _draft(trial, model)
            if draft is not None:
                open_models.enter_context(closing(draft))
            _decode(model, draft)
            return {"took": [max(0, first - now) for first, now in zip(before, _free(), strict=True)]}
    except SettingsError as error:
        return {"kind": SETTINGS, "message": str(error)}
    except (OutOfMemoryError, MemoryError) as error:
        return {"kind": MEMORY, "message": str(error)}
    except ModelError as error:
        kind = MEMORY if tells_of_short_memory(recent_log()) else FAILED
        return {"kind": kind, "message": error.message}


def _free() -> list[int]:
    return [device.free for device in gpu_devices() or ()]


def _draft(trial: Trial, target: LlamaModel) -> DraftModel | None:
    if not trial.draft or not target.can_rewind:
        return None
    path, layers = Path(trial.draft), trial.settings.gpu_layers
    try:
        return DraftModel(path, target, target.context_size, target.threads, layers)
    except DraftMismatchError:
        return None  # the chat goes on without it as well


def _decode(model: LlamaModel, draft: DraftModel | None) -> None:
    """A prefill batch, one row, and a draft. Raises ModelError, also where what they compute is of no use."""
    length = max(2, min(PREFILL_ROWS + 1, model.context_size - 2 * _DRAFT_ROWS))
    tokens = np.linspace(0, model.vocabulary_size - 1, length).astype(np.int32)
    nothing = np.empty(0, np.int32)
    model.begin(tokens)
    for rows in (1, _DRAFT_ROWS):
        model.decode(int(tokens[-1]), tokens[: rows - 1], np.arange(-1, rows - 2, dtype=np.int32))
        if not np.isfinite(model.logits(rows)).all():
            raise ModelFileError("What it computes there are no numbers.")
        model.keep(nothing)
    first = draft.follow(tokens[: draft.longest]) if draft is not None else None
    if draft is not None and first is not None:
        draft.draft_tree(first, _DRAFT_ROWS)


def main(arguments: list[str]) -> int:
    """Try what the first of `arguments` tells in this process, and print the result as one line of JSON."""
    without_core_file()
    echo_log()
    told = json.loads(arguments[0])
    report = _examine(Trial(told["model"], told["draft"], LoadSettings(**told["settings"])))
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()
    return 1 if "kind" in report else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
