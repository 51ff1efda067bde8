"""The page as values: what is exported is what the page shows, and deltas add up to it."""

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.parser import text_string_to_metric_families as parse
from runs import failed, on_a_machine, record, skipped

from probe.metrics.points import Delivered, Distribution, Exemplar, Point, Series, points
from probe.metrics.registry import Metrics

BOUNDS = (0.1, 1.0)


class Small:
    """One metric of each kind."""

    def __init__(self) -> None:
        # As the daemon does, for the whole process.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # its own omission
        self.registry = CollectorRegistry()
        self.count = Counter("runs_total", "Runs.", ["target"], registry=self.registry)
        self.gauge = Gauge("up", "Up.", registry=self.registry)
        self.seconds = Histogram("wait_seconds", "Wait.", ["target"], registry=self.registry, buckets=BOUNDS)

    def at(self, moment: int) -> dict[Series, Point]:
        return {each.series: each for each in points([self.registry], 5, moment)}


WAIT: Series = ("wait_seconds", (("target", "a"),))
RUNS: Series = ("runs_total", (("target", "a"),))
UP: Series = ("up", ())


def test_each_kind() -> None:
    small = Small()
    small.count.labels("a").inc(2)
    small.gauge.set(math.nan)
    small.seconds.labels("a").observe(0.05)
    small.seconds.labels("a").observe(7)
    found = small.at(9)
    assert found[RUNS] == Point(RUNS, "counter", "Runs.", 2.0, 5, 9)
    assert found[WAIT] == Point(WAIT, "histogram", "Wait.", Distribution(BOUNDS, (1, 0, 1), 7.05), 5, 9)
    assert found[UP].kind == "gauge" and math.isnan(found[UP].value)  # type: ignore[arg-type]  # a gauge is a number
    assert set(found) == {RUNS, WAIT, UP}


def test_an_exemplar_is_news_once() -> None:
    small, delivered = Small(), Delivered()
    small.seconds.labels("a").observe(0.5, {"trace_id": "ab"})
    (exemplar,) = small.at(9)[WAIT].exemplars
    assert exemplar == Exemplar(0.5, exemplar.at, {"trace_id": "ab"})
    later = int(exemplar.at * 1e9) + 1
    assert delivered.news(small.at(later)[WAIT]).exemplars == (exemplar,)
    delivered.add(small.at(later).values())
    assert delivered.news(small.at(later + 1)[WAIT]).exemplars == ()
    assert delivered.gained(small.at(later + 1)[WAIT]).exemplars == ()


def test_a_gauge_gains_nothing_and_a_counter_what_was_added() -> None:
    small, delivered = Small(), Delivered()
    small.count.labels("a").inc(2)
    small.gauge.set(3)
    delivered.add(small.at(9).values())
    small.count.labels("a").inc()
    small.gauge.set(1)
    later = small.at(11)
    assert delivered.gained(later[RUNS]) == Point(RUNS, "counter", "Runs.", 1.0, 9, 11)
    assert delivered.gained(later[UP]) == Point(UP, "gauge", "Up.", 1.0, 5, 11)


def test_a_clock_that_is_set_back_ends_no_interval_before_its_start() -> None:
    small, delivered = Small(), Delivered()
    small.count.labels("a").inc()
    delivered.add(small.at(100).values())
    assert delivered.gained(small.at(50)[RUNS]).start == 50


@given(
    st.lists(
        st.tuples(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from((0.05, 0.5, 2.0)))), st.booleans()),
        max_size=8,
    )
)
def test_deltas_add_up_whichever_exports_fail(rounds: list[tuple[list[tuple[str, float]], bool]]) -> None:
    small, delivered = Small(), Delivered()
    got: dict[Series, list[Point]] = {}
    moment = 5
    for observed, arrives in [*rounds, ([], True)]:
        moment += 1
        for target, seconds in observed:
            small.count.labels(target).inc()
            small.seconds.labels(target).observe(seconds)
        now = small.at(moment)
        if arrives:
            for series, point in now.items():
                got.setdefault(series, []).append(delivered.gained(point))
            delivered.add(now.values())
    for series, point in small.at(moment).items():
        parts = got[series]
        assert parts[0].start == 5 and parts[-1].at == moment
        assert [each.at for each in parts[:-1]] == [each.start for each in parts[1:]] or point.kind == "gauge"
        if isinstance(point.value, Distribution):
            counts = zip(*(each.value.counts for each in parts if isinstance(each.value, Distribution)), strict=True)
            assert tuple(map(sum, counts)) == point.value.counts
        elif point.kind == "counter":
            assert sum(each.value for each in parts if isinstance(each.value, float)) == point.value


def test_what_has_begun_again_since_is_all_new() -> None:
    delivered, small, again = Delivered(), Small(), Small()
    small.count.labels("a").inc(5)
    for seconds in (0.05, 0.05, 7):
        small.seconds.labels("a").observe(seconds)
    delivered.add(small.at(9).values())
    again.count.labels("a").inc(2)
    again.seconds.labels("a").observe(0.5)
    now = again.at(11)
    assert delivered.gained(now[RUNS]) == Point(RUNS, "counter", "Runs.", 2.0, 9, 11)
    assert delivered.gained(now[WAIT]).value == Distribution(BOUNDS, (0, 1, 0), 0.5)


def on_the_page(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample, by its name and labels."""
    page = metrics.render("")[0].decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(page)
        for sample in family.samples
        if not sample.name.startswith("process_")
    }


def as_samples(point: Point) -> Mapping[tuple[str, frozenset[tuple[str, str]]], float]:
    name, labels = point.series
    if not isinstance(point.value, Distribution):
        return {(name, frozenset(labels)): point.value}
    value, so_far, made = point.value, 0, {}
    for bound, count in zip((*value.bounds, math.inf), value.counts, strict=True):
        so_far += count
        le = "+Inf" if math.isinf(bound) else str(bound)
        made[f"{name}_bucket", frozenset((*labels, ("le", le)))] = float(so_far)
    made[f"{name}_count", frozenset(labels)] = float(value.count)
    made[f"{name}_sum", frozenset(labels)] = value.total
    return made


def test_they_are_the_page() -> None:
    metrics = Metrics("1.2.3", ["history"])
    metrics.expect([("local", "default"), ("spark", "joke")])
    for each in (record(1), record(2, ttfb_ms=1500), failed(3), skipped(4), on_a_machine(5)):
        metrics.write(each)
    found = points((part.registry for part in metrics.parts()), 1, 2)
    samples = {
        key: value
        for point in found
        if not point.series[0].startswith("process_")
        for key, value in as_samples(point).items()
    }
    assert samples == pytest.approx(on_the_page(metrics), nan_ok=True)
