"""What runs beside the page: one model, open libraries, tabs with their chats, and threads that work for them.

`state.Application` holds all of it; `model_manager` loads and unloads, `open_libraries` opens, `chats` are shared by
the tabs that show them, `replying` and `measuring` work in threads, `downloads` and `tuning` in the background,
`remembered` and `starting` know what is loaded first. `views` are the values that say what there is to see: data alone,
no markup and no gradio.

Imports `chat`, `endpoint` and what lies below. `ui`, `cli` and `app.py` import it.
"""
