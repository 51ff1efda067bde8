"""Lines of OpenMetrics with timestamps."""

from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
Labels = tuple[tuple[str, str], ...]


def by_labels(events: Iterable[tuple[Labels, T]]) -> dict[Labels, list[T]]:
    """Each series' samples together, as OpenMetrics wants them."""
    series: dict[Labels, list[T]] = {}
    for labels, event in events:
        series.setdefault(labels, []).append(event)
    return series


def sample(name: str, labels: Labels, value: float, at_s: float) -> str:
    """One line; the time is in seconds since the epoch."""
    joined = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
    return f"{name}{{{joined}}} {value} {at_s:.3f}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
