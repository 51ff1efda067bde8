"""What changed at the same time as a latency, in words and as plain values. The words say when, and never why."""

from collections.abc import Iterator, Mapping
from typing import Any

from probe.drift.beside import Beside
from probe.drift.causes import Cause
from probe.drift.circumstances import COVARIATES
from probe.drift.events import Event
from probe.drift.wording import iso

# What lowers a GPU's clocks is named together with its clock if that is named, else alone.
_CLOCK = "gpu_sm_ghz"
_MOST_NAMED = 3


def clause(beside: Beside) -> str:
    """What follows a sentence about a change; empty where nothing fits."""
    parts = [*_parts(beside)][:_MOST_NAMED]
    return f"; at the same time {_listed(parts)}" if parts else ""


def plain(beside: Beside) -> list[dict[str, Any]]:
    """The same as values, the surest first."""
    figures = [
        {"figure": each.name, "from": _rounded(each, each.before), "to": _rounded(each, each.after),
         "unit": _unit(each), "score": round(each.score, 2), "what": _moved(each, beside)}
        for each in beside.causes
    ]  # fmt: skip
    return figures + [{"event": each.kind, **of_event(each)} for each in beside.events]


def of_event(event: Event) -> Mapping[str, Any]:
    return {"at": iso(event.at), "what": event.what, "run": event.run_id}


def _parts(beside: Beside) -> Iterator[str]:
    clock = any(each.name == _CLOCK for each in beside.causes)
    for each in beside.causes:
        yield _moved(each, beside)
    for event in beside.events:
        if not (clock and beside.caps and event.kind == "clock_cap"):
            yield event.what


def _moved(cause: Cause, beside: Beside) -> str:
    known = COVARIATES.get(cause.name)
    words = known.words if known else cause.name
    unit = f" {_unit(cause)}" if _unit(cause) else ""
    caps = f" ({', '.join(beside.caps)})" if cause.name == _CLOCK and beside.caps else ""
    return f"{words} went from {_shown(cause, cause.before)} to {_shown(cause, cause.after)}{unit}{caps}"


def _unit(cause: Cause) -> str:
    known = COVARIATES.get(cause.name)
    return known.unit if known else ""


def _shown(cause: Cause, value: float) -> str:
    known = COVARIATES.get(cause.name)
    return f"{value:.{known.digits}f}" if known else f"{value:.3g}"


def _rounded(cause: Cause, value: float) -> float:
    return float(_shown(cause, value))


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
