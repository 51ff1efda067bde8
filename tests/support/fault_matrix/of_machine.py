"""Faults of what the probe reads its machine with: the run goes on, and those figures are missing."""

import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nvml_standin

from fault_matrix.row import Row, Stage
from probe.machine import watching
from probe.reference.faults import LlmScript, llm

SLOWLY = LlmScript(turns=((llm.chunk(" Hello", " there.", first=0.2), llm.last_chunk(" How are you?")),))


@asynccontextmanager
async def _machine() -> AsyncIterator[watching.Machine]:
    """Have the runs read this machine in the place of the one that was opened at the start."""
    machine = watching.opened()
    with (
        patch("probe.measurement.this_machine", lambda: machine),
        patch("probe.daemon.runs.this_machine", lambda: machine),
    ):
        yield machine


def driver(values: Mapping[str, str], silent: tuple[str, ...]) -> Callable[[Stage], Any]:
    """A GPU whose driver does this, and what of the machine does not answer then."""

    @asynccontextmanager
    async def sabotage(stage: Stage) -> AsyncIterator[None]:
        answers = stage.folder / "nvml"
        nvml_standin.written(answers, {**nvml_standin.GB10, **values})
        with (
            nvml_standin.loaded(_library()),
            patch.dict(os.environ, {"NVML_STANDIN": str(answers)}),
            patch("probe.machine.gpu.library_found", lambda: True),
        ):
            async with _machine() as machine:
                try:
                    yield
                    assert machine.silent == silent
                finally:
                    nvml_standin.written(answers, nvml_standin.GB10)

    return sabotage


@cache
def _library() -> Path:
    return nvml_standin.built_once()


@asynccontextmanager
async def proc_blocks(_stage: Stage) -> AsyncIterator[None]:
    over = threading.Event()

    def read(_path: str) -> str:
        over.wait()
        return ""

    with patch("probe.machine.host._text", read):
        async with _machine() as machine:
            try:
                yield
                assert machine.silent == ("host",)
            finally:
                over.set()


def _row(name: str, injected: str, sabotage: Any) -> Row:
    return Row(
        name=name,
        injected=injected,
        sabotage=sabotage,
        where="probe",
        outcome="ok",
        reached="second segment",
        llm=SLOWLY,
    )


ROWS = (
    _row("driver-hangs", "a call of the GPU's driver never returns", driver(nvml_standin.HANGS, ("gpu",))),
    _row("gpu-lost", "every call of the GPU's driver says that it is lost", driver(nvml_standin.LOST, ())),
    _row("proc-blocks", "a read of a file in `/proc` never returns", proc_blocks),
)
