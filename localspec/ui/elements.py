"""Text of documents, people and the model as markup that cannot do anything but be read. Pure functions."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from urllib.parse import quote, unquote

from localspec import texts
from localspec.chat.citations import Citation
from localspec.ui import maths

_MEANING = re.compile(r"""[&<>"'\\`*_{}\[\]()#+\-.!|~$:]""")
_KEPT = {ord(character): f"&#{ord(character)};" for character in "-!$\n\r\t"}
"""What could end a comment, be changed in it, or be taken for more."""


def literal(text: str) -> str:
    """`text` shown as it is, in HTML and in Markdown alike: every character that means something is an entity."""
    return _MEANING.sub(lambda found: f"&#{ord(found.group())};", maths.unmarked(text))


def lines(text: str) -> str:
    """`text` shown as it is, with its line breaks and in one line of markup, so that no blank line ends an element."""
    return "<br>".join(literal(line) for line in text.splitlines())


def some(names: Sequence[str]) -> str:
    """The first five of some names, not escaped."""
    return ", ".join(names[:5]) + (" …" if len(names) > 5 else "")


def written(text: str) -> str:
    """What a message says as it was written, for those who copy it (`copying.js`): a comment in one line of markup."""
    return f"<!--written:{maths.unmarked(html.escape(text).translate(_KEPT))}-->"


def cite(number: int, label: str, kind: str) -> str:
    """A button that opens the passage of this number; `label` is markup."""
    # By name and not as data, because the chat's own cleaning keeps only attributes that it knows.
    title = texts.OPEN_PASSAGE.format(number=number)
    return f'<button type="button" class="cite {kind}" name="cite {number}" title="{title}">{label}</button>'


def note(text: str, kind: str = "note") -> str:
    """A short line under or instead of an answer."""
    return f'<div class="{kind}">{lines(text)}</div>'


def paragraph(text: str, kind: str = "", figure: str = "") -> str:
    """A paragraph, of a kind for styles, and with the name of the figure that it tells."""
    attributes = (f' class="{kind}"' if kind else "") + (f' data-figure="{figure}"' if figure else "")
    return f"<p{attributes}>{lines(text)}</p>"


def citations(cited: Sequence[Citation]) -> str:
    """Numbered sources; each opens its passage. Empty where nothing was cited."""
    if not cited:
        return ""
    items = "".join(
        cite(source.number, f'<span class="number">{source.number}</span> {literal(source.place)}', "citation")
        for source in cited
    )
    return f'<div class="citations">{items}</div>'


def question(text: str, files: Sequence[str], number: int | None = None) -> str:
    """What the person sent, with a button to edit it where it has a `number` in its chat."""
    chips = "".join(f'<span class="chip">{literal(name)}</span>' for name in files)
    shown = f'<div class="chips">{chips}</div>' if chips else ""
    edit = ""
    if number is not None and text:
        # By name, as in `cite`.
        edit = f'<button type="button" class="act" name="edit {number}" title="{texts.EDIT_THIS}">{texts.EDIT}</button>'
    return shown + (f'<div class="question">{lines(text)}{edit}</div>{written(text)}' if text else "")


def meter(label: str, fraction: float) -> str:
    """A line of text over a bar."""
    percent = round(100 * min(1.0, max(0.0, fraction)))
    return (
        f'<div class="meter" data-percent="{percent}"><span>{lines(label)}</span>'
        f'<div class="track"><div class="fill" style="width:{percent}%"></div></div></div>'
    )


def copied(name: str, value: str) -> str:
    """A value with a button that copies it."""
    label = f'aria-label="{literal(texts.COPY_NAME.format(name=name))}"'
    button = (
        f'<button type="button" class="press quiet" data-copy="{literal(value)}" data-copied="{literal(texts.COPIED)}"'
        f" {label}>{literal(texts.COPY)}</button>"
    )
    return f'<div class="copied"><span class="quiet">{literal(name)}</span><code>{literal(value)}</code>{button}</div>'


def button(hears: str, name: str, label: str, kind: str = "quiet", more: str = "") -> str:
    """A button of which the server hears by its name, in the hidden field `hears`; `more` are attributes."""
    return f'<button type="button" class="press {kind}" data-{hears}="{name}"{more}>{literal(label)}</button>'


def press(name: str, label: str, kind: str = "quiet") -> str:
    """A button about the library, the model or the endpoint. It stands inside an element that names the library."""
    return button("press", name, label, kind)


def model_button(action: str, what: str, label: str, kind: str = "quiet", *, part: str = "model") -> str:
    """A button that does `action` with `what`: it sends PART:ACTION=WHAT, with WHAT quoted as in an address."""
    return press(f"{part}:{action}={quote(what, safe='')}", label, kind)


def embedder_button(action: str, what: str, label: str, kind: str = "quiet") -> str:
    """The same about embedding models."""
    return model_button(action, what, label, kind, part="embedder")


def read_model_button(name: str, part: str = "model") -> tuple[str, str] | None:
    """What such a button stands for: action, and about what; None for the name of a button of another part."""
    own, _, rest = name.partition(":")
    action, _, what = rest.partition("=")
    return (action, unquote(what)) if own == part else None


def act(name: str, label: str, kind: str = "quiet") -> str:
    """A button about chats; what it is about follows its name."""
    return button("act", name, label, kind)


def of_library(library: str) -> str:
    """The attribute that says to `page.js` what library the buttons inside an element belong to."""
    return f' data-library="{literal(library)}"'


def library_button(name: str, label: str, kind: str = "quiet", about: int | None = None, title: str = "") -> str:
    """A button that sends its name and what it is `about`. It stands inside an element that names the library."""
    which = f' data-about="{about}"' if about is not None else ""
    told = f' title="{literal(title)}" aria-label="{literal(title)}"' if title else ""
    return button("shelf", name, label, kind, which + told)


def library_icon(name: str, sign: str, about: int, title: str, label: str) -> str:
    """The same, as a sign with a `label` for those who cannot see it."""
    return (
        f'<button type="button" class="remove" data-shelf="{name}" data-about="{about}" title="{literal(title)}"'
        f' aria-label="{literal(label)}">{sign}</button>'
    )
