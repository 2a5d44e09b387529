"""Text of documents, people and the model as markup that cannot do anything but be read. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from localspec import texts
from localspec.chat.citations import Citation
from localspec.stores.library import IngestionProgress
from localspec.ui import maths

_MEANING = re.compile(r"""[&<>"'\\`*_{}\[\]()#+\-.!|~$:]""")
_CODE = re.compile(
    r"(?P<fence>^ {0,3}(?P<mark>`{3,}|~{3,})[^\n]*(?:\n.*?)??(?:\n {0,3}(?P=mark)[`~]*[ \t]*$|\Z))"
    r"|(?P<span>(?<![\\`])(?P<ticks>`{1,2})(?!`)[^`\n]+(?P=ticks)(?!`))",
    re.DOTALL | re.MULTILINE,
)
_FENCE_LANGUAGE = re.compile(r"\A( {0,3}(?:`{3,}|~{3,}))[^\n]*")
_MARKER = re.compile(r"(?<![\\!])\[(\d{1,3}(?:\s?[,;]\s?\d{1,3}){0,9})\](?!\()")
"""Numbers of passages as models write them: [1], or [1, 2]."""


def literal(text: str) -> str:
    """`text` shown as it is, in HTML and in Markdown alike: every character that means something is an entity."""
    return _MEANING.sub(lambda found: f"&#{ord(found.group())};", maths.unmarked(text))


def lines(text: str) -> str:
    """`text` shown as it is, with its line breaks and in one line of markup, so that no blank line ends an element."""
    return "<br>".join(literal(line) for line in text.splitlines())


def answer(text: str, numbers: Collection[int] = ()) -> str:
    """The model's Markdown with its tags shown instead of run, its pictures as text, and its formulas marked.

    A document can make a model write anything: a picture from another computer would tell that computer what was
    read. Code stays as it is (the page escapes it), but without a language that would be drawn as a diagram. Where one
    of the `numbers` stands in brackets, it becomes a button that opens the passage.
    """
    parts: list[str] = []
    end = 0
    text = maths.unmarked(text)
    for found in _CODE.finditer(text):
        parts.append(_prose(text[end : found.start()], numbers))
        code = found.group()
        if found.group("fence") and "mermaid" in code.split("\n", 1)[0].casefold():
            code = _FENCE_LANGUAGE.sub(r"\1", code, count=1)
        parts.append(code)
        end = found.end()
    parts.append(_prose(text[end:], numbers))
    return "".join(parts)


def _prose(text: str, numbers: Collection[int]) -> str:
    return "".join(maths.marked(part) if part.is_formula else _words(part.text, numbers) for part in maths.parts(text))


def _words(text: str, numbers: Collection[int]) -> str:
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace("![", "!&#91;")
    return _MARKER.sub(lambda found: _markers(found, numbers), safe) if numbers else safe


def _markers(found: re.Match[str], numbers: Collection[int]) -> str:
    """Numbers in brackets as buttons, if there is a passage for each of them."""
    named = [int(number) for number in re.findall(r"\d+", found.group(1))]
    if not all(number in numbers for number in named):
        return found.group()
    return "".join(cite(number, str(number), "marker") for number in named)


def cite(number: int, label: str, kind: str) -> str:
    """A button that opens the passage of this number; `label` is markup."""
    # By name and not as data, because the chat's own cleaning keeps only attributes that it knows.
    title = texts.OPEN_PASSAGE.format(number=number)
    return f'<button type="button" class="cite {kind}" name="cite {number}" title="{title}">{label}</button>'


def closed(text: str) -> str:
    """Markdown that code may end in the middle of, so that what follows is no part of it."""
    fences = [found for found in _CODE.finditer(text) if found.group("fence")]
    if not fences or fences[-1].end() < len(text):
        return text
    mark = fences[-1].group("mark")
    is_closed = re.search(rf"\n {{0,3}}{re.escape(mark)}[`~]*[ \t]*\Z", fences[-1].group())
    return text if is_closed else f"{text}\n{mark}"


def note(text: str, kind: str = "note") -> str:
    """A short line under or instead of an answer."""
    return f'<div class="{kind}">{lines(text)}</div>'


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
        # By name and not as data, because the chat's own cleaning keeps only attributes that it knows.
        edit = f'<button type="button" class="act" name="edit {number}" title="{texts.EDIT_THIS}">{texts.EDIT}</button>'
    return shown + (f'<div class="question">{lines(text)}{edit}</div>' if text else "")


def meter(label: str, fraction: float) -> str:
    """A line of text over a bar."""
    percent = round(100 * min(1.0, max(0.0, fraction)))
    return (
        f'<div class="meter" data-percent="{percent}"><span>{lines(label)}</span>'
        f'<div class="track"><div class="fill" style="width:{percent}%"></div></div></div>'
    )


def indexing(progress: IngestionProgress) -> str:
    """Where the work on the documents stands; empty when there is none."""
    if progress.problem:
        return note(progress.problem, "problem")
    if progress.done or not progress.stage:
        return ""
    label = f"{texts.STAGES.get(progress.stage, progress.stage)}: {progress.name} · {progress.fraction:.0%}"
    if progress.documents_total > 1:
        label += f" · {texts.DOCUMENTS_DONE.format(done=progress.documents_done, total=progress.documents_total)}"
    if progress.seconds_left is not None:
        left = texts.TIME_TO_ASK if progress.stage in ("reading", "splitting", "n-grams") else texts.TIME_LEFT
        label += f" · {left.format(time=texts.seconds(progress.seconds_left))}"
    return meter(label, progress.fraction)


def meaning(library: str, states: int | None, missing: int, *, reading: bool, seconds: float | None) -> str:
    """What is to be said about the library's drafts by meaning; empty when all is there.

    `states` are those stored, None where the model gives none; `missing` tokens have none yet, which takes `seconds`
    once somebody asks for it, or is being done (`reading`).
    """
    if states is None:
        return _meaning(library, "never", texts.MEANING_NEVER)
    if missing and reading:
        said = texts.MEANING_READING.format(tokens=texts.counted(missing, "token"))
        return _meaning(library, "reading", said, press("unbuild", texts.MEANING_STOP))
    if missing:
        time = texts.MEANING_NO_TIME if seconds is None else texts.MEANING_TIME.format(time=texts.roughly(seconds))
        said = f"{texts.meaning_missing(missing)} {texts.MEANING_WHY} {time}"
        return _meaning(library, "missing", said, press("build", texts.MEANING_BUILD))
    return "" if states else _meaning(library, "empty", texts.MEANING_EMPTY)


def _meaning(library: str, state: str, said: str, button: str = "") -> str:
    return f'<div class="meaning" data-meaning="{state}"{of_library(library)}><p>{lines(said)}</p>{button}</div>'


def learnt(library: str, replies: int, tokens: int, *, learns: bool, asking: bool) -> str:
    """How many answers the library has learnt, with a button to forget them; `asking` whether that is really wanted."""
    if replies and asking:
        # No button stands where the first one stood, for a double click.
        buttons = press("keep", texts.FORGET_NOT) + press("forget", texts.FORGET_NOW, "warm")
        said = f"<p>{lines(texts.forget_sure(replies))}</p>{buttons}"
    elif replies:
        counts = texts.LEARNT.format(answers=texts.counted(replies, "answer"), tokens=texts.counted(tokens, "token"))
        rest = "" if learns else f"<p>{lines(texts.NOT_LEARNING)}</p>"
        said = f'<span data-figure="learnt">{lines(counts)}</span>{press("ask", texts.FORGET)}{rest}'
    else:
        said = lines(texts.NOTHING_LEARNT if learns else texts.NOT_LEARNING)
    return f'<div class="learnt" data-learns="{"on" if learns else "off"}"{of_library(library)}>{said}</div>'


def copied(name: str, value: str) -> str:
    """A value with a button that copies it."""
    label = f'aria-label="{literal(texts.COPY_NAME.format(name=name))}"'
    button = (
        f'<button type="button" class="press quiet" data-copy="{literal(value)}" data-copied="{literal(texts.COPIED)}"'
        f" {label}>{literal(texts.COPY)}</button>"
    )
    return f'<div class="copied"><span class="quiet">{literal(name)}</span><code>{literal(value)}</code>{button}</div>'


def press(name: str, label: str, kind: str = "quiet") -> str:
    """A button of which the server hears by its name. It stands inside an element that names the library."""
    return f'<button type="button" class="press {kind}" data-press="{name}">{literal(label)}</button>'


def quitting() -> str:
    """The button that ends LocalSpec, and the dialog that `quit.js` takes from step to step."""
    said = f"<h2>{texts.QUIT_SURE}</h2><p>{texts.QUIT_WHAT}</p>"
    buttons = (
        f'<button type="button" class="press warm" data-quit="now">{texts.QUIT}</button>'
        f'<button type="button" class="press quiet" data-quit="not" autofocus>{texts.QUIT_NOT}</button>'
    )
    first = f'<button type="button" class="press quiet" data-quit="ask" aria-label="{texts.QUIT_NAME}">'
    return (
        f"<div>{first}{texts.QUIT}</button>"
        f'<dialog data-step="ask" aria-label="{texts.QUIT_NAME}"><div class="ask">{said}{buttons}</div>'
        f'<div class="stopping" role="status"><p class="activity">{texts.QUITTING}</p></div>'
        f'<div class="stopped" role="status"><h2>{texts.QUIT_DONE}</h2><p>{texts.QUIT_DONE_ADVICE}</p></div>'
        "</dialog></div>"
    )


def keys() -> str:
    """The button that shows what the keyboard can do, and the dialog that `keys.js` opens."""
    rows = "".join(f"<dt><kbd>{literal(key)}</kbd></dt><dd>{literal(does)}</dd>" for key, does in texts.KEYS_LIST)
    first = f'<button type="button" class="press quiet" data-keys="show" aria-label="{texts.KEYS_NAME}">'
    return (
        f"<div>{first}{texts.KEYS}</button>"
        f'<dialog aria-label="{texts.KEYS_NAME}"><h2>{texts.KEYS}</h2><dl>{rows}</dl><p>{texts.KEYS_MAC}</p>'
        f'<button type="button" class="press quiet" data-keys="close" autofocus>{texts.KEYS_CLOSE}</button>'
        "</dialog></div>"
    )


def watching() -> str:
    """What `watch.js` shows when the server is another one than the page came from, or is silent."""
    return (
        f'<dialog data-step="silent" aria-label="{texts.TITLE}">'
        f'<div class="silent" role="alert"><h2>{texts.SILENT_TITLE}</h2><p>{texts.SILENT_WHY}</p></div>'
        f'<div class="again" role="alert"><h2>{texts.AGAIN_TITLE}</h2><p>{texts.AGAIN_WHY}</p>'
        f'<button type="button" class="press warm" data-watch="again" autofocus>{texts.AGAIN_BUTTON}</button></div>'
        "</dialog>"
    )


def of_library(library: str) -> str:
    """The attribute that says to `page.js` what library the buttons inside an element belong to."""
    return f' data-library="{literal(library)}"'


def draft(state: str, said: str, *, problem: bool = False) -> str:
    """The line about the draft model. Token texts of its file may stand in what is `said`."""
    kind = "problem" if problem else "note"
    return f'<div class="draft {kind}" data-draft="{state}">{lines(said)}</div>'
