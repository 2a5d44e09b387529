"""LocalSpec: a local chat whose drafts come from the person's own documents."""

import os

# llama.cpp's threads meet at a barrier after every operation, hundreds of times per token. GNU OpenMP lets the first to
# arrive spin for milliseconds before it sleeps, which keeps a core from the very thread it waits for as soon as another
# program runs: a token then takes seconds. A short spin costs nothing on an idle machine (docs/log.md). It is read when
# the OpenMP library is loaded, hence here.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
