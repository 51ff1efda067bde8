"""From configuration to a plan: the target, the scenario, and the ids of the run."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from probe.record import Plan, Scenario, Target

T = TypeVar("T")


def new_plan(
    target: Target, scenario: Scenario, started: datetime | None = None, *, speech_dir: Path | None = None
) -> Plan:
    """Plan one run. Run ids sort by time; trace and span ids are random, as W3C traces want them.

    A run id has 48 random bits for what begins within one second; those of earlier versions have 24.
    """
    moment = (started or datetime.now(UTC)).astimezone(UTC)
    return Plan(
        run_id=f"{moment:%Y%m%dT%H%M%SZ}-{secrets.token_hex(6)}",
        trace_id=secrets.token_hex(16),
        span_id=secrets.token_hex(8),
        target=target,
        scenario=scenario,
        speech_dir=speech_dir,
    )


def choose(kind: str, known: Mapping[str, T], name: str | None) -> tuple[str, T]:
    """Pick a configured target or scenario by name, the first one where no name is given. Raises ValueError."""
    if name is None:
        return next(iter(known.items()))
    if name not in known:
        raise ValueError(f"no {kind} {name!r} is configured; there is: {', '.join(known)}")
    return name, known[name]
