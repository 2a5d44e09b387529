"""Fifty JSON schemas of the kinds that programs send, by name."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def of(properties: Schema, required: list[str] | None = None, more: Schema | None = None) -> Schema:
    """An object with these properties, all of them required unless `required` says otherwise, and no others."""
    names = list(properties) if required is None else required
    return {
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": False,
        **(more or {}),
    }


def listed(items: Schema, least: int = 1, most: int = 3) -> Schema:
    """A list of so many items."""
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


TEXT: Schema = {"type": "string", "maxLength": 24}
WHOLE: Schema = {"type": "integer", "minimum": 0, "maximum": 99}
BOOL: Schema = {"type": "boolean"}

ENDLESS = ("all of", "recursion")
"""Schemas that a text may follow for ever: an answer may be cut there"""
SCHEMAS: dict[str, Schema] = {
    "one text": of({"name": TEXT}),
    "one whole number": of({"a": {"type": "integer", "minimum": -5, "maximum": 5}}),
    "one number": of({"x": {"type": "number", "minimum": 0, "maximum": 1}}),
    "one truth value": of({"ok": BOOL}),
    "null": of({"nothing": {"type": "null"}}),
    "two fields": of({"name": TEXT, "age": WHOLE}),
    "five fields": of({"name": TEXT, "age": WHOLE, "tall": BOOL, "town": TEXT, "job": TEXT}),
    "optional fields": of({"name": TEXT, "age": WHOLE, "town": TEXT}, ["name"]),
    "nothing required": of({"a": WHOLE, "b": BOOL}, []),
    "empty object": of({}),
    "enum of texts": of({"colour": {"enum": ["red", "green", "blue"]}}),
    "enum of numbers": of({"size": {"enum": [10, 20, 30]}}),
    "enum of kinds": of({"value": {"enum": [None, True, 1, "one"]}}),
    "enum with quotes": of({"said": {"enum": ['He said "no"', "a\\b", "two\nlines", "ä ö ü", "🙂"]}}),
    "const": of({"version": {"const": 2}, "kind": {"const": "report"}}),
    "exclusive bounds": of({"x": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 6}}),
    "multiple of": of({"x": {"type": "integer", "multipleOf": 5, "minimum": 10, "maximum": 40}}),
    "negative numbers": of({"t": {"type": "number", "minimum": -40, "maximum": -10}}),
    "large bounds": of({"n": {"type": "integer", "minimum": 100000, "maximum": 200000}}),
    "lengths of texts": of({"code": {"type": "string", "minLength": 3, "maxLength": 5}}),
    "pattern of digits": of({"zip": {"type": "string", "pattern": "^[0-9]{5}$"}}),
    "pattern of letters": of({"key": {"type": "string", "pattern": "^[A-Z]{2}-[a-z]+$", "maxLength": 12}}),
    "date": of({"day": {"type": "string", "format": "date"}}),
    "time stamp": of({"at": {"type": "string", "format": "date-time"}}),
    "address of mail": of({"mail": {"type": "string", "format": "email", "maxLength": 30}}),
    "uuid": of({"id": {"type": "string", "format": "uuid"}}),
    "list of texts": of({"tags": listed(TEXT)}),
    "list of exactly two": of({"pair": listed(WHOLE, 2, 2)}),
    "list that may be empty": of({"tags": listed(TEXT, 0, 2)}),
    "list of lists": of({"rows": listed(listed(WHOLE, 2, 2), 1, 2)}),
    "list of objects": of({"people": listed(of({"name": TEXT, "age": WHOLE}), 1, 2)}),
    "list at the top": listed(of({"word": TEXT}), 1, 2),
    "tuple": of({"point": {"type": "array", "prefixItems": [WHOLE, TEXT], "items": False, "minItems": 2}}),
    "nested object": of({"person": of({"name": TEXT, "home": of({"town": TEXT, "zip": WHOLE})})}),
    "deeply nested": of({"a": of({"b": of({"c": of({"d": of({"e": BOOL})})})})}),
    "map of numbers": {"type": "object", "additionalProperties": WHOLE, "maxProperties": 2, "minProperties": 1},
    "any of two kinds": of({"id": {"anyOf": [WHOLE, TEXT]}}),
    "text or null": of({"note": {"anyOf": [TEXT, {"type": "null"}]}}),
    "list of types": of({"note": {"type": ["string", "null"], "maxLength": 24}}),
    "any of objects": of(
        {"shape": {"anyOf": [of({"kind": {"const": "disc"}, "r": WHOLE}), of({"kind": {"const": "box"}, "w": WHOLE})]}}
    ),
    "one of by kind": {
        "oneOf": [of({"kind": {"const": "cat"}, "lives": WHOLE}), of({"kind": {"const": "dog"}, "barks": BOOL})]
    },
    "all of": {"allOf": [{"type": "object", "properties": {"a": WHOLE}, "required": ["a"]},
                         {"type": "object", "properties": {"b": BOOL}, "required": ["b"]}]},
    "definitions": of(
        {"from": {"$ref": "#/$defs/place"}, "to": {"$ref": "#/$defs/place"}},
        more={"$defs": {"place": of({"town": TEXT, "km": WHOLE})}},
    ),
    "older definitions": of(
        {"who": {"$ref": "#/definitions/person"}}, more={"definitions": {"person": of({"name": TEXT, "age": WHOLE})}}
    ),
    "definition in a definition": of(
        {"order": {"$ref": "#/$defs/order"}},
        more={"$defs": {"order": of({"item": {"$ref": "#/$defs/item"}, "count": WHOLE}), "item": of({"sku": TEXT})}},
    ),
    "recursion": {
        "$ref": "#/$defs/node",
        "$defs": {"node": of({"value": WHOLE, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}})},
    },
    "names with spaces": of({"first name": TEXT, "e-mail?": BOOL, "größe": WHOLE}),
    "described": of(
        {"score": {"type": "integer", "minimum": 1, "maximum": 10, "description": "From 1 to 10", "title": "Score"}},
        more={"title": "Review", "description": "What is thought of it"},
    ),
    "as pydantic writes it": {
        "$defs": {"Step": of({"explanation": {"title": "Explanation", **TEXT}, "output": {"title": "Output", **TEXT}},
                             more={"title": "Step"})},
        **of({"steps": {"items": {"$ref": "#/$defs/Step"}, "title": "Steps", "type": "array", "maxItems": 2},
              "final_answer": {"title": "Final Answer", **TEXT}}, more={"title": "MathResponse"}),
    },
    "many values": of({name: {"type": "number", "minimum": 0, "maximum": 9} for name in "abcdefgh"}),
}  # fmt: skip
