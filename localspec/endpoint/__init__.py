"""OpenAI's protocol for other programs on this computer.

`paths` are those below /v1, `protocol` reads requests and writes responses, `answers` are the requests being
answered, `access` is the switch and the token, `service` joins them for an application. Imports the chat and what lies
below it; the application may import it.
"""
