"""Subtitles: spoken text in paragraphs, with the time as their place."""

from __future__ import annotations

from pathlib import Path

from localspec.stores.documents.parse import parse
from localspec.stores.documents.readers.content import Content, ParseLimits
from localspec.stores.documents.readers.subtitles import read_subtitles

_SRT = """1
00:00:01,000 --> 00:00:03,000
<i>Good morning,</i>
everybody.

2
00:00:03,500 --> 00:00:05,000
{\\an8}Let us begin.

3
01:01:20,250 --> 01:01:22,000
- And now?
- The end.
"""


def read(text: str) -> Content:
    return read_subtitles(text.encode(), ParseLimits())


def test_spoken_text_has_its_time() -> None:
    for text in (_SRT, "\ufeff" + _SRT.replace("\n", "\r\n")):
        content = read(text)
        assert content.kind == "subtitles"
        assert [(block.section, block.text) for block in content.blocks] == [
            ("00:00:01", "Good morning, everybody. Let us begin."),
            ("01:01:20", "- And now? - The end."),
        ]


def test_captions_of_the_web_that_roll_are_said_once() -> None:
    text = (
        "WEBVTT\nKind: captions\n\nNOTE a remark\n\nSTYLE\n::cue { color: red }\n\n"
        "intro\n00:01.000 --> 00:03.000 align:start\n<v Ann>Hello <c.loud>there</c></v>\n\n"
        "00:03.000 --> 00:04.000\nhow <00:03.500>are you\n\n00:04.000 --> 00:05.000\nhow are you\nfine\n"
    )
    content = read(text)
    assert [(block.section, block.text) for block in content.blocks] == [
        ("00:00:01", "Ann: Hello there how are you fine")
    ]


def test_long_speech_is_parted_at_a_sentence() -> None:
    lines = []
    for number in range(40):
        start = number * 4
        times = f"{start // 60:02d}:{start % 60:02d}"
        after = f"{(start + 4) // 60:02d}:{(start + 4) % 60:02d}"
        lines.append(
            f"{number + 1}\n00:{times},000 --> 00:{after},000\nSentence {number} {'ends.' if number % 3 else 'and'}\n"
        )
    content = read("\n".join(lines))
    assert len(content.blocks) == 3
    assert all(block.text.endswith("ends.") for block in content.blocks[:-1])
    assert sum(block.text.count("Sentence") for block in content.blocks) == 40


def test_text_without_times_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_text("only words", encoding="utf-8")
    assert (parse(path).kind, parse(path).text) == ("text", "only words")


def test_styled_subtitles_say_who_speaks_and_no_drawings(tmp_path: Path) -> None:
    lines = (
        r"Dialogue: 0,0:00:01.00,0:00:03.00,Default,Ann,0,0,0,,{\i1}Hello{\i0} there,\Nall.",
        "Comment: 0,0:00:02.00,0:00:03.00,Default,,0,0,0,,secret",
        r"Dialogue: 0,0:00:03.00,0:00:06.00,Default,,0,0,0,,{\p1}m 0 0 l 100 0{\p0}",
    )
    events = "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n" + "\n".join(lines)
    path = tmp_path / "a.ass"
    path.write_text(f"[Script Info]\nTitle: The film\nScriptType: v4.00+\n\n[Events]\n{events}\n", encoding="utf-8")
    parsed = parse(path)
    assert (parsed.kind, parsed.title) == ("subtitles", "The film")
    assert [(block.section, block.text) for block in parsed.blocks] == [("00:00:01", "Ann: Hello there, all.")]


def test_entities_of_webvtt_are_signs() -> None:
    assert (
        read("WEBVTT\n\n00:01.000 --> 00:03.000\nfish &amp; chips, 3 &lt; 5\n").blocks[0].text == "fish & chips, 3 < 5"
    )
