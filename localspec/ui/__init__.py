"""The page, and the only room that imports Gradio.

`page.Page` places the parts (`…_part.py`): each makes its components in `build`, ties its handlers to them in
`connect`, and says at every look in `tell` what there is to see (`part.py`). The page connects parts: buttons inside
markup, and looks. A page hears of changes by server-sent events (`change_events`, `scripts/changes.js`) and checks: it
is sent what has changed of our own markup (`part.html`), and looks by Gradio where a field of Gradio's has changed. The
answer that is being written it draws itself (`growing_answer`, `scripts/growing.js`).
`chat_updates` and `library_updates` are what several parts send
alike. `chat_listing` reads the list of chats for each tab, `chat_filing` does what its buttons say about pins and
folders. Modules that draw are pure functions from values to markup: `…_markup.py`, `panel`, `answer_line`,
`message_actions`, `chat_list`, `messages`, `maths`, and `elements`, which escapes; `page_markup` and `dialogs` are what
stands around the parts, `tab_markup` what scripts read. `model_fields` reads the fields about models. Scripts and
styles lie in `scripts/` and `styles/`: `scripts/focus.js` keeps the focus where an element is drawn anew,
`scripts/menus.js` lets every menu (details of the class "menu" or "switch") float, one at a time, and
`scripts/announcing.js` has read out what stands in the attribute "data-say". `app` serves all of it behind `access`;
`exports` answers downloads. `first_page` serves the page with our scripts before Gradio's and with what
`application.preferences` hold, `kept_fields` writes what is chosen into them and tells other tabs; a part says in
`opening` what its fields hold in a new tab. `environment` settles what Gradio reads there, before it is imported.

A new setting of an answer: a field in `settings_part`, its name in `options.SAMPLING_ORDER` and among the fields of
`application.preferences`. A new figure: `panel`.

Markup that people, documents or models control is escaped (`elements`); the policy of `access.guard` is for what slips
through: no remote picture, script, frame, form or connection. Uploads are served as bytes, never as pages or scripts.
The model's Markdown is parsed here (`answer_markup`), and Gradio's parser is handed blocks of HTML and fences of code.
Formulas stand between marks that nobody writes, and Gradio's KaTeX knows these marks alone; `scripts/copying.js` gives
the clipboard what was written instead of that markup. A component that needs another route of Gradio's is let through
in `access.route_allowlist`.

Imports `application`, `access`, `desktop` and what lies below. Only `app.py` imports it.
"""
