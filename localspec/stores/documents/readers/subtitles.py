"""The reader of subtitles (SRT, WebVTT, ASS): what is spoken, in paragraphs, with the time as their place."""

from __future__ import annotations

import re
from html import unescape

from localspec.stores.documents.readers.content import BlockWriter, Content, ParseLimits
from localspec.stores.documents.readers.encodings import clean, decode, one_line
from localspec.stores.documents.readers.plain import read_text

_PAUSE_MS = 4_000  # begins a paragraph
_PARAGRAPH_MS = 60_000  # after so long, one ends with its sentence
_SPEAKER = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>|\{\\[^}]*\}|<\d[\d:.]*>")
_BREAK = re.compile(r"\\[Nn]")
_TITLE = re.compile(r"^Title:(.*)$", re.MULTILINE)
_SENTENCE_END = (".", "!", "?", "…", "。", "！", "？", '."', '?"', '!"')


def read_subtitles(data: bytes, limits: ParseLimits) -> Content:
    """Spoken text; a paragraph ends at a pause, or after a minute with its sentence, and its section is the time where
    it starts, as 00:01:20. A file without times is read as text."""
    import pysubs2

    text, warning = decode(data)
    text = clean(text)
    kind = "vtt" if text.lstrip().startswith("WEBVTT") else "ass" if "[Script Info]" in text[:4096] else "srt"
    title = _TITLE.search(text) if kind == "ass" else None
    try:
        # As "ass" both forms of the format are read.
        events = pysubs2.SSAFile.from_string(_SPEAKER.sub(r"\1: ", text), format_=kind, keep_html_tags=True).events
    except (pysubs2.exceptions.Pysubs2Error, ValueError):
        events = []
    events = [event for event in events if not event.is_comment and not event.is_drawing]
    if not events:
        return read_text(data, "text", limits)
    writer = BlockWriter(limits)
    lines: list[str] = []
    shown = ""
    begun = ended = 0
    for event in sorted(events, key=lambda one: one.start):
        spoken = f"{event.name}: {event.text}" if event.name and kind == "ass" else event.text
        words = [one_line(_TAG.sub("", line)) for line in _BREAK.sub("\n", spoken).split("\n")]
        words = [unescape(line) for line in words] if kind == "vtt" else words
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
    return Content(one_line(title[1]) if title else "", "subtitles", writer.blocks, None, (warning,) if warning else ())


def _write(writer: BlockWriter, start: int, lines: list[str]) -> None:
    seconds = start // 1000
    writer.turn(section=f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}")
    writer.add(" ".join(lines))
