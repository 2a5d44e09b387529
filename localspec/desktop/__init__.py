"""LocalSpec as a program of the desktop: one instance per folder, its window, its entry in the menu, its end.

`instance` lets one process run per folder and tells a second start where the first one is, `instance_routes` is what
the server answers to that, `window` finds a browser that opens a window without tabs, `menu` writes the starter.

One application per LOCALSPEC_HOME: it holds the lock `stores/.cache/instance.lock`, which the system lifts however it
ends, and writes pid, address, identity and secret into `instance.json` beside it, readable by its owner alone (on
Windows a locked file cannot be read). A start that does not get the lock asks `/localspec/instance` at that address;
the same identity proves that it is the one. It then opens a window there and ends with 0, before anything heavy is
imported. One that is just starting or ending is waited for; a note without a lock is what a killed one left.

Closing the window ends nothing. What ends LocalSpec is Ctrl-C, SIGTERM, the end of its terminal, or "Quit" in the page:
replies being written are stopped as by Stop, then the server closes, then the libraries, which learn what waits.

Imports the ground and `access`. `ui`, `cli` and `app.py` import it.
"""
