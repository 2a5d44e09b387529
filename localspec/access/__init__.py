"""Who may come in, and what of the server is there for whom.

`guard` refuses what another site's page asks for, `sign_in` whoever does not know the secret of this start
(`session_auth`) or the password, `route_allowlist` everything of Gradio's server that the page does not need;
`uploads` and `throttle` bound what a request may take, `bind_address` decides which computers reach the server at all.
All are ASGI middleware without Gradio.

Every request passes, in this order: `guard` (exact Host; no foreign Origin; nothing that another page embeds, by the
browser's Sec-Fetch headers, another port of this computer included), `sign_in` (the secret of this start),
`route_allowlist`, `uploads` (2 GiB at once, 4 GiB waiting, room on the disk). What is refused is not read.

The secret is a cookie: HttpOnly, SameSite=Strict, named after the port, because browsers give cookies to every port.
Everybody on a computer can read what a browser was started with, so a ticket is good once, for two minutes, and on
Linux for the user's own programs only (`/proc/net/tcp` says whose a connection is). A Strict cookie is not sent with a
link on another site; the page that is shown then asks once more by itself. What this leaves open: a program of another
user that listens on another port of this computer, and that the person opens in the same browser, is sent the cookie.

Beyond loopback there must be a password of 12 characters; guesses wait for each other, and an address that guesses
wrong waits longer and longer. The endpoint stays on loopback.

Imports nothing but the ground (errors, config, locks, texts). `desktop`, `ui` and `app.py` import it.
"""
