"""What `probe report --since` shows: each series of a history, read once, with nothing held of a run but its wait."""

from collections.abc import Iterator

from probe.cli.counting import counted
from probe.config import DriftConfig
from probe.drift import Monitor
from probe.drift.series import Point
from probe.history.reader import HistoryReader
from probe.plan import Target
from probe.report.html.period_page import Series, reasons
from probe.report.period import fold
from probe.text import one_line

# Failed runs whose reasons are counted: these have to be read whole.
_MOST_FAILURES = 5000
# So many of a series' last runs are looked at for one that can be read, and says what its objective is.
_LOOKED_AT = 20


def series(
    reader: HistoryReader, since: int, until: int, target: str | None, settings: DriftConfig
) -> Iterator[Series]:
    """Each target and scenario with a run in this time (epoch nanoseconds). Raises HistoryError."""
    for name, scenario in reader.series():
        if target in {None, name} and (found := _one(reader, name, scenario, since, until, settings)) is not None:
            yield found


def _one(
    reader: HistoryReader, name: str, scenario: str, since: int, until: int, settings: DriftConfig
) -> Series | None:
    if next(reader.points(name, scenario, since), None) is None:
        return None
    monitor = Monitor(settings.threshold, settings.least_change_percent / 100)
    period = fold(_watched(reader, name, scenario, monitor), since, until)
    if not period.slots or (planned := _target(reader, name, scenario)) is None:
        return None
    verdict = monitor.verdict()
    failed = reader.runs(since, name, scenario, _MOST_FAILURES, outcome="failed")
    failures, looked_at = reasons(counted(failed, one_line(f"failures of {name}, {scenario}")))
    changes = [each for each in verdict.changes if since <= each.since <= until]
    return Series(planned, scenario, period, verdict, changes, failures, looked_at)


def _watched(reader: HistoryReader, name: str, scenario: str, monitor: Monitor) -> Iterator[Point]:
    """All points, those before the time included: drift compares with a series' whole past."""
    for each in counted(reader.points(name, scenario), one_line(f"runs of {name}, {scenario}")):
        monitor.add(each)
        yield each


def _target(reader: HistoryReader, name: str, scenario: str) -> Target | None:
    """As it was planned last."""
    found = reader.recent(name, scenario, _LOOKED_AT)
    return found[-1].plan.target if found else None
