"""Prometheus' text formats, rendered again only for what has changed: all series of 20 targets would take 0.2 s."""

import re
import threading
from collections.abc import Callable, Iterable
from itertools import chain

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

NAMESPACE = "voice_probe"
RUN_LABELS = ("target", "scenario")

_OPENMETRICS = "application/openmetrics-text"
_END = b"# EOF\n"
_ENCODERS: dict[str, Callable[[CollectorRegistry], bytes]] = {
    openmetrics.CONTENT_TYPE_LATEST: openmetrics.generate_latest,
    CONTENT_TYPE_PLAIN_0_0_4: generate_latest,
}
# The two lines that begin a family, and its samples.
_FAMILY = re.compile(rb"^(# HELP .*\n# TYPE .*\n)((?:(?!# HELP ).*\n)*)", re.MULTILINE)


class Part:
    """Series that change together. Declare them in `registry`; every method may be called from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
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
        text = _ENCODERS[content_type](self.registry).removesuffix(_END)
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
    end = [_END] if content_type == openmetrics.CONTENT_TYPE_LATEST else []
    # Copied once: hundreds of targets make megabytes, and nothing else runs meanwhile.
    return b"".join(chain(*families.values(), end))
