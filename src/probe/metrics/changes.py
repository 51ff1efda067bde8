"""What changed around the runs of one target and scenario, and how many were throttled, as counters."""

from prometheus_client import Counter

from probe.drift.circumstances import circumstances
from probe.drift.events import FACTS, Follower
from probe.metrics.exposition import NAMESPACE, RUN_LABELS, Part
from probe.record import RunRecord


class ChangeMetrics:
    """Counters, zero from the start, in the part of their series."""

    def __init__(self, part: Part, target: str, scenario: str) -> None:
        labels = {"target": target, "scenario": scenario}
        changes = Counter(
            "changes_total", "Changes of what is measured or of the machine.", (*RUN_LABELS, "kind"), NAMESPACE,
            registry=part.registry,
        )  # fmt: skip
        self._changes = {kind: changes.labels(**labels, kind=kind) for kind in FACTS}
        self._throttled = Counter(
            "throttled_runs_total", "Runs during which something lowered a GPU's clocks.", RUN_LABELS, NAMESPACE,
            registry=part.registry,
        ).labels(**labels)  # fmt: skip
        self._follower = Follower()

    def restore(self, record: RunRecord) -> None:
        """Learn what was, and count nothing."""
        for _ in self._follower.add(circumstances(record)):
            pass

    def count(self, record: RunRecord) -> None:
        for event in self._follower.add(circumstances(record)):
            self._changes[event.kind].inc()
        if record.machine is not None and record.machine.throttled:
            self._throttled.inc()
