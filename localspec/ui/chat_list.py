"""The list of kept chats as markup, and what stands between a chat and the entry. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from localspec import texts
from localspec.application.list_states import ListState
from localspec.chat.turn import Turn
from localspec.stores.chat_folders import FOLDER_CHARACTERS, ChatFolder
from localspec.stores.conversations import MARK, TITLE_CHARACTERS, UNMARK, ConversationInfo
from localspec.stores.deleted_chats import KEPT_DAYS, DeletedItem
from localspec.ui import elements
from localspec.ui.elements import act

_LEAST_SHARE = 0.4
"""Percent of the bar that a part gets which is there at all."""
_MARKED = re.compile(f"{MARK}([^{MARK}{UNMARK}]*){UNMARK}")


@dataclass(frozen=True, slots=True)
class Listed:
    """What a list shows."""

    chats: Sequence[ConversationInfo] = ()  # those in no folder and not pinned, or what a search has found
    more: bool = False  # there are more of these
    filed: Sequence[ConversationInfo] = ()  # those that are pinned or in a folder
    folders: Sequence[ChatFolder] = ()
    deleted: Sequence[DeletedItem] = ()  # deleted last first
    more_deleted: bool = False


def head_menu() -> str:
    """The menu beside the search."""
    links = _link("all.md", texts.EXPORT_ALL_MARKDOWN) + _link("all.json", texts.EXPORT_ALL_JSON)
    importing = elements.button("opens", "#import-chats", texts.IMPORT_CHATS)
    return _menu("chats", texts.CHATS_MENU, links + importing)


def chats(listed: Listed, state: ListState, current: int, problem: str, now: datetime) -> str:
    """The list; `current` is the id of the chat on the page. `now` has the time zone that days are told in."""
    said = elements.note(problem, "problem") if problem else ""
    folders = {folder.id: folder for folder in listed.folders}

    def rows(infos: Iterable[ConversationInfo]) -> str:
        drawn = "".join(_row(info, state, current, folders, now) for info in infos)
        return f'<ul class="chats">{drawn}</ul>' if drawn else ""

    if state.query.strip():
        groups = rows(listed.chats)
        empty = texts.NOTHING_FOUND
    else:
        pinned = rows(info for info in listed.filed if info.pinned)
        groups = _group(texts.PINNED, pinned)
        for folder in listed.folders:
            inside = [info for info in listed.filed if info.folder == folder.id and not info.pinned]
            groups += _folder(folder, state, len(inside), "" if folder.collapsed else rows(inside))
        for label, days in groupby(listed.chats, key=lambda info: _group_of(info.changed, now)):
            groups += _group(label, rows(days))
        empty = texts.NO_CHATS
    none = "" if groups else f'<p class="quiet">{elements.lines(empty)}</p>'
    rest = (
        f'<button type="button" class="press quiet" data-act="more">{texts.MORE_CHATS}</button>' if listed.more else ""
    )
    return f"{said}{none}{groups}{rest}{_bin(listed)}{_undo(listed, state)}"


def _group(label: str, rows: str) -> str:
    """Chats under a heading; empty where there are none."""
    return f'<section class="group" aria-label="{label}"><h2>{label}</h2>{rows}</section>' if rows else ""


def _local(moment: str, now: datetime) -> datetime:
    """A moment as it is kept, in the time zone of `now`. Raises ValueError."""
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).astimezone(now.tzinfo)


def _group_of(changed: str, now: datetime) -> str:
    """The heading for what changed then."""
    try:
        days = (now.date() - _local(changed, now).date()).days
    except (ValueError, OverflowError):
        return texts.OLDER
    if days <= 1:
        return texts.TODAY if days <= 0 else texts.YESTERDAY
    return texts.PREVIOUS_WEEK if days <= 7 else texts.OLDER


def _folder(folder: ChatFolder, state: ListState, chats: int, rows: str) -> str:
    name = elements.literal(folder.name)
    if state.renaming_folder == folder.id:
        heading = _typed(f"title-folder {folder.id}", folder.name, texts.NEW_FOLDER_NAME, FOLDER_CHARACTERS)
    else:
        wanted, opened = ("unfold", "false") if folder.collapsed else ("fold", "true")
        menu = _asking(f"rename-folder {folder.id}", texts.RENAME, f"title-folder {folder.id}")
        menu += act(f"delete-folder {folder.id}", texts.FOLDER_DELETE, "warm")
        heading = (
            f'<h2><button type="button" class="fold" data-act="{wanted} {folder.id}" aria-expanded="{opened}">{name}'
            f' <span class="quiet">{chats}</span></button></h2>'
            + _menu(f"folder {folder.id}", texts.FOLDER_MENU.format(name=folder.name), menu)
        )
    return (
        f'<section class="group chat-folder" data-key="folder {folder.id}" aria-label="{name}">'
        f'<div class="head">{heading}</div>{rows}</section>'
    )


def _row(info: ConversationInfo, state: ListState, current: int, folders: dict[int, ChatFolder], now: datetime) -> str:
    title = elements.literal(info.title)
    if state.renaming == info.id:
        inside = _typed(f"title {info.id}", info.title, texts.NEW_TITLE, TITLE_CHARACTERS)
    elif state.filing == info.id:
        inside = _filing(info, list(folders.values()))
    else:
        here = ' aria-current="true"' if info.id == current else ""
        try:
            date = _local(info.changed, now).date().isoformat()
        except (ValueError, OverflowError):
            date = info.changed
        about = elements.literal(texts.CHANGED.format(title=info.title, date=date, library=info.library))
        snippet = f'<span class="snippet">{_snippet(info.snippet)}</span>' if info.snippet else ""
        inside = (
            f'<button type="button" class="open" data-act="open {info.id}" title="{about}"{here}>'
            f'<span class="name">{title}</span>{snippet}'
            f"</button>{_chat_menu(info)}"
        )
    kind = "chat current" if info.id == current else "chat"
    return f'<li class="{kind}" data-chat="{info.id}" data-key="chat {info.id}">{inside}</li>'


def _typed(name: str, value: str, label: str, longest: int, more: str = "") -> str:
    """A field whose text is sent behind the `name`, with its buttons."""
    return (
        f'<input type="text" class="title" data-typed="{name}" value="{elements.literal(value)}" maxlength="{longest}"'
        f' aria-label="{label}" placeholder="{label}"{more}>'
        f'<div class="buttons">{act(name, texts.SAVE)}{act("keep", texts.CANCEL)}</div>'
    )


def _filing(info: ConversationInfo, folders: Sequence[ChatFolder]) -> str:
    """Which folder a chat goes into: one of those that there are, or a new one."""
    known = "".join(act(f"into {info.id} {folder.id}", folder.name) for folder in folders if folder.id != info.folder)
    there = f'<div class="buttons">{known}</div>' if known else ""
    field = _typed(f"move {info.id}", "", texts.FOLDER_NAME, FOLDER_CHARACTERS)
    return f"<p>{elements.literal(info.title)}</p>{there}{field}"


def _chat_menu(info: ConversationInfo) -> str:
    number = info.id
    copy = (
        f'<button type="button" class="press quiet" data-copy-from="/export/{number}.md"'
        f' data-copied="{texts.COPIED}">{texts.COPY_MARKDOWN}</button>'
    )
    items = [
        _asking(f"rename {number}", texts.RENAME, f"title {number}"),
        act(f"unpin {number}", texts.UNPIN) if info.pinned else act(f"pin {number}", texts.PIN),
        _asking(f"file {number}", texts.FILE, f"move {number}"),
        act(f"into {number} 0", texts.UNFILE) if info.folder else "",
        copy,
        _link(f"{number}.md", texts.EXPORT_MARKDOWN),
        _link(f"{number}.json", texts.EXPORT_JSON),
        act(f"delete {number}", texts.DELETE, "warm"),
    ]
    return _menu(f"chat {number}", texts.CHAT_MENU.format(title=info.title), "".join(items))


def _asking(name: str, label: str, field: str) -> str:
    """A button after which something is typed: into the field of this name."""
    return elements.button("act", name, label, more=f' data-asks="{field}"')


def _link(file: str, label: str) -> str:
    return f'<a href="/export/{file}" download>{label}</a>'


def _menu(key: str, label: str, items: str) -> str:
    """A button with three dots that opens a list of buttons; `menus.js` lets it float."""
    label = elements.literal(label)
    return (
        f'<details class="menu" data-key="menu {key}"><summary aria-label="{label}" title="{label}">⋯</summary>'
        f'<div class="choices">{items}</div></details>'
    )


def _bin(listed: Listed) -> str:
    """What was deleted and can be taken back; empty where there is nothing."""
    if not listed.deleted:
        return ""
    rows = []
    for item in listed.deleted:
        about = f"{item.kind} {item.id}"
        buttons = "".join(
            elements.button("act", f"{name} {about}", label, kind, _named(told.format(title=item.title)))
            for name, label, told, kind in (
                ("restore", texts.RESTORE, texts.RESTORE_THIS, "quiet"),
                ("purge", texts.PURGE, texts.PURGE_THIS, "quiet warm"),
            )
        )
        title = elements.literal(item.title)
        rows.append(f'<li data-key="deleted {about}"><span>{title}</span><div class="buttons">{buttons}</div></li>')
    more = f"<li>{act('more-deleted', texts.MORE_CHATS)}</li>" if listed.more_deleted else ""
    info = elements.literal(texts.RECENTLY_DELETED_INFO.format(days=KEPT_DAYS))
    return (
        f'<details class="bin" data-key="bin"><summary title="{info}">{texts.RECENTLY_DELETED}</summary>'
        f"<ul>{''.join(rows)}{more}</ul></details>"
    )


def _named(label: str) -> str:
    label = elements.literal(label)
    return f' aria-label="{label}" title="{label}"'


def _undo(listed: Listed, state: ListState) -> str:
    """What this tab deleted last, with a button that takes it back; `announcing.js` has it read out."""
    item = next((one for one in listed.deleted if (one.kind, one.id) == state.deleted), None)
    if item is None:
        return ""
    said = elements.literal(texts.WAS_DELETED[item.kind].format(title=item.title))
    undo = elements.button("act", f"restore {item.kind} {item.id}", texts.UNDO)
    close = f'<button type="button" class="close" data-act="dismiss-undo"{_named(texts.DISMISS)}>×</button>'
    return f'<div class="undo" data-key="undo" data-say="{said}"><span>{said}</span>{undo}{close}</div>'


def _snippet(text: str) -> str:
    """A search's snippet with its words marked; marks that the text itself holds are no more than signs."""
    shown: list[str] = []
    end = 0
    for found in _MARKED.finditer(text):
        shown += [_plain(text[end : found.start()]), f"<mark>{_plain(found.group(1))}</mark>"]
        end = found.end()
    return "".join([*shown, _plain(text[end:])])


def _plain(text: str) -> str:
    spaced = re.sub(r"\s+", " ", text.replace(MARK, "").replace(UNMARK, "").replace("\0", ""))
    return elements.literal(spaced)


def below(editing: int | None, questions: int, can_go_on: bool, *, rewriting: bool = False) -> str:
    """What stands between the chat and the entry: that a question or an answer (`rewriting`) is being edited, or that
    its answer can go on."""
    if rewriting:
        said = elements.lines(texts.EDITING_ANSWER)
        return f'<div class="below"><span>{said}</span>{act("unedit", texts.CANCEL)}</div>'
    if editing is not None:
        later = questions - editing - 1
        said = texts.editing(later)
        return f'<div class="below"><span>{elements.lines(said)}</span>{act("unedit", texts.CANCEL)}</div>'
    if can_go_on:
        return f'<div class="below">{act("continue", texts.GO_ON)}</div>'
    return ""


def context_meter(turn: Turn | None) -> str:
    """What fills the model's context after this turn, or at its start while the answer is written, as a bar with a
    legend; empty where that is not known."""
    if turn is None or turn.window is None or not turn.window.size:
        return ""
    window = turn.window
    answer = len(turn.reply_tokens) if turn.finish else 0
    free = window.free(answer)
    used = window.size - free
    parts = {
        "system": window.system,
        "documents": window.documents,
        "earlier": window.earlier,
        "question": window.question,
        "answer": answer,
        "free": free,
    }
    shown = {name: tokens for name, tokens in parts.items() if tokens or name == "free"}
    whole = max(1, sum(parts.values()))
    bar = "".join(
        f'<i class="window-{name}" style="width:{max(_LEAST_SHARE, 100 * tokens / whole):.1f}%"></i>'
        for name, tokens in shown.items()
        if name != "free"
    )
    legend = "".join(
        f'<span title="{texts.WINDOW_MEANS[name]}"><i class="window-{name}"></i>{texts.WINDOW_PARTS[name]}'
        f' <b data-window="{name}">{tokens:,}</b></span>'
        for name, tokens in shown.items()
    )
    title = texts.WINDOW_USED.format(used=f"{used:,}", size=f"{window.size:,}")
    forgotten = ""
    if window.forgotten:
        said = texts.forgotten(window.forgotten)
        forgotten = f'<div class="forgotten" data-window="forgotten">{said}</div>'
    return (
        f'<div class="window" data-size="{window.size}"><div class="window-bar" role="img" aria-label="{title}"'
        f' title="{title}">{bar}</div><div class="window-legend">{legend}</div>{forgotten}</div>'
    )
