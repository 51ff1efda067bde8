"""What changed around the runs of one target and scenario, and how many were throttled: counters, and times."""

from prometheus_client import Counter, Gauge

from probe.drift.circumstances import circumstances
from probe.drift.events import FACTS, Event, Follower
from probe.metrics.exposition import NAMESPACE, RUN_LABELS, Part
from probe.record import RunRecord
from probe.timestamps import epoch_seconds

LAST_CHANGE = "last_change_timestamp_seconds"


class ChangeMetrics:
    """In the part of their series. Counters are zero from the start; what has not changed has no time."""

    def __init__(self, part: Part, target: str, scenario: str) -> None:
        labels = self._labels = {"target": target, "scenario": scenario}
        changes = Counter(
            "changes_total", "Changes of what is measured or of the machine.", (*RUN_LABELS, "kind"), NAMESPACE,
            registry=part.registry,
        )  # fmt: skip
        self._changes = {kind: changes.labels(**labels, kind=kind) for kind in FACTS}
        self._times = Gauge(
            LAST_CHANGE, "When the first run after the last change of this kind began.", (*RUN_LABELS, "kind"),
            NAMESPACE, registry=part.registry,
        )  # fmt: skip
        self._throttled = Counter(
            "throttled_runs_total", "Runs during which something lowered a GPU's clocks.", RUN_LABELS, NAMESPACE,
            registry=part.registry,
        ).labels(**labels)  # fmt: skip
        self._follower = Follower()

    def restore(self, record: RunRecord) -> None:
        """Learn what was and when it changed, and count nothing."""
        for event in self._follower.add(circumstances(record)):
            self._date(event)

    def count(self, record: RunRecord) -> None:
        for event in self._follower.add(circumstances(record)):
            self._date(event)
            self._changes[event.kind].inc()
        if record.machine is not None and record.machine.throttled:
            self._throttled.inc()

    def _date(self, event: Event) -> None:
        self._times.labels(**self._labels, kind=event.kind).set(epoch_seconds(event.at))
