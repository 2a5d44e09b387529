"""The chat: from a question to a streamed, cited answer that is kept.

`session` is a conversation. A question goes through `prompt_builder` (what of the conversation fits; `material`,
`routing` and `whole_documents` choose the text of documents, `template` makes token ids) to `answer`, which decodes
behind the prompt into a `turn`. `single` answers a conversation that is kept elsewhere, `comparison` answers one prompt
with several methods. `answer_worker` is the thread that all of them run in. `engine` is the loaded model, `methods`
the choice of drafters. `history` keeps chats while they are written, `transfer` exports and imports them.

Imports models, stores and speculation. The endpoint, the application, the page, the command line and the benchmarks
may import it.
"""
