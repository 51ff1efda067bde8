"""A history of runs that is made at once, and `probe drift` on it."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from click.testing import CliRunner, Result
from runs import record

from probe.cli import main
from probe.drift.series import Point
from probe.history.file import encode, encode_serving
from probe.history.writer import History
from probe.machine.state import MachineState


def unread(_number: int) -> MachineState | None:
    """No machine was read."""
    return None


def fill(
    state_dir: Path, points: Iterable[Point], target: str = "spark",
    machine: Callable[[int], MachineState | None] = unread,
) -> None:  # fmt: skip
    """Have a history with these runs; the last one ended within the last day. `machine` is by their place."""
    points = list(points)
    later = time.time_ns() - points[-1].started - 60 * 10**9
    # By whole days: what is learned of an hour must not depend on when the test is run.
    later -= later % (86_400 * 10**9)
    history = History(state_dir)
    rows = [
        (f"{target}-{each.run_id}", each.started + later, target, "joke", each.outcome, 0,
         _blob(machine(place)),
         encode_serving(each.serving), *each.stages_ms, each.asked, *each.hearing_ms)
        for place, each in enumerate(points)
    ]  # fmt: skip
    history._db.execute("BEGIN")
    history._db.executemany(
        "INSERT INTO runs (run_id, started, target, scenario, outcome, unsent_spans, record, serving,"
        " response_ttfb_ms, llm_ttft_ms, llm_decode_ms, tts_ttfb_ms, asked, voice_to_voice_ms, endpointing_ms,"
        " transcription_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )
    history._db.execute("COMMIT")
    history.close()


@cache
def _blob(machine: MachineState | None) -> bytes:
    return encode(replace(record(), machine=machine))


def drift(state_dir: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["drift", "--state-dir", str(state_dir), *arguments], env={"COLUMNS": "160"})
