"""The dialogs of the heading as markup: quitting, keys, a server that is gone. Pure functions."""

from __future__ import annotations

from localspec import texts
from localspec.ui.elements import literal


def quitting() -> str:
    """The dialog that `quit.js` takes from step to step until LocalSpec has ended."""
    said = f"<h2>{texts.QUIT_SURE}</h2><p>{texts.QUIT_WHAT}</p>"
    buttons = (
        f'<button type="button" class="press warm" data-quit="now">{texts.QUIT}</button>'
        f'<button type="button" class="press quiet" data-quit="not" autofocus>{texts.CANCEL}</button>'
    )
    return (
        f'<div><dialog data-step="ask" aria-label="{texts.QUIT_NAME}"><div class="ask">{said}{buttons}</div>'
        f'<div class="stopping" role="status"><p class="activity">{texts.QUITTING}</p></div>'
        f'<div class="stopped" role="status"><h2>{texts.QUIT_DONE}</h2><p>{texts.QUIT_DONE_ADVICE}</p></div>'
        "</dialog></div>"
    )


def keys() -> str:
    """What the keyboard can do: the dialog that `keys.js` opens."""
    rows = "".join(f"<dt><kbd>{literal(key)}</kbd></dt><dd>{literal(does)}</dd>" for key, does in texts.KEYS_LIST)
    return (
        f'<div><dialog aria-label="{texts.KEYS_NAME}"><h2>{texts.KEYS}</h2><dl>{rows}</dl><p>{texts.KEYS_MAC}</p>'
        f'<button type="button" class="press quiet" data-keys="close" autofocus>{texts.CLOSE}</button>'
        "</dialog></div>"
    )


def watching() -> str:
    """What `changes.js` shows when the server is another one than the page came from, or is silent."""
    return (
        f'<dialog data-step="silent" aria-label="{texts.TITLE}">'
        f'<div class="silent" role="alert"><h2>{texts.SILENT_TITLE}</h2><p>{texts.SILENT_WHY}</p></div>'
        f'<div class="again" role="alert"><h2>{texts.AGAIN_TITLE}</h2><p>{texts.AGAIN_WHY}</p>'
        f'<button type="button" class="press warm" data-watch="again" autofocus>{texts.AGAIN_BUTTON}</button></div>'
        "</dialog>"
    )
