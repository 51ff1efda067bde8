"""One run as plain text, for debugging: its outcome and its timeline, without texts."""

from collections.abc import Iterator
from dataclasses import replace

import click

from probe.measures import outcome
from probe.progress import Event
from probe.record import RunRecord
from probe.report.replay import timeline_events
from probe.report.timeline import lines

_WIDTH = 120


def debug_text(record: RunRecord) -> str:
    """Some lines of text. Its words are ours: of a server's answer it has how many words there were."""
    return "\n".join([*_head(record), "", *_timeline(record), ""])


def _head(record: RunRecord) -> Iterator[str]:
    plan = record.plan
    yield f"run {plan.run_id}, trace {plan.trace_id}"
    yield f"{plan.scenario.name} on {plan.target.name}: {outcome(record)}"
    if record.skipped is not None:
        yield f"skipped: {record.skipped}"
    if (failure := record.failure) is not None:
        where = f" ({failure.server})" if failure.server else ""
        yield f"failed: {failure.stage} {failure.reason}{where}: {failure.detail}"
    for doubt in record.doubts:
        yield f"doubtful: {doubt}"


def _timeline(record: RunRecord) -> Iterator[str]:
    for event in timeline_events(record):
        for line in lines(_unspoken(event), record.plan, _WIDTH):
            yield click.unstyle(line)


def _unspoken(event: Event) -> Event:
    if event.chunk is None:
        return event
    return replace(event, chunk=replace(event.chunk, text=" ".join("…" for _ in event.chunk.text.split())))
