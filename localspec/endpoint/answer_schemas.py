"""JSON schemas that hold an answer to what was asked: a call of a tool that must come, or a format beside tools."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from localspec.endpoint.call_heads import MISTRAL
from localspec.endpoint.tool_fields import Toolbox

_AS_DATA = ("const", "enum", "default", "examples")
"""Keywords whose values are no schemas"""


class ForcedCall(NamedTuple):
    """How an answer is made a call: what it begins with, and the schema of what follows."""

    begun: str
    schema: str


def forced_call(template: str, tools: Toolbox) -> ForcedCall:
    """One call of one of the tools that must be called, in the form that the model's chat template teaches."""
    names, parameters = tools.must_call, tools.parameters
    if "[ARGS]" in template and len(names) == 1:
        return ForcedCall(f"{MISTRAL}{names[0]}[ARGS]", json.dumps(parameters[names[0]]))
    if MISTRAL in template:
        calls = _calls(names, parameters, "#/items")
        return ForcedCall(MISTRAL, json.dumps({"type": "array", "items": calls, "minItems": 1, "maxItems": 1}))
    if "<tool_call>" not in template and '"parameters"' in template:  # Llama 3
        return ForcedCall("", json.dumps(_calls(names, parameters, "#", "parameters")))
    return ForcedCall("<tool_call>\n", json.dumps(_calls(names, parameters, "#")))


def beside_tools(schema: str, tools: Toolbox) -> str:
    """The schema of an answer that follows `schema` or calls one of the tools."""
    calls = _calls(tuple(tools.parameters), tools.parameters, "#/anyOf/1")
    return json.dumps({"anyOf": [rebased(json.loads(schema), "#/anyOf/0"), calls]})


def rebased(schema: Any, root: str) -> Any:  # noqa: ANN401 - any JSON
    """A schema as a part of another one, where it stands at `root`, a pointer such as "#/properties/arguments"."""
    if isinstance(schema, list):
        return [rebased(one, root) for one in schema]
    if not isinstance(schema, dict):
        return schema
    moved: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "$ref" and isinstance(value, str) and value.startswith("#"):
            moved[key] = root + value[1:]
        else:
            moved[key] = value if key in _AS_DATA else rebased(value, root)
    return moved


def _calls(
    names: tuple[str, ...], parameters: Mapping[str, Mapping[str, Any]], root: str, key: str = "arguments"
) -> dict[str, Any]:
    """A call of one of these tools, as a schema that stands at `root`."""
    if len(names) == 1:
        return _call(names[0], parameters[names[0]], root, key)
    return {"anyOf": [_call(name, parameters[name], f"{root}/anyOf/{at}", key) for at, name in enumerate(names)]}


def _call(name: str, parameters: Mapping[str, Any], root: str, key: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": name}, key: rebased(dict(parameters), f"{root}/properties/{key}")},
        "required": ["name", key],
        "additionalProperties": False,
    }
