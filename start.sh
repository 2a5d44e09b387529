#!/usr/bin/env bash
# Sets LocalSpec up (the first time, and after an update) and starts it.
set -euo pipefail

usage() {
    cat <<'TEXT'
LocalSpec: chat with a local model and your documents.

  ./start.sh                          open the application's window; it runs until you quit it
  ./start.sh --endpoint               the same, and other programs can ask it; also --port N, --model NAME, --no-browser
  ./start.sh --host 0.0.0.0           let other computers in too, with a password: LOCALSPEC_PASSWORD or --password-file
  ./start.sh ask "…" --doc FILE       ask in the terminal; any arguments go to `python -m localspec`
  ./start.sh ARGUMENTS --help         help of that command
  ./start.sh desktop install          add it to the applications menu (Linux); desktop remove takes it out
  ./start.sh --setup-only             install, and stop there
  ./start.sh --help                   this text

The first start installs into .venv beside this file: about 3 GB, and some minutes, because llama.cpp is built for
this computer. Later starts are immediate.

Settings (environment variables)
  LOCALSPEC_BACKEND=cpu|cuda|vulkan|metal
                                      how llama.cpp is built; chosen by itself when unset (never Vulkan)
  LOCALSPEC_KERNELS=off               llama.cpp's own processor kernels instead of those of LocalSpec
  LOCALSPEC_HOME=FOLDER               keep models/ and stores/ in another folder
  LOCALSPEC_PASSWORD=WORDS            lets other computers in with --host; at least 12 characters
  BROWSER=COMMAND                     open a page in this browser instead of a window
  LOCALSPEC_VERBOSE=1                 show all that pip says while installing
  PYTHON=COMMAND                      the Python to make .venv with (3.10 or newer)
  CMAKE_ARGS=…                        added when llama.cpp is built
TEXT
}

# The folder of this script, also when it is started through a link.
self=${BASH_SOURCE[0]}
while [ -L "$self" ]; do
    target=$(readlink "$self")
    case $target in /*) self=$target ;; *) self=$(dirname -- "$self")/$target ;; esac
done

case ${1:-} in -h | --help) usage && exit ;; esac

# shellcheck source=scripts/setup.sh
. "$(dirname -- "$self")/scripts/setup.sh"

# shellcheck disable=SC2119  # its argument is not this script's
set_up

# The caller's folder stays the current one, so that relative file arguments keep working.
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
case ${1:--} in
    --setup-only)
        printf 'LocalSpec is ready: llama.cpp on the %s backend (%s). Start it with ./start.sh\n' "$backend" "$backend_why"
        ;;
    -*)
        say "llama.cpp on the $backend backend ($backend_why).${backend_advice:+ $backend_advice}"
        exec "$python" "$root/app.py" "$@"
        ;;
    *) exec "$python" -m localspec "$@" ;;
esac
