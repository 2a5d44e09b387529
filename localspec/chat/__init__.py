"""The chat: from a question to a streamed, cited answer that is kept.

`session` is a conversation, or one reply to a conversation that is kept elsewhere. A question goes through
`prompt_builder` (what of the conversation fits; `material` chooses the text of documents, with `routing` by a
question's words, `places` for the pages it names and `following` for what it refers back to) to `answer`, which decodes
behind the prompt into a `turn`. `template` makes token ids of messages, in the first of `message_forms` that the
model's own template takes, run in `template_environment`; `reply_stream` tells thinking from answers while tokens come.
`token_probabilities` are those of tokens that are written. `context_usage` tells what fills the context. `comparison`
answers one prompt with several methods. `answer_worker` is the thread that all of them run in, and stops them. `engine`
is the loaded model, `methods` the choice of drafters, `library_setup` ties a library to both. `named_file` keeps
sampling presets and `system_prompts` by name. `turn_tree` is all turns of a chat, of which a path is shown. `history`
keeps chats while they are written, `transfer` exports and imports them, `standing` tells which cited documents are gone
or changed.

Documents read whole stand in the message of the question that first wanted them. That turn is pinned: where the chat
outgrows the context, the turns around it are left out and it stays, so that the prompt keeps its beginning and the
documents are prefilled once. What does not fit is an error with figures, never cut. When a reply ends, its hidden
states go into the library with it, at no extra decode. What replies teach (acceptance, T(k)) outlives them in the
`Engine` and is saved in `stores/.cache`. The whole chat's speedup is what plain decoding would have taken, reply by
reply with its own baseline, over what was taken.

Imports models, stores and speculation. The endpoint, the application, the page, the command line and the benchmarks
may import it.
"""
