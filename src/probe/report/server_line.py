"""What each server reported of itself around a run, in one line."""

from collections.abc import Iterator

from probe.blame import NAMES
from probe.record import RunRecord
from probe.report.format import counted, ms
from probe.server_state import ServerFigures


def server_lines(record: RunRecord) -> Iterator[tuple[str, str]]:
    """A name and a line for each that reported something."""
    for role, found in record.reported.items():
        if line := "; ".join(_parts(found)):
            yield f"{NAMES[role]} server".replace("agent", "Agent"), line


def _parts(found: ServerFigures) -> Iterator[str]:
    had = (
        None if found.running is None else f"{counted(found.running, 'request')} before",
        None if found.waiting is None else f"{found.waiting} waiting",
        None if found.cache_used is None else f"{found.cache_used:.0%} of its cache in use",
    )
    if any(had):
        yield ", ".join(each for each in had if each)
    if found.requests is not None and found.requests > 1:
        yield f"{counted(found.requests, 'request')} meanwhile"
    if found.queue_ms is not None:
        yield f"each waited {ms(found.queue_ms)}"
    if found.first_token_ms is not None:
        yield f"first token after {ms(found.first_token_ms)}"
    if found.cache_hit is not None:
        yield f"{found.cache_hit:.0%} of the prompt cached"
