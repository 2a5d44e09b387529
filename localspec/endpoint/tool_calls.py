"""Calls of tools in what a model writes, told from its text while it arrives (their forms: `call_heads`).

Arguments are passed on as they were written. What turns out to be no call is text.
"""

from __future__ import annotations

import json
import secrets
import string
from dataclasses import dataclass

from localspec.endpoint.call_heads import CLOSERS, FENCE, STARTS, CallHead, Tools, call_head, object_head
from localspec.endpoint.json_scan import JsonScan, ShortText, blank

_ID_LENGTH = 9
"""Mistral's template refuses ids of another length; the others take any."""


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A part of a call: its beginning, with id and name, or more of its arguments."""

    index: int
    arguments: str = ""
    id: str = ""
    name: str = ""


class ToolCallReader:
    """Tells text from calls, piece by piece. How the text is cut into pieces changes neither."""

    def __init__(self, tools: Tools, *, one_at_a_time: bool = False) -> None:
        """`tools` are those that were offered. With `one_at_a_time` nothing that follows a call is passed on."""
        self._tools = tools
        self._one_at_a_time = one_at_a_time
        self._kept = ""
        self._call: CallHead | None = None
        """the call that is being read"""
        self._scan: JsonScan | None = None  # of its arguments; None once they are whole
        self._is_fresh = True
        """nothing but spaces since the beginning, or since the last call"""
        self._has_said = False
        self.count = 0
        """Calls so far"""

    def add(self, piece: str) -> list[str | CallPiece]:
        """What is certain now that `piece` has arrived."""
        self._kept += piece
        return self._read(last=False)

    def finish(self) -> list[str | CallPiece]:
        """The rest; call at the end of the text."""
        found = self._read(last=True)
        rest, self._kept = self._kept, ""
        if self._call is None and rest and not (self._is_fresh and self.count):
            found.append(rest)
        return found

    def _read(self, *, last: bool) -> list[str | CallPiece]:
        found: list[str | CallPiece] = []
        try:
            while self._kept:
                if self._call is None:
                    self._outside(found, last=last)
                elif self._scan is not None:
                    self._arguments(self._call, self._scan, found)
                else:
                    self._behind(self._call, found)
        except ShortText:
            pass
        return found

    def _outside(self, found: list[str | CallPiece], *, last: bool) -> None:
        """Let go the text up to the next call, and begin that. Raises ShortText when more is needed."""
        if self._one_at_a_time and self.count:
            self._kept = ""
            return
        text = self._kept
        for match in STARTS.finditer(text):
            start = match.start()
            before = text[:start]
            line_start = "\n" in before[len(before.rstrip()) :] if before.strip() else self._is_fresh or "\n" in before
            try:
                head = call_head(text, start, self._tools, line_start=line_start)
            except ShortText:
                if last:
                    continue
                self._say(found, start)
                raise
            if head is not None:
                self._say(found, start)
                self._begin(head, found, len(text) - head.end)
                return
        self._say(found, len(text))
        raise ShortText

    def _say(self, found: list[str | CallPiece], end: int) -> None:
        """Let go the text before `end`, but for the spaces at its end, which are none of it where a call follows."""
        text = self._kept[:end]
        said = text.rstrip()
        if not said:
            return
        self._kept = self._kept[len(said) :]
        if self._is_fresh and self.count:
            said = ("\n" if self._has_said else "") + said.lstrip()
        found.append(said)
        self._has_said, self._is_fresh = True, False

    def _begin(self, head: CallHead, found: list[str | CallPiece], left: int) -> None:
        """A call begins, of whose text `left` characters are behind its head."""
        self._kept = self._kept[len(self._kept) - left :] if left else ""
        self._call = head
        self._is_fresh = True
        alphabet = string.ascii_letters + string.digits
        drawn = "".join(secrets.choice(alphabet) for _ in range(_ID_LENGTH))
        found.append(CallPiece(self.count, head.arguments or "", drawn, head.name))
        self._scan = JsonScan() if head.arguments is None else None
        self.count += 1

    def _arguments(self, call: CallHead, scan: JsonScan, found: list[str | CallPiece]) -> None:
        """Pass on the arguments; those that are a text that holds JSON, or null, when they are whole."""
        text, index = self._kept, self.count - 1
        if call.arguments is None and text[0] not in "{[":
            end = JsonScan().feed(text)
            if end is None:
                raise ShortText
            found.append(CallPiece(index, _unwrapped(text[:end])))
        else:
            end = scan.feed(text)
            call.arguments = ""  # they are under way
            found.append(CallPiece(index, text[:end]))
        self._kept = text[len(text) if end is None else end :]
        self._scan = scan if end is None else None

    def _behind(self, call: CallHead, found: list[str | CallPiece]) -> None:
        """Take what closes a call; another one may follow in the same list."""
        position = blank(self._kept, 0)
        self._kept = text = self._kept[position:]
        closers = (*CLOSERS, FENCE) if call.is_fenced else CLOSERS
        closer = next((one for one in closers if text.startswith(one)), "")
        if call.wraps and text[0] == "}":
            call.wraps, end = call.wraps - 1, 1
        elif call.wraps and text[0] == ",":
            end = _member(text)
        elif call.in_list and text[0] == "]":
            call.in_list, end = False, 1
        elif call.in_list and text[0] == "," and not self._one_at_a_time:
            start = blank(text, 1)
            head = object_head(text, start, self._tools, is_marked=call.is_marked) if text[start] == "{" else None
            if head is not None:
                head.in_list, head.is_fenced, head.is_marked = True, call.is_fenced, call.is_marked
                self._begin(head, found, len(text) - head.end)
                return
            call.in_list, end = False, 0
        elif closer or text[0] == ";":
            call.wraps, call.in_list, end = 0, False, len(closer) or 1
        elif any(one.startswith(text) for one in closers):
            raise ShortText
        else:
            self._call = None
            return
        self._kept = text[end:]


def _member(text: str) -> int:
    """Where a member that follows the arguments ends: `, "key": value`. Raises ShortText."""
    position = 0
    for opener in ",", ":":
        position = blank(text, position)
        if text[position] != opener:
            return position
        position = blank(text, position + 1)
        end = JsonScan().feed(text, position)
        if end is None:
            raise ShortText
        position = end
    return position


def _unwrapped(arguments: str) -> str:
    """Arguments that were written as a text, or as null."""
    try:
        value = json.loads(arguments, strict=False)
    except ValueError:
        return arguments
    if value is None:
        return "{}"
    return value if isinstance(value, str) else arguments
