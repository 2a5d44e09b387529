#!/usr/bin/env bash
# gradio: what a handler says by gr.Warning or gr.Info is shown to nobody, and no error is raised, where its event does
# not go by the queue (queue=False); the same handler with the queue shows it.
#
# Usage: findings/gradio_warning_without_queue_is_lost.sh   exit 0: still so; 1: it behaves otherwise now; 2: not tried
# Installs gradio and playwright into a temporary folder; uses a Chromium of the system. Serves on 127.0.0.1 only.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chromium=$(command -v chromium || command -v google-chrome) || exit 2
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install --quiet gradio==6.31.0 playwright==1.65.2 2>"$folder/errors" || { cat "$folder/errors" >&2; exit 2; }

echo "expected: one message each"
cd "$folder"
CHROMIUM="$chromium" "$folder/venv/bin/python" - <<'PYTHON'
import os
import sys

import gradio as gr
from playwright.sync_api import sync_playwright

def warn():
    gr.Warning("The disk is full.")


with gr.Blocks() as page:
    gr.Button("With").click(warn)
    gr.Button("Without").click(warn, queue=False)
page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
seen = {}
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    for name in ("With", "Without"):
        tab = browser.new_page()
        tab.goto(page.local_url)
        tab.get_by_role("button", name=name, exact=True).click()
        tab.wait_for_timeout(4000)
        seen[name] = tab.get_by_text("The disk is full.").count()
    browser.close()
print(f"real: gradio {gr.__version__}: with the queue {seen['With']}, without it {seen['Without']}")
as_found = seen["With"] > 0 and seen["Without"] == 0
print("as found" if as_found else "it behaves otherwise now")
sys.exit(not as_found)
PYTHON
