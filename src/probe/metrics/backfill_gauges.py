"""Families of gauges after each recorded run, as lines of OpenMetrics with timestamps."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from probe.metrics.exposition import Families
from probe.metrics.openmetrics_text import Labels, by_labels, sample


@dataclass(frozen=True, slots=True)
class _Key:
    """A series: its family and that one's type, the name of its samples, its labels."""

    family: str
    type: str
    name: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class Reading:
    """The figures of one run, in the order of `keys`: those are shared by runs that have the same series."""

    keys: tuple[_Key, ...]
    values: "array[float]"


# Those that were met: a month of runs has few, and would not fit into memory with keys of its own for each.
_shared: dict[tuple[_Key, ...], tuple[_Key, ...]] = {}


def reading(families: Families) -> Reading:
    """What these are after a run."""
    found = [(family, each) for family in families for each in family.samples]
    keys = tuple(_Key(family.name, family.type, each.name, (*each.labels.items(),)) for family, each in found)
    return Reading(_shared.setdefault(keys, keys), array("d", (each.value for _, each in found)))


def lines(readings: Sequence[tuple[float, Reading]], fixed: Labels) -> Iterator[str]:
    """The lines of these readings, each at its time in seconds, in that order. Of several at one moment, the last."""
    by_family: dict[tuple[str, str], list[tuple[_Key, tuple[float, float]]]] = {}
    for at_s, found in readings:
        for key, value in zip(found.keys, found.values, strict=True):
            by_family.setdefault((key.family, key.type), []).append((key, (at_s, value)))
    for (family, kind), samples in by_family.items():
        yield f"# TYPE {family} {kind}"
        named = (((("", key.name), *fixed, *key.labels), sampled) for key, sampled in samples)
        for ((_, name), *labels), values in by_labels(named).items():
            for at_s, value in {round(at_s, 3): (at_s, value) for at_s, value in values}.values():
                yield sample(name, tuple(labels), value, at_s)
