"""The work that makes a document searchable and draftable, in small committed steps that give way to a reply.

`pipeline` takes documents from stage to stage (queued, parsed, passages, ngrams, ready), `state_reading` has the target
read them for their hidden states where that is wanted, `renewal` makes those anew, beside what there is of them, that
an older version has read or another embedder has embedded (`renewed_documents`), `removed_documents` keeps those that
a person has removed and can bring back, `worker` decides what is most urgent and tells how far it is, as `progress` has
it.
May import the ground, `stores.database`, `stores.background`, `stores.replies`, and the rooms documents, ngrams and
states.
"""
