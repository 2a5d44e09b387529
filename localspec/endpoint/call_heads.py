"""How models open a call of a tool: the forms that their templates teach, and what small ones make of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localspec.endpoint.json_scan import JsonScan, ShortText, blank, json_string

Tools = Mapping[str, Mapping[str, Any]]
"""The JSON schemas of the parameters by the names of the tools that were offered"""

MISTRAL = "[TOOL_CALLS]"
MARKS = ("<tool_call>", "<function_call>", "<tools>", "<tool>", MISTRAL, "<|python_tag|>", "<|tool_call|>")
"""What opens a call. Some models have tokens of their own for it."""
CLOSERS = ("</tool_call>", "</function_call>", "</tools>", "</tool>", "<|/tool_call|>")
FENCE = "```"
_CHANNEL, _BODY = "<|channel|>", "<|message|>"
"""Around the header of a message to a channel (gpt-oss)"""
_RECIPIENT = re.compile(r" to=(?:functions\.)?([A-Za-z0-9_.-]+)")
_LONGEST_HEADER = 200
STARTS = re.compile(r"[<\[`{]")
"""What a head begins with"""
_NAMES = ("name", "tool_name")
_ARGUMENTS = ("arguments", "parameters")
_BESIDE = ("type", "id", "index")
_LONGEST_NAME = 64
"""As OpenAI allows"""
_LANGUAGE = re.compile(r"```[A-Za-z_]*\s*")
_FENCE_BEGUN = re.compile(r"`{1,2}|```[A-Za-z_]*\s*")
_BARE_NAME = re.compile(r"([A-Za-z0-9_.-]+)\s*(?:\[CALL_ID\][A-Za-z0-9]*)?(?:\[ARGS\])?\s*")
_BARE_BEGUN = re.compile(r"[A-Za-z0-9_.-]+\s*(?:\[[A-Z_]*\]?[A-Za-z0-9]*(?:\[[A-Z]*\]?)?\s*)?")
_XML = "<function="
_XML_END = "</function>"
_XML_NAME = re.compile(r"<function=([^>\s]+)>")
_XML_PARAMETER = re.compile(r"<parameter=([^>\s]+)>\n?(.*?)\n?</parameter>", re.DOTALL)


@dataclass(slots=True)
class CallHead:
    """The beginning of a call, up to its arguments."""

    name: str
    end: int  # where the arguments begin, or the call ends where they are known
    wraps: int = 0  # objects that are to be closed behind the arguments
    arguments: str | None = None  # where they are known already
    in_list: bool = False
    is_fenced: bool = False
    is_marked: bool = False


def call_head(text: str, start: int, tools: Tools, *, line_start: bool) -> CallHead | None:
    """The head of a call at `start`; None where there is none. Raises ShortText while that is not decided.

    Without a mark it is one where it begins a line and names one of `tools`.
    """
    position, mark, is_fenced = start, "", False
    while True:
        position = blank(text, position)
        known = next((one for one in MARKS if text.startswith(one, position)), "")
        if known:
            mark, position = known, position + len(known)
        elif text.startswith("`", position):
            if _FENCE_BEGUN.fullmatch(text, position):
                raise ShortText
            language = _LANGUAGE.match(text, position)
            if language is None:
                return None
            is_fenced, position = True, language.end()
        else:
            break
    if text.startswith(_CHANNEL, position):
        return _of_channel(text, position)
    if any(one.startswith(text[position:]) for one in (*MARKS, _XML, _CHANNEL)):
        raise ShortText
    if not mark and not line_start:
        return None
    if text.startswith(_XML, position):
        return _of_xml(text, position, tools, is_marked=bool(mark))
    in_list = text[position] == "["
    if in_list:
        position = blank(text, position + 1)
    head = None
    if text[position] == "{":
        head = object_head(text, position, tools, is_marked=bool(mark))
    elif mark == MISTRAL and not in_list:
        head = _bare(text, position)
    if head is not None:
        head.in_list, head.is_fenced, head.is_marked = in_list, is_fenced, bool(mark)
    return head


def object_head(text: str, start: int, tools: Tools, *, is_marked: bool) -> CallHead | None:
    """The head of a call that is an object at `start`, as `call_head` finds it."""
    name, wraps, position = "", 1, start + 1
    while True:
        position = blank(text, position)
        if text[position] == "}":
            return CallHead(name, position + 1, wraps - 1, "{}") if name else None
        key = json_string(text, position) if text[position] == '"' else None
        if key is None:
            return None
        position = blank(text, key[1])
        if text[position] != ":":
            return None
        position = blank(text, position + 1)
        opens = text[position]
        if key[0] == "function" and opens == "{":
            wraps, position = wraps + 1, position + 1
            continue
        if key[0] in _ARGUMENTS:
            return CallHead(name, position, wraps) if name else _whole(text, start, tools, is_marked=is_marked)
        if key[0] in _NAMES or (key[0] == "function" and opens == '"'):
            value = json_string(text, position) if opens == '"' else None
            if value is None or not _is_name(value[0], tools, is_marked=is_marked):
                return None
            name, position = value
        elif key[0] in _BESIDE and opens not in "{[":
            end = JsonScan().feed(text, position)
            if end is None:
                raise ShortText
            position = end
        else:
            return None
        position = blank(text, position)
        if text[position] == ",":
            position += 1
        elif text[position] != "}":
            return None


def _whole(text: str, start: int, tools: Tools, *, is_marked: bool) -> CallHead | None:
    """A call that names its tool behind the arguments: known when it is whole."""
    end = JsonScan().feed(text, start)
    if end is None:
        raise ShortText
    try:
        call = json.loads(text[start:end], strict=False)
    except ValueError:
        return None
    inner = call.get("function")
    call = inner if isinstance(inner, dict) else call
    name = next((call[key] for key in _NAMES if key in call), None)
    if not isinstance(name, str) or not _is_name(name, tools, is_marked=is_marked):
        return None
    arguments: object = next((call[key] for key in _ARGUMENTS if key in call), {})
    return CallHead(name, end, 0, arguments if isinstance(arguments, str) else written(arguments))


def _of_xml(text: str, start: int, tools: Tools, *, is_marked: bool) -> CallHead | None:
    """A call in Qwen3-Coder's form, whose values are JSON where the schema says that they are no texts."""
    end = text.find(_XML_END, start)
    if end < 0:
        raise ShortText
    named = _XML_NAME.match(text, start)
    if named is None or not _is_name(named[1], tools, is_marked=is_marked):
        return None
    known = tools.get(named[1], {}).get("properties")
    properties = known if isinstance(known, dict) else {}
    arguments: dict[str, Any] = {}
    for match in _XML_PARAMETER.finditer(text, named.end(), end):
        schema = properties.get(match[1])
        is_text = isinstance(schema, dict) and schema.get("type") == "string"
        arguments[match[1]] = match[2] if is_text else _value(match[2])
    return CallHead(named[1], end + len(_XML_END), 0, written(arguments))


def _of_channel(text: str, start: int) -> CallHead | None:
    """A call as a message to a function (gpt-oss)."""
    end = text.find(_BODY, start)
    if end < 0:
        if len(text) - start > _LONGEST_HEADER:
            return None
        raise ShortText
    named = _RECIPIENT.search(text, start, end)
    return CallHead(named[1], end + len(_BODY), is_marked=True) if named is not None else None


def _bare(text: str, start: int) -> CallHead | None:
    """A call in Mistral's newer form: the name, then the arguments."""
    if _BARE_BEGUN.fullmatch(text, start):
        raise ShortText
    match = _BARE_NAME.match(text, start)
    if match is None or len(match[1]) > _LONGEST_NAME or not text.startswith("{", match.end()):
        return None
    return CallHead(match[1], match.end())


def written(value: object) -> str:
    """A value as JSON."""
    return json.dumps(value, ensure_ascii=False)


def _is_name(name: str, tools: Tools, *, is_marked: bool) -> bool:
    return name in tools or (is_marked and 0 < len(name) <= _LONGEST_NAME)


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
