"""The reader of subtitles (SRT, WebVTT): what is spoken, in paragraphs, with the time as their place."""

from __future__ import annotations

import re

from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits
from localspec.stores.documents.readers.encodings import clean, decode, one_line
from localspec.stores.documents.readers.plain import read_text

_PAUSE_MS = 4_000  # begins a paragraph
_PARAGRAPH_MS = 60_000  # after so long, one ends with its sentence
_SPEAKER = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>|\{\\[^}]*\}|<\d[\d:.]*>")
_SENTENCE_END = (".", "!", "?", "…", "。", "！", "？", '."', '?"', '!"')


def read_subtitles(data: bytes, limits: ParseLimits) -> Content:
    """Spoken text; a paragraph ends at a pause, or after a minute with its sentence, and its section is the time where
    it starts, as 00:01:20. A file without times is read as text."""
    import pysubs2

    text, warning = decode(data)
    text = clean(text)
    kind = "vtt" if text.lstrip().startswith("WEBVTT") else "srt"
    try:
        events = pysubs2.SSAFile.from_string(_SPEAKER.sub(r"\1: ", text), format_=kind, keep_html_tags=True).events
    except (pysubs2.exceptions.Pysubs2Error, ValueError):
        events = []
    if not events:
        return read_text(data, "text", limits)
    writer = BlockWriter(limits)
    lines: list[str] = []
    shown = ""
    begun = ended = 0
    for event in sorted(events, key=lambda one: one.start):
        words = [one_line(_TAG.sub("", line)) for line in event.text.replace(r"\N", "\n").split("\n")]
        if lines and (
            event.start - ended > _PAUSE_MS
            or (event.start - begun > _PARAGRAPH_MS and lines[-1].endswith(_SENTENCE_END))
        ):
            _write(writer, begun, lines)
            lines = []
        if not lines:
            begun = event.start
        for line in words:
            if line and line != shown:  # captions that roll repeat the line before
                lines.append(line)
                shown = line
        ended = max(ended, event.end)
    _write(writer, begun, lines)
    return Content("", "subtitles", writer.blocks, None, (warning,) if warning else ())


def _write(writer: BlockWriter, start: int, lines: list[str]) -> None:
    seconds = start // 1000
    writer.turn(section=f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}")
    writer.add(" ".join(lines))
