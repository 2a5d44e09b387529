"""What Gradio may read from the environment: settled before it is imported."""

from __future__ import annotations

import os

from localspec.config import cache_folder


def keep_to_this_computer() -> None:
    """Undo what the environment may ask of Gradio (sharing, other folders, analytics), and keep uploads in our own
    folder instead of the one for everybody's temporary files. Call before gradio is imported anywhere."""
    for name in [name for name in os.environ if name.startswith("GRADIO_")]:
        del os.environ[name]
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(cache_folder() / "uploads")
