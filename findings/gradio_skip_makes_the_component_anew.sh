#!/usr/bin/env bash
# gradio: `gr.skip()` is documented to leave an output as it is. For the session that asked it builds the output's
# component again, from the arguments of its constructor: what was set on the component after it was made (an attribute
# that its own postprocess reads, a method of the instance) is gone from then on, in that session alone. Another session,
# in which nothing was skipped yet, still has it. So one handler that skips changes what later handlers show.
#
# Usage: findings/gradio_skip_makes_the_component_anew.sh   exit 0: still so; 1: it behaves otherwise now; 2: not tried
# Installs gradio into a temporary folder. Serves on 127.0.0.1 only.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install --quiet gradio==6.31.0 2>"$folder/errors" || { cat "$folder/errors" >&2; exit 2; }

echo "expected: 2.72 before and after a handler that skips the number"
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import gradio as gr
from gradio_client import Client

with gr.Blocks() as page:
    number = gr.Number()
    number.precision = 2  # read by its postprocess, which rounds
    gr.Button().click(lambda: 2.71828, None, number, api_name="show")
    gr.Button().click(gr.skip, None, number, api_name="skip")
page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")

one, other = (Client(page.local_url, verbose=False) for _ in range(2))
before = one.predict(api_name="/show")
one.predict(api_name="/skip")
after, elsewhere = one.predict(api_name="/show"), other.predict(api_name="/show")
print(f"real: gradio {gr.__version__}: {before} before, {after} after, {elsewhere} in another session")
as_found = (before, after, elsewhere) == (2.72, 2.71828, 2.72)
print("as found" if as_found else "it behaves otherwise now")
sys.exit(not as_found)
PYTHON
