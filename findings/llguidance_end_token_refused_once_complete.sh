#!/usr/bin/env bash
# llguidance: validate_tokens says whether an end token may follow an integer ("12", which could go on), but refuses it
# behind a string that is closed, where nothing else may follow: a matcher that stopped by itself accepts no token at all.
# Whoever cuts drafts with validate_tokens drops every drafted end of such an answer; ask is_accepting() for end tokens.
#
# Usage: findings/llguidance_end_token_refused_once_complete.sh   exit 0: still so; 1: it behaves otherwise now; 2: not tried
# Installs llguidance into a temporary folder; no model is needed (its byte tokenizer).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install --quiet llguidance==1.9.1 2>"$folder/errors" || { cat "$folder/errors" >&2; exit 2; }

echo "expected: where the value is whole (is_accepting), validate_tokens([end]) is 1"
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from llguidance import LLMatcher, LLTokenizer

tokenizer = LLTokenizer("byte")
found = []
for schema, text in (('{"type": "integer"}', b"12"), ('{"type": "string"}', b'"a"')):
    matcher = LLMatcher(tokenizer, LLMatcher.grammar_from_json_schema(schema))
    for byte in text:
        assert matcher.consume_token(byte)
    end = matcher.validate_tokens([tokenizer.eos_token])
    found.append((matcher.is_accepting(), matcher.is_stopped(), end))
    print(f"real: llguidance {version('llguidance')}, {schema} after {text.decode()}: "
          f"accepting {found[-1][0]}, stopped {found[-1][1]}, validate_tokens([end]) {end}")
as_found = found == [(True, False, 1), (True, True, 0)]
print("as found" if as_found else "it behaves otherwise now")
sys.exit(not as_found)
PYTHON
