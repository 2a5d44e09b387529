"""Calls of tools in what models write, found while it arrives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localspec.endpoint.tool_calls import ToolCallReader

TOOLS: dict[str, dict[str, Any]] = {
    "weather": {"type": "object", "properties": {"town": {"type": "string"}, "days": {"type": "integer"}}},
    "now": {},
}
ULM = '{"town": "Ulm"}'


def read(text: str, size: int = 1) -> tuple[str, list[tuple[str, str]]]:
    """What is said, and the calls with their arguments, of a text that comes in pieces of `size`."""
    reader, said = ToolCallReader(TOOLS), ""
    calls: list[tuple[str, str]] = []
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    for found in (
        one for piece in [*pieces, None] for one in (reader.finish() if piece is None else reader.add(piece))
    ):
        if isinstance(found, str):
            said += found
        elif found.id:
            assert found.index == len(calls)
            assert len(found.id) == 9
            calls.append((found.name, found.arguments))
        else:
            assert found.index == len(calls) - 1
            calls[-1] = (calls[-1][0], calls[-1][1] + found.arguments)
    assert reader.count == len(calls)
    return said, calls


@pytest.mark.parametrize(
    ("text", "said", "calls"),
    [
        # Hermes, Qwen
        (f'<tool_call>\n{{"name": "weather", "arguments": {ULM}}}\n</tool_call>', "", [("weather", ULM)]),
        (
            f'Let me see.\n\n<tool_call>\n{{"name": "weather", "arguments": {ULM}}}\n</tool_call>\n'
            '<tool_call>\n{"name": "other", "arguments": {}}\n</tool_call>\n',
            "Let me see.", [("weather", ULM), ("other", "{}")],
        ),
        # Llama 3
        (f'{{"name": "weather", "parameters": {ULM}}}', "", [("weather", ULM)]),
        (f'{{"type": "function", "name": "weather", "parameters": {ULM}}}; {{"name": "now", "parameters": {{}}}}', "",
         [("weather", ULM), ("now", "{}")]),
        ('<|python_tag|>{"name": "now", "parameters": {}}', "", [("now", "{}")]),
        # Mistral
        (f'[TOOL_CALLS][{{"name": "weather", "arguments": {ULM}, "id": "123456789"}}, '
         '{"name": "now", "arguments": {}}]', "", [("weather", ULM), ("now", "{}")]),
        (f"[TOOL_CALLS]weather[ARGS]{ULM}[TOOL_CALLS]now[CALL_ID]123456789[ARGS]{{}}", "",
         [("weather", ULM), ("now", "{}")]),
        # Qwen3-Coder
        ("<tool_call>\n<function=weather>\n<parameter=town>\n12\n</parameter>\n<parameter=days>\n3\n</parameter>\n"
         "</function>\n</tool_call>", "", [("weather", '{"town": "12", "days": 3}')]),
        # gpt-oss
        (f"<|channel|>commentary to=functions.weather <|constrain|>json<|message|>{ULM}", "", [("weather", ULM)]),
        # what small models make of it
        (f'Sure:\n```json\n{{"name": "weather", "arguments": {ULM}}}\n```\nThat is it.', "Sure:\nThat is it.",
         [("weather", ULM)]),
        (f'<tools>\n{{"name": "weather", "arguments": {ULM}}}\n</tools>', "", [("weather", ULM)]),
        (f'{{"arguments": {ULM}, "name": "weather"}}', "", [("weather", ULM)]),
        (f'<tool_call>{{"name": "weather", "arguments": {json.dumps(ULM)}}}</tool_call>', "", [("weather", ULM)]),
        (f'{{"type": "function", "function": {{"name": "weather", "arguments": {ULM}}}}}', "", [("weather", ULM)]),
        ('{"name": "now"}', "", [("now", "{}")]),
        ('[{"name": "now", "arguments": null}]', "", [("now", "{}")]),
        # arguments with all that ends a text elsewhere
        ('<tool_call>{"name": "weather", "arguments": {"town": "U}\\"</tool_call>\\\\"}}</tool_call>', "",
         [("weather", '{"town": "U}\\"</tool_call>\\\\"}')]),
        # cut short, as the longest answer may be
        ('<tool_call>{"name": "weather", "arguments": {"town": "U', "", [("weather", '{"town": "U')]),
        ('<tool_call>\n{"name": "wea', '<tool_call>\n{"name": "wea', []),
        # no calls
        ('{"name": "Anna", "age": 3}', '{"name": "Anna", "age": 3}', []),
        ('It is {"name": "now", "arguments": {}}.', 'It is {"name": "now", "arguments": {}}.', []),
        ("See [1], {x}, `code` and <b>bold</b>:\n```\nhi\n``` end \n",
         "See [1], {x}, `code` and <b>bold</b>:\n```\nhi\n``` end \n", []),
        ("<tool_call> hello", "<tool_call> hello", []),
        ('<|python_tag|>print("now")', '<|python_tag|>print("now")', []),
        ("", "", []),
    ],
)  # fmt: skip
def test_every_form_is_read_however_it_is_cut(text: str, said: str, calls: list[tuple[str, str]]) -> None:
    for size in (1, 2, 3, 5, 8, 1000):
        assert read(text, size) == (said, calls)


PARTS = st.lists(
    st.sampled_from(
        ("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[ARGS]", "```json\n", "```", "<function=now>", "</function>",
         '{"name": "now"', '"arguments": ', '{"a": 1}', "{}", "}", "]", "[", ",", '"', "\\", ":", "\n", " ", "now", "x",
         "<", "`", ";", "null")
    ),
    max_size=14,
)  # fmt: skip


@given(PARTS, st.integers(1, 6))
def test_how_a_text_is_cut_changes_nothing(parts: list[str], size: int) -> None:
    text = "".join(parts)
    assert read(text, size) == read(text, max(1, len(text)))


@given(st.text(st.sampled_from('abc <>[]{}`"\n:,1'), max_size=60), st.integers(1, 6))
def test_a_text_without_calls_is_passed_on_as_it_is(text: str, size: int) -> None:
    assert read(text, size) == (text, [])


def test_text_is_not_kept_longer_than_it_has_to() -> None:
    reader = ToolCallReader(TOOLS)
    assert reader.add("The answer is ") == ["The answer is"]
    assert reader.add('{"name": "Anna"') == [' {"name": "Anna"']
    reader.add('.\n<tool_call>{"name": "weather", "argu')
    assert [found for found in reader.add('ments": {"to') if not isinstance(found, str)][-1].arguments == '{"to'
