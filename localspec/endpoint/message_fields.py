"""The messages of a chat request, in all the shapes that clients send them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from localspec.chat.template import Message
from localspec.endpoint.refusals import refuse
from localspec.endpoint.request_fields import Fields, sound, sound_all

_ROLES = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
    "function": "tool",
}  # fmt: skip
_SENT_BACK = frozenset({"annotations", "cache_control", "audio", "parsed"})
"""What clients send back of an answer, or say to a cache, and what says nothing to a model"""
_THOUGHTS = ("reasoning_content", "reasoning")
"""What others call it: DeepSeek's and llama.cpp's endpoints; OpenRouter's and Ollama's."""


def read_messages(value: object) -> tuple[Message, ...]:
    """A conversation; where the assistant's message is the last one, that is to be gone on with."""
    if not isinstance(value, list) or not value:
        refuse("messages must be a list of at least one message.", "messages", "missing_required_parameter")
    messages = [_message(one, f"messages[{number}]") for number, one in enumerate(value)]
    if messages[-1].tool_calls:
        refuse("Behind a message that calls tools there must be what they gave.", "messages")
    if len(messages) > 1 and messages[-1].role == "assistant" and not messages[-1].content:
        messages.pop()  # A beginning without a word is none.
    names = {str(call["id"]): str(call["function"]["name"]) for message in messages for call in message.tool_calls}
    return tuple(
        replace(message, name=names.get(message.tool_call_id, ""))
        if message.role == "tool" and not message.name
        else message
        for message in messages
    )


def _message(value: object, path: str) -> Message:
    fields = Fields(value, path)
    said = fields.text("role")
    role = _ROLES.get(said or "")
    if role is None:
        refuse(f"The role must be one of {', '.join(_ROLES)}.", f"{path}.role")
    content = fields.take("content")
    name = fields.text("name") or ""
    if role == "assistant":
        return _assistant(fields, content, path)
    call = ""
    if role == "tool":
        call = fields.text("tool_call_id") or ("" if said == "tool" else name)
        if not call:
            refuse("Say which call this answers.", f"{path}.tool_call_id", "missing_required_parameter")
    text = _content(content, f"{path}.content")
    fields.finish(_SENT_BACK)
    return Message(role, text, tool_call_id=call, name=name if role == "tool" else "")


def _assistant(fields: Fields, content: object, path: str) -> Message:
    """What the model said or called earlier; neither may be there."""
    calls = _calls(fields.take("tool_calls"), f"{path}.tool_calls")
    if (older := fields.take("function_call")) is not None:
        calls += (_call({"id": "", "type": "function", "function": older}, f"{path}.function_call"),)
    refusal = fields.text("refusal")
    text = _content(content, f"{path}.content") if content is not None else refusal
    thoughts = [fields.text(name) for name in _THOUGHTS]
    fields.finish(_SENT_BACK)
    return Message(
        "assistant",
        None if calls and not text else text or "",
        tool_calls=calls,
        reasoning_content=next((thought for thought in thoughts if thought), ""),
    )


def _content(value: object, path: str) -> str:
    if isinstance(value, str):
        return sound(value, path)
    if not isinstance(value, list):
        refuse("The content must be a text or a list of texts.", path, "invalid_type")
    parts = []
    for number, one in enumerate(value):
        part = Fields(one, f"{path}[{number}]")
        kind = part.text("type")
        if kind not in ("text", "refusal"):
            refuse("This model reads text only.", f"{path}[{number}].type", "unsupported_value")
        text = part.text(kind)
        if text is None:
            refuse(f"A part of type {kind} needs a text.", f"{path}[{number}].{kind}", "invalid_type")
        parts.append(text)
        part.finish(_SENT_BACK)
    return "\n".join(parts)


def _calls(value: object, path: str) -> tuple[dict[str, Any], ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        refuse("The calls must be a list.", path, "invalid_type")
    return tuple(_call(one, f"{path}[{number}]") for number, one in enumerate(value))


def _call(value: object, path: str) -> dict[str, Any]:
    fields = Fields(value, path)
    if fields.text("type") not in (None, "function"):
        refuse("Only functions can be called.", f"{path}.type", "unsupported_value")
    function = Fields(fields.take("function"), f"{path}.function")
    name = function.text("name")
    if not name:
        refuse("The call must name its function.", f"{path}.function.name", "missing_required_parameter")
    arguments = function.take("arguments")
    if not isinstance(arguments, str | dict | None):
        refuse("The arguments must be a text that holds JSON.", f"{path}.function.arguments", "invalid_type")
    sound_all(arguments, f"{path}.function.arguments")
    given = {"name": name, "arguments": arguments if arguments is not None else "{}"}
    return {"id": fields.text("id") or "", "type": "function", "function": given}
