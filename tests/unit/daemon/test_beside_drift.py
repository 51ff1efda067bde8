"""What else changed with a drift: looked for once, again with more runs, shown while it lasts, and never in the way."""

from collections.abc import Sequence

import pytest
from reported import LEARNT, SLOW, Reported, run, runs

from probe.daemon.beside_drift import BesideDrift
from probe.daemon.drift_sink import DriftSink
from probe.drift import Monitor, Shift
from probe.record import RunRecord
from probe.tracing.otlp import Found, export_request


class Beside:
    """What is found, and how often it was looked for."""

    def __init__(self) -> None:
        self.found: Sequence[str] = ("gpu_sm_ghz", "clock_cap")
        self.looked: list[int] = []
        self.shown: list[tuple[str, ...]] = []
        self.errors: list[str] = []
        self.reported = Reported()
        self.beside = BesideDrift(self.look, self.show, self.errors.append)
        metrics = self.reported.metrics
        self.reported.sink = DriftSink(
            Monitor, metrics.update_drift, metrics.count_drift, self.reported.logger, beside=self.beside
        )

    def look(self, _target: str, _scenario: str, shift: Shift) -> Sequence[str]:
        self.looked.append(shift.since)
        return self.found

    def show(self, target: str, scenario: str, names: Sequence[str]) -> None:
        self.shown.append(tuple(names))
        self.reported.metrics.show_beside(target, scenario, names)

    def gauge(self) -> dict[str, float]:
        body, _ = self.reported.metrics.render("")
        lines = [line for line in body.decode().splitlines() if line.startswith("voice_probe_drift_beside{")]
        return {line.split('cause="')[1].partition('"')[0]: float(line.split()[-1]) for line in lines}


@pytest.fixture
def beside() -> Beside:
    return Beside()


def test_a_change_is_reported_everywhere_with_what_changed_with_it(beside: Beside) -> None:
    for each in runs():
        beside.reported.take(each)
    (line,) = beside.reported.lines()
    assert line["beside"] == ["gpu_sm_ghz", "clock_cap"]
    assert beside.gauge() == {"gpu_sm_ghz": 1, "clock_cap": 2}
    sink = beside.reported.sink

    def found_with(record: RunRecord) -> Found:
        change = sink.found_with(record.plan.run_id)
        return change, sink.beside(record, change)

    request = export_request(runs(), "1", found_with)
    (event,) = (event for span in request.resource_spans[0].scope_spans[0].spans for event in span.events
                if event.name == "drift")  # fmt: skip
    (attribute,) = (each for each in event.attributes if each.key == "probe.drift.beside")
    assert [each.string_value for each in attribute.value.array_value.values] == ["gpu_sm_ghz", "clock_cap"]


def test_it_is_looked_for_once_and_again_with_more_runs(beside: Beside) -> None:
    for each in runs():
        beside.reported.take(each)
    assert len(beside.looked) == 1
    beside.found = ("driver",)
    for number in range(LEARNT + SLOW, LEARNT + 3 * SLOW):
        beside.reported.take(run(number, 446 + number * 7 % 9))
    assert len(beside.looked) == 2
    assert beside.gauge() == {"driver": 1}


def test_it_is_gone_when_the_change_is_over(beside: Beside) -> None:
    gone = [run(number, 296 + number * 7 % 9) for number in range(LEARNT + SLOW, LEARNT + 3 * SLOW)]
    for each in [*runs(), *gone]:
        beside.reported.take(each)
    assert beside.gauge() == {}
    assert beside.shown[-1] == ()


def test_nothing_is_looked_for_while_nothing_drifts(beside: Beside) -> None:
    for each in runs()[:LEARNT]:
        beside.reported.take(each)
    assert (beside.looked, beside.shown) == ([], [])
    assert beside.beside.names("local", "default", None) == ()


def test_a_past_that_can_t_be_read_costs_the_names_alone(beside: Beside) -> None:
    def broken(*_: object) -> Sequence[str]:
        raise OSError("the disk is gone")

    beside.beside._look = broken
    for each in runs():
        beside.reported.take(each)
    (line,) = beside.reported.lines()
    assert "beside" not in line
    assert beside.errors == ["local/default: what changed with it is not known: OSError: the disk is gone"]
    assert beside.gauge() == {}
