"""A machine for the start scripts: a copy of them in a folder of its own, and a PATH that holds what a test puts there.

Stand-ins are used only for commands of the machine (`nvidia-smi`, `nvcc`, `uname`, `df`), found on PATH first.
Installing is tested with a real Python, .venv and pip on small packages in a local folder, so no test needs a network.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

# All that the scripts may use of a machine; each test adds its compiler and its graphics card.
TOOLS = (
    *("awk", "bash", "cat", "cksum", "cp", "df", "dirname", "env", "getconf", "grep", "ln", "mkdir", "ps", "readlink"),
    *("rm", "sed", "sleep", "tail", "tee"),
)

GPU = "echo 'GPU 0: NVIDIA Test Card (UUID: GPU-1)'"

# The build backend inside the package that stands for llama-cpp-python: it keeps what it was asked to build with, and
# fails where a test wants it to, or where the compiler is missing. It needs no other package, and no network.
BUILD_BACKEND = """
import os, pathlib, time, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    arguments = os.environ.get("CMAKE_ARGS", "")
    with open(os.environ["BUILDS"], "a") as builds:
        builds.write(arguments + "\\n")
    compiler = os.environ.get("CUDACXX")
    if compiler and not os.access(compiler, os.X_OK):
        raise SystemExit("there is no compiler")
    time.sleep(float(os.environ.get("BUILD_SECONDS", 0)))
    gpu = "-DGGML_CUDA=on" in arguments or "-DGGML_VULKAN=on" in arguments
    if gpu and os.environ.get("GPU_FAILS"):
        raise SystemExit("the GPU's compiler failed")
    module = "raise OSError('a library is missing')\\n" if gpu and os.environ.get("GPU_BREAKS") else ""
    if "cuda.cmake" in arguments:  # as its libraries are found by the real one: from its own place
        module += "import pathlib\\nroot = pathlib.Path(__file__).parents[4]\\n"
        module += "(root / 'cuda/nvidia/cu13/lib/libcudart.so.13').stat()\\n"
    module += f"ARGUMENTS = {arguments!r}\\nCORES = {os.environ.get('CMAKE_BUILD_PARALLEL_LEVEL')!r}\\n"
    module += "CUDA_COMPILER = " + repr(compiler) + "\\n"
    module += f"def llama_supports_gpu_offload(): return {gpu or 'METAL=on' in arguments}\\n"
    name = "llama_cpp_python-1.0-py3-none-any.whl"
    info = "llama_cpp_python-1.0.dist-info/"
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / name, "w") as wheel:
        wheel.writestr("llama_cpp/__init__.py", module)
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: llama-cpp-python\\nVersion: 1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "".join(f"{entry},,\\n" for entry in (*wheel.namelist(), info + "RECORD")))
    return name
"""

# The Python below a virtual environment, as on a machine that has none yet.
PYTHON = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"

# Stands for app.py and localspec/__main__.py: says what it was called with, and where.
ECHO = "import os, sys\nprint(__name__, sys.argv[1:], os.getcwd(), sys.prefix, sep='\\n')\n"


class Machine:
    """A copy of the start scripts in a folder of its own, and a PATH that holds only what the test puts there."""

    def __init__(self, base: Path) -> None:
        self.root = base / "a folder" / "LocalSpec"  # a space, as people have in their folders
        self.bin = base / "bin"
        self.index = base / "index"
        self.builds = base / "builds"
        self.venv = self.root / ".venv"
        for script in ("start.sh", "start.command", "test.sh", "scripts/setup.sh", "scripts/gpu.sh"):
            (self.root / script).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / script, self.root / script)
        gpu = self.root / "scripts" / "gpu.sh"
        usual = "usual_cuda=/usr/local/cuda\n"  # where the machine of the test may have a toolkit
        assert usual in gpu.read_text()
        gpu.write_text(gpu.read_text().replace(usual, "usual_cuda=/nowhere\n"))
        (self.root / "requirements.txt").write_text("llama-cpp-python==1.0  # the pin\nhnswlib==2.0\n")
        (self.root / "requirements-models.txt").write_text("model==3.0\n")
        (self.root / "app.py").write_text(ECHO)
        (self.root / "localspec").mkdir()
        (self.root / "localspec" / "__main__.py").write_text(ECHO)
        self.bin.mkdir()
        for tool in TOOLS:
            place = shutil.which(tool)
            if place is not None:
                (self.bin / tool).symlink_to(place)
        self.command("python3", f'exec "{PYTHON}" "$@"')
        self.command("uname", 'if [ "$1" = -m ]; then echo x86_64; else echo Linux; fi')
        self.command("ldconfig", "exit 0")  # it knows of no driver
        self.environment = {
            "PATH": str(self.bin),
            "HOME": str(base),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
            "PIP_CACHE_DIR": str(base / "cache"),
            "BUILDS": str(self.builds),
        }

    def command(self, name: str, body: str) -> Path:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
        path.chmod(0o755)
        return path

    def compiler(self) -> None:
        for name in ("cc", "c++"):
            self.command(name, "exit 1")

    def apple_silicon(self) -> None:
        self.command("uname", 'if [ "$1" = -m ]; then echo arm64; else echo Darwin; fi')

    def packages(self) -> None:
        """The folder pip installs from: llama-cpp-python as source, hnswlib and a model that needs it as wheels."""
        self.index.mkdir()
        files = {
            "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
            "backend.py": BUILD_BACKEND,
            "PKG-INFO": "Metadata-Version: 2.1\nName: llama-cpp-python\nVersion: 1.0\n",
        }
        with tarfile.open(self.index / "llama_cpp_python-1.0.tar.gz", "w:gz") as archive:
            for name, text in files.items():
                entry = tarfile.TarInfo(f"llama_cpp_python-1.0/{name}")
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
        self._wheel("hnswlib", "2.0")
        self._wheel("model", "3.0", "Requires-Dist: llama-cpp-python>=0.1\n")

    def _wheel(self, name: str, version: str, more: str = "", files: Mapping[str, str] | None = None) -> None:
        info = f"{name}-{version}.dist-info/"
        contents = {
            **({f"{name}.py": ""} if files is None else files),
            info + "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}",
            info + "WHEEL": "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        with zipfile.ZipFile(self.index / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            record = ""
            for file, text in contents.items():
                entry = zipfile.ZipInfo(file)
                entry.external_attr = (0o100755 if "/bin/" in file else 0o100644) << 16
                wheel.writestr(entry, text)
                digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
                record += f"{file},sha256={digest},{len(text)}\n"
            wheel.writestr(info + "RECORD", record + info + "RECORD,,\n")

    def toolkit(self) -> None:
        """Adds what stands for NVIDIA's compiler to the folder pip installs from. As there, nvcc's own package asks for
        any version of nvvm and crt, and newer ones are at hand."""
        self.index.mkdir(exist_ok=True)
        tree = "nvidia/cu13/"
        parts = {
            "nvcc": ("nvidia_cuda_nvcc", "13.0.88", ("bin/nvcc", "bin/ptxas", "include/fatbinary_section.h")),
            "crt": ("nvidia_cuda_crt", "13.0.88", ("include/crt/host_config.h",)),
            "nvvm": ("nvidia_nvvm", "13.0.88", ("nvvm/bin/cicc", "lib/libnvvm.so.4")),
            "cccl": ("nvidia_cuda_cccl", "13.0.85", ("include/cccl/cub/cub.cuh", "lib/cmake/cccl/cccl-config.cmake")),
            "cudart": ("nvidia_cuda_runtime", "13.0.96", ("include/cuda.h", "lib/libcudart.so.13", "lib/libcudart.a")),
            "cublas": (
                "nvidia_cublas",
                "13.1.0.3",
                ("lib/libcublas.so.13", "lib/libcublasLt.so.13", "lib/libnvblas.so.13"),
            ),
        }
        extras = ""
        for extra, (name, version, files) in parts.items():
            more = "Requires-Dist: nvidia-nvvm\nRequires-Dist: nvidia-cuda-crt\n" if extra == "nvcc" else ""
            self._wheel(name, version, more, {tree + file: version for file in files})
            extras += f"Provides-Extra: {extra}\nRequires-Dist: {name}=={version}; extra == '{extra}'\n"
        for extra in ("crt", "nvvm"):
            self._wheel(parts[extra][0], "13.5.37", "", {tree + file: "13.5.37" for file in parts[extra][2]})
        self._wheel("cuda_toolkit", "13.0.2", extras, {})

    def nvidia(self, *capabilities: str, serves: str = "13.0") -> None:
        """A driver that answers, with these cards."""
        told = f"| NVIDIA-SMI 580.65    Driver Version: 580.65    CUDA Version: {serves} |"
        asked = "printf '%s\\n' " + " ".join(capabilities) if capabilities else "exit 1"
        self.command("nvidia-smi", f"case $* in -L) {GPU} ;; *compute_cap*) {asked} ;; *) echo '{told}' ;; esac")

    def run(
        self, *command: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd or self.root,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def start(self, *arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.run(str(self.root / "start.sh"), *arguments, cwd=cwd, environment=environment)

    def shell(self, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs shell code with the functions of scripts/setup.sh."""
        return self.run("bash", "-c", f'. "{self.root}/scripts/setup.sh"\n{code}', environment=environment)

    def backend(self, **environment: str) -> tuple[str, str]:
        answer = self.shell('choose_backend; echo "$backend"; echo "$backend_why"', **environment)
        assert answer.returncode == 0, answer.stderr
        backend, why = answer.stdout.splitlines()
        return backend, why

    def set_up_by_hand(self) -> None:
        """A .venv that counts as installed: Python itself, and the stamps that the scripts write."""
        (self.venv / "bin").mkdir(parents=True)
        (self.venv / "bin" / "python").symlink_to(PYTHON)
        (self.venv / "pyvenv.cfg").write_text(f"home = {PYTHON.parent}\n")
        done = self.shell(
            "choose_backend; venv_runs\n"
            'write_stamp packages "$(packages_stamp)"; write_stamp llama "$(llama_stamp)"; ready && echo ready'
        )
        assert done.stdout == "ready\n", done.stderr

    def stamp(self, name: str) -> str:
        """What is written down under that name; empty where nothing is."""
        file = self.venv / f".localspec-{name}"
        return file.read_text() if file.exists() else ""

    def built(self) -> dict[str, str]:
        """What the installed llama_cpp was built with."""
        code = "import llama_cpp as l; print(l.ARGUMENTS, l.CORES, l.CUDA_COMPILER, sep='\\n')"
        lines = self.run(str(self.venv / "bin" / "python"), "-c", code).stdout.splitlines()
        return dict(zip(("arguments", "cores", "cuda_compiler"), lines, strict=True))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine after its first start, which really installed. Tests work on copies."""
    machine = Machine(tmp_path_factory.mktemp("first"))
    machine.compiler()
    machine.packages()
    first = machine.start("--setup-only")
    assert first.returncode == 0, first.stderr
    assert "LocalSpec is ready: llama.cpp on the cpu backend" in first.stdout
    return machine


@pytest.fixture
def installed(machine: Machine, first_start: Machine) -> Iterator[Machine]:
    """A machine with everything installed, and pip's cache filled as the first start left it."""
    machine.compiler()
    machine.environment.update({key: first_start.environment[key] for key in ("PIP_FIND_LINKS", "PIP_CACHE_DIR")})
    shutil.copytree(first_start.venv, machine.venv, symlinks=True)
    yield machine
    assert not (machine.root / ".venv.lock").exists()


@pytest.fixture
def begun(machine: Machine, first_start: Machine) -> Machine:
    """A machine whose .venv is made but empty."""
    shutil.copytree(first_start.venv, machine.venv, symlinks=True)
    for stamp in machine.venv.glob(".localspec-*"):
        stamp.unlink()
    packages = ("llama-cpp-python", "hnswlib", "model")
    remove = (str(machine.venv / "bin" / "python"), "-m", "pip", "uninstall", "-y", *packages)
    assert machine.run(*remove).returncode == 0
    return machine
