"""Prometheus' text formats, rendered again only for what has changed: all series of 20 targets would take 0.2 s."""

import re
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import TypeVar

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

T = TypeVar("T")
NAMESPACE = "voice_probe"
RUN_LABELS = ("target", "scenario")
Families = Iterable[Metric]

_OPENMETRICS = "application/openmetrics-text"
END = b"# EOF\n"
_ENCODERS: dict[str, Callable[[CollectorRegistry], bytes]] = {
    openmetrics.CONTENT_TYPE_LATEST: openmetrics.generate_latest,
    CONTENT_TYPE_PLAIN_0_0_4: generate_latest,
}
# The two lines that begin a family, and its samples.
_FAMILY = re.compile(rb"^(# HELP .*\n# TYPE .*\n)((?:(?!# HELP ).*\n)*)", re.MULTILINE)


class Configured:
    """The targets and scenarios whose series are shown: all, until it is set by a configuration."""

    def __init__(self) -> None:
        self._names: Mapping[str, Collection[str]] = {}

    def set(self, targets: Collection[str], scenarios: Collection[str]) -> None:
        self._names = {"target": frozenset(targets), "scenario": frozenset(scenarios)}

    def has(self, labels: Mapping[str, str]) -> bool:
        """Whether none of a series' labels is a target or a scenario that is no longer there."""
        return all(labels[name] in known for name, known in self._names.items() if name in labels)


def of_configured(series: Mapping[tuple[str, str], T], configured: Configured) -> dict[tuple[str, str], T]:
    """Those of a target and a scenario that are there."""
    return {key: each for key, each in series.items() if configured.has(dict(zip(RUN_LABELS, key, strict=True)))}


class _OfConfigured(CollectorRegistry):
    """A registry that leaves out the series of what is no longer configured, also where something still sets them."""

    def __init__(self, configured: Configured) -> None:
        super().__init__()
        self._configured = configured

    def collect(self) -> Iterator[Metric]:
        for family in super().collect():
            shown = Metric(family.name, family.documentation, family.type, family.unit)
            shown.samples = [each for each in family.samples if self._configured.has(each.labels)]
            if shown.samples or not family.samples:
                yield shown


class Part:
    """Series that change together. Declare them in `registry`; every method may be called from any thread.

    With `configured`, those of other targets and scenarios are not shown.
    """

    def __init__(self, configured: Configured | None = None) -> None:
        self.registry = CollectorRegistry() if configured is None else _OfConfigured(configured)
        self._texts: dict[str, dict[bytes, bytes]] = {}
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Render the text again, in the formats that have been asked for."""
        with self._lock:
            for content_type in self._texts:
                self._texts[content_type] = self._families(content_type)

    def families(self, content_type: str) -> dict[bytes, bytes]:
        """Samples by the head of their family, as they were at the last refresh."""
        with self._lock:
            if content_type not in self._texts:
                self._texts[content_type] = self._families(content_type)
            return self._texts[content_type]

    def _families(self, content_type: str) -> dict[bytes, bytes]:
        text = _ENCODERS[content_type](self.registry).removesuffix(END)
        return dict(_FAMILY.findall(text))


def negotiate(accept: str) -> str:
    """The content type for an HTTP `Accept` header: OpenMetrics where that is taken."""
    return openmetrics.CONTENT_TYPE_LATEST if _OPENMETRICS in accept else CONTENT_TYPE_PLAIN_0_0_4


def page(parts: Iterable[Part], content_type: str) -> bytes:
    """One page of all parts, each family in one piece."""
    families: dict[bytes, list[bytes]] = {}
    for part in parts:
        for head, samples in part.families(content_type).items():
            families.setdefault(head, [head]).append(samples)
    end = [END] if content_type == openmetrics.CONTENT_TYPE_LATEST else []
    # Copied once: hundreds of targets make megabytes, and nothing else runs meanwhile.
    return b"".join(chain(*families.values(), end))
