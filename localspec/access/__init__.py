"""Who may come in, and what of the server is there for whom.

`guard` refuses what another site's page asks for, `sign_in` whoever does not know the secret of this start
(`session_auth`) or the password, `route_allowlist` everything of Gradio's server that the page does not need;
`uploads` and `throttle` bound what a request may take, `bind_address` decides which computers reach the server at all.
All are ASGI middleware without Gradio.

Imports nothing but the ground (errors, config, locks, texts). `desktop`, `ui` and `app.py` import it.
"""
