"""What does each sink add to the cost of a run, in CPU-ms, and how long is a run on its way to the disk?

The record is a run of two turns and ten chunks with 50 audio frames each, recorded against 20 targets in turn. Spans go
to a receiver in a process of its own.

    .venv/bin/python bench/sinks.py
"""

import io
import multiprocessing
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory

from probe.config import ScenarioConfig, TargetConfig
from probe.plan import new_plan
from probe.record import Chunk, RunRecord, Sound, Turn
from probe.sinks import span_tree
from probe.sinks.histograms import Histograms
from probe.sinks.history import History
from probe.sinks.log import LogSink, make_logger
from probe.sinks.otlp import Endpoint, collector, export_request

RUNS = 400
TARGETS = 20
MS = 1_000_000


class Accepting(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


def receive(port: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Accepting)
    port.send(server.server_port)
    server.serve_forever()


def runs() -> Iterator[RunRecord]:
    scenario = ScenarioConfig(turns=2).record("default")
    for number in range(RUNS):
        plan = new_plan(TargetConfig().record(f"target-{number % TARGETS}"), scenario)
        start = time.time_ns()
        turns = tuple(turn(n, start + n * 4000 * MS) for n in (1, 2))
        yield RunRecord(plan, start, start + 10_000 * MS, (), turns)


def turn(turn_num: int, start: int) -> Turn:
    chunks = tuple(chunk(n, start + n * 500 * MS) for n in range(1, 6))
    return Turn(turn_num, "Tell me a joke.", chunks, done=start + 4000 * MS)


def chunk(chunk_num: int, at: int) -> Chunk:
    frames = tuple((at + (200 + i) * MS, 4096) for i in range(50))
    return Chunk(
        chunk_num, at, "Why did the unicorn cross the road?", 8, "eos", llm_first_token=at + 50 * MS,
        llm_done=at + 100 * MS, tts_text_sent=at + 100 * MS, tts_first_audio=frames[0][0], tts_last_audio=frames[-1][0],
        tts_segment_done=frames[-1][0], segment_end="marker", audio_bytes=50 * 4096, frames=frames,
        sound=Sound(102_400, 100, 0.2, 0.5, 0.9),
    )  # fmt: skip


def measure(name: str, write: Callable[[RunRecord], object], records: list[RunRecord]) -> None:
    took = []
    cpu = time.process_time()
    for record in records:
        start = time.perf_counter()
        write(record)
        took.append((time.perf_counter() - start) * 1000)
    cpu = (time.process_time() - cpu) * 1000 / len(records)
    marks = quantiles(took, n=100)
    print(f"{name:<12} {cpu:8.2f} {marks[49]:10.2f} {marks[98]:8.2f}")


def main() -> None:
    ours, theirs = multiprocessing.Pipe()
    receiver = multiprocessing.Process(target=receive, args=(theirs,), daemon=True)
    receiver.start()
    records = list(runs())
    histograms = Histograms("0", ["history"])
    histograms.expect((f"target-{n}", "default") for n in range(TARGETS))
    for accept in ("application/openmetrics-text", "text/plain"):
        histograms.render(accept)
    spans = collector(Endpoint(f"http://127.0.0.1:{ours.recv()}"))
    print(f"{'sink':<12} {'CPU ms':>8} {'p50 ms':>10} {'p99 ms':>8}    a run, of {RUNS}, {TARGETS} targets")
    with TemporaryDirectory() as folder:
        history = History(Path(folder), count_spans=span_tree.count)
        measure("history", history.append, records)
        size = (Path(folder) / "history.sqlite3").stat().st_size / RUNS
        history.close()
    measure("histograms", histograms.write, records)
    measure("spans", lambda record: spans.send(export_request([record], "0")), records)
    measure("log", LogSink(make_logger(io.StringIO())).write, records)
    measure("scrape", lambda _record: histograms.render("application/openmetrics-text"), records)
    print(f"\nhistory: {size / 1000:.1f} kB a run")
    receiver.terminate()
    receiver.join(5)


if __name__ == "__main__":
    main()
