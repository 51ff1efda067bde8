"""What a drift sink reports of some runs."""

import io
import json
from collections.abc import Callable
from functools import cache
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from runs import MS, START, record

from probe.daemon.drift_sink import DriftSink
from probe.daemon.log import make_logger
from probe.drift import Monitor
from probe.metrics.registry import Metrics
from probe.record import RunRecord

LEARNT = 130
SLOW = 40


def run(number: int, ttfb_ms: int) -> RunRecord:
    return record(number, started=START + number * 60_000 * MS, ttfb_ms=ttfb_ms)


@cache
def _runs() -> tuple[RunRecord, ...]:
    usual = [run(number, 296 + number * 7 % 9) for number in range(LEARNT)]
    return (*usual, *(run(number, 446 + number * 7 % 9) for number in range(LEARNT, LEARNT + SLOW)))


def runs() -> list[RunRecord]:
    """Runs that take 300 ms, more or less, and then half as long again."""
    return [*_runs()]


class Reported:
    """A sink, and all that it reports."""

    def __init__(self, save: Callable[[str, str, bytes], None] = lambda *_: None) -> None:
        self.metrics = Metrics("1", [])
        self.metrics.expect([("local", "default")])
        self.log = io.StringIO()
        self.logger = make_logger(self.log, "json")
        self.sink = DriftSink(Monitor, self.metrics.update_drift, self.metrics.count_drift, self.logger, save)

    def take(self, record: RunRecord) -> None:
        self.sink.look(record)
        self.sink.write(record)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def samples(self) -> dict[tuple[str, str], float]:
        body, _ = self.metrics.render("")
        return {
            (sample.name.removeprefix("voice_probe_drift_"), sample.labels.get("stage", "")): sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
            if sample.name.startswith("voice_probe_drift_") and sample.labels.get("direction") != "faster"
        }
