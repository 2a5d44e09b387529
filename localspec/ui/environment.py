"""What Gradio may read from the environment: settled before it is imported."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from localspec.config import cache_folder


def keep_to_this_computer(own_addresses: Sequence[str] = ()) -> None:
    """Undo what the environment may ask of Gradio (sharing, other folders, analytics), and keep uploads in our own
    folder instead of the one for everybody's temporary files. Call before gradio is imported anywhere.

    `own_addresses` are those it listens at beside the loopback one.
    """
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(uploads_folder())
    # Where a request comes from is what the connection says, not what the request says.
    os.environ["FORWARDED_ALLOW_IPS"] = "none"
    # At its start Gradio asks itself whether it answers, and no proxy must hear of it.
    for name in ("NO_PROXY", "no_proxy"):
        others = [entry for entry in os.environ.get(name, "").split(",") if entry.strip()]
        os.environ[name] = ",".join(dict.fromkeys([*others, "127.0.0.1", "localhost", "::1", *own_addresses]))


def uploads_folder() -> Path:
    """Where uploads lie until they are in a library."""
    return cache_folder() / "uploads"
