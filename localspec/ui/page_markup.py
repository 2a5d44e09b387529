"""What stands around the parts of the page, as markup: buttons of the heading, heads of panel and settings. Pure
functions."""

from __future__ import annotations

from localspec import texts
from localspec.ui.elements import literal

TABS = tuple(texts.SETTINGS_TABS)
"""Names of the settings' tabs, in their order"""


def _icon(name: str, sign: str, label: str, more: str = "") -> str:
    """A button that is a sign, for `views.js`."""
    text = literal(label)
    told = f' aria-label="{text}" title="{text}"{more}'
    return f'<button type="button" class="icon" data-view="{name}"{told}>{sign}</button>'


def chats_button() -> str:
    """Shows and hides the list of chats."""
    text = literal(texts.CHATS_SHOWN)
    return f'<button type="button" class="icon" id="toggle-chats" aria-label="{text}" title="{text}">{_MENU}</button>'


def heading_buttons() -> str:
    """Panel, settings, and a menu with what is seldom wanted."""
    label = literal(texts.MORE_NAME)
    return (
        '<div class="heading-buttons">'
        + _icon("panel", _CHART, texts.PANEL_SHOWN, ' aria-expanded="false"')
        + _icon("settings", _SLIDERS, texts.SETTINGS)
        + f'<details class="menu"><summary class="icon" aria-label="{label}" title="{label}">⋯</summary>'
        '<div class="choices">'
        f'<button type="button" class="press quiet" data-keys="show">{texts.KEYS}</button>'
        f'<button type="button" class="press quiet" data-quit="ask">{texts.QUIT_NAME}</button>'
        "</div></details></div>"
    )


def panel_head() -> str:
    """The side view's title, with a button that closes it."""
    return f'<div class="view-head"><h2>{texts.PANEL}</h2>{_icon("panel", "×", texts.PANEL_CLOSE)}</div>'


def settings_head() -> str:
    """The dialog's title and its tabs."""
    tabs = "".join(
        f'<button type="button" role="tab" id="to-{name}" data-tab="{name}" aria-controls="tab-{name}"'
        f' aria-selected="false" tabindex="-1">{literal(label)}</button>'
        for name, label in texts.SETTINGS_TABS.items()
    )
    return (
        f'<div class="view-head"><h2 id="settings-title">{texts.SETTINGS}</h2>'
        f"{_icon('close-settings', '×', texts.CLOSE)}</div>"
        f'<div class="tabs" role="tablist" aria-labelledby="settings-title">{tabs}</div>'
    )


def _drawing(path: str) -> str:
    return (
        '<svg viewBox="0 0 20 20" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.6"'
        f' stroke-linecap="round" aria-hidden="true"><path d="{path}"/></svg>'
    )


_MENU = _drawing("M3 5.5h14M3 10h14M3 14.5h14")
_CHART = _drawing("M3 16.5h14M5.5 13.5v-4M10 13.5v-8M14.5 13.5v-6")
_SLIDERS = _drawing("M3 6h7M14 6h3M12 4v4M3 14h3M10 14h7M8 12v4")
