"""The command `doctor`."""

from __future__ import annotations

import json
import sys
from typing import Any

from localspec import config
from localspec.chat.engine import Engine
from localspec.cli import shared_options as shared
from localspec.cli.bench import device
from localspec.desktop import window
from localspec.models.files.catalogue import available
from localspec.models.llama import gpu_offload_available, graphics, kernels, library_version, system_info


def doctor(
    model: shared.Model = "",
    draft: shared.Draft = "auto",
    threads: shared.Threads = 0,
    gpu_layers: shared.GpuLayers = -1,
    context: shared.ContextSize = 0,
    weight_format: shared.WeightFormat = "tuned",
    as_json: shared.AsJson = False,
) -> None:
    """Show what this computer offers: backend, models, and T(k), the time of one decode by rows."""
    engine = shared.load_engine(model, threads, gpu_layers, context, draft, weight_format)
    told = graphics()
    report: dict[str, Any] = {
        "backend": "GPU" if gpu_offload_available() else "CPU",
        "graphics": " ".join(part for part in (told.device, told.idle) if part),
        "llama_cpp_python": library_version(),
        "system": system_info(),
        "kernels": kernels(),
        "device": device(engine),
        "home": str(config.home()),
        "window": window.description(window.Computer()),
        "models": [{"name": entry.name, "file": str(entry.path), "bytes": entry.bytes} for entry in available()],
        "loaded": {
            "name": engine.name,
            "description": engine.model.description,
            "format": engine.format_name or "the file's own",
            "context": engine.model.context_size,
            "chat_template": not engine.template.is_plain,
            "trees": engine.model.can_rewind,
            "bitwise": engine.model.bitwise,
        },
        "draft": _draft_report(engine),
        "decode_milliseconds": {
            rows: round(float(engine.decode_seconds[rows]) * 1000, 2) for rows in (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
        },
    }
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
        return
    for name, value in report.items():
        sys.stdout.write(f"{name}: {json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value}\n")


def _draft_report(engine: Engine) -> dict[str, Any] | str:
    """The draft model as `doctor` shows it, or why there is none."""
    if engine.draft is None:
        return engine.draft_problem or "none"
    return {"name": engine.draft_name, "description": engine.draft.description, "tokens": engine.draft.vocabulary_size}
