"""What can only be wrong between sections: a schedule that names what is not there, or does what another one does."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError


def broken_references(document: Mapping[str, Any]) -> dict[tuple[str, ...], tuple[str, Any]]:
    """Look at a document that need not be valid in itself: key path -> what is wrong, value."""
    schedules = document.get("schedules")
    if not isinstance(schedules, Mapping):
        return {}
    broken: dict[tuple[str, ...], tuple[str, Any]] = {}
    seen: dict[tuple[Any, ...], str] = {}
    for name, schedule in schedules.items():
        if not isinstance(schedule, Mapping):
            continue
        pair = []
        for kind in ("target", "scenario"):
            known = _names(document.get(f"{kind}s"))
            wanted = schedule.get(kind, known[0] if known else None)
            pair.append(wanted)
            if known and isinstance(wanted, str) and wanted not in known:
                text = f"no {kind} {wanted!r} is configured; one of: {', '.join(known)}"
                broken["schedules", str(name), kind] = text, wanted
        other = seen.setdefault((str(pair[0]), str(pair[1])), str(name))
        if other != name:
            text = f"runs scenario {pair[1]!r} on target {pair[0]!r} as schedules.{other} does"
            broken["schedules", str(name)] = text, dict(schedule)
    return broken


def _names(table: Any) -> list[str]:
    return [str(name) for name in table] if isinstance(table, Mapping) else []


def with_broken_references(error: ValidationError | None, document: Mapping[str, Any]) -> ValidationError | None:
    """Add the errors between sections of a document to those that were found inside of them."""
    broken = broken_references(document)
    if not broken:
        return error
    found: list[InitErrorDetails] = []
    for each in error.errors() if error is not None else ():
        name: Any = each["type"]
        kind = PydanticCustomError(name, "{msg}", {"msg": each["msg"]})
        found.append(InitErrorDetails(type=kind, loc=each["loc"], input=each["input"]))
    for key, (text, value) in broken.items():
        kind = PydanticCustomError("broken_reference", "{msg}", {"msg": text})
        found.append(InitErrorDetails(type=kind, loc=key, input=value))
    return ValidationError.from_exception_data("Config", found)
