"""The sandbox in which chat templates run: the same options, tags, filters and functions as in transformers."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NoReturn

import jinja2
from jinja2 import meta, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

PLAIN = (
    "{% for message in messages %}{{ message['role'] | capitalize }}: {{ message['content'] }}\n\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""For models that carry no template, or one that refuses every form of a conversation."""
FAILURES = (
    jinja2.TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError,
    SyntaxError,
)  # fmt: skip
"""What a template can raise when it is compiled or run."""


class _Generation(Extension):
    """`{% generation %}` … `{% endgeneration %}`, with which templates mark replies for training; no text changes."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it so

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """What lies between the tags."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def compiled(source: str) -> jinja2.Template:
    """The template. Raises one of `FAILURES`."""
    return _environment().from_string(source)


def undeclared(source: str) -> frozenset[str]:
    """The variables that a template expects to be given; none where it cannot be read."""
    try:
        return frozenset(meta.find_undeclared_variables(_environment().parse(source)))
    except FAILURES:
        return frozenset()


def _environment() -> ImmutableSandboxedEnvironment:
    # as in transformers, utils/chat_template_utils.py
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", _Generation]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


def _to_json(
    value: Any,  # noqa: ANN401 - what JSON can hold
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as models read it. Jinja's own filter would escape `<`, `>`, `&` and `'` for web pages."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message: str) -> NoReturn:
    raise jinja2.TemplateError(message)
