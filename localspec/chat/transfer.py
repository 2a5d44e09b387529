"""Chats in files that people keep or hand on: Markdown to be read, JSON to be read back in.

A file that is read may be anybody's: all of it is checked before anything is kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NoReturn

from localspec.chat.context_usage import ContextUsage
from localspec.chat.methods import METHODS
from localspec.chat.origins import Origins
from localspec.chat.report import told_factor
from localspec.chat.standing import told
from localspec.chat.turn import CUT, EDITED, LOOP
from localspec.errors import ChatFileError
from localspec.speculation.metrics import ReplyMetrics
from localspec.stores import stored_turns
from localspec.stores.stored_turns import (
    FIELDS,
    NO_PARENT,
    Citation,
    StoredConversation,
    StoredField,
    StoredNode,
    StoredTurn,
    citations_of,
    shown_path,
)

FORMAT = "localspec-chats"
VERSION = 1
LARGEST_FILE = 256 * 2**20
"""Bytes; 500 conversations of 50 messages are about 50 MB."""
MOST_CONVERSATIONS = 100_000
MOST_TURNS = 100_000
"""of one conversation"""
LONGEST_TEXT = 4_000_000
"""characters"""
_SHORT = 1_000
_HIGHEST = 10**9  # number of a turn
_MOST_ITEMS = 10_000
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(\+00:00|Z)")
_ADVICE = "Choose a file that LocalSpec exported as JSON. Nothing was imported."


def as_json(conversations: Iterable[StoredConversation]) -> Iterator[str]:
    """A file of these conversations, in pieces: one line each, so that large files need little memory."""
    written = datetime.now(timezone.utc).isoformat(timespec="seconds")
    yield f'{{"format": "{FORMAT}", "version": {VERSION}, "exported": "{written}", "conversations": ['
    between = "\n"
    for kept in conversations:
        yield between + json.dumps(_conversation(kept), ensure_ascii=False)
        between = ",\n"
    yield "\n]}\n"


def as_markdown(conversations: Iterable[StoredConversation]) -> Iterator[str]:
    """A text of these conversations, in pieces: one each."""
    between = ""
    for kept in conversations:
        yield between + _markdown(kept)
        between = "\n---\n\n"


def read_json(path: Path) -> list[StoredConversation]:
    """The conversations of a file that `as_json` gave. Raises ChatFileError for any other, saying where it is wrong."""
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            _refuse(f"it is {size / 2**20:.0f} MB large, and {LARGEST_FILE // 2**20} MB is the most")
        data = json.loads(path.read_bytes(), parse_constant=_no_number)
    except (ValueError, RecursionError, MemoryError) as error:  # UnicodeDecodeError is a ValueError
        raise ChatFileError(f"The file {path.name} holds no chats: it is not JSON ({error}).", _ADVICE) from error
    except OSError as error:
        raise ChatFileError(f"The file {path.name} cannot be read ({error.strerror or error}).", _ADVICE) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        _refuse("it was not exported by LocalSpec")
    version = data.get("version")
    if version != VERSION:
        raise ChatFileError(
            f"These chats cannot be imported: the file is of version {str(version)[:20]}, and this LocalSpec reads"
            f" {VERSION}.",
            "Update LocalSpec. Nothing was imported.",
        )
    listed = _items(data, "conversations", "the file", MOST_CONVERSATIONS)
    return [_read(entry, f"chat {number}") for number, entry in enumerate(listed, start=1)]


# -- writing ------------------------------------------------------------------------------------------------------


def _conversation(kept: StoredConversation) -> dict[str, Any]:
    return {
        "title": kept.title,
        "library": kept.library,
        **({"system": kept.system} if kept.system else {}),
        **({"pinned": True} if kept.pinned else {}),
        **({"folder": kept.folder} if kept.folder else {}),
        "created": kept.created,
        "changed": kept.changed,
        "turns": [_turn(turn) for turn in kept.turns],
        "citations": [_cited(one) for one in kept.citations],
        **(_branches(kept) if kept.nodes else {}),
    }


def _branches(kept: StoredConversation) -> dict[str, Any]:
    """The numbers of the turns that are shown, and the hidden ones, each with the passages that only it knows."""
    path, common = shown_path(kept.nodes), kept.citations
    numbers = [node.number for node in path]
    hidden = []
    for node in kept.nodes:
        if node.number not in numbers:
            own = [_cited(one) for one in citations_of([node.turn]) if one not in common]
            place = {"number": node.number, "parent": node.parent, "shown": node.shown}
            hidden.append({**place, **_turn(node.turn), **({"citations": own} if own else {})})
    return {"numbers": numbers, "hidden": hidden}


def _cited(one: Citation) -> dict[str, Any]:
    label = {"label": one.label} if one.label else {}
    return {
        "number": one.number,
        "file": one.file,
        "page": one.page,
        **label,
        "section": one.section,
        "passage": one.passage,
    }


def _turn(turn: StoredTurn) -> dict[str, object]:
    record = {each.label: _exported(each, turn) for each in FIELDS if each.exported}
    said_already = {"sent": turn.question, "thinking": ""}
    for each in FIELDS:
        if each.optional and record[each.label] in (said_already.get(each.label), "", [], {}, False):
            del record[each.label]
    origins = {"origins": record.pop("origins")} if "origins" in record else {}
    return {**record, "figures": _figures(turn), **origins}


def _exported(each: StoredField, turn: StoredTurn) -> object:
    """A field as JSON holds it."""
    value = getattr(turn, each.name)
    if each.name == "origins":
        try:
            return Origins.unpack(value).record()
        except ValueError:
            return []
    return value if each.kind is stored_turns.TEXT else each.kind.pack(value)


def _figures(turn: StoredTurn) -> dict[str, float | int]:
    """Speeds and rates that follow from the metrics, for those who read the file; empty where there are none."""
    metrics = _metrics(turn)
    return {**metrics.figures(), "speedup": metrics.speedup} if metrics.steps else {}


def _metrics(turn: StoredTurn) -> ReplyMetrics:
    try:
        return ReplyMetrics.of_record(turn.metrics)
    except ValueError:
        return ReplyMetrics()


def _markdown(kept: StoredConversation) -> str:
    about = " · ".join(part for part in (kept.created[:10], f"library {kept.library}" if kept.library else "") if part)
    parts = [f"# {' '.join(kept.title.split())}", about]
    if kept.system:
        parts += ["## System prompt", kept.system]
    for number, (turn, standing) in enumerate(zip(kept.turns, told(kept.turns), strict=True), start=1):
        files = f"*{', '.join(turn.files)}*" if turn.files else ""
        parts += [f"## Question {number}", files, turn.question, "### Answer", turn.reply]
        for found in turn.citations:
            parts.append(f"> [{found.number}] {found.place}")
        parts += [f"> {' '.join(notice.split())}" for notice in (*turn.problems, *turn.notices, *standing)]
        parts.append(_timings(turn))
    return "\n\n".join(part for part in parts if part) + "\n"


def _timings(turn: StoredTurn) -> str:
    metrics = _metrics(turn)
    if not metrics.steps or turn.finish == LOOP or turn.edited:
        return ""
    label = METHODS[turn.method].label if turn.method in METHODS else turn.method
    factor = told_factor(metrics)
    said = [
        f"{metrics.tokens} tokens in {metrics.seconds:.1f} s",
        f"{metrics.tokens_per_second:.1f} tokens/s",
        *([f"{factor}× plain"] if factor else []),
        *([f"{metrics.acceptance_rate:.0%} of {metrics.drafted} drafts accepted"] if metrics.drafted else []),
        f"read {metrics.prompt_tokens} tokens in {metrics.prefill_seconds:.1f} s",
        label,
    ]
    return f"> {' · '.join(said)}"


# -- reading ------------------------------------------------------------------------------------------------------


def _read(entry: object, where: str) -> StoredConversation:
    if not isinstance(entry, dict):
        _refuse(f"{where} is not an object")
    listed = _items(entry, "turns", where, MOST_TURNS)
    citations = _read_citations(entry, where)
    turns = [_read_turn(one, f"{where}, question {number}", citations) for number, one in enumerate(listed, start=1)]
    return StoredConversation.of_nodes(
        _text(entry, "title", where, _SHORT),
        _text(entry, "library", where, _SHORT, optional=True),
        _read_nodes(entry, where, turns, citations),
        _date(entry, "created", where),
        _date(entry, "changed", where),
        _text(entry, "system", where, LONGEST_TEXT, optional=True),
        _flag(entry, "pinned", where),
        _text(entry, "folder", where, _SHORT, optional=True),
    )


def _read_citations(entry: Mapping[str, Any], where: str) -> dict[int, Citation]:
    listed = _items(entry, "citations", where, _MOST_ITEMS, optional=True)
    citations: dict[int, Citation] = {}
    for number, one in enumerate(listed, start=1):
        citation = _read_citation(one, f"{where}, citation {number}")
        citations[citation.number] = citation
    if len(citations) < len(listed):
        _refuse(f"{where} has two citations of one number")
    return citations


def _read_nodes(
    entry: Mapping[str, Any], where: str, turns: Sequence[StoredTurn], citations: Mapping[int, Citation]
) -> list[StoredNode]:
    """The tree that the shown turns make with the hidden ones, whose parents have lower numbers."""
    hidden = _items(entry, "hidden", where, MOST_TURNS, optional=True)
    numbers = _items(entry, "numbers", where, MOST_TURNS, optional=True) or list(range(len(turns)))
    if len(numbers) != len(turns) or not all(_is_whole(number, 0, _HIGHEST) for number in numbers):
        _refuse(f"{where}: “numbers” must be one for each of “turns”")
    parents = [NO_PARENT, *numbers]
    nodes = [StoredNode(*place) for place in zip(numbers, parents, turns, strict=False)]
    for count, one in enumerate(hidden, start=1):
        named = f"{where}, hidden question {count}"
        turn = _read_turn(one, named, {**citations, **_read_citations(one if isinstance(one, dict) else {}, named)})
        number, parent, shown = one.get("number"), one.get("parent"), one.get("shown")
        if not (_is_whole(number, 0, _HIGHEST) and _is_whole(parent, NO_PARENT, _HIGHEST) and isinstance(shown, bool)):
            _refuse(f"{named} has no place")
        nodes.append(StoredNode(number, parent, turn, shown))
    return _ordered(nodes, parents[-1] if turns else NO_PARENT, where)


def _ordered(nodes: list[StoredNode], last: int, where: str) -> list[StoredNode]:
    """The nodes by number, one of each siblings shown. Refuses those that are no tree, or whose shown path does not end
    with the node `last`."""
    nodes = sorted(nodes, key=lambda node: node.number)
    known = {NO_PARENT}
    for node in nodes:
        if node.number in known or node.parent not in known:
            _refuse(f"{where}: the numbers of its questions make no tree")
        known.add(node.number)
    path = shown_path(nodes)
    if (path[-1].number if path else NO_PARENT) != last:
        _refuse(f"{where}: other questions are shown than those in “turns”")
    chosen: dict[int, int] = {}
    for node in nodes:
        if node.shown or node.parent not in chosen:
            chosen[node.parent] = node.number
    return [replace(node, shown=chosen[node.parent] == node.number) for node in nodes]


def _read_turn(entry: object, where: str, citations: Mapping[int, Citation]) -> StoredTurn:
    if not isinstance(entry, dict):
        _refuse(f"{where} is not an object")
    try:
        values: dict[str, Any] = {
            each.name: _read_field(entry, each, where, citations) for each in FIELDS if each.exported
        }
    except ValueError as error:
        _refuse(f"{where}: {error}")
    turn = StoredTurn(**values)
    turn.content = turn.content or turn.question
    if turn.finish not in ("", "end", LOOP, EDITED, *CUT):
        _refuse(f"{where}: “finish” says something unknown")
    return turn


def _read_field(entry: Mapping[str, Any], each: StoredField, where: str, citations: Mapping[int, Citation]) -> object:
    """What was understood of a field, nothing else. Raises ChatFileError, ValueError for figures that cannot be."""
    if each.kind is stored_turns.TEXT:
        return _text(entry, each.label, where, LONGEST_TEXT, optional=not each.required)
    if each.kind is stored_turns.NAME:
        return _text(entry, each.label, where, _SHORT, optional=not each.required)
    if each.kind is stored_turns.TIME:
        return _date(entry, each.label, where)
    if each.kind is stored_turns.TEXTS:
        return each.many(_texts(entry, each.label, where))
    if each.kind is stored_turns.CITATIONS:
        return each.many(citations[number] for number in _numbers(entry, each.label, where, citations))
    if each.kind is stored_turns.FLAG:
        return _flag(entry, each.label, where)
    if each.kind is stored_turns.PACKED:
        return Origins.of_record(entry.get(each.label, [])).pack()
    return _read_record(entry, each.label, where)


def _read_record(entry: Mapping[str, Any], label: str, where: str) -> dict[str, Any]:
    record = entry.get(label, {})
    if not isinstance(record, dict):
        _refuse(f"{where}: “{label}” is not an object")
    if not record:
        return {}
    return ReplyMetrics.of_record(record).record() if label == "metrics" else ContextUsage.of_record(record).record()


def _read_citation(entry: object, where: str) -> Citation:
    if not isinstance(entry, dict):
        _refuse(f"{where} is not an object")
    number: Any = entry.get("number")
    page: Any = entry.get("page")
    if not _is_whole(number, 1, _MOST_ITEMS):
        _refuse(f"{where}: “number” must be from 1 to {_MOST_ITEMS}")
    if page is not None and not _is_whole(page, 0, 10**9):
        _refuse(f"{where}: “page” must be a whole number")
    texts = [_text(entry, name, where, LONGEST_TEXT) for name in ("file", "section", "passage")]
    label = _text(entry, "label", where, _SHORT, optional=True)
    return Citation(number, texts[0], page, texts[1], texts[2], label=label)


def _text(entry: Mapping[str, Any], name: str, where: str, longest: int, *, optional: bool = False) -> str:
    value = entry.get(name, "" if optional else None)
    if not isinstance(value, str):
        _refuse(f"{where}: “{name}” must be a text")
    if len(value) > longest:
        _refuse(f"{where}: “{name}” is longer than {longest:,} characters")
    return value


def _flag(entry: Mapping[str, Any], name: str, where: str) -> bool:
    value = entry.get(name, False)
    if not isinstance(value, bool):
        _refuse(f"{where}: “{name}” must be true or false")
    return value


def _texts(entry: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    values = _items(entry, name, where, _MOST_ITEMS, optional=True)
    if not all(isinstance(value, str) and len(value) <= LONGEST_TEXT for value in values):
        _refuse(f"{where}: “{name}” must be texts")
    return tuple(values)


def _numbers(entry: Mapping[str, Any], name: str, where: str, known: Collection[int]) -> tuple[int, ...]:
    values = _items(entry, name, where, _MOST_ITEMS, optional=True)
    if not all(_is_whole(value, 1, _MOST_ITEMS) and value in known for value in values):
        _refuse(f"{where}: “{name}” must be numbers of citations")
    return tuple(dict.fromkeys(values))


def _items(entry: Mapping[str, Any], name: str, where: str, most: int, *, optional: bool = False) -> list[Any]:
    value = entry.get(name, [] if optional else None)
    if not isinstance(value, list):
        _refuse(f"{where}: “{name}” must be a list")
    if len(value) > most:
        _refuse(f"{where}: “{name}” has more than {most:,} entries")
    return value


def _date(entry: Mapping[str, Any], name: str, where: str) -> str:
    value = _text(entry, name, where, _SHORT, optional=True)
    if value and not _DATE.fullmatch(value):
        _refuse(f"{where}: “{name}” must be a time in UTC")
    return min(value, datetime.now(timezone.utc).isoformat(timespec="milliseconds"))


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def _refuse(why: str) -> NoReturn:
    raise ChatFileError(f"These chats cannot be imported: {why}.", _ADVICE)
