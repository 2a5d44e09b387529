#!/usr/bin/env bash
# striprtf: text that is marked as deleted (\deleted) or hidden (\v) comes out as if it stood there, while the text of a
# footnote is dropped without a trace. A word processor shows the opposite: a contract's struck clause reads as valid, and
# what the footnote adds to a price is gone.
#
# Usage: findings/striprtf_shows_deleted_and_hidden_text.sh   exit 0: still so; 1: it behaves otherwise now; 2: not tried
# Installs striprtf into a temporary folder.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install --quiet striprtf==0.0.35 2>"$folder/errors" || { cat "$folder/errors" >&2; exit 2; }

echo "expected: kept True, deleted False, hidden False, footnote True"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from striprtf.striprtf import rtf_to_text

text = rtf_to_text(
    r"{\rtf1\ansi Kept. {\deleted gone }{\v unseen }Price{\super\chftn{\footnote\pard\plain without tax}} ends.\par}"
)
found = {"kept": "Kept." in text, "deleted": "gone" in text, "hidden": "unseen" in text, "footnote": "without tax" in text}
print(f"real: striprtf {version('striprtf')}: " + ", ".join(f"{name} {there}" for name, there in found.items()))
as_found = found == {"kept": True, "deleted": True, "hidden": True, "footnote": False}
print("as found" if as_found else "it behaves otherwise now")
sys.exit(not as_found)
PYTHON
