"""LocalSpec as a program of the desktop: one instance per folder, its window, its entry in the menu, its end.

`instance` lets one process run per folder and tells a second start where the first one is, `instance_routes` is what
the server answers to that, `window` finds a browser that opens a window without tabs, `menu` writes the starter.

Imports the ground and `access`. `ui`, `cli` and `app.py` import it.
"""
