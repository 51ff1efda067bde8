"""Sources of another machine's figures: its node_exporter and its dcgm-exporter, each asked in a thread of its own."""

import functools
import time
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlencode, urlsplit, urlunsplit

from probe.machine import dcgm, node
from probe.machine.answer import NoPageError
from probe.machine.gpu import GpuReading
from probe.machine.host import Conditions, Counters, Levels
from probe.machine.scrape import Reader
from probe.machine.summary import HostReading
from probe.machine.watching import Source
from probe.prometheus_text import Page

# For one page. A run waits for its first and for its last; one that did not come is not waited for again.
DEADLINE_S = 1.0
_PATIENCE_S = 1.1

Fetch = Callable[[str, float], bytes]


class NodeExporter:
    """One machine's host. It is asked for what is wanted alone, where it takes that: its work is the machine's."""

    def __init__(self, url: str, fetch: Fetch, now: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._fetch = fetch
        self._now = now
        # A query in the configuration is the user's own choice.
        self._filters = not urlsplit(url).query

    def first(self) -> HostReading:
        """What is read before a run: what grows is compared with what is read after it."""
        found = self._page(node.FIRST)
        return _some(HostReading(self._now(), node.levels(found), node.counters(found)))

    def brief(self) -> HostReading:
        """What may change within a run."""
        found = self._page(node.BRIEF)
        return _some(HostReading(self._now(), node.levels(found)))

    def whole(self) -> HostReading:
        """What is read after a run."""
        found = self._page(node.WHOLE)
        return _some(HostReading(self._now(), node.levels(found), node.counters(found), node.conditions(found)))

    def _page(self, collectors: tuple[str, ...]) -> Page:
        return node.read(self._text(collectors))

    def _text(self, collectors: tuple[str, ...]) -> bytes:
        if not self._filters:
            return self._fetch(self._url, DEADLINE_S)
        try:
            return self._fetch(_collecting(self._url, collectors), DEADLINE_S)
        except NoPageError as error:
            if error.status != HTTPStatus.BAD_REQUEST:
                raise
        # One of them is switched off there: it shows all that it has.
        self._filters = False
        return self._fetch(self._url, DEADLINE_S)


def host_source(url: str) -> Source[HostReading]:
    exporter = NodeExporter(url, Reader().page)
    return Source("node", exporter.first, exporter.brief, exporter.whole, _PATIENCE_S)


def gpu_source(url: str) -> Source[GpuReading]:
    reader = Reader()

    def read() -> GpuReading:
        found = dcgm.reading(reader.page(url, DEADLINE_S))
        if not found.levels:
            raise NoPageError("no GPU in it")
        return found

    return Source("dcgm", read, read, read, _PATIENCE_S)


@functools.cache
def _collecting(url: str, collectors: tuple[str, ...]) -> str:
    return urlunsplit(urlsplit(url)._replace(query=urlencode([("collect[]", each) for each in collectors])))


def _some(found: HostReading) -> HostReading:
    """A page of something else is no answer. Raises NoPageError."""
    nothing = (
        found.levels == Levels() and found.counters in (None, Counters()) and found.conditions in (None, Conditions())
    )
    if nothing:
        raise NoPageError("no figure of a machine in it")
    return found
