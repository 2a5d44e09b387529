"""OpenAI's protocol for other programs on this computer.

`paths` are those below /v1. Requests are read by `chat_request`, `completion_request` and `embedding_request`, field by
field (`request_fields`; `reply_fields` are those that both kinds of replies share, `message_fields` and `tool_fields`
those of chats); `refusals` is how one is refused. `prompts` makes the tokens behind which `answers` writes, one worker
for each request. `reply_pieces` makes of a reply's tokens what is sent: text up to a stop text (`stops`), calls of
tools (`tool_calls`, `call_heads`, `json_scan`), probabilities; `reply_forms` and `responses` shape it as OpenAI has it.
`answer_schemas` holds an answer to a format, or to a call that must come. `text_vectors` answers without the chat's
model, a few texts at a time, so that no question waits long for the embedder. `access` is the switch and the token,
`service` joins all for an application. Imports the chat and what lies below it; the application may import it.

A request is read in full before anything else (4 MiB, 32 levels), then gets a thread that waits for the engine's lock
like a chat's reply. Its events reach the server's loop through a queue without limit, so a client that reads slowly
never holds the model. What ends a request early: its client going away, the switch, the end of the application, or
120 s without its turn (503); the seventeenth at once is refused (429). Status codes are right because nothing is sent
before the turn has come. A stop text ends the answer where it is complete first, and tokens are counted up to there, so
that drafts change neither text nor counts. The token lies in `stores/.cache/endpoint-token`; the switch is off at every
start.
"""
