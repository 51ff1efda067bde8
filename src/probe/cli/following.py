"""What `probe history --follow` does: each run as soon as it is in the history."""

import time
from collections.abc import Iterator
from itertools import count

from probe.history.reader import HistoryReader
from probe.record import RunRecord

POLL_S = 1.0


def new_runs(reader: HistoryReader, target: str | None, scenario: str | None, after: int) -> Iterator[RunRecord]:
    """Yield each run that comes into the history behind the one of this number, for ever."""
    for _ in count():
        for number, record in reader.newer(after, target, scenario):
            after = number
            yield record
        time.sleep(POLL_S)
