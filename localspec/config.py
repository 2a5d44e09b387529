"""Where things are kept, and the defaults people can override by environment variables.

`LOCALSPEC_HOME` moves `models/` and `stores/` away from the checkout.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil

DEFAULT_LIBRARY = "documents"
"""Name of the library that documents join when the person picked none."""


def home() -> Path:
    """Folder that holds `models/` and `stores/`: `LOCALSPEC_HOME`, else the checkout."""
    override = os.environ.get("LOCALSPEC_HOME")
    if override:
        return Path(override).expanduser().resolve()
    return Path(__file__).resolve().parent.parent


def models_folder() -> Path:
    """Folder of the person's GGUF files; created when missing."""
    return _existing(home() / "models")


def stores_folder() -> Path:
    """Folder of the person's libraries and chats, one folder per library; created when missing, for nobody else."""
    return _existing(home() / "stores", 0o700)


def cache_folder() -> Path:
    """Folder of measurements that can be made again (decode times, file checks); created when missing."""
    return _existing(stores_folder() / ".cache")


def default_threads() -> int:
    """Physical cores: llama.cpp's matrix kernels gain nothing from hyper-threads."""
    return max(1, psutil.cpu_count(logical=False) or os.cpu_count() or 1)


def tunes_by_itself() -> bool:
    """False where the person forbids the application to choose a weight format unasked (`LOCALSPEC_TUNE=off`)."""
    return os.environ.get("LOCALSPEC_TUNE", "").strip().lower() not in ("off", "0", "no", "false")


def go_offline() -> None:
    """Switch off telemetry and hub look-ups of the libraries. Call before they are imported."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def _existing(folder: Path, mode: int = 0o777) -> Path:
    folder.mkdir(mode, parents=True, exist_ok=True)
    return folder
