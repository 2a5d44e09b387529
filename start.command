#!/bin/bash
# For a double click in the macOS Finder, which opens a terminal in the home folder.
exec /bin/bash "$(dirname -- "$0")/start.sh" "$@"
