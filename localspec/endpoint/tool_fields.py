"""The fields of a chat request that shape its answer: tools, which of them must be called, and JSON schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from localspec.endpoint.refusals import refuse
from localspec.endpoint.request_fields import Fields, sound_all
from localspec.models.llama.constraint import ANY_OBJECT

MOST_TOOLS = 128
"""As OpenAI allows"""
_NAME = re.compile("[a-zA-Z0-9_.-]{1,64}")
_NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}
_CHOICES = ("none", "auto", "required")


@dataclass(frozen=True, slots=True)
class Toolbox:
    """Functions that may be called."""

    functions: tuple[Mapping[str, Any], ...] = ()
    """as OpenAI's protocol has them, each {"type": "function", "function": …}"""
    must_call: tuple[str, ...] = ()  # the names of those of which one has to be called; none where none has to
    one_at_a_time: bool = False

    def __bool__(self) -> bool:
        return bool(self.functions)

    @property
    def parameters(self) -> dict[str, Mapping[str, Any]]:
        """The JSON schemas of their parameters by their names."""
        return {one["function"]["name"]: one["function"]["parameters"] for one in self.functions}


def read_tools(fields: Fields) -> Toolbox:
    """The tools that the model may call. With `tool_choice` "none" there are none."""
    given = fields.take("tools")
    if given is not None and not isinstance(given, list):
        refuse("tools must be a list.", "tools", "invalid_type")
    functions = tuple(_tool(one, f"tools[{number}]") for number, one in enumerate(given or []))
    names = [one["function"]["name"] for one in functions]
    if len(functions) > MOST_TOOLS:
        refuse(f"There may be {MOST_TOOLS} tools at most.", "tools")
    if len(set(names)) < len(names):
        refuse("Two tools have the same name.", "tools")
    several = fields.flag("parallel_tool_calls")
    choice = fields.take("tool_choice")
    must_call = _must_call(choice, names)
    if choice == "none":
        return Toolbox()
    return Toolbox(functions, must_call, one_at_a_time=several is False)


def read_schema(fields: Fields) -> str:
    """The JSON schema, as JSON, that the answer is to follow; "" for none."""
    value = fields.take("response_format")
    if value is None:
        return ""
    form = Fields(value, "response_format")
    kind = form.text("type")
    if kind == "text":
        form.finish()
        return ""
    if kind == "json_object":
        schema = form.take("schema")  # as llama.cpp's server has it
        form.finish()
        return ANY_OBJECT if schema is None else _schema(schema, "response_format.schema")
    if kind != "json_schema":
        refuse("The type must be text, json_object or json_schema.", "response_format.type")
    inner = Fields(form.take("json_schema"), "response_format.json_schema")
    schema = inner.take("schema")
    for name in ("name", "description"):
        inner.text(name)
    inner.flag("strict")
    if schema is None:
        refuse("Give the schema.", "response_format.json_schema.schema", "missing_required_parameter")
    form.finish()
    inner.finish()
    return _schema(schema, "response_format.json_schema.schema")


def _must_call(choice: object, names: list[str]) -> tuple[str, ...]:
    if isinstance(choice, dict):
        wanted = Fields(choice, "tool_choice")
        if wanted.text("type") != "function":
            refuse("Only a function can be named.", "tool_choice.type", "unsupported_value")
        function = Fields(wanted.take("function"), "tool_choice.function")
        name = function.text("name")
        function.finish()
        wanted.finish()
        if name not in names:
            refuse("There is no tool of this name.", "tool_choice.function.name")
        return (name,)
    if choice not in (None, *_CHOICES):
        refuse(f"This must be one of {', '.join(_CHOICES)}, or name a function.", "tool_choice")
    if choice == "required" and not names:
        refuse("There are no tools to call.", "tool_choice")
    return tuple(names) if choice == "required" else ()


def _tool(value: object, path: str) -> dict[str, Any]:
    fields = Fields(value, path)
    if fields.text("type") != "function":
        refuse("Only tools of type function can be called.", f"{path}.type", "unsupported_value")
    function = Fields(fields.take("function"), f"{path}.function")
    fields.finish()
    name = function.text("name")
    if name is None or not _NAME.fullmatch(name):
        refuse("A name has 1 to 64 letters, digits, “_”, “-” and “.”.", f"{path}.function.name")
    description = function.text("description")
    parameters = function.take("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        refuse("The parameters must be a JSON schema.", f"{path}.function.parameters", "invalid_type")
    sound_all(parameters, f"{path}.function.parameters")
    function.flag("strict")
    function.finish()
    shown = {} if description is None else {"description": description}
    return {"type": "function", "function": {"name": name, **shown, "parameters": parameters or _NO_PARAMETERS}}


def _schema(value: object, path: str) -> str:
    if not isinstance(value, dict):
        refuse("The schema must be an object.", path, "invalid_type")
    sound_all(value, path)
    return json.dumps(value)
