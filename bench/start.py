"""How long until a daemon with a long past measures, and what does its past cost?

A history of so many series, each one run per minute up to now, and a real `probe daemon` on it whose servers refuse.
Reported are the seconds to the first answer of `/healthz`, to READY=1, and to the last drift detector that is where it
was; how late `/healthz` answered in between, how late the loop of the daemon was, the CPU time of its longest turn and
of the longest collection of garbage; memory at most, and afterwards; the size of the page of metrics.

    make bench-start                                          20 series of 3,000 runs
    make bench-start ARGS='--series 100 --runs 12000'
"""

import argparse
import os
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from memory import memory_mb

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))
import stall_watch

from probe import config
from probe.cli.processes import free_port
from probe.config import Config
from probe.daemon.plans import entries
from probe.drift.series import point
from probe.history.file import FILE_NAME, encode, encode_serving
from probe.history.writer import History
from probe.plan import new_plan
from probe.record import Chunk, RunRecord, Turn

MS = 1_000_000
EVERY_S = 60
PARTS_MS = (180.0, 220.0, 190.0)
PATIENCE_S = 900.0
SCRAPE_S = 1.0
OPENMETRICS = "application/openmetrics-text"
INSERT = (
    "INSERT INTO runs (run_id, started, target, scenario, outcome, unsent_spans, record, serving, response_ttfb_ms,"
    " llm_ttft_ms, llm_decode_ms, tts_ttfb_ms, cold, asked) VALUES (?, ?, ?, ?, 'ok', 0, ?, ?, ?, ?, ?, ?, 0, 'text')"
)


@dataclass
class Start:
    """Seconds since the process was started."""

    answered: float = 0.0
    ready: float = 0.0
    rebuilt: float = 0.0
    slowest_answer: float = 0.0


def write_config(folder: Path, series: int, port: int) -> Path:
    path = folder / "probe.toml"
    targets = (
        f'[targets.t{number}]\nllm = {{ url = "ws://127.0.0.1:9/ws" }}\ntts = {{ url = "ws://127.0.0.1:9/ws" }}\n'
        f'[schedules.t{number}]\ntarget = "t{number}"\nevery_s = 3600\n'
        for number in range(series)
    )
    path.write_text(f'{"".join(targets)}[daemon]\nstate_dir = "{folder}/state"\n[http]\nport = {port}\n[otlp]\n'
                    'protocol = "none"\n[log]\nformat = "json"\n')  # fmt: skip
    return path


def run_of(loaded: Config) -> Iterator[RunRecord]:
    """Yield a run of each series."""
    for entry in entries(loaded):
        started = time.time_ns()
        chunk = Chunk(
            chunk_num=1, inference_start=started, text="Why did the unicorn cross the road?", token_count=9,
            stop_reason="eos", final=True, llm_first_token=started + 180 * MS, llm_done=started + 400 * MS,
            tts_text_sent=started + 400 * MS, tts_first_audio=started + 590 * MS, tts_last_audio=started + 610 * MS,
            tts_segment_done=started + 611 * MS, segment_end="marker", sample_rate=22_000, audio_bytes=44_000,
            frames=tuple((started + (590 + number) * MS, 2_200) for number in range(20)),
        )  # fmt: skip
        plan = new_plan(entry.target, entry.scenario)
        yield RunRecord(plan, started, started + 700 * MS, (), (Turn(1, "Tell me a joke.", (chunk,)),))


def remember(state_dir: Path, loaded: Config, runs: int) -> None:
    """Write the past: every record of a series is the same, what a series is computed from is not."""
    History(state_dir).close()
    rng = random.Random(1)  # noqa: S311 - no secrets
    made = [(record, encode_serving(point(record).serving)) for record in run_of(loaded)]
    with sqlite3.connect(state_dir / FILE_NAME) as db:
        for back in range(runs, 0, -1):
            for record, serving in made:
                parts = [ms * rng.lognormvariate(0, 0.05) for ms in PARTS_MS]
                started = record.started - back * EVERY_S * 10**9
                row = (f"{back:06x}-{record.plan.run_id}", started, record.plan.target.name, record.plan.scenario.name)
                db.execute(INSERT, (*row, encode(replace(record, started=started)) if back <= 20 else b"",
                                    serving, sum(parts), *parts))  # fmt: skip
    db.close()


def watch(process: "subprocess.Popen[bytes]", notified: socket.socket, port: int, series: int) -> Start:
    began = time.monotonic()
    start, scrape_at = Start(), 0.0
    while not start.rebuilt:
        if process.poll() is not None or time.monotonic() - began > PATIENCE_S:
            sys.exit("the daemon did not start")
        asked = time.monotonic()
        if get(port, "/healthz") is not None:
            if start.answered:
                start.slowest_answer = max(start.slowest_answer, time.monotonic() - asked)
            start.answered = start.answered or time.monotonic() - began
        start.ready = start.ready or (time.monotonic() - began if is_ready(notified) else 0.0)
        # A scrape of hundreds of series costs something, too.
        due = start.ready and time.monotonic() >= scrape_at
        scrape_at = time.monotonic() + SCRAPE_S if due else scrape_at
        page = (get(port, "/metrics") or b"").decode() if due else ""
        known = sum(
            not line.endswith("NaN") for line in page.splitlines() if line.startswith("voice_probe_drift_state{")
        )
        start.rebuilt = time.monotonic() - began if known == series else 0.0
        time.sleep(0.05)
    return start


def get(port: int, path: str, accept: str = "") -> bytes | None:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path, headers={"Accept": accept})
        return connection.getresponse().read()
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()


def is_ready(notified: socket.socket) -> bool:
    try:
        return b"READY=1" in notified.recv(4096)
    except BlockingIOError:
        return False


def loop_lag_ms(port: int) -> float:
    lines = (get(port, "/metrics") or b"").decode().splitlines()
    return 1000 * max(float(line.split()[-1]) for line in lines if line.startswith("voice_probe_loop_lag_seconds "))


def measure(series: int, runs: int) -> None:
    port = free_port(0)
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        folder = Path(name)
        path = write_config(folder, series, port)
        remember(folder / "state", config.load(path), runs)
        notified.bind(str(folder / "notify"))
        notified.setblocking(False)
        watched = stall_watch.prelude(folder / "stalls")
        command = [
            sys.executable,
            "-c",
            f"{watched}\nfrom probe.cli import main\nmain()",
            "daemon",
            "--config",
            str(path),
        ]
        environment = os.environ | {"NOTIFY_SOCKET": str(folder / "notify")}
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
            try:
                start = watch(process, notified, port, series)
                lag = loop_lag_ms(port)
                page_kb = len(get(port, "/metrics", OPENMETRICS) or b"") / 1000
                time.sleep(5)
                now, most = memory_mb(process.pid)
            finally:
                process.terminate()
        stalls = stall_watch.longest(folder / "stalls")
    print(
        f"{series} series of {runs} runs: /healthz after {start.answered:.1f} s, then within"
        f" {1000 * start.slowest_answer:.0f} ms; READY after {start.ready:.1f} s, all detectors after"
        f" {start.rebuilt:.1f} s; loop late by {lag:.1f} ms, its longest turn {stalls.turn:.1f} ms of CPU, the longest"
        f" collection {stalls.collection:.1f} ms; {most:.0f} MB at most, {now:.0f} MB after 5 s;"
        f" a page of metrics of {page_kb:.0f} kB\n  {stalls.what}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3000)
    arguments = parser.parse_args()
    measure(arguments.series, arguments.runs)


if __name__ == "__main__":
    main()
