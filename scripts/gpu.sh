# shellcheck shell=bash
# Which llama.cpp is built, and what a build for a graphics card needs. Part of scripts/setup.sh, which reads this file.
#
# Where an NVIDIA GPU answers and no CUDA compiler is found, the compiler comes from the package index into .venv/cuda. It
# is deleted after the build; the three libraries that llama.cpp needs at run time stay.

usual_cuda=/usr/local/cuda

backend=""        # cpu, cuda, vulkan or metal
backend_why=""    # one line for people
backend_advice="" # what they can do so that a GPU serves; empty where there is nothing
nvcc=""           # the CUDA compiler of this computer, where it has one
vulkan_lacks=""   # what a build for Vulkan lacks here
trouble=""        # why the last attempt to build for a GPU failed

# ---- NVIDIA ---------------------------------------------------------------------------------------------------------

nvidia_gpu_answers() {
    # Into a variable, not a pipe: `grep -q` may close the pipe early, which pipefail would take for a failure.
    local listed
    listed=$(nvidia-smi -L 2>/dev/null </dev/null) || return 1
    case $listed in *"GPU "*) return 0 ;; *) return 1 ;; esac
}

find_nvcc() {
    local place
    nvcc=$(command -v nvcc || true)
    for place in "${CUDA_HOME:-}" "$usual_cuda"; do
        if [ -z "$nvcc" ] && [ -n "$place" ] && [ -x "$place/bin/nvcc" ]; then nvcc=$place/bin/nvcc; fi
    done
    [ -n "$nvcc" ]
}

# The newest major version of CUDA that the driver serves; nothing where it does not say.
cuda_of_driver() {
    local told pattern='CUDA[A-Za-z ]* Version: *([0-9]+)'
    told=$(nvidia-smi 2>/dev/null </dev/null) || return 0
    if [[ $told =~ $pattern ]]; then printf '%s' "${BASH_REMATCH[1]}"; fi
}

# The compute capabilities of the cards, each once, as "89;120"; nothing where they cannot be found out.
cuda_architectures() {
    local told line number found=""
    told=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null </dev/null) || return 0
    while IFS= read -r line; do
        number=${line//[. ]/}
        case $number in "" | *[!0-9]*) return 0 ;; esac
        case ";$found;" in *";$number;"*) ;; *) found=$found${found:+;}$number ;; esac
    done <<<"$told"
    printf '%s' "$found"
}

# ---- the CUDA compiler of the package index -------------------------------------------------------------------------

# PyTorch's CUDA builds use the same version. crt and nvvm are named because nvcc's package asks for any version of them,
# and those of another version do not fit the compiler.
toolkit_version=13.0.2
toolkit_packages="cuda-toolkit[nvcc,cudart,cublas,cccl,crt,nvvm]==$toolkit_version"
toolkit_mb=3000 # what it and the build need for a while
toolkit=$venv/cuda/nvidia/cu13

# Whether this compiler can serve this computer; sets backend_why and backend_advice where it cannot. The packages of
# CUDA 12 hold no nvcc (nvidia-cuda-nvcc-cu12 12.9.86: ptxas and libraries only), so there is none for older cards.
toolkit_serves() {
    local served card by_hand
    by_hand="Install the CUDA toolkit 12 (nvcc) by hand and start again, or build for Vulkan: LOCALSPEC_BACKEND=vulkan ./start.sh"
    case $(uname -s)-$(uname -m) in
        Linux-x86_64 | Linux-aarch64) ;;
        *)
            backend_why="NVIDIA GPU found but no CUDA compiler (nvcc): using the CPU"
            backend_advice="Install the CUDA toolkit and start again."
            return 1
            ;;
    esac
    served=$(cuda_architectures)
    for card in ${served//;/ }; do
        if [ "$card" -lt 75 ]; then
            backend_why="the NVIDIA GPU is older than CUDA 13 serves (compute capability ${card%?}.${card#"${card%?}"}), and there is no CUDA compiler (nvcc): using the CPU"
            backend_advice=$by_hand
            return 1
        fi
    done
    served=$(cuda_of_driver)
    if [ "${served:-0}" -lt 13 ]; then
        backend_why="the NVIDIA driver serves CUDA ${served:-of a version it does not tell}, not 13, and there is no CUDA compiler (nvcc): using the CPU"
        backend_advice="Update the NVIDIA driver to 580 or newer and start again. Or: $by_hand"
        return 1
    fi
}

# The driver's library, which the compiler's packages do not hold. Nothing where it is not found.
driver_library() {
    local listed line
    listed=$(ldconfig -p 2>/dev/null || /sbin/ldconfig -p 2>/dev/null || true)
    while IFS= read -r line; do
        case $line in
            *libcuda.so.1\ *x86-64*" => "* | *libcuda.so.1\ *AArch64*" => "*)
                printf '%s' "${line##* => }"
                return
                ;;
        esac
    done <<<"$listed"
    if [ -e /usr/lib/wsl/lib/libcuda.so.1 ]; then printf /usr/lib/wsl/lib/libcuda.so.1; fi
}

# Names without a version, as compilers look for them, and lib64, where nvcc looks.
link_toolkit() {
    local name library driver
    ln -sfn lib "$toolkit/lib64"
    for name in cudart cublas cublasLt; do
        for library in "$toolkit/lib/lib$name.so."*; do ln -sf "${library##*/}" "$toolkit/lib/lib$name.so"; done
    done
    driver=$(driver_library)
    if [ -n "$driver" ]; then
        mkdir -p "$toolkit/lib/stubs"
        ln -sf "$driver" "$toolkit/lib/stubs/libcuda.so"
    fi
}

toolkit_ready() { [ "$(read_stamp toolkit)" = "$toolkit_version" ] && [ -x "$toolkit/bin/nvcc" ]; }

# The stamp comes last: an installation that was stopped is made anew, from pip's cache.
install_toolkit() {
    if toolkit_ready; then return 0; fi
    local free
    free=$(free_kb)
    if [ -n "$free" ] && [ "$free" -lt $((toolkit_mb * 1024)) ]; then
        trouble="the disk has $((free / 1024)) MB free, and the CUDA compiler and the build need about $((toolkit_mb / 1000)) GB"
        return 1
    fi
    say "Installing the CUDA compiler into .venv/cuda (a download of about 530 MB; 0.8 GB until llama.cpp is built) ..."
    remove_toolkit
    if ! pip install --target "$venv/cuda" "$toolkit_packages" || [ ! -x "$toolkit/bin/nvcc" ]; then
        trouble="the CUDA compiler could not be installed from the package index"
        return 1
    fi
    link_toolkit
    write_stamp toolkit "$toolkit_version"
}

remove_toolkit() { rm -rf "$venv/cuda" "$venv/.localspec-toolkit"; }

# What llama.cpp needs at run time stays: libcudart, libcublas and libcublasLt, with their licences.
trim_toolkit() {
    rm -f "$venv/.localspec-toolkit"
    rm -rf "$toolkit/bin" "$toolkit/nvvm" "$toolkit/include" "$toolkit/lib64" "$toolkit/lib/cmake" "$toolkit/lib/stubs"
    rm -f "$toolkit/lib/"*.a "$toolkit/lib/"*.so "$toolkit/lib/"libnvvm.* "$toolkit/lib/"libnvblas.*
}

# For CMAKE_ARGS. Without the driver's library, llama.cpp does without the memory management that needs it.
toolkit_arguments() {
    printf '"-DCUDAToolkit_ROOT=%s" "-DCMAKE_PROJECT_llama_cpp_INCLUDE=%s"' "$toolkit" "$root/scripts/cuda.cmake"
    if [ ! -e "$toolkit/lib/stubs/libcuda.so" ]; then printf ' -DGGML_CUDA_NO_VMM=ON'; fi
}

# ---- Vulkan ---------------------------------------------------------------------------------------------------------

vulkan_needs() {
    how_to_get "libvulkan-dev glslc spirv-headers" "vulkan-loader-devel vulkan-headers glslc spirv-headers-devel" \
        "brew install vulkan-loader vulkan-headers shaderc spirv-headers"
}

preprocessed() {
    printf '%s\n' "$1" | "${CXX:-c++}" -E -x c++ ${VULKAN_SDK:+-I"$VULKAN_SDK/include"} - >/dev/null 2>&1
}

# The loader, the headers and the compiler of shaders that llama.cpp's build asks for. Sets vulkan_lacks where it fails.
vulkan_there() {
    local library
    vulkan_lacks="the Vulkan loader and headers, the SPIR-V headers and the compiler glslc"
    command -v glslc >/dev/null || [ -x "${VULKAN_SDK:-/none}/bin/glslc" ] || return 1
    preprocessed '#if !__has_include(<vulkan/vulkan.hpp>) || !__has_include(<spirv/unified1/spirv.hpp>)
#error
#endif' || return 1
    library=$("${CXX:-c++}" -print-file-name=libvulkan.so 2>/dev/null) || return 1
    [ "$library" != libvulkan.so ] || [ -e "${VULKAN_SDK:-/none}/lib/libvulkan.so" ] || return 1
    vulkan_lacks="newer Vulkan headers (with VK_EXT_layer_settings: those of Debian 12 are too old, those of Debian 13 are not), or a Vulkan SDK named in VULKAN_SDK"
    preprocessed '#include <vulkan/vulkan_core.h>
#ifndef VK_EXT_layer_settings
#error
#endif'
}

# A device that llama.cpp would take: a GPU, or whatever GGML_VK_VISIBLE_DEVICES names. Asked before a long build.
vulkan_gpu_answers() {
    local folder answer=0
    [ -z "${GGML_VK_VISIBLE_DEVICES:-}" ] || return 0
    folder=$root/.vulkan.try
    mkdir -p "$folder" 2>/dev/null || return 0
    printf '%s\n' '#include <vulkan/vulkan.h>
int main() {
    VkInstance instance;
    VkInstanceCreateInfo info = {};
    info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
    if (vkCreateInstance(&info, nullptr, &instance) != VK_SUCCESS) return 1;
    VkPhysicalDevice devices[16];
    uint32_t count = 16;
    vkEnumeratePhysicalDevices(instance, &count, devices);
    for (uint32_t i = 0; i < count; ++i) {
        VkPhysicalDeviceProperties of;
        vkGetPhysicalDeviceProperties(devices[i], &of);
        if (of.deviceType != VK_PHYSICAL_DEVICE_TYPE_CPU) return 0;
    }
    return 1;
}' >"$folder/asks.cpp"
    "${CXX:-c++}" ${VULKAN_SDK:+-I"$VULKAN_SDK/include" -L"$VULKAN_SDK/lib"} "$folder/asks.cpp" -o "$folder/asks" -lvulkan \
        </dev/null >/dev/null 2>&1 && { "$folder/asks" >/dev/null 2>&1 || answer=1; }
    rm -rf "$folder"
    return "$answer"
}

# ---- choosing -------------------------------------------------------------------------------------------------------

built_for() { case $(read_stamp llama) in "$1 "*) return 0 ;; *) return 1 ;; esac; }

# Built with the compiler of the package index, and what it needs at run time is there.
built_with_toolkit() {
    case $(read_stamp llama) in "cuda "*", toolkit $toolkit_version"*) [ -d "$toolkit/lib" ] ;; *) return 1 ;; esac
}

# A driver that was updated does not answer until the computer is started anew. A long build is not thrown away for that,
# as long as it loads: without a card it computes on the processor.
waits_for_driver() {
    built_with_toolkit && venv_runs && [ "$(read_stamp llama)" = "$(llama_stamp cuda)" ] &&
        "$python" -c 'import llama_cpp' >/dev/null 2>&1
}

# What a failed build was tried with: with another compiler it is tried again.
attempt() {
    case $1 in
        cuda) printf '%s with %s' "$(llama_pin)" "${nvcc:-cuda-toolkit $toolkit_version}" ;;
        *) printf '%s' "$(llama_pin)" ;;
    esac
}

failed_before() {
    local noted=""
    if [ -f "$venv/.localspec-no-$1" ]; then IFS= read -r noted <"$venv/.localspec-no-$1" || true; fi
    [ "$noted" = "$(attempt "$1")" ]
}

# For people.
backend_name() { case $1 in cpu) printf 'the CPU' ;; cuda) printf 'the NVIDIA GPU' ;; vulkan) printf Vulkan ;; esac; }
try_again() { printf 'To try again: LOCALSPEC_BACKEND=%s ./start.sh' "$1"; }

detect_backend() {
    backend=cpu
    if [ "$(uname -s)" = Darwin ]; then
        backend_why="this is not Apple silicon: using the CPU"
        if [ "$(uname -m)" = arm64 ]; then
            backend=metal
            backend_why="Apple silicon: using the GPU through Metal"
        fi
    elif built_for vulkan; then
        backend=vulkan
        backend_why="built for Vulkan, as asked before (LOCALSPEC_BACKEND=cpu changes that)"
    elif ! nvidia_gpu_answers; then
        backend_why="no NVIDIA GPU answers: using the CPU"
        if waits_for_driver; then
            backend=cuda
            backend_why="no NVIDIA GPU answers now: what was built for it uses the CPU"
            backend_advice="See whether its driver is loaded (nvidia-smi), or build for the CPU: LOCALSPEC_BACKEND=cpu ./start.sh"
        fi
    elif ! built_with_toolkit && ! find_nvcc && ! failed_before cuda && ! toolkit_serves; then
        return
    elif failed_before cuda; then
        backend_why="building for $(backend_name cuda) failed before: using the CPU"
        backend_advice=$(try_again cuda)
    else
        backend=cuda
        backend_why="NVIDIA GPU and CUDA compiler ($nvcc) found: using the GPU"
        if [ -z "$nvcc" ]; then backend_why="NVIDIA GPU found: using it, with the CUDA $toolkit_version of the package index"; fi
    fi
}

choose_backend() {
    case ${LOCALSPEC_BACKEND:-} in
        "")
            detect_backend
            return
            ;;
        cpu) ;;
        cuda)
            if ! built_with_toolkit && ! find_nvcc; then
                backend_why="no NVIDIA GPU answers"
                backend_advice="Install the NVIDIA driver, or the CUDA toolkit and name its folder in CUDA_HOME."
                { nvidia_gpu_answers && toolkit_serves; } ||
                    fail "LOCALSPEC_BACKEND=cuda needs the CUDA compiler (nvcc), which was not found, or an NVIDIA GPU for which it can be installed." \
                        "${backend_why%: using the CPU}." "$backend_advice" "Or start with LOCALSPEC_BACKEND=cpu."
                backend_advice=""
            fi
            ;;
        vulkan)
            [ "$(uname -s)" != Darwin ] || fail "LOCALSPEC_BACKEND=vulkan works on Linux only." \
                "Leave LOCALSPEC_BACKEND unset: Apple silicon is served through Metal."
            built_for vulkan || vulkan_there ||
                fail "LOCALSPEC_BACKEND=vulkan needs $vulkan_lacks." \
                    "$(vulkan_needs)" "then start again, or start with LOCALSPEC_BACKEND=cpu."
            built_for vulkan || vulkan_gpu_answers ||
                fail "LOCALSPEC_BACKEND=vulkan needs a graphics card, and no driver shows one to Vulkan." \
                    "Install the card's Vulkan driver (Mesa for AMD and Intel: mesa-vulkan-drivers) and see what vulkaninfo --summary tells," \
                    "or start with LOCALSPEC_BACKEND=cpu. GGML_VK_VISIBLE_DEVICES=0 takes a device that is no graphics card."
            ;;
        metal)
            [ "$(uname -s)" = Darwin ] || fail "LOCALSPEC_BACKEND=metal works on macOS only." \
                "Leave LOCALSPEC_BACKEND unset to let the start choose, or use cpu, cuda or vulkan."
            ;;
        *)
            fail "LOCALSPEC_BACKEND=$LOCALSPEC_BACKEND is unknown." \
                "It can be cpu, cuda, vulkan or metal; leave it unset to let the start choose."
            ;;
    esac
    backend=$LOCALSPEC_BACKEND
    backend_why="asked for by LOCALSPEC_BACKEND"
}

# A toolkit that is not in the loader's configuration would leave the CUDA build without its libraries.
use_cuda_libraries() {
    [ "$backend" = cuda ] && [ -n "$nvcc" ] || return 0
    local folder=${nvcc%/bin/nvcc}/lib64
    if [ -e "$folder/libcudart.so" ]; then export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$folder"; fi
}

# For the page and `doctor` (localspec/models/llama/cards.py): the backend, why, and what can be done, a line each.
write_backend() {
    local told
    told=$(printf '%s\n%s\n%s' "$backend" "$backend_why" "$backend_advice")
    if [ "$(read_stamp backend)" != "$told" ]; then { write_stamp backend "$told"; } 2>/dev/null || true; fi
}
