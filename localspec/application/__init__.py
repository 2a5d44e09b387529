"""What runs beside the page: one model, open libraries, tabs with their chats, and threads that work for them.

`state.Application` holds all of it; `model_manager` loads and unloads, `open_libraries` opens, `chats` are shared by
the tabs that show them (`open_chats`), `branching` shows and edits their branches, `attached_files` go with the next
question, `replying` and `measuring` work in threads, `downloads` and `tuning` (by its program `tuning_child`) in the
background, `embedding_anew` says what another embedding model would take, `remembered` and `starting` know what is
loaded first, `preferences` what was chosen on the page, `conversation` is a tab, `list_states` what it shows of lists.
What there is to see is said by values (`View`, `Measured`): data alone, no markup and no gradio.

A reply is decoded in a thread of its own and belongs to its chat: tabs that show it share one `Chat`, and it goes on
when none does. Where it stands, and what was there before, is said by `asking`. A reply in another's place (retry,
edit) becomes its sibling, in memory and on disk, with its first word; without one, all is as it was. What followed
stays with the old sibling. That something has changed is told to whoever shows it by `changes`. Renaming or deleting a
library closes it first, after the step at work, and is refused while an answer is written. What the page shows of
documents is made anew only after a commit (`Library.changes`).

What is on disk is a download's whole state, so that cancel, kill and restart all go on there. The search for a weight
format runs in a process that is halted (not asked to wait) while a reply is written, documents are indexed or a model
is loaded. A model that was tuned unasked changes at once only while nobody has asked anything; else from the next start
on, and not by itself where a library holds hidden states of the original. What was loaded last is written once it is
loaded (`stores/.cache/model.json`), so that what cannot be loaded is not tried at each start.

Imports `chat`, `endpoint` and what lies below. `ui`, `cli` and `app.py` import it.
"""
