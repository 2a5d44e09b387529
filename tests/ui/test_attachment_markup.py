"""Chips of attached files as markup, and files that are dropped while no model is loaded."""

from __future__ import annotations

import html
import json
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import gradio as gr
import pytest
from gradio.utils import get_upload_folder

from localspec.application.attached_files import Attachment, AttachmentState
from localspec.application.state import Application
from localspec.ui.attachment_markup import chips
from localspec.ui.attachments_part import AttachmentsPart
from localspec.ui.part import Tick
from tests.ui.test_panel import HOSTILE, Tags


def test_a_chip_names_the_file_its_size_and_its_state() -> None:
    files = [Attachment("guide.pdf", Path(), "work", 2_340_000), Attachment("a.txt", Path(), "work")]
    drawn = chips(files, [AttachmentState("reading", "reading 40%"), AttachmentState("failed", "could not be read: x")])
    assert "guide.pdf 2.3 MB reading 40% ×" in " ".join(Tags(drawn).text.split())
    assert drawn.count('data-state="failed"') == 1
    assert 'aria-label="Remove guide.pdf"' in html.unescape(drawn)
    assert [f'data-attached="{one.key}"' in drawn for one in files] == [True, True]
    hostile = Tags(chips([Attachment(HOSTILE, Path(), HOSTILE)], [AttachmentState("failed", HOSTILE)]))
    assert not hostile.open
    assert not {"img", "script", "a"} & set(hostile.tags)


def test_files_wait_for_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALSPEC_HOME", str(tmp_path))
    upload = Path(get_upload_folder()) / "attached"
    upload.mkdir(parents=True, exist_ok=True)
    (upload / "guide.txt").write_text("The wren is small.")
    application = Application()
    part = AttachmentsPart(application)
    request = cast("gr.Request", SimpleNamespace(session_hash="tab"))
    conversation = application.conversation("tab")

    def do(**action: object) -> str:
        return " ".join(Tags(part.do(json.dumps(action), request)).text.split())

    said = do(do="add", files=[{"path": str(upload / "guide.txt"), "name": "guide.txt"}])
    assert said == "guide.txt 18 bytes waiting: no model is loaded ×"
    part.tell(Tick(conversation, "auto"))
    (kept,) = conversation.attached
    assert kept.is_pending
    for nonsense in ({}, {"do": "add", "files": 7, "refused": 7}, {"do": "remove", "key": [1]}, {"do": "remove"}):
        assert do(**nonsense) == said
    conversation.use_library("another")
    assert do() == "", "it belongs to the library that it was dropped on"
    conversation.use_library(kept.library)
    assert do(do="remove", key=kept.key) == ""
    assert conversation.attached == []
