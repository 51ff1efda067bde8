"""What the metrics page shows, as values: to be sent where nothing scrapes.

They are made of the same registries as the page, so that both say the same.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

Kind = Literal["counter", "gauge", "histogram"]
_KINDS: Mapping[str, Kind] = {"counter": "counter", "histogram": "histogram"}


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One observation, and what it is an example of; `at` in seconds since the epoch."""

    value: float
    at: float
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram's observations: how many are in each bucket, and their sum. The last bucket has no bound."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    @property
    def count(self) -> int:
        return sum(self.counts)

    def __sub__(self, before: "Distribution") -> "Distribution":
        counts = tuple(now - then for now, then in zip(self.counts, before.counts, strict=True))
        return Distribution(self.bounds, counts, self.total - before.total)


# Its name, and its labels.
Series = tuple[str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Point:
    """The value of one series at one moment. One that is not known is NaN, as on the page.

    Times are nanoseconds since the epoch: counters and histograms have what came after `start`, until `at`.
    """

    series: Series
    kind: Kind
    text: str
    value: float | Distribution
    start: int
    at: int
    exemplars: tuple[Exemplar, ...] = ()


class Delivered:
    """What a receiver has got of each series, and until when."""

    def __init__(self) -> None:
        self._points: dict[Series, Point] = {}

    def add(self, points: Iterable[Point]) -> None:
        """It has these, whose values are those of the page."""
        self._points.update((point.series, point) for point in points)

    def news(self, point: Point) -> Point:
        """The point, with those of its exemplars that the receiver has not got."""
        if (last := self._points.get(point.series)) is None:
            return point
        return replace(point, exemplars=tuple(each for each in point.exemplars if each.at * 1e9 > last.at))

    def gained(self, point: Point) -> Point:
        """What has been added since: a gauge stays what it is."""
        last = self._points.get(point.series)
        if point.kind == "gauge" or last is None:
            return self.news(point)
        # A counter that has fallen began again: its target had gone with a reload, and came back.
        fell = _count(point) < _count(last)
        value = point.value if fell else _difference(point.value, last.value)
        return replace(self.news(point), value=value, start=min(last.at, point.at))


Reading = Callable[["Delivered", Point], Point]
# By OpenTelemetry's name: each export has everything since the start, or what has been added since the last one.
TEMPORALITIES: Mapping[str, Reading] = {"cumulative": Delivered.news, "delta": Delivered.gained}


def points(registries: Iterable[CollectorRegistry], start: int, at: int) -> Iterator[Point]:
    """Every series of these registries, whose counters were at zero at `start`."""
    for registry in registries:
        for family in registry.collect():
            read = _histograms if family.type == "histogram" else _numbers
            yield from read(family, start, at)


def _numbers(family: Metric, start: int, at: int) -> Iterator[Point]:
    for sample in family.samples:
        kind = _KINDS.get(family.type, "gauge")
        yield Point(
            _series(sample.name, sample.labels),
            kind,
            family.documentation,
            sample.value,
            start,
            at,
            tuple(_exemplars([sample])),
        )


def _histograms(family: Metric, start: int, at: int) -> Iterator[Point]:
    """One point per set of labels; the page has a sample per bucket, each with all of the smaller ones in it."""
    found: dict[Series, list[Sample]] = {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        found.setdefault(_series(family.name, labels), []).append(sample)
    for series, samples in found.items():
        buckets = [each for each in samples if each.name == f"{family.name}_bucket"]
        total = sum(each.value for each in samples if each.name == f"{family.name}_sum")
        value = Distribution(
            tuple(bound for each in buckets if not math.isinf(bound := float(each.labels["le"]))),
            tuple(_alone([int(each.value) for each in buckets])),
            total,
        )
        yield Point(series, "histogram", family.documentation, value, start, at, tuple(_exemplars(buckets)))


def _alone(cumulated: Iterable[int]) -> Iterator[int]:
    before = 0
    for each in cumulated:
        yield each - before
        before = each


def _exemplars(samples: Iterable[Sample]) -> Iterator[Exemplar]:
    for sample in samples:
        if (found := sample.exemplar) is not None and found.timestamp is not None:
            yield Exemplar(found.value, float(found.timestamp), found.labels)


def _series(name: str, labels: Mapping[str, str]) -> Series:
    return name, tuple(sorted(labels.items()))


def _count(point: Point) -> float:
    return point.value.count if isinstance(point.value, Distribution) else point.value


def _difference(now: float | Distribution, then: float | Distribution) -> float | Distribution:
    if isinstance(now, Distribution) and isinstance(then, Distribution):
        return now - then
    if isinstance(now, Distribution) or isinstance(then, Distribution):
        raise TypeError("a series is either a histogram or a number")
    return now - then
