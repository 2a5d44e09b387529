"""Messages, and the forms in which a template may take them.

Templates disagree: some refuse system messages, neighbours of one role, or a greeting in front; some want contents in
parts, arguments of tools as objects or as JSON, or know nothing of tools. `forms` gives a conversation as it is first,
then with less and less of its own shape; the first one that a template writes in full is the one to use.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

OPENING = "Hello."
"""What the person says before a greeting, for templates in which nobody else may begin."""
_ID_LENGTH = 9
"""Characters of the ids of calls that Mistral's templates demand."""
_THOUGHT_END = ("</think>", "[/THINK]")


@dataclass(frozen=True, slots=True)
class Message:
    """One message; `tokens` are the ids a reply was generated with, where it was."""

    role: str
    content: str | None  # None where there are calls of tools in its place
    tokens: NDArray[np.int32] | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    """of an assistant's message, as OpenAI's protocol has them; arguments as JSON or as an object"""
    tool_call_id: str = ""  # which call a tool's message answers
    name: str = ""  # of the tool that answers, or of who speaks
    reasoning_content: str = ""  # what was thought before the content


@dataclass(frozen=True, slots=True)
class Form:
    """A conversation with the way it is written for a template."""

    messages: tuple[Message, ...]
    in_parts: bool = False  # contents as lists of parts
    arguments_as_text: bool = False
    without_content: str = "absent"  # or "none" or "empty": the content where there is none
    short_ids: bool = False
    without_thinking: bool = False


def forms(messages: Sequence[Message]) -> Iterator[Form]:
    """All forms to try, the truest first."""
    calls = any(message.tool_calls or message.role == "tool" for message in messages)
    thinking = any(message.reasoning_content for message in messages)
    empty = any(message.content is None for message in messages)
    details = list(
        product(
            (False, True),
            (False, True) if calls else (False,),
            (False, True) if calls else (False,),
            ("absent", "none", "empty") if empty else ("absent",),
            (False, True) if thinking and calls else (False,),
        )
    )
    seen: list[tuple[Message, ...]] = []
    for steps in _SHAPES:
        shaped = tuple(messages)
        for step in steps:
            shaped = step(shaped)
        if any(_alike(shaped, other) for other in seen):
            continue
        seen.append(shaped)
        for in_parts, short_ids, as_text, without, without_thinking in details:
            yield Form(shaped, in_parts, as_text, without, short_ids, without_thinking)


def written(form: Form) -> list[dict[str, Any]]:
    """The messages as a template is given them."""
    return [_written(message, form) for message in form.messages]


def holds(text: str, form: Form, *, with_system: bool) -> bool:
    """Whether a rendered text has all that was said and called; what was thought may be left out."""
    if form.in_parts and "'type': 'text'" in text:  # the list itself, not what is in it
        return False
    for message in form.messages:
        if message.role == "system" and not with_system:
            continue
        if message.content is not None and not _in(_answer(message), text):
            return False
        for call in message.tool_calls:
            function = _function(call)
            if not all(_in(leaf, text) for leaf in _leaves([function.get("name", ""), _parsed(function)])):
                return False
    return True


def plain_form(messages: Sequence[Message]) -> Form:
    """The conversation as questions and answers, nothing else."""
    return Form(_tools_as_text(tuple(messages)), without_content="empty")


def shows_system() -> Form:
    """A conversation that tells whether a template writes system messages."""
    return Form((Message("system", "Answer in French."), Message("user", "What is the time?")))


# -- how messages are written -------------------------------------------------------------------------------------


def _written(message: Message, form: Form) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role}
    if message.content is not None:
        said["content"] = [{"type": "text", "text": message.content}] if form.in_parts else message.content
    elif form.without_content != "absent":
        said["content"] = None if form.without_content == "none" else ""
    if message.reasoning_content and not form.without_thinking:
        # Templates call it by one of two names (transformers, utils/chat_template_utils.py).
        said["thinking"] = said["reasoning_content"] = message.reasoning_content
    if message.tool_calls:
        said["tool_calls"] = [_call(call, form) for call in message.tool_calls]
    if message.tool_call_id:
        said["tool_call_id"] = _id(message.tool_call_id, form)
    if message.name:
        said["name"] = message.name
    return said


def _call(call: Mapping[str, Any], form: Form) -> dict[str, Any]:
    function = dict(_function(call))
    arguments = _parsed(function)
    if form.arguments_as_text and not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    function["arguments"] = arguments
    shaped: dict[str, Any] = {"type": "function", **call, "function": function}
    if "id" in shaped:
        shaped["id"] = _id(str(shaped["id"]), form)
    return shaped


def _function(call: Mapping[str, Any]) -> Mapping[str, Any]:
    function = call.get("function")
    return function if isinstance(function, Mapping) else {}


def _parsed(function: Mapping[str, Any]) -> Any:  # noqa: ANN401 - what JSON can hold
    """The arguments of a call as an object, or as the text they are where that is no JSON."""
    arguments = function.get("arguments", {})
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


def _id(name: str, form: Form) -> str:
    if not form.short_ids or (len(name) == _ID_LENGTH and name.isalnum()):
        return name
    return hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:_ID_LENGTH]


# -- whether a text has them --------------------------------------------------------------------------------------


def _answer(message: Message) -> str:
    """What must be there of a message."""
    content = message.content or ""
    if message.role == "assistant":
        for end in _THOUGHT_END:
            content = content.rpartition(end)[2]
    return content.strip()


def _in(part: str, text: str) -> bool:
    return part in text or json.dumps(part, ensure_ascii=False)[1:-1] in text


def _leaves(value: Any) -> Iterator[str]:  # noqa: ANN401 - what JSON can hold
    if isinstance(value, Mapping):
        for key, inside in value.items():
            yield str(key)
            yield from _leaves(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from _leaves(inside)
    elif isinstance(value, str):
        yield value
    elif value is not None and not isinstance(value, bool):
        yield json.dumps(value)


# -- other shapes of a conversation -------------------------------------------------------------------------------

_Step = Callable[[tuple[Message, ...]], tuple[Message, ...]]


def _joined(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Neighbours of one role as one message."""
    found: list[Message] = []
    for message in messages:
        before = found[-1] if found else None
        if before is None or before.role != message.role or message.role == "tool" or before.tool_calls:
            found.append(message)
            continue
        content = "\n\n".join(part for part in (before.content, message.content) if part)
        thought = "\n\n".join(part for part in (before.reasoning_content, message.reasoning_content) if part)
        found[-1] = Message(
            message.role, content, tool_calls=message.tool_calls, name=message.name, reasoning_content=thought
        )
    return tuple(found)


def _late_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """System messages behind the first message as the person's."""
    return tuple(
        replace(message, role="user") if index and message.role == "system" else message
        for index, message in enumerate(messages)
    )


def _without_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The system message as the start of the first question."""
    messages = _late_system(_joined(messages[:1]) + messages[1:])
    if len(messages) < 2 or messages[0].role != "system":
        return messages
    system, first = messages[:2]
    if first.role != "user":
        return (replace(system, role="user"), *messages[1:])
    return (replace(first, content=f"{system.content}\n\n{first.content}"), *messages[2:])


def _opened(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """A greeting behind a word of the person's."""
    first = 1 if messages and messages[0].role == "system" else 0
    if len(messages) <= first or messages[first].role != "assistant":
        return messages
    return (*messages[:first], Message("user", OPENING), *messages[first:])


def _calls_as_text(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Calls of tools as what the assistant said."""
    return tuple(_said(message) if message.tool_calls else message for message in messages)


def _said(message: Message) -> Message:
    calls = [
        {"name": _function(call).get("name", ""), "arguments": _parsed(_function(call))} for call in message.tool_calls
    ]
    content = "\n".join(part for part in (message.content, json.dumps(calls, ensure_ascii=False)) if part)
    return replace(message, content=content, tool_calls=(), tokens=None)


def _tools_as_text(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Calls as what the assistant said, answers of tools as what the person said."""
    return tuple(
        Message("user", f"{message.name}: {message.content}" if message.name else message.content)
        if message.role == "tool"
        else message
        for message in _calls_as_text(messages)
    )


_ROLES: tuple[tuple[_Step, ...], ...] = (
    (),
    (_joined,),
    (_late_system, _joined),
    (_opened,),
    (_late_system, _joined, _opened),
    (_without_system,),
    (_without_system, _joined),
    (_without_system, _joined, _opened),
)
_SHAPES: tuple[tuple[_Step, ...], ...] = (
    *_ROLES,
    *((_calls_as_text, *steps) for steps in _ROLES),
    *((_tools_as_text, *steps) for steps in _ROLES),
)


def _alike(some: tuple[Message, ...], others: tuple[Message, ...]) -> bool:
    return len(some) == len(others) and all(
        one is other or (one.role, one.content, one.tool_calls) == (other.role, other.content, other.tool_calls)
        for one, other in zip(some, others, strict=True)
    )
