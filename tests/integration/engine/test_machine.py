"""The machine beside a run, from the library to the report: with a library that stands in for NVIDIA's."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nvml_standin
import pytest

# A driver that does not answer before the test is over.
NEVER = {"hang_ms": "600000"}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nvml_standin.built(tmp_path_factory.mktemp("nvml"))


def run(library: Path, values: dict[str, str], tmp_path: Path, machine: str) -> dict[str, Any]:
    """The document of a run that nobody answers: it is over at once."""
    nvml_standin.written(tmp_path / "values", values)
    environment = {
        **os.environ, "LD_LIBRARY_PATH": str(library.parent), "NVML_STANDIN": str(tmp_path / "values"),
        "PROBE_TARGETS__LOCAL__MACHINE": machine,
    }  # fmt: skip
    command = [
        sys.executable, "-m", "probe", "run", "--json",
        "--llm-url", "ws://127.0.0.1:9/ws", "--tts-url", "ws://127.0.0.1:9/ws",
    ]  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=120)
    assert done.returncode == 1, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_a_run_shows_the_gpu_of_its_machine(library: Path, tmp_path: Path) -> None:
    found = run(library, nvml_standin.GB10, tmp_path, "local")["machine"]
    assert (found["driver"], found["gpus"][0]["name"], found["gpus"][0]["sm_mhz"]) == ("580.95.05", "NVIDIA GB10", 2418)
    assert found["gpus"][0]["memory_used_bytes"] is None
    assert found["host"]["kernel"] == os.uname().release
    assert "SECRET" not in json.dumps(found)


def test_a_driver_that_hangs_keeps_neither_the_run_nor_the_process_from_ending(library: Path, tmp_path: Path) -> None:
    found = run(library, nvml_standin.GB10 | NEVER, tmp_path, "local")["machine"]
    assert (found["driver"], found["gpus"]) == (None, [])
    assert found["host"]["kernel"] == os.uname().release


def test_a_machine_that_is_not_wanted_is_not_read(library: Path, tmp_path: Path) -> None:
    assert run(library, nvml_standin.GB10, tmp_path, "none")["machine"] is None
