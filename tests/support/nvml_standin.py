"""A library that answers NVML's calls from a file, built with gcc: there is no GPU where these tests run.

The values are those that the machines' owners and NVIDIA's documents publish for them; nothing was read from one by us.
"""

import atexit
import ctypes
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pynvml
import pytest

SOURCE = Path(__file__).with_suffix(".c")
NAME = "libnvidia-ml.so.1"
# Memory is the host's, and so NOT_SUPPORTED.
GB10 = {
    "gpus": "1",
    "name": "NVIDIA GB10",
    "driver": "580.95.05",
    "sm_mhz": "2418",
    "reasons": "0x0",
    "power_mw": "36120",
    "temperature_c": "61",
    "utilisation": "94",
    "pstate": "0",
    "process": "4242 18446744073709551615 /usr/bin/python3 -m server --key SECRET",
}
# Of a card that draws all the power that it may.
DESKTOP = {
    "gpus": "1",
    "name": "NVIDIA GeForce RTX 4090",
    "driver": "550.120",
    "sm_mhz": "2520",
    "memory_mhz": "10501",
    # Known by its old name only.
    "old_reasons": "0x4",
    "power_mw": "449500",
    "temperature_c": "74",
    "utilisation": "99",
    "pstate": "2",
    "memory_total": "25757220864",
    "memory_used": "21474836480",
    "process": "77 21100000000 /opt/llama/llama-server",
}
# Added to one of these: a call that does not return until the file is written again, and NVML_ERROR_GPU_IS_LOST.
HANGS = {"hangs": "1"}
LOST = {"error": "15"}
# The library is there, and the driver is not.
NONE: dict[str, str] = {}


def built(folder: Path) -> Path:
    """The library, compiled into this folder; the test is skipped where there is no compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: the stand-in for NVIDIA's library can't be built")
    target = folder / NAME
    subprocess.run([compiler, "-O0", "-shared", "-fPIC", "-Wall", "-Werror", "-o", target, SOURCE], check=True)
    return target


def built_once() -> Path:
    """The library, for as long as this process lives."""
    folder = TemporaryDirectory()
    atexit.register(folder.cleanup)
    return built(Path(folder.name))


def written(path: Path, values: dict[str, str]) -> None:
    """What the library answers from now on."""
    new = path.with_suffix(".new")
    new.write_text("".join(f"{name} {value}\n" for name, value in values.items()), "utf-8")
    new.replace(path)


@contextmanager
def loaded(library: Path) -> Iterator[None]:
    """Have `pynvml` use this library, as it would have NVIDIA's."""
    before = pynvml.nvmlLib
    pynvml.nvmlLib = ctypes.CDLL(str(library))
    pynvml._nvmlGetFunctionPointer_cache.clear()
    try:
        yield
    finally:
        pynvml.nvmlLib = before
        pynvml._nvmlGetFunctionPointer_cache.clear()
