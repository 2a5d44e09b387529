"""The page, and the only room that imports Gradio.

`page.Page` places the parts (`…_part.py`): each makes its components in `build`, ties its handlers to them in
`connect`, and says at every tick in `tell` what there is to see (`part.py`). `events.py` connects parts: buttons inside
markup, and the tick. `chat_updates` and `library_updates` are what several parts send alike. Modules that draw are pure
functions from values to markup: `…_markup.py`, `panel`, `chat_list`, `messages`, `colours`, `maths`, and `elements`,
which escapes. Scripts and styles lie beside them. `app` serves all of it behind `access`; `exports` answers downloads.

A new setting of an answer: a field in `sampling_part`, its name in `options.SAMPLING_ORDER`. A new figure: `panel`.

Imports `application`, `access`, `desktop` and what lies below. Only `app.py` imports it.
"""
