"""Errors between sections: an unknown target or scenario, or a duplicate schedule."""

from collections.abc import Iterator, Mapping
from typing import Any

from probe.config.errors import Problem, problem
from probe.config.written import decoded, table


def broken_references(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Look at a document that may be invalid in itself."""
    yield from _schedules(document)
    yield from _transcribed(document)


def _schedules(document: Mapping[str, Any]) -> Iterator[Problem]:
    seen: dict[tuple[str, str], str] = {}
    for name, written in (table(document.get("schedules")) or {}).items():
        if (schedule := table(written)) is None:
            continue
        pair = []
        for kind in ("target", "scenario"):
            known = _names(document.get(f"{kind}s"))
            wanted = schedule.get(kind, known[0] if known else None)
            pair.append(wanted)
            if known and isinstance(wanted, str) and wanted not in known:
                text = f"no {kind} {str(wanted)!r} is configured; one of: {', '.join(known)}"
                yield problem(("schedules", name, kind), text, wanted)
        target, scenario = map(str, pair)
        other = seen.setdefault((target, scenario), name)
        if other != name:
            text = f"runs scenario {scenario!r} on target {target!r} as schedules.{other} does"
            yield problem(("schedules", name), text, schedule)


def _transcribed(document: Mapping[str, Any]) -> Iterator[Problem]:
    known = _names(document.get("targets"))
    written = decoded((table(document.get("intelligibility")) or {}).get("targets"))
    for number, name in enumerate(written if isinstance(written, list) else ()):
        if known and isinstance(name, str) and name not in known:
            text = f"no target {name!r} is configured; one of: {', '.join(known)}"
            yield problem(("intelligibility", "targets", number), text, name)


def _names(value: Any) -> list[str]:
    return list(table(value) or ())
