"""What a measurement ran on: the machine, and the versions of what took part."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from localspec.models.llama import gpu_offload_available, library_version, system_info


def machine(threads: int) -> dict[str, object]:
    """Processor, cores, memory, load and graphics card."""
    return {
        "processor": processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": psutil.cpu_count(logical=False) or os.cpu_count(),
        "logical_cores": os.cpu_count(),
        "threads": threads,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load": round(psutil.getloadavg()[0], 2),
        "gpu": graphics_card() if gpu_offload_available() else "none used",
        "llama_cpp_built_with": system_info(),
    }


def processor() -> str:
    """The processor's name, as far as the system tells it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        found = None  # not Linux
    return found.group(1).strip() if found else platform.processor() or "unknown"


def graphics_card() -> str:
    """Name and driver of the first NVIDIA card; "unknown" where its tool is not installed."""
    try:
        said = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=30, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return said.strip().split("\n")[0]


def versions(server: Path | None = None) -> dict[str, str]:
    """Versions of Python, of the packages that matter to speed, and of llama-server."""
    found = {"python": platform.python_version(), "llama-cpp-python": library_version()}
    for package in ("numpy", "hnswlib"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "missing"
    if server is not None:
        found["llama-server"] = server_version(server)
    return found


def server_version(server: Path) -> str:
    """What `llama-server --version` says first; "unknown" where it cannot be run."""
    try:
        done = subprocess.run([str(server), "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    found = re.search(r"version: (.+)", done.stdout + done.stderr)
    return found.group(1).strip() if found else "unknown"
