#!/usr/bin/env bash
# selectolax: node.css_matches(selector) is true where the node itself does not match, but something inside it does. In the
# DOM, element.matches(selector) asks about the element alone, and the method's text says "matches a node". Whoever tells
# kinds of elements with it takes a list for a tab because one of its items is one; compare the node's own attributes.
#
# Usage: findings/selectolax_css_matches_looks_below_the_node.sh   exit 0: still so; 1: it behaves otherwise now; 2: not tried
# Installs selectolax into a temporary folder.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install --quiet selectolax==1.0.2 2>"$folder/errors" || { cat "$folder/errors" >&2; exit 2; }

echo "expected: ul False, li True, p False"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from selectolax.lexbor import LexborHTMLParser

tree = LexborHTMLParser("<ul><li role=tab>One</li></ul><p>Two</p>")
found = {tag: tree.css_first(tag).css_matches("[role=tab]") for tag in ("ul", "li", "p")}
print(f"real: selectolax {version('selectolax')}: " + ", ".join(f"{tag} {hit}" for tag, hit in found.items()))
as_found = found == {"ul": True, "li": True, "p": False}
print("as found" if as_found else "it behaves otherwise now")
sys.exit(not as_found)
PYTHON
