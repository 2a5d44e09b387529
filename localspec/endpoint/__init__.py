"""OpenAI's protocol for other programs on this computer.

`paths` are those below /v1, `protocol` reads requests and writes responses, `answers` are the requests being
answered, `access` is the switch and the token, `service` joins them for an application. Imports the chat and what lies
below it; the application may import it.

A request is read in full before anything else (4 MiB, 32 levels), then gets a thread that waits for the engine's lock
like a chat's reply. Its events reach the server's loop through a queue without limit, so a client that reads slowly
never holds the model. What ends a request early: its client going away, the switch, the end of the application, or
120 s without its turn (503); the seventeenth at once is refused (429). Status codes are right because nothing is sent
before the turn has come. A stop text ends the answer where it is complete first, and tokens are counted up to there, so
that drafts change neither text nor counts. The token lies in `stores/.cache/endpoint-token`; the switch is off at every
start.
"""
