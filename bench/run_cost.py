"""How much CPU does a run cost the daemon, and what does each sink add to it?

The same runs against scripted servers in another process, with one sink more each time. CPU time of this process, all
threads, over the number of runs; the order is the one in which the sinks are added.

    python bench/run_cost.py --runs 200
"""

import argparse
import asyncio
import gc
import io
import tempfile
import time
from pathlib import Path

from scripted_servers import configured

from probe.clock import AnchoredClock
from probe.config import Config
from probe.daemon.dispatch import Dispatch, Sink
from probe.daemon.log import make_logger
from probe.daemon.plans import entries
from probe.daemon.schedule import Entry
from probe.engine import runner
from probe.engine.self_check import Watch
from probe.history.writer import History
from probe.metrics.registry import Metrics
from probe.otlp.collector import Endpoint
from probe.otlp.deliver import collector
from probe.plan import new_plan
from probe.protocols.registry import chosen
from probe.record import RunRecord
from probe.report.audio_archive import AudioArchive
from probe.report.log_lines import LogSink
from probe.tolerance import Tolerance
from probe.tracing import spans
from probe.tracing.exporter import SpanSink
from probe.tracing.otlp import TRACES
from probe.transport.connector import SocketConnector


class NoHistory:
    """Keeps nothing."""

    def append(self, record: RunRecord) -> None: ...

    def prune(self, now: int) -> None: ...

    def look(self) -> None: ...

    def close(self) -> None: ...


async def run_once(entry: Entry, *, watched: bool) -> RunRecord:
    clock = AnchoredClock.anchored_now()
    plan = new_plan(entry.target, entry.scenario)
    if not watched:
        return await runner.run(plan, chosen(plan.target), SocketConnector(clock), clock)
    with Watch(clock, Tolerance(20.0, 100.0)) as watch:
        record = await runner.run(plan, chosen(plan.target), SocketConnector(clock), clock)
    return watch.judge(record)


async def cost_ms(entry: Entry, runs: int, dispatch: Dispatch | None, *, watched: bool = True) -> float:
    """CPU milliseconds a run, the end of the sinks included."""
    await run_once(entry, watched=watched)
    gc.collect()
    began = time.process_time()
    for _ in range(runs):
        record = await run_once(entry, watched=watched)
        if dispatch is not None:
            await dispatch.submit(record)
    if dispatch is not None:
        await dispatch.drain(30)
    return (time.process_time() - began) * 1000 / runs


def on_error(sink: str, what: str) -> None:
    raise SystemExit(f"{sink}: {what}")


async def measure(config: Config, runs: int) -> None:
    (entry,) = entries(config)
    metrics = Metrics("bench", ["history"])
    metrics.expect([(entry.target.name, entry.scenario.name)])
    metrics.render("application/openmetrics-text")
    last = 0.0
    for what in ("the run alone", "self-check", "queues", "history", "histograms", "log", "spans", "audio"):
        with tempfile.TemporaryDirectory() as folder:
            dispatch = _dispatch(what, config, metrics, Path(folder)) if what not in _BARE else None
            cost = await cost_ms(entry, runs, dispatch, watched=what != "the run alone")
        print(f"{'+ ' if last else '  '}{what:14} {cost:7.2f} ms per run  {cost - last:+7.2f}")
        last = cost


_BARE = ("the run alone", "self-check")
_ORDER = ("queues", "history", "histograms", "log", "spans", "audio")


def _dispatch(what: str, config: Config, metrics: Metrics, folder: Path) -> Dispatch:
    wanted = _ORDER[: _ORDER.index(what) + 1]
    history = History(folder, count_spans=spans.count)
    sinks: list[Sink] = []
    if "histograms" in wanted:
        sinks.append(metrics)
    if "log" in wanted:
        sinks.append(LogSink(make_logger(io.StringIO())))
    if "spans" in wanted:
        there = collector(Endpoint(config.otlp.url or "http://localhost:4318"), TRACES)
        sinks.append(
            SpanSink(history, there, "bench", on_error=on_error, on_repeat=on_error, on_dropped=lambda _spans: None)
        )
    if "audio" in wanted:
        sinks.append(AudioArchive(folder / "audio", 20))
    return Dispatch(history if "history" in wanted else NoHistory(), sinks, on_error=on_error)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    with configured() as (config, _):
        asyncio.run(measure(config, runs))


if __name__ == "__main__":
    main()
