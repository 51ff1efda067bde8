"""What the servers reported of themselves around the last run of one target and scenario, as gauges."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from probe.measures import measure_run
from probe.metrics.exposition import NAMESPACE, RUN_LABELS, Part
from probe.outside import outside_of_run
from probe.plan import Role
from probe.record import RunRecord
from probe.server_state import ServerFigures

_LABELS = (*RUN_LABELS, "server")
_GAUGES: Mapping[str, tuple[str, Callable[[ServerFigures], float | None]]] = {
    "requests_running": ("Requests that it was answering before the last run.", lambda found: found.running),
    "requests_waiting": ("Requests that waited there before the last run.", lambda found: found.waiting),
    "cache_used_ratio": ("Share of its cache in use before the last run.", lambda found: found.cache_used),
    "cache_hit_ratio": ("Share of the prompts of the last run that it had read before.", lambda found: found.cache_hit),
    "queue_seconds": (
        "Mean wait of the requests during the last run, by its own clock.",
        lambda found: _seconds(found.queue_ms),
    ),
    "first_token_seconds": (
        "Mean time to the first token during the last run, by its own clock.",
        lambda found: _seconds(found.first_token_ms),
    ),
}


class ServerMetrics:
    """Gauges in a part of the page. What no server reports is no series."""

    def __init__(self, part: Part) -> None:
        self._lock = threading.Lock()
        self._last: Sequence[Metric] = ()
        part.registry.register(self)

    def update(self, record: RunRecord) -> None:
        """Take a run for the last one, if a server was asked for it."""
        if record.turns or record.reported:
            found = [each for each in families(record) if each.samples]
            with self._lock:
                self._last = found

    def collect(self) -> Iterable[Metric]:
        """For prometheus_client."""
        with self._lock:
            return self._last


def families(record: RunRecord) -> Iterable[Metric]:
    """The gauges after this run; what no server reports has no sample."""
    of_run = (record.plan.target.name, record.plan.scenario.name)
    found = _with_tokens(record)
    for name, (text, value) in _GAUGES.items():
        family = GaugeMetricFamily(f"{NAMESPACE}_server_{name}", text, labels=_LABELS)
        for role, figures in found.items():
            if (figure := value(figures)) is not None:
                family.add_metric((*of_run, role), figure)
        yield family
    first = record.turns[0] if record.turns else None
    prompt = None if first is None else first.prompt_tokens
    outside = outside_of_run(record, measure_run(record))
    of_first: dict[str, tuple[str, float | None]] = {
        "prompt_tokens": (
            "Tokens of the first prompt of the last run, by its count.",
            prompt,
        ),
        "outside_seconds": (
            "What of the last run's LLM TTFT it did not count: network and queue.",
            _seconds(outside),
        ),
    }
    for name, (text, figure) in of_first.items():
        family = GaugeMetricFamily(f"{NAMESPACE}_server_{name}", text, labels=_LABELS)
        if figure is not None:
            family.add_metric((*of_run, _writing(record)), figure)
        yield family


def _with_tokens(record: RunRecord) -> Mapping[Role, ServerFigures]:
    """What its answer says of its prompt is of our own request alone: that counts."""
    first, role = record.turns[0] if record.turns else None, _writing(record)
    if first is None or not first.prompt_tokens or first.cached_tokens is None:
        return record.reported
    found = record.reported.get(role, ServerFigures())
    return {**record.reported, role: replace(found, cache_hit=first.cached_tokens / first.prompt_tokens)}


def _writing(record: RunRecord) -> Role:
    return "agent" if "agent" in record.plan.target.servers else "llm"


def _seconds(ms: float | None) -> float | None:
    return None if ms is None else ms / 1000
